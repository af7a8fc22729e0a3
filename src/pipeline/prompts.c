/* pipeline/prompts.c: see prompts.h. */
#include "pipeline/prompts.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/memory.h"
#include "base/utf8.h"

static attn_status add_text(const attn_model *model, const char *text, attn_prompts *out,
                            int64_t *end, size_t *room, attn_error *error) {
    int64_t start_token = attn_decoder_get_config(model->decoder)->start_token, before = *end;
    int32_t *words = NULL;
    size_t count = 0, length = strlen(text);
    if (!attn_utf8_whole(text, length)) {
        return attn_fail(error, ATTN_ERR_FORMAT, NULL, -1, NULL, "the text is not UTF-8");
    }
    attn_status status =
        attn_tokenizer_encode(model->tokenizer, text, length, &words, &count, error);
    if (status == ATTN_OK &&
        !attn_grow(&out->ids, room, (size_t)before + count + 1, sizeof *out->ids)) {
        status = attn_fail_memory(error, ((size_t)before + count) * sizeof *out->ids);
    }
    if (status == ATTN_OK && start_token >= 0) {
        out->ids[(*end)++] = (int32_t)start_token;
    }
    if (status == ATTN_OK && count > 0) {
        memcpy(out->ids + *end, words, count * sizeof *words);
        *end += (int64_t)count;
    }
    attn_tokenizer_release(words);
    return status == ATTN_OK && *end == before
               ? attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "begin it with a word",
                           "the text is empty, and the model has nothing that begins one")
               : status;
}

attn_status attn_prompts_encode(const attn_model *model, const char *const *texts, size_t count,
                                attn_prompts *out, attn_error *error) {
    size_t room = 0;
    int64_t end = 0;
    attn_status status = ATTN_OK;
    *out = (attn_prompts){.starts = attn_alloc_zero(count + 1, sizeof *out->starts)};
    if (out->starts == NULL) {
        return attn_fail_memory(error, (count + 1) * sizeof *out->starts);
    }
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        status = add_text(model, texts[i], out, &end, &room, error);
        out->starts[i + 1] = end;
        if (status != ATTN_OK && error != NULL) {
            error->position = (int64_t)i + 1;
        }
    }
    return status;
}

attn_status attn_prompts_decode(const attn_model *model, const int32_t *ids, int64_t count,
                                char **text, attn_error *error) {
    int32_t *known = attn_alloc((size_t)count * sizeof *known);
    size_t kept = 0;
    *text = NULL;
    if (known == NULL) {
        return attn_fail_memory(error, (size_t)count * sizeof *known);
    }
    for (int64_t i = 0; i < count; i++) {
        if (ids[i] < attn_tokenizer_size(model->tokenizer)) {
            known[kept++] = ids[i];
        }
    }
    attn_status status = attn_tokenizer_decode(model->tokenizer, known, kept, text, error);
    attn_free(known);
    return status;
}

void attn_prompts_free(attn_prompts *prompts) {
    attn_free(prompts->ids);
    attn_free(prompts->starts);
    *prompts = (attn_prompts){.ids = NULL};
}
