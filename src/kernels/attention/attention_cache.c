/* kernels/attention/attention_cache.c: the cache itself: pages, sequences, and how tokens get in.
 *
 * A page counts the sequences that use it. Only append writes, and only behind the last token of a
 * sequence, so the one page that may have to be copied first is the last one, when it is not full.
 * G, D, E, P as in attn/cache.h. Next: attention_cache.h, the layout; attention_cache_attend.c. */
#include "kernels/attention/attention_cache.h"

#include <string.h>

#include "attn/threads.h"
#include "base/fail.h"
#include "base/narrow.h"
#include "base/sized.h"
#include "kernels/attention/attention.h"

typedef struct sequence {
    attn_cache_page **pages;
    int64_t capacity; /* of pages; kept when the sequence ends */
    int64_t length;   /* tokens; -1: no sequence */
} sequence;

struct attn_cache {
    attn_cache_layout layout;
    int64_t max_pages;
    void **chunks; /* what the pages were cut from */
    int64_t chunk_count, chunk_capacity;
    int64_t page_count;
    attn_cache_page *free_pages;
    int64_t free_count;
    sequence *sequences;
    int64_t sequence_count, sequence_capacity;
};

static attn_status refuse(attn_error *error, const char *what) {
    return attn_fail(error, ATTN_ERR_ARGUMENT, "cache", -1, NULL, "%s", what);
}

/* ---- the cache ---- */

/* The keys that lie side by side: one cache line of them, or at least a vector. */
static int64_t least_page(attn_cache_type type) {
    return type == ATTN_CACHE_I8 ? 64 : type == ATTN_CACHE_BF16 ? 32 : LANES;
}

static attn_status check_config(const attn_cache_config *config, attn_error *error) {
    int64_t page = config->page_tokens;
    if (config->kv_heads < 1 || config->kv_heads > INT32_MAX) {
        return refuse(error, "kv_heads must be 1 .. 2^31 - 1");
    }
    if (config->head_size < 1 || config->head_size > ATTN_MAX_HEAD_SIZE) {
        return refuse(error, "head_size must be 1 .. 576");
    }
    if (config->value_size < 1 || config->value_size > ATTN_MAX_HEAD_SIZE) {
        return refuse(error, "value_size must be 1 .. 576");
    }
    if (config->type != ATTN_CACHE_F32 && config->type != ATTN_CACHE_BF16 &&
        config->type != ATTN_CACHE_I8) {
        return refuse(error, "type must be F32, BF16 or I8");
    }
    if (page < 0 || page > 1 << 24 || (page % ATTN_KEY_BLOCK != 0 && ATTN_KEY_BLOCK % page != 0) ||
        (page > 0 && page < least_page(config->type))) {
        return refuse(error, "page_tokens must be a multiple of 128 up to 2^24, or 64, 32 (not for "
                             "int8) or 16 (for float32 alone)");
    }
    return config->max_pages >= 0 ? ATTN_OK : refuse(error, "max_pages must be at least 0");
}

static size_t round_up(size_t n, size_t multiple) {
    return (n + multiple - 1) / multiple * multiple;
}

/* false when a page does not fit the address space. */
static bool make_layout(const attn_cache_config *config, attn_cache_layout *layout) {
    static const size_t element[] = {
        [ATTN_CACHE_F32] = sizeof(real), [ATTN_CACHE_BF16] = 2, [ATTN_CACHE_I8] = 1};
    size_t tokens = config->page_tokens != 0 ? (size_t)config->page_tokens : 128;
    size_t scales = config->type == ATTN_CACHE_I8 ? tokens * sizeof(float) : 0;
    *layout = (attn_cache_layout){.type = config->type,
                                  .heads = config->kv_heads,
                                  .head_size = config->head_size,
                                  .value_size = config->value_size,
                                  .value_row = (config->value_size + LANES - 1) / LANES * LANES,
                                  .page_tokens = (int64_t)tokens,
                                  .width = least_page(config->type),
                                  .element = element[config->type]};
    layout->values = tokens * (size_t)layout->head_size * layout->element;
    layout->key_scales = layout->values + tokens * (size_t)layout->value_row * layout->element;
    layout->value_scales = layout->key_scales + scales;
    layout->head_bytes = round_up(layout->value_scales + scales, 64);
    return attn_size_mul(layout->head_bytes, (size_t)layout->heads, &layout->page_bytes) &&
           attn_size_add(layout->page_bytes, ATTN_CACHE_PAGE_HEAD, &layout->page_bytes);
}

