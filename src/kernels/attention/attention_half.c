/* kernels/attention/attention_half.c: attention over tensors of 16 bits, by way of float32 copies.
 *
 * B, H, G, Tq, Tk, D, E as in attn/attention.h. A copy is contiguous, [B, T, H, D], or [tokens, H, D] when
 * packed; what lies beyond a length is neither read nor written. Next: attention.c. */
#include "base/narrow.h"
#include "kernels/attention/attention_driver.h"

/* One tensor, where its elements of 16 bits lie, and its copy. */
typedef struct half_tensor {
    const int64_t *starts, *lengths; /* of its sequences; NULL: none */
    int64_t length, heads, size;
    attn_strides strides;
    real *wide; /* NULL: none */
} half_tensor;

static half_tensor query_side(const attn_attention *spec, int64_t size, attn_strides strides) {
    return (half_tensor){spec->query_starts,
                         spec->query_lengths,
                         spec->query_length,
                         spec->heads,
                         size,
                         strides,
                         NULL};
}

static half_tensor key_side(const attn_attention *spec, int64_t size, attn_strides strides) {
    return (half_tensor){
        spec->key_starts, spec->key_lengths, spec->key_length, spec->kv_heads, size, strides, NULL};
}

static attn_strides wide_strides(const half_tensor *t) {
    int64_t token = t->heads * t->size;
    return (attn_strides){t->starts != NULL ? 0 : t->length * token, token, t->size};
}

static attn_status make_wide(half_tensor *t, int64_t batch, attn_error *error) {
    size_t tokens, bytes;
    if (!attn_size_mul((size_t)(t->starts != NULL ? 1 : batch),
                       (size_t)(t->starts != NULL ? t->starts[batch] : t->length), &tokens) ||
        !attn_size_mul(tokens, (size_t)(t->heads * t->size), &bytes) ||
        !attn_size_mul(bytes, sizeof(real), &bytes)) {
        return attn_fail_memory(error, SIZE_MAX);
    }
    t->wide = attn_alloc(bytes);
    return t->wide != NULL ? ATTN_OK : attn_fail_memory(error, bytes);
}

static void widen_row(attn_half type, int64_t count, const uint16_t *from, real *to) {
    for (int64_t i = 0; i < count; i++) {
        to[i] = type == ATTN_HALF_BF16 ? narrow_from_bf16(from[i]) : narrow_from_f16(from[i]);
    }
}

static void narrow_row(attn_half type, int64_t count, const real *from, uint16_t *to) {
    for (int64_t i = 0; i < count; i++) {
        to[i] =
            type == ATTN_HALF_BF16 ? narrow_to_bf16((float)from[i]) : narrow_to_f16((float)from[i]);
    }
}

/* The tokens of sequence b: the first, and how many, beyond its real length too when `padded`. */
static int64_t tokens_of(const half_tensor *t, int64_t b, bool padded, int64_t *first) {
    *first = t->starts != NULL ? t->starts[b] : 0;
    if (t->starts != NULL) {
        return t->starts[b + 1] - t->starts[b];
    }
    return t->lengths != NULL && !padded ? t->lengths[b] : t->length;
}

/* Into the copy (to NULL), or out of it. */
static void convert(const attn_attention *spec, attn_half type, const half_tensor *t,
                    const uint16_t *from, uint16_t *to) {
    attn_strides wide = wide_strides(t);
    int64_t rows = spec->batch * t->heads;
    int threads = threads_for(products_of(spec));
    (void)threads; /* a build without OpenMP has one */
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int64_t n = 0; n < rows; n++) {
        int64_t b = n / t->heads, h = n % t->heads, first;
        int64_t count = tokens_of(t, b, to != NULL, &first);
        int64_t batch = t->starts != NULL ? 0 : b;
        for (int64_t i = first; i < first + count; i++) {
            int64_t half = batch * t->strides.batch + i * t->strides.token + h * t->strides.head;
            real *row = t->wide + batch * wide.batch + i * wide.token + h * wide.head;
            if (to != NULL) {
                narrow_row(type, t->size, row, to + half);
            } else {
                widen_row(type, t->size, from + half, row);
            }
        }
    }
}

