/* tests/pipeline/test_embed.c: a text's vector does not depend on its company, on threads or on who else uses the model; long
 * texts are cut; and the nearest of vectors. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "attn/embed.h"
#include "attn/threads.h"
#include "support/tiny_encoder_file.h"

enum { TEXTS = 700, LONGEST = 400 };

static char path[] = "/tmp/attn-test-XXXXXX";
static attn_model *model;
static char room[TEXTS][LONGEST];
static const char *texts[TEXTS];
static float expected[TEXTS][TINY_CHANNELS];

/* Texts of 0 to 60 words; the model reads 30 pieces. */
static int set_up(void **unused) {
    (void)unused;
    static const char *const words[] = {"a", "bad", "cab", "Dab", "cabbad", ".", "?"};
    attn_encoder_config config = tiny_encoder_config();
    config.max_length = 30;
    config.unit_length = true;
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    tiny_encoder_write(&config, path);
    attn_error error = {0};
    assert_int_equal(attn_model_open(path, NULL, &model, &error), ATTN_OK);
    attn_random random = attn_random_start(4);
    for (int i = 0; i < TEXTS; i++) {
        int count = (int)(60 * attn_random_uniform(&random));
        for (int w = 0; w < count && i > 0; w++) {
            strcat(strcat(room[i], words[(int)(7 * attn_random_uniform(&random))]), " ");
        }
        texts[i] = room[i];
    }
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    attn_model_close(model);
    return unlink(path);
}

static void test_company(void **unused) {
    (void)unused;
    static float got[TEXTS][TINY_CHANNELS];
    attn_error error = {0};
    assert_int_equal(attn_model_vector_size(model), TINY_CHANNELS);
    assert_int_equal(attn_embed_texts(model, texts, TEXTS, NULL, expected[0], &error), ATTN_OK);
    for (int threads = 1; threads <= 3; threads += 2) {
        attn_set_threads(threads);
        for (int i = 0; i < TEXTS; i++) {
            assert_int_equal(attn_embed(model, texts[i], NULL, got[i], &error), ATTN_OK);
        }
        assert_memory_equal(got, expected, sizeof got);
        for (size_t i = 0; i < TEXTS; i += 13) {
            size_t count = i + 13 < TEXTS ? 13 : TEXTS - i;
            assert_int_equal(attn_embed_texts(model, texts + i, count, NULL, got[i], &error),
                             ATTN_OK);
        }
        assert_memory_equal(got, expected, sizeof got);
    }
    attn_set_threads(0);
    assert_int_equal(attn_embed_texts(model, texts, 0, NULL, got[0], &error), ATTN_OK);
}

static void *embed_all(void *context) {
    float(*got)[TINY_CHANNELS] = context;
    return attn_embed_texts(model, texts, TEXTS, NULL, got[0], NULL) == ATTN_OK ? context : NULL;
}