void attn_cache_config_init_sized(attn_cache_config *config, size_t size) {
    const attn_cache_config none = {.size = sizeof none};
    attn_sized_init(config, size, &none, sizeof none);
}

static attn_status read_config(const attn_cache_config *given, attn_cache_config *out,
                               attn_error *error) {
    *out = (attn_cache_config){.size = sizeof *out};
    attn_status status =
        attn_sized_read(given, out, sizeof *out, ATTN_SIZE_UP_TO(attn_cache_config, max_pages),
                        "attn_cache_config", error);
    return status == ATTN_OK ? check_config(out, error) : status;
}

attn_status attn_cache_create(const attn_cache_config *config, attn_cache **out,
                              attn_error *error) {
    attn_cache_config known;
    *out = NULL;
    attn_status status = read_config(config, &known, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_cache *cache = attn_alloc_zero(1, sizeof *cache);
    if (cache == NULL || !make_layout(&known, &cache->layout)) {
        attn_free(cache);
        return attn_fail_memory(error, cache == NULL ? sizeof *cache : SIZE_MAX);
    }
    cache->max_pages = known.max_pages;
    *out = cache;
    return ATTN_OK;
}

void attn_cache_free(attn_cache *cache) {
    if (cache == NULL) {
        return;
    }
    for (int64_t i = 0; i < cache->chunk_count; i++) {
        attn_free(cache->chunks[i]);
    }
    for (int64_t i = 0; i < cache->sequence_count; i++) {
        attn_free(cache->sequences[i].pages);
    }
    attn_free(cache->chunks);
    attn_free(cache->sequences);
    attn_free(cache);
}

attn_cache_usage attn_cache_get_usage(const attn_cache *cache) {
    return (attn_cache_usage){.pages = cache->page_count,
                              .pages_used = cache->page_count - cache->free_count,
                              .page_bytes = cache->layout.page_bytes};
}

const attn_cache_layout *attn_cache_get_layout(const attn_cache *cache) {
    return &cache->layout;
}

/* An array of `size` bytes an element, `used` of them in use, for at least `needed`. */
static attn_status grow(void **array, int64_t *capacity, int64_t used, int64_t needed, size_t size,
                        attn_error *error) {
    if (needed <= *capacity) {
        return ATTN_OK;
    }
    int64_t larger = needed > 2 * *capacity ? needed : 2 * *capacity;
    void *grown = attn_alloc((size_t)larger * size);
    if (grown == NULL) {
        return attn_fail_memory(error, (size_t)larger * size);
    }
    if (used > 0) {
        memcpy(grown, *array, (size_t)used * size);
    }
    attn_free(*array);
    *array = grown;
    *capacity = larger;
    return ATTN_OK;
}

/* ---- pages ---- */

static void release_page(attn_cache *cache, attn_cache_page *page) {
    if (--page->users == 0) {
        page->next = cache->free_pages;
        cache->free_pages = page;
        cache->free_count++;
    }
}

/* How many pages to allocate at once: as many as there are, so that they lie together, but not much
 * more memory than that; 0 when the limit is reached. */
static int64_t chunk_pages(const attn_cache *cache) {
    const size_t most = (size_t)1 << 25; /* bytes */
    int64_t fit = (int64_t)(most / cache->layout.page_bytes);
    int64_t pages = cache->page_count < fit ? cache->page_count : fit;
    pages = pages > 1 ? pages : 1;
    int64_t left = cache->max_pages - cache->page_count;
    return cache->max_pages > 0 && pages > left ? left : pages;
}

/* At least one more free page. */
static attn_status add_pages(attn_cache *cache, attn_error *error) {
    int64_t count = chunk_pages(cache);
    if (count == 0) {
        return attn_fail(error, ATTN_ERR_MEMORY, "cache", -1,
                         "end or truncate a sequence, or give the cache a larger max_pages",
                         "the cache is full: all %lld pages of %lld tokens are in use",
                         (long long)cache->max_pages, (long long)cache->layout.page_tokens);
    }
    void *chunks = cache->chunks;
    attn_status status = grow(&chunks, &cache->chunk_capacity, cache->chunk_count,
                              cache->chunk_count + 1, sizeof *cache->chunks, error);
    cache->chunks = chunks;
    if (status != ATTN_OK) {
        return status;
    }
    size_t size = (size_t)count * cache->layout.page_bytes;
    unsigned char *chunk = attn_alloc_large(size);
    if (chunk == NULL) {
        return attn_fail_memory(error, size);
    }
    cache->chunks[cache->chunk_count++] = chunk;
    cache->page_count += count;
    for (int64_t i = count - 1; i >= 0; i--) { /* so that the first is taken first */
        attn_cache_page *page =
            (attn_cache_page *)(void *)(chunk + (size_t)i * cache->layout.page_bytes);
        *page = (attn_cache_page){.users = 1};
        release_page(cache, page);
    }
    return ATTN_OK;
}

static attn_cache_page *take_page(attn_cache *cache) {
    attn_cache_page *page = cache->free_pages;
    cache->free_pages = page->next;
    cache->free_count--;
    page->users = 1;
    return page;
}

/* The first tokens of one page into another. */
static void copy_tokens(const attn_cache_layout *layout, const attn_cache_page *from,
                        attn_cache_page *to, int64_t tokens) {
    int64_t cells = (tokens + layout->width - 1) / layout->width * layout->width;
    size_t keys = (size_t)(cells * layout->head_size) * layout->element;
    size_t values = (size_t)(tokens * layout->value_row) * layout->element;
    size_t scales = layout->type == ATTN_CACHE_I8 ? (size_t)tokens * sizeof(float) : 0;
    for (int64_t g = 0; g < layout->heads; g++) {
        const unsigned char *source = attn_cache_part(layout, from, g);
        unsigned char *target = attn_cache_part(layout, to, g);
        memcpy(target, source, keys);
        memcpy(target + layout->values, source + layout->values, values);
        memcpy(target + layout->key_scales, source + layout->key_scales, scales);
        memcpy(target + layout->value_scales, source + layout->value_scales, scales);
    }
}

/* ---- sequences ---- */

/* NULL when the number is no sequence. */
static sequence *find(const attn_cache *cache, int64_t number) {
    if (number < 0 || number >= cache->sequence_count || cache->sequences[number].length < 0) {
        return NULL;
    }
    return &cache->sequences[number];
}

static attn_status refuse_sequence(int64_t number, attn_error *error) {
    return attn_fail(error, ATTN_ERR_ARGUMENT, "cache", -1, NULL, "%lld is not a live sequence id",
                     (long long)number);
}

static int64_t pages_for(const attn_cache *cache, int64_t tokens) {
    return (tokens + cache->layout.page_tokens - 1) / cache->layout.page_tokens;
}

attn_cache_page *const *attn_cache_pages(const attn_cache *cache, int64_t number) {
    return cache->sequences[number].pages;
}

int64_t attn_cache_length(const attn_cache *cache, int64_t number) {
    const sequence *found = find(cache, number);
    return found != NULL ? found->length : -1;
}

/* Finds a number that no sequence has; length stays -1. */
static attn_status find_number(attn_cache *cache, int64_t *number, attn_error *error) {
    for (*number = 0; *number < cache->sequence_count; ++*number) {
        if (cache->sequences[*number].length < 0) {
            return ATTN_OK;
        }
    }
    void *sequences = cache->sequences;
    attn_status status = grow(&sequences, &cache->sequence_capacity, cache->sequence_count,
                              cache->sequence_count + 1, sizeof *cache->sequences, error);
    cache->sequences = sequences;
    if (status == ATTN_OK) {
        cache->sequences[cache->sequence_count++] = (sequence){.length = -1};
    }
    return status;
}

static attn_status grow_table(sequence *grown, int64_t used, int64_t needed, attn_error *error) {
    void *pages = grown->pages;
    attn_status status = grow(&pages, &grown->capacity, used, needed, sizeof *grown->pages, error);
    grown->pages = pages;
    return status;
}

attn_status attn_cache_start(attn_cache *cache, int64_t *number, attn_error *error) {
    attn_status status = find_number(cache, number, error);
    if (status == ATTN_OK) {
        cache->sequences[*number].length = 0;
    }
    return status;
}

attn_status attn_cache_fork(attn_cache *cache, int64_t parent, int64_t *number, attn_error *error) {
    if (find(cache, parent) == NULL) {
        return refuse_sequence(parent, error);
    }
    attn_status status = find_number(cache, number, error);
    if (status != ATTN_OK) {
        return status;
    }
    sequence *child = &cache->sequences[*number]; /* find_number may have moved them all */
    const sequence *from = &cache->sequences[parent];
    int64_t pages = pages_for(cache, from->length);
    status = grow_table(child, 0, pages, error);
    if (status != ATTN_OK) {
        return status;
    }
    for (int64_t i = 0; i < pages; i++) {
        child->pages[i] = from->pages[i];
        child->pages[i]->users++;
    }
    child->length = from->length;
    return ATTN_OK;
}

static void shorten(attn_cache *cache, sequence *shortened, int64_t length) {
    for (int64_t i = pages_for(cache, length); i < pages_for(cache, shortened->length); i++) {
        release_page(cache, shortened->pages[i]);
    }
    shortened->length = length;
}

void attn_cache_end(attn_cache *cache, int64_t number) {
    sequence *ended = find(cache, number);
    if (ended != NULL) {
        shorten(cache, ended, 0);
        ended->length = -1;
    }
}

void attn_cache_clear(attn_cache *cache) {
    for (int64_t number = 0; number < cache->sequence_count; number++) {
        attn_cache_end(cache, number);
    }
}

attn_status attn_cache_truncate(attn_cache *cache, int64_t number, int64_t length,
                                attn_error *error) {
    sequence *found = find(cache, number);
    if (found == NULL) {
        return refuse_sequence(number, error);
    }
    if (length < 0 || length > found->length) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "cache", -1, NULL,
                         "sequence %lld cannot be cut to %lld tokens: it has %lld",
                         (long long)number, (long long)length, (long long)found->length);
    }
    shorten(cache, found, length);
    return ATTN_OK;
}

