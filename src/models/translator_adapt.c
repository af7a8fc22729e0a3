/* models/translator_adapt.c: a translator of which only low-rank adapters are trained, and the same with them merged.
 *
 * Which matrices get one is the caller's choice, by name. Next: layers/adapter.h. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "layers/adapter.h"
#include "models/translator.h"
#include "tape/tape.h"

typedef struct attaching {
    attn_translator *model;
    const attn_adaptation *how;
    bool declare; /* else they are counted only */
} attaching;

/* "encoder.0.self.query.weight" -> "encoder.0.self.query.lora_a" */
static void name_after(const attn_param *weight, const char *end, char *out, size_t size) {
    size_t length = strlen(weight->name), tail = strlen(".weight");
    bool ends = length > tail && strcmp(weight->name + length - tail, ".weight") == 0;
    snprintf(out, size, "%.*s.%s", (int)(ends ? length - tail : length), weight->name, end);
}

static void declare_adapter(attn_translator *m, const attn_adaptation *how,
                            const attn_param *weight, int64_t first) {
    attn_adapter *a = &m->adapters[m->adapter_count];
    char name[96];
    *a = (attn_adapter){.down = {.in = weight->cols, .out = how->rank},
                        .first = first,
                        .scale = (real)(how->alpha / (double)how->rank),
                        .dropout = how->dropout};
    name_after(weight, "lora_a", name, sizeof name);
    a->down.weight =
        attn_params_declare(m->params, name, how->rank, weight->cols, ATTN_INIT_EMBEDDING);
    name_after(weight, "lora_b", name, sizeof name);
    a->up = attn_params_declare(m->params, name, weight->rows, how->rank, ATTN_INIT_ZERO);
}

/* The matrices of one layer, which may be three that were declared as one. */
static attn_status attach(attn_linear *linear, void *context) {
    const attaching *work = context;
    attn_translator *m = work->model;
    if (linear == &m->output) {
        return ATTN_OK;
    }
    int64_t before = m->adapter_count, first = 0;
    for (const attn_param *part = linear->weight; first < linear->out; part = part->next) {
        if (work->how->targets(part->name, work->how->context)) {
            if (work->declare) {
                declare_adapter(m, work->how, part, first);
            }
            m->adapter_count++;
        }
        first += part->rows;
    }
    if (work->declare && m->adapter_count > before) {
        linear->adapters = m->adapters + before;
        linear->adapter_count = m->adapter_count - before;
    }
    return ATTN_OK;
}

attn_status attn_translator_adapt(attn_translator *m, const attn_adaptation *how,
                                  attn_error *error) {
    attaching work = {.model = m, .how = how};
    attn_status status = attn_translator_visit_linears(m, attach, &work);
    int64_t count = m->adapter_count;
    if (status != ATTN_OK || count == 0) {
        return status;
    }
    for (size_t i = 0; i < attn_params_count(m->params); i++) {
        attn_params_at(m->params, i)->frozen = true;
    }
    m->adapters = attn_alloc_zero((size_t)count, sizeof *m->adapters);
    if (m->adapters == NULL) {
        return attn_fail_memory(error, (size_t)count * sizeof *m->adapters);
    }
    m->adapter_count = 0;
    work.declare = true;
    status = attn_translator_visit_linears(m, attach, &work);
    return status == ATTN_OK ? attn_params_check(m->params, error) : status;
}

bool attn_translator_is_adapter(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot != NULL && (strcmp(dot, ".lora_a") == 0 || strcmp(dot, ".lora_b") == 0);
}

typedef struct merging {
    attn_params *to;
    attn_error *error;
} merging;

/* The weights that the layer's parameters have with the adapters added. */
static attn_status merge(attn_linear *linear, void *context) {
    const merging *work = context;
    if (linear->adapter_count == 0) {
        return ATTN_OK;
    }
    size_t bytes = (size_t)(linear->out * linear->in) * sizeof(real);
    real *merged = attn_alloc(bytes), *from = merged;
    attn_status status = merged != NULL ? attn_linear_merge(linear, merged) : ATTN_ERR_MEMORY;
    int64_t rows = 0;
    for (const attn_param *part = linear->weight; status == ATTN_OK && rows < linear->out;
         part = part->next) {
        size_t elements = (size_t)(part->rows * part->cols);
        memcpy(attn_params_find(work->to, part->name)->data, from, elements * sizeof *from);
        from += elements;
        rows += part->rows;
    }
    attn_free(merged);
    return status == ATTN_OK ? ATTN_OK : attn_fail_memory(work->error, bytes);
}

attn_status attn_translator_merged(const attn_translator *m, attn_translator **out,
                                   attn_error *error) {
    attn_status status = attn_translator_create(&m->config, false, out, error);
    if (status != ATTN_OK) {
        return status;
    }
    merging work = {.to = (*out)->params, .error = error};
    for (size_t i = 0; i < attn_params_count(work.to); i++) {
        const attn_param *to = attn_params_at(work.to, i);
        const attn_param *from = attn_params_find(m->params, to->name);
        memcpy(to->data, from->data, (size_t)(to->rows * to->cols) * sizeof *to->data);
    }
    /* It reads the layers; the visit is for who changes them too. */
    status = attn_translator_visit_linears((attn_translator *)(uintptr_t)m, merge, &work);
    if (status != ATTN_OK) {
        attn_translator_free(*out);
        *out = NULL;
    }
    return status;
}
