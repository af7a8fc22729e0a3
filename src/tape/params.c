/* tape/params.c: the table of a model's tensors.
 *
 * Rows are declared first and stand in chunks, so that pointers to them stay valid; then one
 * allocation holds all the data and one all the gradients, in the order of declaration and without
 * gaps. Next: tape.c. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
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
    attn_error failure; /* of the first declare that failed */
    bool allocated;
    real *data, *grad, *row_scales;
};

attn_status attn_params_create(attn_params **out, attn_error *error) {
    *out = attn_alloc_zero(1, sizeof **out);
    return *out != NULL ? ATTN_OK : attn_fail_memory(error, sizeof **out);
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

void attn_params_fail(attn_params *params, attn_status status, const char *name, const char *reason,
                      ...) {
    if (params->failure.status != ATTN_OK) {
        return;
    }
    char text[sizeof params->failure.what];
    va_list arguments;
    va_start(arguments, reason);
    vsnprintf(text, sizeof text, reason, arguments);
    va_end(arguments);
    attn_fail(&params->failure, status, name, -1, NULL, "%s", text);
}

static bool can_declare(attn_params *params, const char *name, int64_t rows, int64_t cols,
                        size_t *elements) {
    if (params->allocated) {
        attn_params_fail(params, ATTN_ERR_ARGUMENT, name, "declared after attn_params_allocate");
        return false;
    }
    if (strlen(name) >= sizeof((attn_param *)0)->name) {
        attn_params_fail(params, ATTN_ERR_ARGUMENT, name, "a tensor's name has at most %zu bytes",
                         sizeof((attn_param *)0)->name - 1);
        return false;
    }
    if (rows <= 0 || cols <= 0) {
        attn_params_fail(params, ATTN_ERR_ARGUMENT, name,
                         "%lld rows x %lld columns, both must be at least 1", (long long)rows,
                         (long long)cols);
        return false;
    }
    if (!attn_size_mul((size_t)rows, (size_t)cols, elements) ||
        *elements > (size_t)INT64_MAX / sizeof(real) - (size_t)params->size) {
        attn_params_fail(params, ATTN_ERR_MEMORY, name,
                         "%lld rows x %lld columns are more than memory can hold", (long long)rows,
                         (long long)cols);
        return false;
    }
    return true;
}

attn_param *attn_params_declare(attn_params *params, const char *name, int64_t rows, int64_t cols,
                                attn_init init) {
    size_t elements;
    if (!can_declare(params, name, rows, cols, &elements)) {
        return NULL;
    }
    chunk *room = chunk_with_room(params);
    if (room == NULL) {
        attn_params_fail(params, ATTN_ERR_MEMORY, name, "out of memory");
        return NULL;
    }
    attn_param *row = &room->rows[params->count % CHUNK_ROWS];
    *row = (attn_param){.rows = rows, .cols = cols, .init = init};
    snprintf(row->name, sizeof row->name, "%s", name);
    if (params->count > 0) {
        attn_params_at(params, params->count - 1)->next = row;
    }
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

attn_status attn_params_check(const attn_params *params, attn_error *error) {
    if (params->failure.status != ATTN_OK && error != NULL) {
        *error = params->failure;
    }
    return params->failure.status;
}

static attn_param *first_row(const attn_params *params) {
    return params->first != NULL ? &params->first->rows[0] : NULL;
}

attn_status attn_params_allocate_some(attn_params *params, bool with_grad,
                                      bool (*wanted)(const attn_param *row), attn_error *error) {
    attn_status status = attn_params_check(params, error);
    if (status == ATTN_OK && params->allocated) {
        status = attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                           "the parameters have been allocated before");
    }
    if (status != ATTN_OK) {
        return status;
    }
    int64_t size = 0, trained = attn_params_trained(params);
    for (const attn_param *row = first_row(params); row != NULL; row = row->next) {
        size += wanted == NULL || wanted(row) ? row->rows * row->cols : 0;
    }
    params->data = attn_alloc_zero((size_t)size, sizeof(real));
    params->grad = with_grad ? attn_alloc_zero((size_t)trained, sizeof(real)) : NULL;
    if (params->data == NULL || (with_grad && params->grad == NULL)) {
        attn_free(params->data);
        attn_free(params->grad);
        params->data = params->grad = NULL;
        return attn_fail_memory(error, (size_t)(size + trained) * sizeof(real));
    }
    params->allocated = true;
    real *data = params->data, *grad = params->grad;
    for (attn_param *row = first_row(params); row != NULL; row = row->next) {
        int64_t elements = row->rows * row->cols;
        if (wanted == NULL || wanted(row)) {
            row->data = data;
            data += elements;
        }
        if (with_grad && !row->frozen) {
            row->grad = grad;
            grad += elements;
        }
    }
    return ATTN_OK;
}

attn_status attn_params_allocate(attn_params *params, bool with_grad, attn_error *error) {
    return attn_params_allocate_some(params, with_grad, NULL, error);
}

attn_status attn_params_allocate_row_scales(attn_params *params, attn_error *error) {
    int64_t rows = 0;
    for (size_t i = 0; i < params->count; i++) {
        rows += attn_params_at(params, i)->rows;
    }
    params->row_scales = attn_alloc_zero((size_t)rows, sizeof(real));
    if (params->row_scales == NULL) {
        return attn_fail_memory(error, (size_t)rows * sizeof(real));
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

int64_t attn_params_trained(const attn_params *params) {
    int64_t elements = 0;
    for (const attn_param *row = first_row(params); row != NULL; row = row->next) {
        elements += row->frozen ? 0 : row->rows * row->cols;
    }
    return elements;
}

void attn_params_zero_grad(attn_params *params) {
    if (params->grad != NULL) {
        memset(params->grad, 0, (size_t)attn_params_trained(params) * sizeof(real));
    }
}

void attn_params_gather(const attn_params *params, real *to) {
    for (const attn_param *row = first_row(params); row != NULL; row = row->next) {
        size_t elements = row->frozen ? 0 : (size_t)(row->rows * row->cols);
        memcpy(to, row->data, elements * sizeof *to);
        to += elements;
    }
}

void attn_params_scatter(const attn_params *params, const real *from) {
    for (const attn_param *row = first_row(params); row != NULL; row = row->next) {
        size_t elements = row->frozen ? 0 : (size_t)(row->rows * row->cols);
        memcpy(row->data, from, elements * sizeof *from);
        from += elements;
    }
}