/* ---- appending ---- */

typedef struct tokens {
    int64_t count;
    const real *key, *value;
    int64_t key_token, key_head, value_token, value_head;
} tokens;

/* max |x|, or -1 when an element is not finite. */
static float peak_of(const real *x, int64_t count) {
    float peak = 0;
    for (int64_t i = 0; i < count; i++) {
        float size = fabsf((float)x[i]);
        if (!(size < INFINITY)) {
            return -1;
        }
        peak = size > peak ? size : peak;
    }
    return peak;
}

static attn_status check_finite(const attn_cache_layout *layout, const tokens *added,
                                attn_error *error) {
    for (int64_t t = 0; t < added->count; t++) {
        for (int64_t g = 0; g < layout->heads; g++) {
            const real *key = added->key + t * added->key_token + g * added->key_head;
            const real *value = added->value + t * added->value_token + g * added->value_head;
            if (peak_of(key, layout->head_size) < 0 || peak_of(value, layout->value_size) < 0) {
                return attn_fail(error, ATTN_ERR_NUMERIC, "cache", t, NULL,
                                 "token %lld holds NaN or infinity and cannot be kept as int8",
                                 (long long)t);
            }
        }
    }
    return ATTN_OK;
}

/* Writes a row of `count` elements, `stride` apart; scale: where int8 keeps it. */
static void put_row(attn_cache_type type, const real *row, int64_t count, unsigned char *target,
                    int64_t stride, float *scale) {
    if (type == ATTN_CACHE_F32) {
        for (int64_t i = 0; i < count; i++) {
            ((real *)(void *)target)[i * stride] = row[i];
        }
    } else if (type == ATTN_CACHE_BF16) {
        for (int64_t i = 0; i < count; i++) {
            ((uint16_t *)(void *)target)[i * stride] = narrow_to_bf16((float)row[i]);
        }
    } else {
        *scale = peak_of(row, count) / 127.0f;
        for (int64_t i = 0; i < count; i++) {
            ((int8_t *)target)[i * stride] = narrow_to_i8((float)row[i], *scale);
        }
    }
}

