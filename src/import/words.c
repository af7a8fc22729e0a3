/* import/words.c: see words.h. */
#include "import/words.h"

#include <string.h>

#include "base/fail.h"
#include "base/memory.h"

enum { LIMIT = 256 << 20 };

/* "word 123" or "word 123 #fairseq:overwrite": the length of the word; 0: it is neither. */
static size_t before_count(const char *line, size_t length) {
    static const char mark[] = " #fairseq:overwrite";
    size_t tail = sizeof mark - 1;
    if (length > tail && memcmp(line + length - tail, mark, tail) == 0) {
        length -= tail;
    }
    size_t end = length;
    while (end > 0 && line[end - 1] >= '0' && line[end - 1] <= '9') {
        end--;
    }
    return end > 1 && end < length && line[end - 1] == ' ' ? end - 1 : 0;
}

attn_status attn_import_words(attn_bundle *bundle, const char *name, bool counts,
                              attn_piece_table *table, attn_error *error) {
    char *text;
    size_t size;
    attn_status status = attn_bundle_read(bundle, name, LIMIT, &text, &size, error);
    if (status != ATTN_OK) {
        return status;
    }
    int64_t number = 1;
    for (size_t at = 0; at < size && status == ATTN_OK; number++) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t whole = end != NULL ? (size_t)(end - text) - at : size - at;
        bool carriage = whole > 0 && text[at + whole - 1] == '\r';
        size_t length = whole - carriage;
        length = counts ? before_count(text + at, length) : length;
        status = length > 0
                     ? attn_piece_table_set(table, table->count, text + at, length, false, error)
                     : attn_fail(error, ATTN_ERR_FORMAT, name, number, NULL,
                                 counts ? "expected a word and a count" : "an empty line");
        at += whole + 1;
    }
    attn_free(text);
    return status;
}

int32_t attn_import_special(attn_piece_table *table, const char *word) {
    for (int32_t id = 0; id < table->count && word[0] != '\0'; id++) {
        if (strcmp(attn_piece_table_text(table, id), word) == 0) {
            table->piece[id].control = true;
            return id;
        }
    }
    return -1;
}

attn_status attn_import_segmenter(attn_bundle *bundle, bool target, attn_import_side *side,
                                  attn_error *error) {
    const char *const names[] = {target ? "target.spm" : "source.spm", "sentencepiece.model",
                                 "sentencepiece.bpe.model", "spm.model"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (attn_bundle_has(bundle, names[i])) {
            return attn_bundle_read(bundle, names[i], LIMIT, &side->segmenter,
                                    &side->segmenter_size, error);
        }
    }
    return ATTN_OK;
}
