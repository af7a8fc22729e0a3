/* kernels/attention/attention_description.c: the description of an attention: what a new one says,
 * what is refused, and what a call works out from it.
 *
 * B, H, G, Tq, Tk, D, E as in attn/attention.h. Next: attention.c. */
#include <float.h>

#include "base/math.h"
#include "base/sized.h"
#include "base/trig.h"
#include "kernels/attention/attention_driver.h"
#include "kernels/elementwise/elementwise.h"

void attn_attention_init_sized(attn_attention *attention, size_t size, int64_t batch, int64_t heads,
                               int64_t kv_heads, int64_t query_length, int64_t key_length,
                               int64_t head_size, int64_t value_size) {
    const attn_attention fresh = {
        .batch = batch,
        .heads = heads,
        .kv_heads = kv_heads,
        .query_length = query_length,
        .key_length = key_length,
        .head_size = head_size,
        .value_size = value_size,
        .query = {query_length * heads * head_size, heads * head_size, head_size},
        .key = {key_length * kv_heads * head_size, kv_heads * head_size, head_size},
        .value = {key_length * kv_heads * value_size, kv_heads * value_size, value_size},
        .output = {query_length * heads * value_size, heads * value_size, value_size},
        .window_left = -1,
        .window_right = -1,
    };
    attn_sized_init(attention, size, &fresh, sizeof fresh);
}

/* Row i begins one element before row i - 1, so that a diagonal is one element. */
void attn_attention_distance_bias(attn_attention *attention, const attn_real *table) {
    int64_t queries = attention->query_length;
    attention->bias = table + (queries > 0 ? queries - 1 : 0);
    attention->bias_batch = 0;
    attention->bias_head = queries + attention->key_length - 1;
    attention->bias_query = -1;
}

int64_t attn_attention_bucket(int64_t distance, bool both_ways, int64_t buckets, int64_t longest) {
    int64_t side = both_ways ? buckets / 2 : buckets, single = side / 2;
    int64_t first = both_ways && distance > 0 ? side : 0;
    int64_t behind = distance < -INT64_MAX ? INT64_MAX : -distance, last = side > 0 ? side - 1 : 0;
    int64_t length = behind > 0 ? behind : both_ways ? distance : 0;
    if (length < single || single < 1 || longest <= single) {
        return first + attn_clamp(length, 0, last);
    }
    double share = attn_log2_double((double)length / (double)single) /
                   attn_log2_double((double)longest / (double)single);
    double bucket = (double)single + floor(share * (double)(side - single));
    return first + (bucket < (double)last ? (int64_t)bucket : last);
}

/* What later versions add is 0 unless it is asked for. */
static attn_status read_description(const attn_attention *given, attn_attention *out,
                                    attn_error *error) {
    *out = (attn_attention){.size = sizeof *out};
    return attn_sized_read(given, out, sizeof *out, ATTN_SIZE_UP_TO(attn_attention, dropout_key),
                           "attn_attention", error);
}

void attn_attention_gradients_init_sized(attn_attention_gradients *gradients, size_t size) {
    const attn_attention_gradients none = {.size = sizeof none};
    attn_sized_init(gradients, size, &none, sizeof none);
}

attn_status attn_attention_read_gradients(const attn_attention_gradients *given,
                                          attn_attention_gradients *out, attn_error *error) {
    *out = (attn_attention_gradients){.size = sizeof *out};
    return attn_sized_read(given, out, sizeof *out,
                           ATTN_SIZE_UP_TO(attn_attention_gradients, d_sinks),
                           "attn_attention_gradients", error);
}

static attn_status check_sizes(const attn_attention *attention, attn_error *error) {
    if (attention->batch < 0 || attention->batch > INT32_MAX) {
        return refuse(error, "batch must be 0 .. 2^31 - 1");
    }
    if (attention->heads < 1 || attention->heads > INT32_MAX) {
        return refuse(error, "heads must be 1 .. 2^31 - 1");
    }
    if (attention->kv_heads < 1 || attention->heads % attention->kv_heads != 0) {
        return refuse(error, "heads must be a multiple of kv_heads");
    }
    if (attention->query_length < 0 || attention->query_length > INT32_MAX) {
        return refuse(error, "query_length must be 0 .. 2^31 - 1");
    }
    if (attention->key_length < 0 || attention->key_length > INT32_MAX) {
        return refuse(error, "key_length must be 0 .. 2^31 - 1");
    }
    if (attention->head_size < 1 || attention->head_size > ATTN_MAX_HEAD_SIZE) {
        return refuse(error, "head_size must be 1 .. 576");
    }
    if (attention->value_size < 1 || attention->value_size > ATTN_MAX_HEAD_SIZE) {
        return refuse(error, "value_size must be 1 .. 576");
    }
    if (!(attention->scale - attention->scale == 0)) {
        return refuse(error, "scale must be finite");
    }
    if (!(attention->softcap >= 0 && attention->softcap - attention->softcap == 0)) {
        return refuse(error, "softcap must be finite and at least 0");
    }
    if (!(attention->dropout >= 0 && attention->dropout < 1)) {
        return refuse(error, "dropout must be at least 0 and below 1");
    }
    return ATTN_OK;
}

static attn_status check_lengths(const int64_t *lengths, int64_t batch, int64_t longest,
                                 const char *name, attn_error *error) {
    for (int64_t b = 0; lengths != NULL && b < batch; b++) {
        if (lengths[b] < 0 || lengths[b] > longest) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, name, b, NULL,
                             "length %lld is not within 0 .. %lld", (long long)lengths[b],
                             (long long)longest);
        }
    }
    return ATTN_OK;
}

