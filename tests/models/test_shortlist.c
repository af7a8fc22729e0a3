/* tests/models/test_shortlist.c: the words that a shortlist proposes, steps that compute these alone,
 * and its file. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "attn/safetensors.h"
#include "attn/threads.h"
#include "kernels/table.h"
#include "models/shortlist.h"
#include "support/tiny_translator.h"

enum { V = TINY_VOCABULARY, PER_TOKEN = 3, FREQUENT = 4, STEPS = 4, ROWS = 4, END = 3 };

static const int32_t frequent[FREQUENT] = {1, 36, 7, 8};
static int32_t likely[V * PER_TOKEN];

/* Token t is translated by 2 t and 3 t + 1, where there are such, and every fourth one by nothing. */
static attn_shortlist *make(void) {
    attn_shortlist *list = NULL;
    for (int t = 0; t < V; t++) {
        likely[t * PER_TOKEN] = t % 4 == 0 || 2 * t >= V ? -1 : 2 * t;
        likely[t * PER_TOKEN + 1] = t % 4 == 0 || 3 * t + 1 >= V ? -1 : 3 * t + 1;
        likely[t * PER_TOKEN + 2] = -1;
    }
    assert_int_equal(
        attn_shortlist_create(V, 0, FREQUENT, frequent, PER_TOKEN, likely, &list, NULL), ATTN_OK);
    assert_int_equal(attn_shortlist_vocabulary(list), V);
    return list;
}

static attn_shortlist *make_whole(void) {
    int32_t all[V];
    attn_shortlist *list = NULL;
    for (int i = 0; i < V; i++) {
        all[i] = i;
    }
    assert_int_equal(attn_shortlist_create(V, 0, V, all, 0, likely, &list, NULL), ATTN_OK);
    return list;
}

static void chooses_by_the_sentence(void **unused) {
    (void)unused;
    static const int32_t source[] = {5, 4, 5, 17};
    static const int32_t expected[] = {1, 4, 5, 7, 8, 10, 16, 17, 34, 36};
    attn_shortlist *list = make();
    bool chosen[V];
    attn_shortlist_choose(list, 4, source, chosen);
    for (int id = 0, at = 0; id < V; id++) {
        bool wanted = at < 10 && expected[at] == id;
        assert_int_equal(chosen[id], wanted);
        at += wanted;
    }
    attn_shortlist_free(list);
}

/* ---- steps ---- */

/* Two sentences; rows 1 to 3 of later steps belong to sentences 0, 1 and 0: not side by side. */
static const int32_t tokens[STEPS][ROWS] = {{2, 2}, {5, 6, 7, 8}, {9, 10, 11, 12}, {4, 4, 5, 4}};
static const int64_t parents[STEPS][ROWS] = {{0, 1}, {0, 0, 1, 0}, {1, 0, 2, 3}, {0, 1, 2, 3}};
static const int64_t owner[STEPS][ROWS] = {{0, 1}, {0, 0, 1, 0}, {0, 0, 1, 0}, {0, 0, 1, 0}};

typedef struct scores {
    attn_real row[STEPS][ROWS * V];
} scores;

static void decode(attn_translator *model, const attn_shortlist *list, const tiny_batch *batch,
                   scores *out) {
    attn_translator_state *state = NULL;
    memset(out, 0, sizeof *out);
    assert_int_equal(attn_translator_state_create(model, &state, NULL), ATTN_OK);
    assert_int_equal(attn_translator_state_use(state, list, END, NULL), ATTN_OK);
    assert_int_equal(
        attn_translator_encode(state, 2, batch->source, batch->source_starts, ROWS, STEPS, NULL),
        ATTN_OK);
    for (int t = 0; t < STEPS; t++) {
        assert_int_equal(attn_translator_step(state, t == 0 ? 2 : ROWS, tokens[t], parents[t],
                                              out->row[t], NULL, NULL),
                         ATTN_OK);
    }
    attn_translator_state_free(state);
}

