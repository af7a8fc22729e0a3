/* import/side.c: see side.h. */
#include "import/side.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "models/translator.h"

enum { SOME = 1 << 16 }; /* numbers that do not matter */

static attn_status set(attn_piece_table *ours, attn_word_order *order, int64_t id,
                       const attn_piece_table *theirs, int32_t from, const char *name,
                       attn_error *error) {
    const char *text = name;
    bool control = true;
    if (name == NULL) {
        bool bos = from == theirs->special.bos; /* its name is that of the word that begins */
        bool known = from < theirs->count && theirs->piece[from].text != NULL && !bos;
        text = known ? theirs->piece[from].text : "";
        control = known && theirs->piece[from].control;
    }
    order->theirs[id] = from;
    return attn_piece_table_set(ours, id, text, strlen(text), control, error);
}

static attn_status set_all(const attn_piece_table *theirs, int64_t rows, int32_t start,
                           attn_piece_table *ours, attn_word_order *order, attn_error *error) {
    const attn_special_ids s = theirs->special;
    const struct {
        const char *name;
        int32_t from;
    } first[] = {
        [ATTN_PAD] = {"<pad>", s.pad},
        [ATTN_UNK] = {"<unk>", s.unk},
        [ATTN_BOS] = {"<s>", start},
        [ATTN_EOS] = {"</s>", s.eos},
    };
    attn_status status = ATTN_OK;
    for (int64_t id = 0; id <= ATTN_EOS && status == ATTN_OK; id++) {
        status = set(ours, order, id, theirs, first[id].from, first[id].name, error);
    }
    order->count = ATTN_EOS + 1;
    for (int32_t id = 0; id < rows && status == ATTN_OK; id++) {
        bool taken = id == s.pad || id == s.unk || id == s.eos || (id == s.bos && start == s.bos);
        if (!taken) {
            status = set(ours, order, order->count++, theirs, id, NULL, error);
        }
    }
    order->start_is_copy = start >= 0 && start != s.bos;
    ours->special = (attn_special_ids){ATTN_PAD, ATTN_UNK, ATTN_BOS, ATTN_EOS};
    ours->codes = theirs->codes;
    return status == ATTN_OK ? attn_piece_table_finish(ours, error) : status;
}

static attn_status number(attn_import_side *s, int64_t rows, int32_t start, attn_piece_table *ours,
                          attn_error *error) {
    if (s->theirs.count > rows) {
        return attn_fail(error, ATTN_ERR_FORMAT, NULL, -1,
                         "give the vocabulary that the model was trained with",
                         "the vocabulary has %d pieces, the model %lld words", (int)s->theirs.count,
                         (long long)rows);
    }
    size_t bytes = ((size_t)rows + ATTN_EOS + 1) * sizeof *s->order.theirs;
    s->order.theirs = attn_alloc(bytes);
    return s->order.theirs != NULL ? set_all(&s->theirs, rows, start, ours, &s->order, error)
                                   : attn_fail_memory(error, bytes);
}

attn_status attn_import_side_number(attn_import_side *s, int64_t rows, int32_t start,
                                    attn_error *error) {
    attn_piece_table ours = {.piece = NULL};
    char *bytes = NULL;
    size_t size = 0;
    attn_status status = number(s, rows, start, &ours, error);
    ours.plain = s->segmenter == NULL;
    if (status == ATTN_OK) {
        const char *segmenter = ours.plain ? "" : s->segmenter;
        status = attn_piece_table_over(&ours, segmenter, s->segmenter_size, &bytes, &size, error);
    }
    if (status == ATTN_OK) {
        status = attn_tokenizer_from_bytes(bytes, size, &s->tokenizer, error);
    }
    free(bytes);
    attn_piece_table_free(&ours);
    return status;
}

static bool same_order(const attn_word_order *a, const attn_word_order *b) {
    return a->count == b->count &&
           memcmp(a->theirs, b->theirs, (size_t)a->count * sizeof *a->theirs) == 0;
}

/* Whether one tokenizer does for both. */
static bool same_tokenizer(const attn_tokenizer *a, const attn_tokenizer *b) {
    size_t size[2] = {0, 0};
    const void *bytes = attn_tokenizer_bytes(a, &size[0]);
    return b == NULL || (attn_tokenizer_bytes(b, &size[1]) != NULL && size[0] == size[1] &&
                         memcmp(bytes, attn_tokenizer_bytes(b, &size[1]), size[0]) == 0);
}

attn_status attn_import_join(const attn_import_side sides[2], bool tied, attn_tokenizer **out,
                             attn_error *error) {
    const attn_tokenizer *source = sides[0].tokenizer, *target = sides[1].tokenizer;
    if (tied && target != NULL && !same_order(&sides[0].order, &sides[1].order)) {
        return attn_fail(error, ATTN_ERR_FORMAT, NULL, -1, NULL,
                         "both languages share their embeddings, but have different vocabularies");
    }
    if (same_tokenizer(source, target)) {
        size_t size;
        const void *bytes = attn_tokenizer_bytes(source, &size);
        return attn_tokenizer_from_bytes(bytes, size, out, error);
    }
    return attn_tokenizer_join(source, target, out, error);
}

attn_status attn_import_network(attn_translator_config *config, const attn_weight_map *map,
                                const attn_tensor_file *file, const attn_import_side sides[2],
                                attn_translator **translator, attn_tokenizer **tokenizer,
                                attn_error *error) {
    const attn_word_order *source = &sides[0].order;
    const attn_word_order *target = sides[1].order.count > 0 ? &sides[1].order : source;
    bool tied = config->embeddings == ATTN_EMBEDDINGS_TIED;
    config->vocabulary = target->count;
    config->source_vocabulary = tied ? 0 : source->count;
    attn_status status = attn_translator_declare(config, translator, error);
    if (status == ATTN_OK) {
        /* Biases and a few words may be missing. */
        const attn_params *params = attn_translator_params(*translator);
        status = attn_import_check_size(file, params, attn_params_size(params) / 2 + SOME, error);
    }
    if (status == ATTN_OK) {
        status = attn_translator_allocate(*translator, false, false, error);
    }
    if (status == ATTN_OK) {
        status = attn_import_weights(map, file, source, target, attn_translator_params(*translator),
                                     error);
    }
    return status == ATTN_OK ? attn_import_join(sides, tied, tokenizer, error) : status;
}

void attn_import_side_free(attn_import_side *s) {
    attn_free(s->segmenter);
    attn_piece_table_free(&s->theirs);
    attn_free(s->order.theirs);
    attn_tokenizer_free(s->tokenizer);
    *s = (attn_import_side){.segmenter = NULL};
}
