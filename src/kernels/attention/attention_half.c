/* kernels/attention/attention_half.c: attention over tensors of 16 bits: the kernels widen rows as they copy
 * them. Next: attention.c and attention_backward.c. */
#include "kernels/attention/attention_driver.h"

static attn_status read_half(const attn_attention *given, attn_half type, attn_attention *spec,
                             attn_error *error) {
    attn_status status = attn_attention_read(given, spec, error);
    if (status == ATTN_OK && type != ATTN_HALF_BF16 && type != ATTN_HALF_F16) {
        status = refuse(error, "type must be ATTN_HALF_BF16 or ATTN_HALF_F16");
    }
    return status;
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
    call.half = (attn_half_tensors){
        .type = type, .query = query, .key = key, .value = value, .output = output};
    call.lse = lse;
    status = attn_attention_forward_call(&call, &scratch, error);
    attn_scratch_free(&scratch);
    return status;
}

/* Gradients are contiguous, whatever the strides of the tensors. */
static void set_gradient_strides(attn_attention_call *call) {
    const attn_attention *spec = call->spec;
    attn_attention flat;
    attn_attention_init(&flat, spec->batch, spec->heads, spec->kv_heads, spec->query_length,
                        spec->key_length, spec->head_size, spec->value_size);
    call->d_query_strides = flat.query;
    call->d_key_strides = flat.key;
    call->d_value_strides = flat.value;
}

attn_status attn_attention_backward_half(const attn_attention *attention, attn_half type,
                                         const uint16_t *query, const uint16_t *key,
                                         const uint16_t *value, const uint16_t *output,
                                         const attn_real *lse, const uint16_t *d_output,
                                         const attn_attention_gradients *gradients,
                                         attn_error *error) {
    attn_attention spec;
    attn_attention_gradients wanted;
    attn_status status = read_half(attention, type, &spec, error);
    status = status == ATTN_OK ? attn_attention_read_gradients(gradients, &wanted, error) : status;
    if (status != ATTN_OK) {
        return status;
    }
    attn_scratch scratch = {0};
    attn_attention_call call = attn_attention_new_call(&spec);
    call.half = (attn_half_tensors){.type = type,
                                    .query = query,
                                    .key = key,
                                    .value = value,
                                    .forward_output = output,
                                    .d_output = d_output};
    call.forward_lse = lse;
    set_gradient_strides(&call);
    status = attn_attention_backward_call(&call, &wanted, &scratch, error);
    attn_scratch_free(&scratch);
    return status;
}