static void test_threads_share_a_model(void **unused) {
    (void)unused;
    enum { THREADS = 4 };
    static float got[THREADS][TEXTS][TINY_CHANNELS];
    pthread_t thread[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, embed_all, got[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *done;
        pthread_join(thread[i], &done);
        assert_non_null(done);
        assert_memory_equal(got[i], expected, sizeof expected);
    }
}

static void test_cut(void **unused) {
    (void)unused;
    char longer[600] = "";
    float kept[TINY_CHANNELS], cut[TINY_CHANNELS];
    attn_embed_look look;
    attn_error error = {0};
    for (int i = 0; i < 28; i++) {
        strcat(longer, "a ");
    }
    assert_int_equal(attn_embed(model, longer, NULL, kept, &error), ATTN_OK);
    strcat(longer, "bad");
    assert_int_equal(attn_embed(model, longer, NULL, cut, &error), ATTN_OK);
    assert_memory_equal(cut, kept, sizeof cut);
    assert_int_equal(attn_embed_attend(model, longer, 0, 0, &look, &error), ATTN_OK);
    assert_int_equal(look.count, 30);
    assert_int_equal(look.ids[0], 2);
    assert_int_equal(look.ids[29], 3);
    attn_embed_look_free(&look);
}

static void test_options(void **unused) {
    (void)unused;
    float vector[4][TINY_CHANNELS];
    attn_embed_options options;
    attn_error error = {0};
    for (int i = 0; i < 4; i++) {
        attn_embed_options_init(&options);
        options.pooling = i % 2 == 0 ? ATTN_EMBED_MEAN : ATTN_EMBED_FIRST;
        options.length = i < 2 ? ATTN_EMBED_LENGTH_ONE : ATTN_EMBED_LENGTH_OWN;
        assert_int_equal(attn_embed(model, texts[1], &options, vector[i], &error), ATTN_OK);
        double squares = 0;
        for (int c = 0; c < TINY_CHANNELS; c++) {
            squares += (double)vector[i][c] * (double)vector[i][c];
        }
        assert_true((fabs(squares - 1) < 1e-6) == (i < 2));
    }
    assert_memory_equal(vector[0], expected[1], sizeof vector[0]);
    assert_memory_not_equal(vector[0], vector[1], sizeof vector[0]);
    memset(&options, 0, sizeof options);
    assert_int_equal(attn_embed(model, "a", &options, vector[0], &error), ATTN_ERR_ARGUMENT);
    const char *const two[] = {"a", "b\xff"};
    assert_int_equal(attn_embed_texts(model, two, 2, NULL, vector[0], &error), ATTN_ERR_FORMAT);
    assert_int_equal(error.position, 1);
}

static void test_attention(void **unused) {
    (void)unused;
    attn_embed_look mean, one;
    attn_error error = {0};
    double sums[49] = {0};
    assert_int_equal(attn_embed_attend(model, "cab bad.", 2, 0, &mean, &error), ATTN_OK);
    assert_int_equal(mean.count, 7); /* [CLS] cab b ##a ##d . [SEP] */
    for (int64_t head = 1; head <= 4; head++) {
        assert_int_equal(attn_embed_attend(model, "cab bad.", 2, head, &one, &error), ATTN_OK);
        for (int i = 0; i < 49; i++) {
            sums[i] += (double)one.weights[i];
        }
        attn_embed_look_free(&one);
    }
    for (int i = 0; i < 49; i++) {
        assert_true(fabs(sums[i] / 4 - (double)mean.weights[i]) < 1e-6);
    }
    attn_embed_look_free(&mean);
    assert_int_equal(attn_embed_attend(model, "a", 4, 0, &one, &error), ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.what, "no layer 4"));
    attn_embed_look_free(&one);
    assert_int_equal(attn_embed_attend(model, "a", 1, 5, &one, &error), ATTN_ERR_ARGUMENT);
    attn_embed_look_free(&one);
}

/* The best in order; of equal ones the earlier; lengths and zeros do not count. */
static void test_nearest(void **unused) {
    (void)unused;
    static const float vectors[][2] = {{0, 1}, {2, 2}, {0, 0}, {5, 5}, {-1, 0}, {3, 0}, {1, 1}};
    static const float query[2] = {4, 0};
    attn_neighbour found[7];
    assert_int_equal(attn_nearest_vectors(vectors[0], 7, 2, query, 7, found), 7);
    static const int order[] = {5, 1, 3, 6, 0, 2, 4};
    for (int i = 0; i < 7; i++) {
        assert_int_equal(found[i].index, order[i]);
    }
    assert_true(found[0].cosine == 1 && found[5].cosine == 0 && found[6].cosine == -1);
    assert_true(fabs(found[1].cosine - 0.70710678) < 1e-7);
    assert_int_equal(attn_nearest_vectors(vectors[0], 7, 2, query, 3, found), 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(found[i].index, order[i]);
    }
    assert_int_equal(attn_nearest_vectors(vectors[0], 2, 2, query, 5, found), 2);
    assert_int_equal(attn_nearest_vectors(vectors[0], 7, 2, query, 0, found), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_company),   cmocka_unit_test(test_threads_share_a_model),
        cmocka_unit_test(test_cut),       cmocka_unit_test(test_options),
        cmocka_unit_test(test_attention), cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