/* Those of the chosen words are what is left of the whole when the others are impossible. */
static void assert_part(const scores *part, const scores *whole, const tiny_batch *batch,
                        const attn_shortlist *list) {
    for (int t = 0; t < STEPS; t++) {
        for (int r = 0; r < (t == 0 ? 2 : ROWS); r++) {
            const attn_real *x = part->row[t] + r * V, *y = whole->row[t] + r * V;
            int64_t start = batch->source_starts[owner[t][r]];
            int64_t length = batch->source_starts[owner[t][r] + 1] - start;
            bool chosen[V];
            double sum = 0;
            attn_shortlist_choose(list, length, batch->source + start, chosen);
            chosen[END] = true;
            for (int id = 0; id < V; id++) {
                sum += chosen[id] ? exp((double)y[id]) : 0;
            }
            for (int id = 0; id < V; id++) {
                assert_true(chosen[id] ? fabs(x[id] - (y[id] - log(sum))) < 1e-5
                                       : x[id] == -INFINITY);
            }
        }
    }
}

/* With floats and with integers, on every instruction set and number of threads. */
static void check_steps(bool output_bias) {
    static tiny_batch batch;
    static scores whole, again, part, first;
    tiny_batch_begin(&batch);
    tiny_batch_add(&batch, 1, 4, 1);
    tiny_batch_add(&batch, 2, 9, 1);
    attn_translator_config config = tiny_config();
    config.output_bias = output_bias;
    attn_translator *model = tiny_translator(&config, false);
    attn_shortlist *list = make(), *everything = make_whole();
    const attn_kernels *kernels[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(kernels, ATTN_KERNELS_MAX);
    for (int i = 0; i < 2 * count; i++) {
        attn_compute compute = i < count ? ATTN_COMPUTE_F32 : ATTN_COMPUTE_I8;
        assert_int_equal(attn_set_isa(kernels[i % count]->isa, NULL), ATTN_OK);
        assert_int_equal(attn_translator_pack(model, compute, NULL), ATTN_OK);
        attn_set_threads(1 + i % 3);
        decode(model, NULL, &batch, &whole);
        decode(model, everything, &batch, &again);
        assert_memory_equal(&again, &whole, sizeof whole);
        decode(model, list, &batch, &part);
        assert_part(&part, &whole, &batch, list);
        if (i % count == 0) {
            first = part;
        }
        assert_memory_equal(&part, &first, sizeof part);
    }
    assert_int_equal(attn_set_isa("", NULL), ATTN_OK);
    attn_set_threads(0);
    attn_shortlist_free(everything);
    attn_shortlist_free(list);
    attn_translator_free(model);
}

static void steps_score_the_chosen_words(void **unused) {
    (void)unused;
    check_steps(false);
    check_steps(true);
}

/* Of a source with words of its own, more of them than the target has, none is copied. */
static void sources_with_their_own_words(void **unused) {
    (void)unused;
    enum { S = V + 9 };
    static int32_t translations[S];
    static const int32_t source[] = {5, S - 1, V};
    char path[] = "/tmp/attn-test-XXXXXX";
    attn_shortlist *made = NULL, *loaded = NULL;
    for (int t = 0; t < S; t++) {
        translations[t] = (2 * t + 1) % V;
    }
    assert_int_equal(attn_shortlist_create(V, S, 1, frequent, 1, translations, &made, NULL),
                     ATTN_OK);
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    assert_int_equal(attn_shortlist_save(made, path, NULL), ATTN_OK);
    assert_int_equal(attn_shortlist_load(path, &loaded, NULL), ATTN_OK);
    unlink(path);
    attn_shortlist *lists[] = {made, loaded};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(attn_shortlist_vocabulary(lists[i]), V);
        assert_int_equal(attn_shortlist_source_vocabulary(lists[i]), S);
        bool chosen[V + 9] = {false};
        attn_shortlist_choose(lists[i], 3, source, chosen);
        for (int id = 0; id < V + 9; id++) {
            bool wanted = id == frequent[0] || id == translations[5] || id == translations[S - 1] ||
                          id == translations[V];
            assert_int_equal(chosen[id], wanted);
        }
        attn_shortlist_free(lists[i]);
    }
}

static void another_vocabulary_is_refused(void **unused) {
    (void)unused;
    attn_translator_config config = tiny_config();
    config.vocabulary = V + 1;
    attn_translator *model = tiny_translator(&config, false);
    attn_translator_state *state = NULL;
    attn_shortlist *list = make();
    assert_int_equal(attn_translator_state_create(model, &state, NULL), ATTN_OK);
    assert_int_equal(attn_translator_state_use(state, list, END, NULL), ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_translator_state_use(state, NULL, END, NULL), ATTN_OK);
    attn_translator_state_free(state);
    attn_translator_free(model);
    config = tiny_config(); /* the same words, but the source has others */
    config.source_vocabulary = V;
    config.embeddings = ATTN_EMBEDDINGS_TARGET;
    model = tiny_translator(&config, false);
    assert_int_equal(attn_translator_state_create(model, &state, NULL), ATTN_OK);
    assert_int_equal(attn_translator_state_use(state, list, END, NULL), ATTN_ERR_ARGUMENT);
    attn_translator_state_free(state);
    attn_shortlist_free(list);
    attn_translator_free(model);
}

