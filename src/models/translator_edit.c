/* models/translator_edit.c: a translator whose heads are silenced or look elsewhere.
 *
 * It is a copy of the lists of layers, in which some attentions carry edits; what they point to, the
 * weights, stays the other's. The attention layer applies the edits (layers/attention.c), and so does a step
 * with cached values (translator_state.c). */
#include <string.h>

#include "base/fail.h"
#include "models/translator.h"

static attn_status check_edit(const attn_translator *m, const attn_translator_edit *e,
                              attn_error *error) {
    const attn_translator_config *c = &m->config;
    int64_t layers = e->part == ATTN_PART_ENCODER ? c->encoder_layers : c->decoder_layers;
    if (e->layer < 0 || e->layer >= layers || e->head.head < -1 || e->head.head >= c->heads) {
        return attn_fail(
            error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
            "there is no head %lld in layer %lld: that part has layers 1 to %lld, each "
            "with heads 1 to %lld",
            (long long)e->head.head + 1, (long long)e->layer + 1, (long long)layers,
            (long long)c->heads);
    }
    if (c->ssru && e->part == ATTN_PART_DECODER) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "name the encoder or cross attention",
                         "the decoder has recurrent units: no head looks at earlier words");
    }
    if (e->head.query < 0 || e->head.queries < 0 || e->head.key < 0 || e->head.keys < 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                         "an edit of a head has a negative place");
    }
    return ATTN_OK;
}

static attn_multi_head *attention_of(attn_translator *m, attn_translator_part part, int64_t layer) {
    return part == ATTN_PART_ENCODER   ? &m->encoder[layer].self
           : part == ATTN_PART_DECODER ? &m->decoder[layer].self
                                       : &m->decoder[layer].cross;
}

/* Gives each attention its edits, one after another in m->edits. */
static void attach(attn_translator *m, const attn_translator_edit *edits, size_t count) {
    attn_head_edit *next = m->edits;
    for (size_t i = 0; i < count; i++) {
        attn_multi_head *a = attention_of(m, edits[i].part, edits[i].layer);
        if (a->edit_count > 0) {
            continue; /* attached with the first of them */
        }
        a->edits = next;
        for (size_t k = i; k < count; k++) {
            if (edits[k].part == edits[i].part && edits[k].layer == edits[i].layer) {
                *next++ = edits[k].head;
                a->edit_count++;
            }
        }
    }
}

attn_status attn_translator_edited(const attn_translator *model, const attn_translator_edit *edits,
                                   size_t count, attn_translator **out, attn_error *error) {
    const attn_translator_config *c = &model->config;
    *out = NULL;
    if (model->edited) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "give all edits at once",
                         "the translator has edits already");
    }
    for (size_t i = 0; i < count; i++) {
        attn_status status = check_edit(model, &edits[i], error);
        if (status != ATTN_OK) {
            return status;
        }
    }
    attn_translator *m = attn_alloc_zero(1, sizeof *m);
    if (m == NULL) {
        return attn_fail_memory(error, sizeof *m);
    }
    *m = *model;
    m->edited = true;
    m->edits = attn_alloc_zero(count + 1, sizeof *m->edits);
    m->encoder = attn_alloc_zero((size_t)c->encoder_layers, sizeof *m->encoder);
    m->decoder = attn_alloc_zero((size_t)c->decoder_layers, sizeof *m->decoder);
    if (m->edits == NULL || m->encoder == NULL || m->decoder == NULL) {
        attn_translator_free(m);
        return attn_fail_memory(error, (size_t)c->encoder_layers * sizeof *m->encoder);
    }
    memcpy(m->encoder, model->encoder, (size_t)c->encoder_layers * sizeof *m->encoder);
    memcpy(m->decoder, model->decoder, (size_t)c->decoder_layers * sizeof *m->decoder);
    attach(m, edits, count);
    *out = m;
    return ATTN_OK;
}
