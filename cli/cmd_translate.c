/* cli/cmd_translate.c: `attn translate`: lines in, lines out, in order.
 *
 * What has arrived is translated without waiting for more; of a file, a thousand lines at a time. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attn/threads.h"
#include "base/fail.h"
#include "decode.h"
#include "io/json_write.h"
#include "lines.h"
#include "translate_file.h"

enum { CHUNK = 1024 };

typedef struct options {
    attn_decode_options decode;
    const char *file, *output;
    bool scores, json, html, strict;
} options;

static const options defaults = {.decode = ATTN_DECODE_DEFAULTS};

/* clang-format off */
static const attn_option table[] = {
    {"n-best", 'n', ATTN_OPTION_INT, offsetof(options, decode.n_best), 1, 256, .value = "N",
     .help = "print the N best translations (with --sample: N draws), each after its line number and a tab"},
    {"file", 'f', ATTN_OPTION_FILE, offsetof(options, file), .value = "FILE",
     .help = "translate the text of a document and keep the rest of it as it is, up to 64 MiB; its kind is told by its name or content: txt, html, srt, vtt, po, xliff, md, docx, odt, epub"},
    {"output", 'o', ATTN_OPTION_FILE, offsetof(options, output), .value = "FILE",
     .help = "with --file, write the translated document to FILE (default: standard output)"},
    {"scores", 0, ATTN_OPTION_FLAG, offsetof(options, scores),
     .help = "print the score and a tab before each translation"},
    {"html", 0, ATTN_OPTION_FLAG, offsetof(options, html),
     .help = "the input is an HTML page: translate all of it, tags kept around their words"},
    {"attributes", 0, ATTN_OPTION_FLAG, offsetof(options, decode.attributes),
     .help = "with --html, or with --file, translate attributes that people read too: alt, title, placeholder, aria-label, and the content of a description; in md, docx and odt files, alternative texts and titles"},
    {"strict", 0, ATTN_OPTION_FLAG, offsetof(options, strict),
     .help = "stop at the first line that is not UTF-8 or too long"},
    {"json", 0, ATTN_OPTION_FLAG, offsetof(options, json),
     .help = "print one JSON object per line: tokens, their log-probabilities, and what each attended to"},
    {"sample", 0, ATTN_OPTION_FLAG, offsetof(options, decode.sample),
     .help = "sample tokens at random instead of searching for the best translation"},
    {"temperature", 0, ATTN_OPTION_REAL, offsetof(options, decode.temperature), 0.01, 100,
     .value = "T", .help = "sample from p^(1/T): safer below 1, wilder above 1 (default 1)"},
    {"top-k", 0, ATTN_OPTION_INT, offsetof(options, decode.top_k), 0, 1e6, .value = "K",
     .help = "sample from the K likeliest tokens; 0: from all (default)"},
    {"seed", 0, ATTN_OPTION_INT, offsetof(options, decode.seed), 0, 9e15, .value = "N",
     .help = "seed of the random numbers, which also depend on the line number (default 0)"},
    {.name = NULL},
};
/* clang-format on */

static const attn_option_group groups[] = {
    {attn_decode_table, offsetof(options, decode)},
    {attn_pair_table, offsetof(options, decode.pair)},
    {table, 0},
    {NULL, 0},
};

/* Lines that are translated together, and the failure that ended their reading. */
typedef struct chunk {
    char *line[CHUNK];
    attn_translation *translation;
    size_t count;
    int64_t first_line;
    int64_t bad; /* lines so far that were no text */
} chunk;

/* A line that is no text is named, and empty then, so that line N of the output stays that of the input. */
static attn_status read_chunk(attn_line_reader *reader, bool strict, chunk *c, attn_error *error) {
    c->first_line = reader->line + 1;
    for (c->count = 0; c->count < CHUNK; c->count++) {
        attn_status status =
            attn_line_reader_next(reader, c->count == 0, &c->line[c->count], error);
        if (status == ATTN_ERR_FORMAT && !strict) {
            attn_say_error(error);
            c->bad++;
            c->line[c->count] = strdup("");
            status = c->line[c->count] != NULL ? ATTN_OK : attn_fail_memory(error, 1);
        }
        if (status != ATTN_OK || c->line[c->count] == NULL) {
            return status;
        }
    }
    return ATTN_OK;
}

