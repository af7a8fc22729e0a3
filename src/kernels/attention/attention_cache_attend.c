/* kernels/attention/attention_cache_attend.c: the driver of attention over a cache.
 *
 * Rows of one sequence that follow each other, and the query heads that share a key head, are one
 * item of work: it reads the keys and values once. How rows fall into items changes no result.
 * R, H, G, D, E as in attn/cache.h. Next: attention_cache_body.h. */
#include "base/sized.h"
#include <string.h>

#include "kernels/attention/attention_driver.h"
#include "kernels/table.h"

void attn_cache_attention_init_sized(attn_cache_attention *attention, size_t size,
                                     const attn_cache *cache, int64_t rows, int64_t heads) {
    const attn_cache_layout *layout = attn_cache_get_layout(cache);
    const attn_cache_attention fresh = {.rows = rows,
                                        .heads = heads,
                                        .window_left = -1,
                                        .query_row = heads * layout->head_size,
                                        .query_head = layout->head_size,
                                        .output_row = heads * layout->value_size,
                                        .output_head = layout->value_size};
    attn_sized_init(attention, size, &fresh, sizeof fresh);
}

/* How a call is cut into items. */
typedef struct plan {
    const attn_cache *cache;
    const attn_cache_layout *layout;
    const attn_cache_attention *attention;
    real query_factor;
    int64_t group;          /* query heads a key head */
    int64_t item_heads;     /* of them in one item */
    int64_t parts;          /* items a key head, for one row */
    int64_t item_rows;      /* at most, in one item */
    int64_t longest;        /* keys */
    double keys;            /* of all rows */
    int64_t scores_row;     /* 0: no weights wanted */
    int64_t kernel_scratch; /* elements */
} plan;

static int64_t length_of(const plan *p, int64_t r) {
    const attn_cache_attention *a = p->attention;
    return a->lengths != NULL ? a->lengths[r] : attn_cache_length(p->cache, a->sequences[r]);
}

/* ---- checks ---- */

static attn_status refuse_row(int64_t row, const char *what, attn_error *error) {
    return attn_fail(error, ATTN_ERR_ARGUMENT, "cache attention", row, NULL, "row %lld: %s",
                     (long long)row, what);
}

static attn_status check_rows(plan *p, attn_error *error) {
    const attn_cache_attention *a = p->attention;
    for (int64_t r = 0; r < a->rows; r++) {
        int64_t tokens = attn_cache_length(p->cache, a->sequences[r]);
        if (tokens < 0) {
            return refuse_row(r, "its sequence is none", error);
        }
        if (a->lengths != NULL && (a->lengths[r] < 0 || a->lengths[r] > tokens)) {
            return refuse_row(r, "its length is not within that of its sequence", error);
        }
        int64_t length = length_of(p, r);
        p->longest = length > p->longest ? length : p->longest;
        p->keys += (double)length;
    }
    return a->weights == NULL || a->weights_row >= p->longest
               ? ATTN_OK
               : refuse(error, "weights_row must be at least the longest length");
}

static attn_status check(plan *p, attn_error *error) {
    const attn_cache_attention *a = p->attention;
    if (a->rows < 0 || a->rows > INT32_MAX) {
        return refuse(error, "rows must be 0 .. 2^31 - 1");
    }
    if (a->heads < 1 || a->heads > INT32_MAX || a->heads % p->layout->heads != 0) {
        return refuse(error, "heads must be a multiple of the cache's kv_heads");
    }
    if (!(a->scale - a->scale == 0)) {
        return refuse(error, "scale must be finite");
    }
    if (a->rows > 0 && (a->sequences == NULL || a->query == NULL || a->output == NULL)) {
        return refuse(error, "sequences, query or output is NULL");
    }
    return check_rows(p, error);
}

/* ---- items ---- */

/* Items start at the same rows whatever the rows before: where the sequence changes, and at every
 * multiple of item_rows. */
static bool starts_item(const plan *p, int64_t r) {
    return r % p->item_rows == 0 || p->attention->sequences[r] != p->attention->sequences[r - 1];
}

static int64_t item_end(const plan *p, int64_t r) {
    do {
        r++;
    } while (r < p->attention->rows && !starts_item(p, r));
    return r;
}

/* The rows from r on and the `part`th heads of key head g. */
static void make_item(const plan *p, int64_t r, int64_t g, int64_t part, real *scratch,
                      attn_cache_item *item) {
    const attn_cache_attention *a = p->attention;
    int64_t first_head = g * p->group + part * p->item_heads;
    int64_t last_head = attn_min(first_head + p->item_heads, (g + 1) * p->group);
    int64_t end = item_end(p, r);
    *item = (attn_cache_item){.layout = p->layout,
                              .pages = attn_cache_pages(p->cache, a->sequences[r]),
                              .g = g,
                              .query_factor = p->query_factor,
                              .first_key = INT64_MAX,
                              .scores = p->scores_row > 0 ? scratch + p->kernel_scratch : NULL,
                              .scores_row = p->scores_row};
    for (; r < end; r++) {
        int64_t last = length_of(p, r), first = last - 1 - a->window_left;
        first = a->window_left < 0 || first < 0 ? 0 : first;
        item->first_key = attn_min(item->first_key, first);
        item->last_key = last > item->last_key ? last : item->last_key;
        for (int64_t h = first_head; h < last_head; h++) {
            int n = item->rows++;
            item->first[n] = first;
            item->last[n] = last;
            item->query[n] = a->query + r * a->query_row + h * a->query_head;
            item->bias[n] = a->bias != NULL ? a->bias + r * a->bias_row + h * a->bias_head : NULL;
            item->output[n] = a->output + r * a->output_row + h * a->output_head;
        }
    }
}