static attn_status check_starts(const int64_t *starts, int64_t batch, int64_t longest,
                                const char *name, attn_error *error) {
    if (starts[0] < 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, name, 0, NULL, "a start is negative");
    }
    for (int64_t b = 0; b < batch; b++) {
        if (starts[b + 1] < starts[b] || starts[b + 1] - starts[b] > longest) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, name, b, NULL,
                             "the sequence from %lld to %lld must have a length of 0 .. %lld",
                             (long long)starts[b], (long long)starts[b + 1], (long long)longest);
        }
    }
    return ATTN_OK;
}

static attn_status check_scores(const attn_attention *attention, attn_error *error) {
    double scale = attn_attention_scale(attention->scale, attention->head_size);
    if (attention->softcap > 0 && !(fabs(scale / (double)attention->softcap) <= FLT_MAX)) {
        return refuse(error, "softcap is too small for the scale");
    }
    for (int64_t h = 0; h < attention->heads && attention->alibi_slopes != NULL; h++) {
        if (!(attention->alibi_slopes[h] - attention->alibi_slopes[h] == 0)) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, "alibi_slopes", h, NULL,
                             "a slope must be finite");
        }
    }
    for (int64_t h = 0; h < attention->heads && attention->sinks != NULL; h++) {
        if (!(attention->sinks[h] < 0.5f * FLT_MAX)) { /* times log2(e) must be finite */
            return attn_fail(error, ATTN_ERR_ARGUMENT, "sinks", h, NULL,
                             "a sink must be a number below 2^127, or -infinity for none");
        }
    }
    if (attention->mask_kind != ATTN_MASK_BYTES && attention->mask_kind != ATTN_MASK_BITS) {
        return refuse(error, "mask_kind must be ATTN_MASK_BYTES or ATTN_MASK_BITS");
    }
    if (attention->score_hook == NULL && attention->score_hook_backward != NULL) {
        return refuse(error, "score_hook_backward needs a score_hook");
    }
    return ATTN_OK;
}

static attn_status check(const attn_attention *attention, attn_error *error) {
    attn_status status = check_sizes(attention, error);
    status = status != ATTN_OK ? status : check_scores(attention, error);
    if (status != ATTN_OK) {
        return status;
    }
    if ((attention->query_starts == NULL) != (attention->key_starts == NULL)) {
        return refuse(error, "query_starts and key_starts must be given together");
    }
    if (attention->query_starts != NULL &&
        (attention->query_lengths != NULL || attention->key_lengths != NULL)) {
        return refuse(error, "give starts or lengths, not both");
    }
    if (attention->query_starts != NULL) {
        status = check_starts(attention->query_starts, attention->batch, attention->query_length,
                              "query_starts", error);
        return status != ATTN_OK ? status
                                 : check_starts(attention->key_starts, attention->batch,
                                                attention->key_length, "key_starts", error);
    }
    status = check_lengths(attention->query_lengths, attention->batch, attention->query_length,
                           "query_lengths", error);
    return status != ATTN_OK ? status
                             : check_lengths(attention->key_lengths, attention->batch,
                                             attention->key_length, "key_lengths", error);
}

/* Longest reach of a window that makes a difference; keeps i + window from overflowing. */
static int64_t reach(const attn_attention *attention, int64_t window) {
    int64_t all = attention->query_length + attention->key_length;
    return window < 0 || window > all ? all : window;
}

static void set_score_factors(attn_attention_call *call) {
    const attn_attention *spec = call->spec;
    bool natural = spec->score_hook != NULL;
    double scale = attn_attention_scale(spec->scale, spec->head_size);
    call->unit = natural ? 1 : REAL_LOG2E;
    call->query_factor =
        natural ? (real)scale : attn_attention_factor(spec->scale, spec->head_size);
    if (spec->softcap > 0) {
        call->query_factor = (real)(scale / (double)spec->softcap);
        call->softcap =
            natural ? (real)spec->softcap : (real)((double)spec->softcap * 1.4426950408889634);
    }
    call->changes_scores = spec->softcap > 0 || spec->alibi_slopes != NULL || spec->bias != NULL ||
                           natural || spec->mask != NULL;
}

attn_attention_call attn_attention_new_call(const attn_attention *attention) {
    attn_attention_call call = {.spec = attention,
                                .d_query_strides = attention->query,
                                .d_key_strides = attention->key,
                                .d_value_strides = attention->value};
    call.scale = (real)attn_attention_scale(attention->scale, attention->head_size);
    set_score_factors(&call);
    call.left = reach(attention, attention->window_left);
    call.right = attention->causal ? 0 : reach(attention, attention->window_right);
    call.dropout = attention->dropout > 0;
    call.keep_factor = 1 / (1 - (real)attention->dropout);
    call.threshold = call.dropout ? attn_dropout_threshold(attention->dropout) : 0;
    call.dropout_key[0] = (uint32_t)attention->dropout_key;
    call.dropout_key[1] = (uint32_t)(attention->dropout_key >> 32);
    return call;
}

attn_status attn_attention_read(const attn_attention *given, attn_attention *out,
                                attn_error *error) {
    attn_status status = read_description(given, out, error);
    return status == ATTN_OK ? check(out, error) : status;
}

attn_status attn_attention_check(const attn_attention *attention, attn_error *error) {
    attn_attention known;
    return attn_attention_read(attention, &known, error);
}