/* The description and its tensors in float32. */
typedef struct half_job {
    attn_attention spec, wide; /* as given; with the strides of the copies */
    attn_half type;
    half_tensor query, key, value, output, d_output;
} half_job;

static attn_status start(half_job *job, const attn_attention *given, attn_half type,
                         attn_error *error) {
    attn_attention *spec = &job->spec;
    attn_status status = attn_attention_read(given, spec, error);
    if (status == ATTN_OK && type != ATTN_HALF_BF16 && type != ATTN_HALF_F16) {
        status = refuse(error, "type must be ATTN_HALF_BF16 or ATTN_HALF_F16");
    }
    if (status != ATTN_OK) {
        return status;
    }
    job->type = type;
    job->query = query_side(spec, spec->head_size, spec->query);
    job->key = key_side(spec, spec->head_size, spec->key);
    job->value = key_side(spec, spec->value_size, spec->value);
    job->output = job->d_output = query_side(spec, spec->value_size, spec->output);
    job->wide = *spec;
    job->wide.query = wide_strides(&job->query);
    job->wide.key = wide_strides(&job->key);
    job->wide.value = wide_strides(&job->value);
    job->wide.output = wide_strides(&job->output);
    return ATTN_OK;
}

static attn_status widen(half_job *job, half_tensor *t, const uint16_t *from, attn_error *error) {
    if (from == NULL && t->length > 0 && job->spec.batch > 0) {
        return refuse(error, "a tensor is NULL");
    }
    attn_status status = make_wide(t, job->spec.batch, error);
    if (status == ATTN_OK) {
        convert(&job->spec, job->type, t, from, NULL);
    }
    return status;
}

static void end(half_job *job) {
    half_tensor *all[] = {&job->query, &job->key, &job->value, &job->output, &job->d_output};
    for (size_t n = 0; n < sizeof all / sizeof *all; n++) {
        attn_free(all[n]->wide);
    }
}

attn_status attn_attention_forward_half(const attn_attention *attention, attn_half type,
                                        const uint16_t *query, const uint16_t *key,
                                        const uint16_t *value, uint16_t *output, attn_real *lse,
                                        attn_error *error) {
    half_job job = {.type = type};
    attn_status status = start(&job, attention, type, error);
    if (status != ATTN_OK) {
        return status;
    }
    status = attn_attention_check_output(&job.spec, error);
    if (status == ATTN_OK && output == NULL && job.spec.batch > 0 && job.spec.query_length > 0) {
        status = refuse(error, "output is NULL");
    }
    status = status == ATTN_OK ? widen(&job, &job.query, query, error) : status;
    status = status == ATTN_OK ? widen(&job, &job.key, key, error) : status;
    status = status == ATTN_OK ? widen(&job, &job.value, value, error) : status;
    status = status == ATTN_OK ? make_wide(&job.output, job.spec.batch, error) : status;
    if (status == ATTN_OK) {
        status = attn_attention_forward(&job.wide, job.query.wide, job.key.wide, job.value.wide,
                                        job.output.wide, lse, error);
    }
    if (status == ATTN_OK) {
        convert(&job.spec, type, &job.output, NULL, output);
    }
    end(&job);
    return status;
}

attn_status attn_attention_backward_half(const attn_attention *attention, attn_half type,
                                         const uint16_t *query, const uint16_t *key,
                                         const uint16_t *value, const uint16_t *output,
                                         const attn_real *lse, const uint16_t *d_output,
                                         const attn_attention_gradients *gradients,
                                         attn_error *error) {
    half_job job = {.type = type};
    attn_status status = start(&job, attention, type, error);
    if (status != ATTN_OK) {
        return status;
    }
    status = widen(&job, &job.query, query, error);
    status = status == ATTN_OK ? widen(&job, &job.key, key, error) : status;
    status = status == ATTN_OK ? widen(&job, &job.value, value, error) : status;
    status = status == ATTN_OK ? widen(&job, &job.output, output, error) : status;
    status = status == ATTN_OK ? widen(&job, &job.d_output, d_output, error) : status;
    if (status == ATTN_OK) {
        status = attn_attention_backward(&job.wide, job.query.wide, job.key.wide, job.value.wide,
                                         job.output.wide, lse, job.d_output.wide, gradients, error);
    }
    end(&job);
    return status;
}
