/* Kept answers: within their room, the oldest go first, and many threads at once. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "serve/answers.h"

static void put(attn_answers *cache, int number) {
    char key[32], answer[1100];
    snprintf(key, sizeof key, "key %d", number);
    memset(answer, 'a' + number % 26, sizeof answer);
    attn_answers_put(cache, key, strlen(key), answer, 1000);
}

static bool has(attn_answers *cache, int number) {
    char key[32];
    attn_buffer found = {0};
    snprintf(key, sizeof key, "key %d", number);
    bool there = attn_answers_get(cache, key, strlen(key), &found);
    if (there) {
        assert_int_equal(found.length, 1000);
        for (size_t i = 0; i < found.length; i++) {
            assert_int_equal(found.data[i], 'a' + number % 26);
        }
    }
    attn_buffer_free(&found);
    return there;
}

static void the_oldest_go_first(void **unused) {
    (void)unused;
    enum { ROOM = 20 * 1100 };
    attn_answers *cache;
    assert_int_equal(attn_answers_create(ROOM, &cache, NULL), ATTN_OK);
    for (int i = 0; i < 200; i++) {
        put(cache, i);
        assert_true(attn_answers_count(cache).bytes <= ROOM);
        assert_true(has(cache, 0)); /* is asked for all the time */
    }
    size_t entries = attn_answers_count(cache).entries;
    assert_in_range(entries, 18, 22);
    assert_true(has(cache, 199) && has(cache, 190) && !has(cache, 1) && !has(cache, 150));
    put(cache, 199); /* again: still once */
    assert_int_equal(attn_answers_count(cache).entries, entries);
    static char large[ROOM];
    attn_answers_put(cache, "large", 5, large, ROOM / 4);
    assert_int_equal(attn_answers_count(cache).entries, entries);
    attn_buffer none = {0};
    assert_false(
        attn_answers_get(cache, "key", 3, &none)); /* the beginning of a key is another key */
    attn_answers_free(cache);
}

static void *hammer(void *context) {
    for (int i = 0; i < 3000; i++) {
        put(context, i * 7 % 41);
        has(context, i * 5 % 41);
    }
    return NULL;
}

static void threads_share_it(void **unused) {
    (void)unused;
    enum { THREADS = 3 };
    pthread_t thread[THREADS];
    attn_answers *cache;
    assert_int_equal(attn_answers_create(30000, &cache, NULL), ATTN_OK);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, hammer, cache), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
    }
    attn_answers_counts counts = attn_answers_count(cache);
    assert_true(counts.bytes <= 30000 && counts.hits + counts.misses == 3000 * THREADS);
    attn_answers_free(cache);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_go_first),
        cmocka_unit_test(threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
