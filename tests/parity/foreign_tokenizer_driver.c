/* Tokenizers of other models, for foreign_tokenizer_compare.py.
 *
 *     foreign_tokenizer_driver spm MODEL PIECES OUT      OUT: the bytes of MODEL numbered by PIECES, one a line, "\tc" behind
 *                                                        those that no text becomes; codes of languages are taken
 *     foreign_tokenizer_driver fairseq MODEL CODES OUT   the same, numbered as fairseq does, CODES at the end
 *     foreign_tokenizer_driver json FILE OUT             OUT: the bytes of a tokenizer.json
 *     foreign_tokenizer_driver cased FILE OUT            of a vocab.txt
 *     foreign_tokenizer_driver uncased FILE OUT
 *     foreign_tokenizer_driver encode BYTES <TEXTS       the ids of each line
 *     foreign_tokenizer_driver decode BYTES <IDS         the text of each line of ids
 *     foreign_tokenizer_driver special BYTES             pad, unk, bos, eos
 *
 * A line of text has "\\n" for a line feed and "\\\\" for a backslash. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/piece_table.h"
#include "text/tokenizer_json.h"

enum { LINE_ROOM = 1 << 20 };

_Noreturn static void complain(const attn_error *error) {
    char message[1200];
    fprintf(stderr, "foreign_tokenizer_driver: %s\n",
            attn_error_format(error, message, sizeof message));
    exit(1);
}

static char *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    attn_buffer all = {0};
    char block[4096];
    for (size_t count; (count = fread(block, 1, sizeof block, file)) > 0;) {
        attn_buffer_add(&all, block, count);
    }
    fclose(file);
    *size = all.length;
    char *bytes;
    attn_error error;
    if (attn_buffer_take(&all, &bytes, &error) != ATTN_OK) {
        complain(&error);
    }
    return bytes;
}

static void write_file(const char *path, const char *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static void add_lines(attn_piece_table *table, char *text, attn_error *error) {
    for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        char *tab = strchr(line, '\t');
        if (tab != NULL) {
            *tab = '\0';
        }
        if (attn_piece_table_add(table, line, tab != NULL, error) != ATTN_OK) {
            complain(error);
        }
    }
}

static void number(const char *how, const char *model_path, const char *pieces_path,
                   const char *out_path) {
    size_t size, pieces_size, bytes_size;
    char *model = read_file(model_path, &size), *pieces = read_file(pieces_path, &pieces_size);
    char *bytes;
    attn_piece_table table = {0};
    attn_error error;
    if (strcmp(how, "fairseq") == 0 &&
        attn_piece_table_of_fairseq(model, size, &table, &error) != ATTN_OK) {
        complain(&error);
    }
    table.codes = strcmp(how, "spm") == 0;
    add_lines(&table, pieces, &error);
    if (attn_piece_table_finish_by_name(&table, &error) != ATTN_OK ||
        attn_piece_table_over(&table, model, size, &bytes, &bytes_size, &error) != ATTN_OK) {
        complain(&error);
    }
    write_file(out_path, bytes, bytes_size);
    attn_piece_table_free(&table);
    free(bytes);
    free(model);
    free(pieces);
}

static void convert(const char *kind, const char *path, const char *out_path) {
    size_t size, bytes_size;
    char *text = read_file(path, &size), *bytes;
    attn_error error;
    attn_status status = strcmp(kind, "json") == 0
                             ? attn_tokenizer_json(text, size, &bytes, &bytes_size, &error)
                             : attn_tokenizer_vocab_txt(text, size, strcmp(kind, "uncased") == 0,
                                                        &bytes, &bytes_size, &error);
    if (status != ATTN_OK) {
        complain(&error);
    }
    write_file(out_path, bytes, bytes_size);
    free(bytes);
    free(text);
}

static attn_tokenizer *load(const char *path) {
    size_t size;
    char *bytes = read_file(path, &size);
    attn_tokenizer *tokenizer;
    attn_error error;
    if (attn_tokenizer_from_bytes(bytes, size, &tokenizer, &error) != ATTN_OK) {
        complain(&error);
    }
    free(bytes);
    return tokenizer;
}

static size_t unescape(char *line) {
    char *to = line;
    for (const char *from = line; *from != '\0' && *from != '\n'; from++) {
        if (*from == '\\') {
            from++;
            *to++ = (char)(*from == 'n' ? '\n' : *from);
        } else {
            *to++ = *from;
        }
    }
    return (size_t)(to - line);
}

static void encode_line(const attn_tokenizer *tokenizer, char *line) {
    int32_t *ids;
    size_t count;
    attn_error error;
    if (attn_tokenizer_encode(tokenizer, line, unescape(line), &ids, &count, &error) != ATTN_OK) {
        complain(&error);
    }
    for (size_t i = 0; i < count; i++) {
        printf("%s%d", i > 0 ? " " : "", (int)ids[i]);
    }
    printf("\n");
    free(ids);
}

static void decode_line(const attn_tokenizer *tokenizer, char *line) {
    int32_t *ids = malloc((strlen(line) + 1) * sizeof *ids);
    size_t count = 0;
    for (char *at = line, *end; ids != NULL; at = end) {
        long id = strtol(at, &end, 10);
        if (end == at) {
            break;
        }
        ids[count++] = (int32_t)id;
    }
    char *text;
    attn_error error;
    if (ids == NULL || attn_tokenizer_decode(tokenizer, ids, count, &text, &error) != ATTN_OK) {
        complain(&error);
    }
    printf("%s\n", text);
    free(text);
    free(ids);
}

static void each_line(const char *path, void (*answer)(const attn_tokenizer *, char *)) {
    attn_tokenizer *tokenizer = load(path);
    char *line = malloc(LINE_ROOM);
    while (line != NULL && fgets(line, LINE_ROOM, stdin) != NULL) {
        answer(tokenizer, line);
    }
    free(line);
    attn_tokenizer_free(tokenizer);
}

static void print_special(const char *path) {
    attn_tokenizer *tokenizer = load(path);
    attn_special_ids special = attn_tokenizer_special(tokenizer);
    printf("%d %d %d %d\n", (int)special.pad, (int)special.unk, (int)special.bos, (int)special.eos);
    attn_tokenizer_free(tokenizer);
}

int main(int count, char **argument) {
    const char *action = count > 1 ? argument[1] : "";
    if (count == 5 && (strcmp(action, "spm") == 0 || strcmp(action, "fairseq") == 0)) {
        number(action, argument[2], argument[3], argument[4]);
    } else if (count == 4 && (strcmp(action, "json") == 0 || strcmp(action, "cased") == 0 ||
                              strcmp(action, "uncased") == 0)) {
        convert(action, argument[2], argument[3]);
    } else if (count == 3 && strcmp(action, "encode") == 0) {
        each_line(argument[2], encode_line);
    } else if (count == 3 && strcmp(action, "decode") == 0) {
        each_line(argument[2], decode_line);
    } else if (count == 3 && strcmp(action, "special") == 0) {
        print_special(argument[2]);
    } else {
        fprintf(stderr, "foreign_tokenizer_driver: see the head of its source\n");
        return 2;
    }
    return 0;
}