/* LSE, and the weights added to those of the heads before. The item's rows are in the order of row,
 * then head. */
static void finish_item(const plan *p, const attn_attention_kernels *kernels, int64_t r, int64_t g,
                        int64_t part, const attn_cache_item *item) {
    const attn_cache_attention *a = p->attention;
    int64_t first_head = g * p->group + part * p->item_heads;
    int64_t heads = attn_min(p->item_heads, (g + 1) * p->group - first_head);
    for (int n = 0; n < item->rows; n++) {
        int64_t row = r + n / heads, h = first_head + n % heads;
        if (a->lse != NULL) {
            a->lse[row * a->heads + h] = item->end[n].lse;
        }
        bool wanted = a->weights_head <= 0 || a->weights_head == h + 1;
        if (a->weights != NULL && wanted && item->end[n].lse != -INFINITY) {
            kernels->cache_add_weights(item->first[n], item->last[n],
                                       item->scores + n * item->scores_row,
                                       attn_reference_of(item->end[n].lse, &item->end[n]),
                                       a->weights + row * a->weights_row);
        }
    }
}

static void run_item(const plan *p, const attn_attention_kernels *kernels, int64_t r, int64_t g,
                     int64_t part, real *scratch) {
    attn_cache_item item;
    make_item(p, r, g, part, scratch, &item);
    kernels->cache_attend(&item, scratch);
    finish_item(p, kernels, r, g, part, &item);
}

/* All heads of the rows from r on, in order, for the average over heads is one sum in their order. */
static void run_rows(const plan *p, const attn_attention_kernels *kernels, int64_t r,
                     real *scratch) {
    const attn_cache_attention *a = p->attention;
    int64_t end = item_end(p, r);
    memset(a->weights + r * a->weights_row, 0, (size_t)((end - r) * a->weights_row) * sizeof(real));
    for (int64_t g = 0; g < p->layout->heads; g++) {
        for (int64_t part = 0; part < p->parts; part++) {
            run_item(p, kernels, r, g, part, scratch);
        }
    }
    for (int64_t i = r * a->weights_row; i < end * a->weights_row && a->weights_head <= 0; i++) {
        a->weights[i] /= (real)a->heads;
    }
}

static void cache_attend_run(const plan *p, const attn_attention_kernels *kernels, int threads,
                             const work_memory *memory) {
    enum { SHARES = 16 }; /* of the items a thread gets: few enough to be cheap */
    int64_t rows = p->attention->rows, each = p->layout->heads * p->parts;
    if (p->attention->weights != NULL) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1)
        for (int64_t r = 0; r < rows; r++) {
            if (starts_item(p, r)) {
                run_rows(p, kernels, r, own(memory));
            }
        }
        return;
    }
    int chunk = (int)attn_min(1 + rows * each / (SHARES * threads), INT32_MAX);
    (void)chunk; /* a build without OpenMP has one thread */
#pragma omp parallel for schedule(dynamic, chunk) num_threads(threads) if (threads > 1)
    for (int64_t i = 0; i < rows * each; i++) {
        if (starts_item(p, i / each)) {
            run_item(p, kernels, i / each, i % each / p->parts, i % p->parts, own(memory));
        }
    }
}

attn_status attn_cache_attend_scratch(const attn_cache *cache,
                                      const attn_cache_attention *attention, attn_scratch *scratch,
                                      attn_error *error) {
    const attn_attention_kernels *kernels = &attn_kernels_current()->attention;
    plan p = {.cache = cache, .layout = attn_cache_get_layout(cache), .attention = attention};
    attn_status status = check(&p, error);
    if (status != ATTN_OK) {
        return status;
    }
    p.query_factor = attn_attention_factor(attention->scale, p.layout->head_size);
    p.group = attention->heads / p.layout->heads;
    p.item_heads = attn_min(p.group, ATTN_CACHE_ROWS);
    p.parts = blocks(p.group, p.item_heads);
    p.item_rows = ATTN_CACHE_ROWS / p.item_heads;
    p.scores_row = attention->weights != NULL ? attn_round_up(p.longest, LANES) : 0;
    p.kernel_scratch = attn_round_up(kernels->cache_scratch(p.layout), LANES);
    int threads = threads_for(p.keys * (double)attention->heads *
                              (double)(p.layout->head_size + p.layout->value_size));
    attn_division division = {.threads = threads,
                              .each = p.kernel_scratch + ATTN_CACHE_ROWS * p.scores_row};
    work_memory memory = {.shared = NULL};
    status = find_memory(&memory, &division, scratch, error);
    if (status == ATTN_OK) {
        cache_attend_run(&p, kernels, threads, &memory);
    }
    return status;
}

attn_status attn_cache_attend(const attn_cache *cache, const attn_cache_attention *attention,
                              attn_error *error) {
    attn_scratch scratch = {0};
    attn_cache_attention known = {.size = sizeof known};
    attn_status status = attn_sized_read(attention, &known, sizeof known,
                                         ATTN_SIZE_UP_TO(attn_cache_attention, weights_row),
                                         "attn_cache_attention", error);
    if (status == ATTN_OK) {
        status = attn_cache_attend_scratch(cache, &known, &scratch, error);
    }
    attn_scratch_free(&scratch);
    return status;
}
