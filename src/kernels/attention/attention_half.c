/* kernels/attention/attention_half.c: attention over tensors of 16 bits.
 *
 * B, H, G, Tq, Tk, D, E as in attn/attention.h. In the forward the kernels widen rows as they copy them. The
 * backward makes float32 copies: contiguous, [B, T, H, D], or [tokens, H, D] when packed; what lies beyond a
 * length is not read. Next: attention.c. */
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

/* The tokens of sequence b: the first, and how many. */
static int64_t tokens_of(const half_tensor *t, int64_t b, int64_t *first) {
    *first = t->starts != NULL ? t->starts[b] : 0;
    if (t->starts != NULL) {
        return t->starts[b + 1] - t->starts[b];
    }
    return t->lengths != NULL ? t->lengths[b] : t->length;
}

static void fill_wide(const attn_attention *spec, attn_half type, const half_tensor *t,
                      const uint16_t *from) {
    attn_strides wide = wide_strides(t);
    int64_t rows = spec->batch * t->heads;
    int threads = threads_for(products_of(spec));
    (void)threads; /* a build without OpenMP has one */
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int64_t n = 0; n < rows; n++) {
        int64_t b = n / t->heads, h = n % t->heads, first;
        int64_t count = tokens_of(t, b, &first), batch = t->starts != NULL ? 0 : b;
        for (int64_t i = first; i < first + count; i++) {
            attn_widen_row(type, t->size,
                           from + batch * t->strides.batch + i * t->strides.token +
                               h * t->strides.head,
                           t->wide + batch * wide.batch + i * wide.token + h * wide.head);
        }
    }
}

/* The description and its tensors in float32. */
typedef struct half_job {
    attn_attention spec, wide; /* as given; with the strides of the copies */
    attn_half type;
    half_tensor query, key, value, output, d_output;
} half_job;

static attn_status read_half(const attn_attention *given, attn_half type, attn_attention *spec,
                             attn_error *error) {
    attn_status status = attn_attention_read(given, spec, error);
    if (status == ATTN_OK && type != ATTN_HALF_BF16 && type != ATTN_HALF_F16) {
        status = refuse(error, "type must be ATTN_HALF_BF16 or ATTN_HALF_F16");
    }
    return status;
}

static attn_status start(half_job *job, const attn_attention *given, attn_half type,
                         attn_error *error) {
    attn_attention *spec = &job->spec;
    attn_status status = read_half(given, type, spec, error);
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
        fill_wide(&job->spec, job->type, t, from);
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
    attn_attention spec;
    attn_status status = read_half(attention, type, &spec, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_scratch scratch = {0};
    attn_attention_call call = attn_attention_new_call(&spec);
    call.half = (attn_half_tensors){type, query, key, value, output};
    call.lse = lse;
    status = attn_attention_forward_call(&call, &scratch, error);
    attn_scratch_free(&scratch);
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
