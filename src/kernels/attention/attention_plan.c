/* kernels/attention/attention_plan.c: tells how a call will run, from what the calls themselves
 * decide by. Next: attention.c and attention_backward.c, which decide. */
#include "base/sized.h"
#include "kernels/attention/attention_driver.h"
#include "kernels/table.h"

static const char *why_division(attn_plan_division division, bool backward) {
    if (division == ATTN_PLAN_WINDOWS) {
        return "windows are short against the keys: an item is a run of queries, and copies only "
               "the "
               "keys that they see";
    }
    if (division == ATTN_PLAN_FEW) {
        return "so few queries that one block of keys is copied at a time, and used at once";
    }
    if (backward) {
        return division == ATTN_PLAN_HEADS
                   ? "key heads divide evenly enough among the threads: an item is a whole key head"
                   : "too few key heads for the threads: an item is a block of keys or queries, "
                     "and "
                     "two of seven products are done twice";
    }
    return division == ATTN_PLAN_HEADS
               ? "one thread, or at least 8 key heads for each: an item is a whole key head"
               : "fewer than 8 key heads for each thread: an item is a block of queries, and all "
                 "share one copy of the keys";
}

static const char *why_isa(void) {
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    return attn_kernels_current() == list[count - 1]
               ? "the best of this build that this processor has"
               : "asked for by ATTN_ISA or attn_set_isa, or ATTN_ISA names none of this machine";
}

static const char *why_threads(int threads) {
    bool fewer = threads < attn_get_threads();
    return fewer && threads > 1 ? "as many as there are key heads"
           : fewer              ? "too little work to wake more threads"
           : threads == 1       ? "one thread is allowed, or the caller runs in parallel"
                                : "as attn_set_threads, OMP_NUM_THREADS or the cores allow";
}

const char *attn_attention_cost(const attn_attention *attention, size_t i) {
    attn_attention a;
    if (attn_attention_read(attention, &a, NULL) != ATTN_OK) {
        return NULL;
    }
    const struct {
        bool applies;
        const char *cost;
    } table[] = {
        {a.causal || a.window_left >= 0 || a.window_right >= 0 || a.query_lengths || a.key_lengths,
         "causal, windows and lengths save the blocks of keys that no query of a block sees"},
        {a.softcap > 0, "softcap is a pass over the scores in the cache, with a tanh for each"},
        {a.alibi_slopes != NULL, "ALiBi is a pass over the scores in the cache"},
        {a.bias != NULL, "a bias is read in a pass over the scores; d_bias computes scores and dP "
                         "once more, two of "
                         "five products"},
        {a.bias != NULL && a.bias_query == -1,
         "in d_bias, places that share elements are the work of one thread"},
        {a.mask != NULL && a.mask_kind == ATTN_MASK_BYTES,
         "a mask of bytes is read in a pass over the scores"},
        {a.mask != NULL && a.mask_kind == ATTN_MASK_BITS,
         "a mask of bits is read and taken apart in a pass over the scores"},
        {a.score_hook != NULL,
         "the hook is called for each run of scores, which stay in natural units for it"},
        {a.dropout > 0,
         "dropout draws a random number for each place, in the forward and in the backward"},
        {a.head_size % LANES != 0 || a.value_size % LANES != 0,
         "head sizes are fastest as multiples of 16: these are computed as the next one"},
    };
    for (size_t n = 0; n < sizeof table / sizeof table[0]; n++) {
        if (table[n].applies && i-- == 0) {
            return table[n].cost;
        }
    }
    return NULL;
}

/* Of all pairs of a block of queries and one of keys, those that no mask or length rules out. */
static double visited_share(const attn_attention *spec) {
    attn_attention_call call = attn_attention_new_call(spec);
    double all = (double)spec->batch * (double)blocks(spec->query_length, ATTN_QUERY_BLOCK) *
                 (double)blocks(spec->key_length, ATTN_KEY_BLOCK);
    double visited = 0;
    for (int64_t b = 0; b < spec->batch; b++) {
        attn_sequence sequence = attn_sequence_of(spec, b);
        for (int64_t first = 0; first < sequence.queries; first += ATTN_QUERY_BLOCK) {
            int64_t last = attn_clamp(first + ATTN_QUERY_BLOCK, 0, sequence.queries) - 1;
            int64_t first_key = attn_visible_keys(&call, &sequence, first).first;
            int64_t last_key = attn_visible_keys(&call, &sequence, last).last;
            if (first_key < last_key) {
                visited += (double)(blocks(last_key, ATTN_KEY_BLOCK) - first_key / ATTN_KEY_BLOCK);
            }
        }
    }
    return all > 0 ? visited / all : 0;
}

void attn_plan_init_sized(attn_plan *plan, size_t size) {
    const attn_plan none = {.size = sizeof none};
    attn_sized_init(plan, size, &none, sizeof none);
}

attn_status attn_attention_plan(const attn_attention *given_attention, bool backward,
                                attn_plan *plan, attn_error *error) {
    attn_attention known;
    attn_status status = attn_attention_read(given_attention, &known, error);
    if (status != ATTN_OK) {
        return status;
    }
    const attn_attention *attention = &known;
    const attn_kernels *kernels = attn_kernels_current();
    attn_division division = attn_attention_divide_forward(attention, &kernels->attention);
    bool pieces_too = false;
    if (backward) {
        bool whole = attn_attention_backward_whole_heads(attention);
        division = attn_attention_divide_backward(attention, &kernels->attention, !whole);
        pieces_too = whole && attention->bias != NULL;
    }
    size_t shared, bytes, more = 0;
    bool fits = memory_bytes(&division, &shared, &bytes);
    if (pieces_too) { /* d_bias comes after, in the same memory, made larger */
        attn_division rest = attn_attention_divide_backward(attention, &kernels->attention, true);
        fits = fits && memory_bytes(&rest, &shared, &more);
    }
    if (!fits) {
        return attn_fail_memory(error, SIZE_MAX);
    }
    const attn_plan found = {
        .isa = kernels->isa,
        .isa_reason = why_isa(),
        .threads = division.threads,
        .threads_reason = why_threads(division.threads),
        .division = division.kind,
        .division_reason = why_division(division.kind, backward),
        .memory = bytes > more ? bytes : more,
        .visited = visited_share(attention),
    };
    return attn_sized_write(plan, &found, sizeof found, ATTN_SIZE_UP_TO(attn_plan, visited),
                            "attn_plan", error);
}