static void free_chunk(chunk *c) {
    attn_translation_free(c->translation);
    c->translation = NULL;
    for (size_t i = 0; i < c->count; i++) {
        free(c->line[i]);
    }
}

static json_t *json_tokens(const attn_tokenizer *tokenizer, const int32_t *ids, int64_t count) {
    json_t *tokens = json_array();
    for (int64_t i = 0; i < count; i++) {
        json_array_append_new(tokens, json_string(attn_tokenizer_piece(tokenizer, ids[i])));
    }
    return tokens;
}

static json_t *json_reals(const attn_real *values, int64_t count) {
    json_t *array = json_array();
    for (int64_t i = 0; i < count; i++) {
        json_array_append_new(array, json_real(values[i]));
    }
    return array;
}

static json_t *json_hypothesis(const attn_model *model, const attn_hypothesis *h) {
    const attn_tokenizer *tokenizer = attn_tokenizer_target(model->tokenizer);
    char *text;
    if (attn_tokenizer_decode(tokenizer, h->ids, (size_t)h->length, &text, NULL) != ATTN_OK) {
        attn_json_lost();
        return NULL;
    }
    json_t *tokens = json_tokens(tokenizer, h->ids, h->length);
    json_t *attention = json_array();
    json_array_append_new(tokens, json_string("</s>"));
    for (int64_t t = 0; t <= h->length; t++) {
        json_array_append_new(attention,
                              json_reals(h->attention + t * h->source_length, h->source_length));
    }
    json_t *object = json_pack(
        "{s:s, s:f, s:f, s:b, s:o, s:o, s:o}", "text", text, "score", h->score, "log_probability",
        h->log_probability, "cut", h->cut, "tokens", tokens, "token_log_probabilities",
        json_reals(h->token_log_probability, h->length + 1), "attention", attention);
    free(text);
    return object;
}

/* What the line's translations are made of: each sentence with its hypotheses. */
static json_t *json_sentences(const attn_translation *translation, size_t line) {
    const attn_model *model = attn_translation_model(translation);
    json_t *sentences = json_array();
    attn_translated_sentence s;
    for (size_t i = 0; attn_translation_sentence(translation, line, i, &s); i++) {
        json_t *hypotheses = json_array();
        const attn_hypothesis *h = s.best;
        for (int64_t rank = 0; h != NULL;) {
            json_array_append_new(hypotheses, json_hypothesis(model, h));
            h = attn_translation_hypothesis(translation, line, i, ++rank);
        }
        json_array_append_new(
            sentences, json_pack("{s:s, s:s*, s:o, s:o}", "source", s.sent, "read",
                                 strcmp(s.sent, s.source) != 0 ? s.source : NULL, "source_tokens",
                                 json_tokens(model->tokenizer, s.source_ids, s.source_length),
                                 "hypotheses", hypotheses));
    }
    return sentences;
}

static attn_status print_json(const chunk *c, size_t line, attn_error *error) {
    json_t *translations = json_array();
    attn_status status = ATTN_OK;
    int64_t ranks = attn_translation_ranks(c->translation, line);
    for (int64_t rank = 0; rank < ranks && status == ATTN_OK; rank++) {
        char *text;
        status = attn_translation_text(c->translation, line, rank, &text, error);
        if (status == ATTN_OK) {
            double score = attn_translation_score(c->translation, line, rank);
            json_array_append_new(translations,
                                  json_pack("{s:s, s:f}", "text", text, "score", score));
            free(text);
        }
    }
    json_t *object =
        json_pack("{s:I, s:s, s:o, s:o}", "line", (json_int_t)(c->first_line + (int64_t)line),
                  "source", c->line[line], "translations", translations, "sentences",
                  json_sentences(c->translation, line));
    if (status == ATTN_OK) {
        return attn_json_print(object, JSON_COMPACT | JSON_REAL_PRECISION(7), stdout, error);
    }
    json_decref(object);
    return status;
}