/* Writes one head of the tokens behind the first `length` of a sequence. */
static void put_head(const attn_cache_layout *layout, attn_cache_page *const *pages, int64_t length,
                     const tokens *added, int64_t g) {
    for (int64_t t = 0; t < added->count; t++) {
        int64_t token = (length + t) % layout->page_tokens, lane = token % layout->width;
        unsigned char *part = attn_cache_part(layout, pages[(length + t) / layout->page_tokens], g);
        float *key_scales = (float *)(void *)(part + layout->key_scales);
        float *value_scales = (float *)(void *)(part + layout->value_scales);
        size_t key_at = (size_t)((token - lane) * layout->head_size + lane) * layout->element;
        size_t value_at = (size_t)(token * layout->value_row) * layout->element;
        put_row(layout->type, added->key + t * added->key_token + g * added->key_head,
                layout->head_size, part + key_at, layout->width, key_scales + token);
        put_row(layout->type, added->value + t * added->value_token + g * added->value_head,
                layout->value_size, part + layout->values + value_at, 1, value_scales + token);
        memset(part + layout->values + value_at + (size_t)layout->value_size * layout->element, 0,
               (size_t)(layout->value_row - layout->value_size) * layout->element);
    }
}

/* Makes the pages of tokens length .. length + count - 1 the sequence's own. All that can fail comes
 * first. */