/* ---- files ---- */

static void create_refuses(void **unused) {
    (void)unused;
    static int32_t ids[16];
    attn_shortlist *list;
    attn_error error;
    const struct {
        int64_t vocabulary, frequent_count, per_token;
        int32_t bad;
    } wrong[] = {{0, 0, 0, 0},  {-1, 1, 1, 0}, {4, 5, 1, 0},
                 {4, -1, 1, 0}, {4, 1, 5, 0},  {INT64_MAX, 1, INT64_MAX, 0},
                 {4, 1, -1, 0}, {4, 2, 1, -2}, {4, 2, 1, 4}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ids[1] = wrong[i].bad;
        assert_int_equal(attn_shortlist_create(wrong[i].vocabulary, 0, wrong[i].frequent_count, ids,
                                               wrong[i].per_token, ids, &list, &error),
                         ATTN_ERR_ARGUMENT);
        assert_null(list);
    }
    ids[1] = -1; /* no translation, but no word */
    assert_int_equal(attn_shortlist_create(4, 0, 2, ids, 1, ids, &list, &error), ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_shortlist_create(4, 0, 1, ids, 1, ids, &list, &error), ATTN_OK);
    attn_shortlist_free(list);
    attn_shortlist_free(NULL);
}

static void write_tensors(const char *path, attn_dtype dtype, int64_t words, int32_t bad,
                          const char *version) {
    static int32_t numbers[V * PER_TOKEN];
    numbers[2] = bad;
    const attn_tensor_info tensors[] = {
        {.name = "frequent", .dtype = dtype, .rank = 1, .shape = {3}, .data = numbers, .size = 12},
        {.name = "likely",
         .dtype = ATTN_DTYPE_I32,
         .rank = 2,
         .shape = {words, 2},
         .data = numbers,
         .size = (size_t)words * 8}};
    const attn_metadata metadata[] = {{"attn.shortlist", version}};
    assert_int_equal(attn_safetensors_write(path, tensors, 2, metadata, 1, NULL), ATTN_OK);
}

static void files(void **unused) {
    (void)unused;
    static const int32_t source[] = {5, 4, 5, 17};
    char path[] = "/tmp/attn-test-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    attn_shortlist *list = make(), *loaded = NULL;
    attn_error error;
    assert_int_equal(attn_shortlist_save(list, path, &error), ATTN_OK);
    assert_int_equal(attn_shortlist_load(path, &loaded, &error), ATTN_OK);
    bool a[V], b[V];
    attn_shortlist_choose(list, 4, source, a);
    attn_shortlist_choose(loaded, 4, source, b);
    assert_memory_equal(a, b, sizeof a);
    attn_shortlist_free(list);
    attn_shortlist_free(loaded);

    write_tensors(path, ATTN_DTYPE_I32, V, 5, "1");
    assert_int_equal(attn_shortlist_load(path, &loaded, &error), ATTN_OK);
    attn_shortlist_free(loaded);
    write_tensors(path, ATTN_DTYPE_I32, V, 5, "2");
    assert_int_equal(attn_shortlist_load(path, &loaded, &error), ATTN_ERR_FORMAT);
    write_tensors(path, ATTN_DTYPE_F32, V, 5, "1");
    assert_int_equal(attn_shortlist_load(path, &loaded, &error), ATTN_ERR_SHAPE);
    write_tensors(path, ATTN_DTYPE_I32, V, V, "1");
    assert_int_equal(attn_shortlist_load(path, &loaded, &error), ATTN_ERR_FORMAT);
    assert_non_null(strstr(error.what, "out of range"));
    write_tensors(path, ATTN_DTYPE_I32, 2, 1, "1"); /* more frequent words than words */
    assert_int_equal(attn_shortlist_load(path, &loaded, &error), ATTN_ERR_FORMAT);
    assert_null(loaded);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chooses_by_the_sentence),
        cmocka_unit_test(steps_score_the_chosen_words),
        cmocka_unit_test(sources_with_their_own_words),
        cmocka_unit_test(another_vocabulary_is_refused),
        cmocka_unit_test(create_refuses),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