static attn_status print_text(const options *o, const chunk *c, size_t line, attn_error *error) {
    int64_t ranks = attn_translation_ranks(c->translation, line);
    for (int64_t rank = 0; rank < ranks; rank++) {
        char *text;
        attn_status status = attn_translation_text(c->translation, line, rank, &text, error);
        if (status != ATTN_OK) {
            return status;
        }
        if (o->decode.n_best > 1) {
            printf("%lld\t", (long long)(c->first_line + (int64_t)line));
        }
        if (o->scores) {
            printf("%.4f\t", attn_translation_score(c->translation, line, rank));
        }
        puts(text);
        free(text);
    }
    return ATTN_OK;
}

static attn_status print_chunk(const options *o, const chunk *c, attn_error *error) {
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < c->count && status == ATTN_OK; i++) {
        status = o->json ? print_json(c, i, error) : print_text(o, c, i, error);
    }
    return status == ATTN_OK ? attn_output_flush(error) : status;
}

/* What could be read is translated and printed before a failure to read on is reported. */
static attn_status translate_all(const attn_model *model, const options *o,
                                 attn_line_reader *reader, int64_t *bad, attn_error *error) {
    chunk *c = calloc(1, sizeof *c);
    attn_decode_stats stats = {0};
    attn_search_options search = attn_decode_search_options(&o->decode);
    search.attention = o->json;
    attn_translate_options translate = attn_decode_translate_options(&o->decode, &search);
    if (c == NULL) {
        return attn_fail_memory(error, sizeof *c);
    }
    attn_status reading = ATTN_OK, status = ATTN_OK;
    attn_error read_error;
    do {
        reading = read_chunk(reader, o->strict, c, &read_error);
        if (c->count == 0) {
            break;
        }
        translate.first_text = (uint64_t)c->first_line;
        status = attn_decode_texts(model, (const char *const *)c->line, c->count, &translate,
                                   &c->translation, &stats, error);
        if (status == ATTN_OK) {
            attn_decode_warn(c->translation, reader->name, c->first_line);
            status = print_chunk(o, c, error);
        }
        free_chunk(c);
    } while (status == ATTN_OK && reading == ATTN_OK);
    *bad = c->bad;
    free(c);
    if (status == ATTN_OK && reading != ATTN_OK) {
        *error = read_error;
        status = reading;
    }
    if (status == ATTN_OK && reader->line == 0 && reader->fd != STDIN_FILENO) {
        status = attn_fail(error, ATTN_ERR_FORMAT, reader->name, -1, "give a file with text",
                           "the file is empty");
    }
    if (status == ATTN_OK && o->decode.stats) {
        attn_decode_stats_print(&stats);
    }
    return status;
}

/* All of the input, NUL-terminated, malloc'ed. */
static attn_status read_page(const attn_line_reader *reader, char **out, attn_error *error) {
    size_t room = 0, length = 0;
    char *text = NULL;
    for (ssize_t got = 1; got != 0;) {
        if (room - length < 2) {
            room = 2 * room + 65536;
            char *grown = realloc(text, room);
            if (grown == NULL) {
                free(text);
                return attn_fail_memory(error, room);
            }
            text = grown;
        }
        got = read(reader->fd, text + length, room - length - 1);
        if (got < 0) {
            free(text);
            return attn_fail_errno(error, reader->name, "cannot read");
        }
        length += (size_t)got;
    }
    text[length] = '\0';
    *out = text;
    return strlen(text) == length
               ? ATTN_OK
               : attn_fail(error, ATTN_ERR_FORMAT, reader->name, (int64_t)strlen(text), NULL,
                           "the page holds a NUL byte");
}

