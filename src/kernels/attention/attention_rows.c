/* kernels/attention/attention_rows.c: what softmax set the scores of a row against, found again where
 * LSE in one float holds too little of it.
 *
 * Scores of 1e6 leave LSE a step of 1/16, so that P from it would be off by as much. Such rows go
 * through the forward once more, without values; its maximum and the logarithm of its sum stay two
 * numbers. Next: attn_reference_of in attention_kernels.h, which decides between the two. */
#include "kernels/attention/attention_driver.h"
#include "kernels/table.h"

int64_t attn_attention_rows(const attn_attention *spec) {
    if (spec->query_starts != NULL) {
        return spec->heads * spec->query_starts[spec->batch];
    }
    return spec->batch * spec->heads * spec->query_length;
}

/* Whether one of `count` queries of a head has a coarse LSE. */
static bool any_coarse(const attn_attention_call *call, const attn_sequence *sequence, int64_t h,
                       int64_t first_query, int64_t count) {
    int64_t offset = attn_lse_offset(call->spec, sequence, h, first_query);
    for (int64_t n = 0; n < count; n++) {
        if (attn_lse_is_coarse(call->forward_lse[offset + n])) {
            return true;
        }
    }
    return false;
}

static bool any_coarse_at_all(const attn_attention_call *call) {
    for (int64_t b = 0; b < call->spec->batch; b++) {
        attn_sequence sequence = attn_sequence_of(call->spec, b);
        for (int64_t h = 0; h < call->spec->heads; h++) {
            if (any_coarse(call, &sequence, h, 0, sequence.queries)) {
                return true;
            }
        }
    }
    return false;
}

bool attn_attention_leaves_out(const attn_attention_call *call, int64_t b, int64_t h,
                               int64_t first_query) {
    attn_sequence sequence = attn_sequence_of(call->spec, b);
    int64_t count = attn_min(sequence.queries - first_query, ATTN_QUERY_BLOCK);
    return call->found_rows != NULL && !any_coarse(call, &sequence, h, first_query, count);
}

attn_status attn_attention_find_rows(attn_attention_call *call,
                                     const attn_attention_kernels *kernels, attn_scratch *scratch,
                                     attn_error *error) {
    int64_t count = attn_attention_rows(call->spec);
    call->rows = NULL;
    if (!any_coarse_at_all(call)) {
        return ATTN_OK;
    }
    attn_row_softmax *rows = attn_alloc_zero((size_t)count, sizeof *rows);
    if (rows == NULL) {
        return attn_fail_memory(error, (size_t)count * sizeof *rows);
    }
    attn_attention without_values = *call->spec;
    without_values.value_size = 0;
    without_values.value = without_values.output = (attn_strides){0, 0, 0};
    without_values.dropout = 0;
    attn_attention_call again = *call;
    again.spec = &without_values;
    again.value = call->key;
    again.output = &(real){0}; /* nothing is read or written there */
    again.lse = NULL;
    again.dropout = false;
    again.found_rows = rows;
    attn_status status = attn_attention_run(&again, kernels, scratch, error);
    if (status == ATTN_OK) {
        call->rows = rows;
    } else {
        attn_free(rows);
    }
    return status;
}

void attn_attention_forget_rows(attn_attention_call *call) {
    attn_free((void *)call->rows);
    call->rows = NULL;
}
