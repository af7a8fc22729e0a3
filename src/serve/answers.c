/* serve/answers.c: a table of chains, and a list from the answer asked for last to the one asked for first. */
#include "serve/answers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/hash.h"

enum { CHAINS = 4096, OVERHEAD = 64 /* bytes of an entry besides its texts, about */ };

typedef struct entry {
    struct entry *next;          /* of its chain */
    struct entry *newer, *older; /* of the list */
    size_t chain, key_size, answer_size;
    char bytes[]; /* key, then answer */
} entry;

struct attn_answers {
    pthread_mutex_t lock;
    size_t most;
    entry *chains[CHAINS];
    entry *newest, *oldest;
    attn_answers_counts counts;
};

attn_status attn_answers_create(size_t most, attn_answers **out, attn_error *error) {
    attn_answers *cache = calloc(1, sizeof *cache);
    *out = cache;
    if (cache == NULL) {
        return attn_fail_memory(error, sizeof *cache);
    }
    cache->most = most;
    pthread_mutex_init(&cache->lock, NULL);
    return ATTN_OK;
}

static size_t size_of(const entry *e) {
    return OVERHEAD + e->key_size + e->answer_size;
}

/* ---- the list ---- */

static void take_out(attn_answers *cache, entry *e) {
    *(e->newer != NULL ? &e->newer->older : &cache->newest) = e->older;
    *(e->older != NULL ? &e->older->newer : &cache->oldest) = e->newer;
}

static void put_first(attn_answers *cache, entry *e) {
    e->newer = NULL;
    e->older = cache->newest;
    *(e->older != NULL ? &e->older->newer : &cache->oldest) = e;
    cache->newest = e;
}

/* ---- the table ---- */

static size_t chain_of(const char *key, size_t key_size) {
    return (size_t)(attn_hash64(key, key_size, 0) % CHAINS);
}

static entry *find(attn_answers *cache, const char *key, size_t key_size) {
    entry *e = cache->chains[chain_of(key, key_size)];
    while (e != NULL && (e->key_size != key_size || memcmp(e->bytes, key, key_size) != 0)) {
        e = e->next;
    }
    return e;
}

static void drop(attn_answers *cache, entry *e) {
    entry **place = &cache->chains[e->chain];
    while (*place != e) {
        place = &(*place)->next;
    }
    *place = e->next;
    take_out(cache, e);
    cache->counts.entries--;
    cache->counts.bytes -= size_of(e);
    free(e);
}

void attn_answers_free(attn_answers *cache) {
    if (cache == NULL) {
        return;
    }
    while (cache->oldest != NULL) {
        drop(cache, cache->oldest);
    }
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

bool attn_answers_get(attn_answers *cache, const char *key, size_t key_size, attn_buffer *answer) {
    pthread_mutex_lock(&cache->lock);
    entry *e = find(cache, key, key_size);
    if (e != NULL) {
        take_out(cache, e);
        put_first(cache, e);
        attn_buffer_add(answer, e->bytes + e->key_size, e->answer_size);
        cache->counts.hits++;
    } else {
        cache->counts.misses++;
    }
    pthread_mutex_unlock(&cache->lock);
    return e != NULL;
}

void attn_answers_put(attn_answers *cache, const char *key, size_t key_size, const char *answer,
                      size_t answer_size) {
    if (OVERHEAD + key_size + answer_size > cache->most / 4) {
        return;
    }
    entry *fresh = malloc(sizeof *fresh + key_size + answer_size);
    if (fresh == NULL) {
        return;
    }
    *fresh =
        (entry){.chain = chain_of(key, key_size), .key_size = key_size, .answer_size = answer_size};
    memcpy(fresh->bytes, key, key_size);
    memcpy(fresh->bytes + key_size, answer, answer_size);
    pthread_mutex_lock(&cache->lock);
    entry *known = find(cache, key, key_size);
    if (known != NULL) { /* two asked at once */
        drop(cache, known);
    }
    fresh->next = cache->chains[fresh->chain];
    cache->chains[fresh->chain] = fresh;
    put_first(cache, fresh);
    cache->counts.entries++;
    cache->counts.bytes += size_of(fresh);
    while (cache->counts.bytes > cache->most) {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): another one each time, for drop takes it out of the list */
        drop(cache, cache->oldest);
    }
    pthread_mutex_unlock(&cache->lock);
}

attn_answers_counts attn_answers_count(attn_answers *cache) {
    pthread_mutex_lock(&cache->lock);
    attn_answers_counts counts = cache->counts;
    pthread_mutex_unlock(&cache->lock);
    return counts;
}