static attn_status translate_page(const attn_model *model, const options *o,
                                  const attn_line_reader *reader, attn_error *error) {
    char *page = NULL, *translated = NULL;
    attn_search_options search = attn_decode_search_options(&o->decode);
    attn_translate_options translate = attn_decode_translate_options(&o->decode, &search);
    translate.format = ATTN_TEXT_HTML;
    attn_status status = read_page(reader, &page, error);
    if (status == ATTN_OK) {
        status = attn_translate(model, page, &translate, &translated, error);
    }
    if (status == ATTN_OK) {
        fputs(translated, stdout);
        status = attn_output_flush(error);
    }
    attn_translate_free(translated);
    free(page);
    return status;
}

static int translate_document(const options *o) {
    attn_model *model = NULL;
    attn_error error;
    attn_set_threads((int)o->decode.threads);
    attn_status status = attn_decode_open(&o->decode, &model, &error);
    if (status == ATTN_OK) {
        status = attn_translate_file(model, &o->decode, o->file, o->output, &error);
    }
    attn_model_close(model);
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

static int translate_run(const void *given, int operand_count, char **operand) {
    const options *o = given;
    if (!o->decode.sample && o->decode.n_best > o->decode.beam) {
        return attn_say_misuse("translate: --n-best %lld needs --beam %lld or more",
                               (long long)o->decode.n_best, (long long)o->decode.n_best);
    }
    if (o->html && (o->decode.raw || o->json || o->scores || o->decode.n_best > 1)) {
        return attn_say_misuse("translate: --html prints the page alone: leave out --raw, --json, "
                               "--scores and --n-best");
    }
    if (o->file != NULL && (operand_count > 0 || o->html || o->decode.raw || o->json || o->scores ||
                            o->decode.n_best > 1)) {
        return attn_say_misuse("translate: --file takes one document: leave out FILE, --html, "
                               "--raw, --json, --scores and --n-best");
    }
    if (o->output != NULL && o->file == NULL) {
        return attn_say_misuse("translate: -o is for a document: name it with --file");
    }
    if (o->decode.attributes && !o->html && o->file == NULL) {
        return attn_say_misuse("translate: --attributes are those of a page: add --html, or name a "
                               "document with --file");
    }
    if (o->file != NULL) {
        return translate_document(o);
    }
    attn_model *model = NULL;
    attn_line_reader reader;
    int64_t bad = 0;
    attn_error error;
    if (attn_line_reader_open(operand_count > 0 ? operand[0] : NULL, &reader, &error) != ATTN_OK) {
        return attn_say_error(&error);
    }
    attn_set_threads((int)o->decode.threads);
    attn_status status = attn_decode_open(&o->decode, &model, &error);
    if (status == ATTN_OK) {
        status = o->html ? translate_page(model, o, &reader, &error)
                         : translate_all(model, o, &reader, &bad, &error);
    }
    attn_model_close(model);
    attn_line_reader_close(&reader);
    if (bad > 1) { /* one has been named */
        fprintf(stderr, "%lld lines were no text and are empty in the output\n", (long long)bad);
    }
    return status != ATTN_OK ? attn_say_error(&error) : bad > 0 ? ATTN_EXIT_FAILURE : ATTN_EXIT_OK;
}

const attn_command attn_cmd_translate = {
    .name = "translate",
    .summary = "Translate lines of text",
    .usage = "[OPTION]... [FILE]",
    .description =
        "Reads FILE, or standard input, and prints one translation for each line, in order and as "
        "soon as it can: on a pipe, what has arrived is translated without waiting for more. A "
        "line's translation depends on the line, the model and the options alone. A line is a text "
        "like any other: its sentences are translated one by one and joined; placeholders, "
        "addresses, what holds no letter and what is in the target language already are kept as "
        "they are. With --raw the line goes to the model as it is. A line that is not UTF-8 or too "
        "long is named and left empty; the others go on, and the exit status is 1.\nWith --file it "
        "translates a document: subtitles keep their times, messages their ids, pages, "
        "Markdown and office documents their markup. In PO and XLIFF, what is translated already "
        "stays.",
    .groups = groups,
    .defaults = &defaults,
    .options_size = sizeof(options),
    .max_operands = 1,
    .run = translate_run,
};