static attn_status cache_make_room(attn_cache *cache, sequence *grown, int64_t count,
                                   attn_error *error) {
    const attn_cache_layout *layout = &cache->layout;
    int64_t had = pages_for(cache, grown->length), pages = pages_for(cache, grown->length + count);
    int64_t inside = grown->length % layout->page_tokens;
    bool copy = inside != 0 && grown->pages[had - 1]->users > 1;
    attn_status status = grow_table(grown, had, pages, error);
    while (status == ATTN_OK && cache->free_count < pages - had + copy) {
        status = add_pages(cache, error);
    }
    if (status != ATTN_OK) {
        return status;
    }
    if (copy) {
        attn_cache_page *shared = grown->pages[had - 1];
        grown->pages[had - 1] = take_page(cache);
        copy_tokens(layout, shared, grown->pages[had - 1], inside);
        release_page(cache, shared);
    }
    for (int64_t i = had; i < pages; i++) {
        grown->pages[i] = take_page(cache);
    }
    return ATTN_OK;
}

attn_status attn_cache_append(attn_cache *cache, int64_t number, int64_t count, const real *key,
                              int64_t key_token, int64_t key_head, const real *value,
                              int64_t value_token, int64_t value_head, attn_error *error) {
    enum { WORTH_A_THREAD = 1 << 18 }; /* bytes */
    const attn_cache_layout *layout = &cache->layout;
    tokens added = {count, key, value, key_token, key_head, value_token, value_head};
    sequence *grown = find(cache, number);
    if (grown == NULL) {
        return refuse_sequence(number, error);
    }
    if (count < 0 || count > INT32_MAX - grown->length) {
        return refuse(error, "tokens must be at least 0, and a sequence holds at most 2^31 - 1");
    }
    if (count == 0) {
        return ATTN_OK;
    }
    if (key == NULL || value == NULL) {
        return refuse(error, "key or value is NULL");
    }
    attn_status status =
        layout->type == ATTN_CACHE_I8 ? check_finite(layout, &added, error) : ATTN_OK;
    status = status == ATTN_OK ? cache_make_room(cache, grown, count, error) : status;
    if (status != ATTN_OK) {
        return status;
    }
    bool large =
        (double)count * (double)layout->page_bytes > (double)layout->page_tokens * WORTH_A_THREAD;
    int threads = large ? attn_get_threads() : 1;
    (void)threads; /* a build without OpenMP has one */
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int64_t g = 0; g < layout->heads; g++) {
        put_head(layout, grown->pages, grown->length, &added, g);
    }
    grown->length += count;
    return ATTN_OK;
}
