/* tape/params.c: the table of a model's tensors.
 *
 * Rows are declared first and stand in chunks, so that pointers to them stay valid; then one
 * allocation holds all the data and one all the gradients, in the order of declaration and without
 * gaps. Next: tape.c. */
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "tape/tape.h"

enum { CHUNK_ROWS = 64 };

typedef struct chunk {
    struct chunk *next;
    attn_param rows[CHUNK_ROWS];
} chunk;

struct attn_params {
    chunk *first, *last;
    size_t count;
    int64_t size;
    bool failed, allocated;
    real *data, *grad, *row_scales;
};

attn_status attn_params_create(attn_params **out) {
    *out = attn_alloc_zero(1, sizeof **out);
    return *out != NULL ? ATTN_OK : ATTN_ERR_MEMORY;
}

void attn_params_free(attn_params *params) {
    if (params == NULL) {
        return;
    }
    for (chunk *c = params->first; c != NULL;) {
        chunk *next = c->next;
        attn_free(c);
        c = next;
    }
    attn_free(params->data);
    attn_free(params->grad);
    attn_free(params->row_scales);
    attn_free(params);
}

static chunk *chunk_with_room(attn_params *params) {
    if (params->count % CHUNK_ROWS != 0) {
        return params->last;
    }
    chunk *fresh = attn_alloc_zero(1, sizeof *fresh);
    if (fresh == NULL) {
        return NULL;
    }
    if (params->last != NULL) {
        params->last->next = fresh;
    } else {
        params->first = fresh;
    }
    params->last = fresh;
    return fresh;
}

attn_param *attn_params_declare(attn_params *params, const char *name, int64_t rows, int64_t cols,
                                attn_init init) {
    size_t elements;
    chunk *room = params->allocated ? NULL : chunk_with_room(params);
    if (room == NULL || rows <= 0 || cols <= 0 ||
        !attn_size_mul((size_t)rows, (size_t)cols, &elements) ||
        elements > (size_t)INT64_MAX / sizeof(real) - (size_t)params->size) {
        params->failed = true;
        return NULL;
    }
    attn_param *row = &room->rows[params->count % CHUNK_ROWS];
    *row = (attn_param){.rows = rows, .cols = cols, .init = init};
    snprintf(row->name, sizeof row->name, "%s", name);
    params->count++;
    params->size += (int64_t)elements;
    return row;
}

attn_param *attn_params_at(const attn_params *params, size_t index) {
    chunk *c = params->first;
    for (; c != NULL && index >= CHUNK_ROWS; index -= CHUNK_ROWS) {
        c = c->next;
    }
    return c != NULL ? &c->rows[index] : NULL;
}

bool attn_params_failed(const attn_params *params) {
    return params->failed;
}

attn_status attn_params_allocate_some(attn_params *params, bool with_grad,
                                      bool (*wanted)(const attn_param *row)) {
    if (params->failed) {
        return ATTN_ERR_MEMORY;
    }
    int64_t size = 0;
    for (size_t i = 0; i < params->count; i++) {
        const attn_param *row = attn_params_at(params, i);
        size += wanted == NULL || wanted(row) ? row->rows * row->cols : 0;
    }
    params->data = attn_alloc_zero((size_t)size, sizeof(real));
    params->grad = with_grad ? attn_alloc_zero((size_t)size, sizeof(real)) : NULL;
    if (params->data == NULL || (with_grad && params->grad == NULL)) {
        return ATTN_ERR_MEMORY; /* attn_params_free releases what there is */
    }
    params->allocated = true;
    int64_t offset = 0;
    for (size_t i = 0; i < params->count; i++) {
        attn_param *row = attn_params_at(params, i);
        if (wanted == NULL || wanted(row)) {
            row->data = params->data + offset;
            row->grad = with_grad ? params->grad + offset : NULL;
            offset += row->rows * row->cols;
        }
    }
    return ATTN_OK;
}

attn_status attn_params_allocate(attn_params *params, bool with_grad) {
    return attn_params_allocate_some(params, with_grad, NULL);
}

attn_status attn_params_allocate_row_scales(attn_params *params) {
    int64_t rows = 0;
    for (size_t i = 0; i < params->count; i++) {
        rows += attn_params_at(params, i)->rows;
    }
    params->row_scales = attn_alloc_zero((size_t)rows, sizeof(real));
    if (params->row_scales == NULL) {
        return ATTN_ERR_MEMORY;
    }
    rows = 0;
    for (size_t i = 0; i < params->count; i++) {
        attn_param *row = attn_params_at(params, i);
        row->row_scale = params->row_scales + rows;
        rows += row->rows;
    }
    return ATTN_OK;
}

static void fill_uniform(attn_param *row, double bound, attn_random *random) {
    for (int64_t i = 0; i < row->rows * row->cols; i++) {
        row->data[i] = (real)((2.0 * attn_random_uniform(random) - 1.0) * bound);
    }
}

static void fill_normal(attn_param *row, double deviation, attn_random *random) {
    for (int64_t i = 0; i < row->rows * row->cols; i++) {
        row->data[i] = (real)(attn_random_normal(random) * deviation);
    }
}

static void fill_constant(attn_param *row, real value) {
    for (int64_t i = 0; i < row->rows * row->cols; i++) {
        row->data[i] = value;
    }
}

void attn_params_init(attn_params *params, uint64_t seed) {
    for (size_t i = 0; i < params->count; i++) {
        attn_param *row = attn_params_at(params, i);
        /* The tensor's place in the table is its own stream of random numbers. */
        attn_random random = attn_random_start(attn_random_key(seed, 0, i));
        double rows = (double)row->rows, cols = (double)row->cols;
        switch (row->init) {
        case ATTN_INIT_ZERO:
            fill_constant(row, 0);
            break;
        case ATTN_INIT_ONE:
            fill_constant(row, 1);
            break;
        case ATTN_INIT_XAVIER:
            fill_uniform(row, sqrt(6.0 / (rows + cols)), &random);
            break;
        case ATTN_INIT_XAVIER_QKV:
            fill_uniform(row, sqrt(6.0 / (3.0 * rows + cols)), &random);
            break;
        case ATTN_INIT_EMBEDDING:
            fill_normal(row, 1.0 / sqrt(cols), &random);
            break;
        case ATTN_INIT_HE:
            fill_normal(row, sqrt(2.0 / cols), &random);
            break;
        case ATTN_INIT_HE_COLUMNS:
            fill_normal(row, sqrt(2.0 / rows), &random);
            break;
        }
    }
}

size_t attn_params_count(const attn_params *params) {
    return params->count;
}

attn_param *attn_params_find(const attn_params *params, const char *name) {
    for (size_t i = 0; i < params->count; i++) {
        attn_param *row = attn_params_at(params, i);
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

int64_t attn_params_size(const attn_params *params) {
    return params->size;
}

attn_real *attn_params_data(const attn_params *params) {
    return params->data;
}

attn_real *attn_params_grad(const attn_params *params) {
    return params->grad;
}

void attn_params_zero_grad(attn_params *params) {
    if (params->grad != NULL) {
        memset(params->grad, 0, (size_t)params->size * sizeof(real));
    }
}
