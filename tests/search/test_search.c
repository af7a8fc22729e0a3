/* Search on tiny models with random weights: against simple loops, against all sequences there are,
 * and alone against in a batch, bit for bit. */
#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attn/memory.h"
#include "attn/search.h"
#include "attn/threads.h"

enum { EOS = 3, LOOP = 5 };

/* Sharpened, so that the tokens differ clearly in probability. */
static attn_translator *tiny_model(int64_t vocabulary, uint64_t seed) {
    attn_translator_config config;
    attn_translator_config_init(&config);
    config.vocabulary = vocabulary;
    config.d_model = 16;
    config.ffn = 32;
    config.heads = config.kv_heads = 2;
    config.encoder_layers = config.decoder_layers = 2;
    config.max_length = 48;
    config.pre_norm = true;
    attn_translator *model = NULL;
    assert_int_equal(attn_translator_create(&config, false, &model, NULL), ATTN_OK);
    attn_params *params = attn_translator_params(model);
    attn_params_init(params, seed);
    for (int64_t i = 0; i < attn_params_size(params); i++) {
        attn_params_data(params)[i] *= 2;
    }
    assert_int_equal(attn_translator_pack(model, ATTN_COMPUTE_F32, NULL), ATTN_OK);
    return model;
}

/* A model that wants to say LOOP forever: the decoder's output is LOOP's own embedding. */
static attn_translator *looping_model(void) {
    attn_translator *model = tiny_model(12, 3);
    attn_params *params = attn_translator_params(model);
    const attn_param *embedding = attn_params_at(params, 0);
    assert_int_equal(embedding->rows, 12);
    attn_param *gamma = attn_params_find(params, "decoder.norm.gamma");
    attn_param *beta = attn_params_find(params, "decoder.norm.beta");
    assert_non_null(gamma);
    assert_non_null(beta);
    for (int64_t c = 0; c < 16; c++) {
        gamma->data[c] = 0;
        beta->data[c] = 4 * embedding->data[LOOP * 16 + c];
    }
    return model;
}

static const int32_t source[] = {4, 5, 6, 3, 7, 3, 8, 9, 10, 11, 4,
                                 3, 5, 5, 3, 6, 7, 8, 9, 4,  3,  3};
static const int64_t starts[] = {0, 4, 6, 12, 15, 21, 22};
enum { COUNT = 6, ROOM = 512 };

/* log p of every next token after the prefix, by the step functions alone. */
static void next_log_p(attn_translator *model, int64_t sentence, const int32_t *prefix,
                       int64_t length, attn_real *log_p) {
    attn_translator_state *state = NULL;
    int64_t bounds[] = {0, starts[sentence + 1] - starts[sentence]};
    assert_int_equal(attn_translator_state_create(model, &state, NULL), ATTN_OK);
    assert_int_equal(
        attn_translator_encode(state, 1, source + starts[sentence], bounds, 1, length + 1, NULL),
        ATTN_OK);
    for (int64_t i = 0; i <= length; i++) {
        int32_t token = i == 0 ? 2 : prefix[i - 1];
        int64_t parent = 0;
        assert_int_equal(attn_translator_step(state, 1, &token, &parent, log_p, NULL, NULL),
                         ATTN_OK);
    }
    attn_translator_state_free(state);
}

static void assert_same(const attn_search_result *a, const attn_search_result *b) {
    assert_int_equal(a->count, b->count);
    for (int64_t i = 0; i < a->count; i++) {
        const attn_hypothesis *x = &a->hypotheses[i], *y = &b->hypotheses[i];
        assert_int_equal(x->length, y->length);
        assert_int_equal(x->source_length, y->source_length);
        assert_memory_equal(x->ids, y->ids, (size_t)x->length * sizeof *x->ids);
        assert_memory_equal(&x->score, &y->score, sizeof x->score);
        assert_memory_equal(x->token_log_probability, y->token_log_probability,
                            (size_t)(x->length + 1) * sizeof(attn_real));
        if (x->attention != NULL) {
            assert_memory_equal(x->attention, y->attention,
                                (size_t)((x->length + 1) * x->source_length) * sizeof(attn_real));
        }
    }
}

static void greedy_is_the_likeliest_token_each_time(void **unused) {
    (void)unused;
    attn_translator *model = tiny_model(12, 1);
    attn_search_options o;
    attn_search_result results[COUNT];
    attn_search_options_init(&o);
    o.beam = 1;
    o.repeat_guard = false;
    o.max_length = 12;
    assert_int_equal(attn_search(model, COUNT, source, starts, NULL, &o, results, NULL), ATTN_OK);
    for (int64_t s = 0; s < COUNT; s++) {
        const attn_hypothesis *h = &results[s].hypotheses[0];
        double sum = 0;
        assert_int_equal(results[s].count, 1);
        for (int64_t t = 0; t <= h->length; t++) {
            attn_real log_p[12];
            int32_t best = EOS;
            next_log_p(model, s, h->ids, t, log_p);
            for (int32_t id = EOS; id < 12 && t < o.max_length; id++) {
                best = log_p[id] > log_p[best] ? id : best;
            }
            assert_int_equal(t < h->length ? h->ids[t] : EOS, best);
            assert_memory_equal(&h->token_log_probability[t], &log_p[best], sizeof(attn_real));
            sum += log_p[best];
        }
        assert_true(sum == h->log_probability);
        assert_true(h->score == sum / (double)(h->length + 1));
    }
    attn_search_results_free(results, COUNT);
    attn_translator_free(model);
}

/* Every sentence alone, in a batch, in another batch, with 1 and 2 threads. */
static void check_batches(attn_search_options o, attn_compute compute) {
    attn_translator *model = tiny_model(12, 2);
    assert_int_equal(attn_translator_pack(model, compute, NULL), ATTN_OK);
    attn_search_result whole[COUNT], again[COUNT];
    uint64_t streams[COUNT] = {7, 1, 1000, 3, 4, 5};
    o.attention = true;
    attn_set_threads(1);
    assert_int_equal(attn_search(model, COUNT, source, starts, streams, &o, whole, NULL), ATTN_OK);
    attn_set_threads(2);
    assert_int_equal(attn_search(model, COUNT, source, starts, streams, &o, again, NULL), ATTN_OK);
    int64_t lengths = 0;
    for (int64_t s = 0; s < COUNT; s++) {
        attn_search_result alone;
        int64_t bounds[] = {0, starts[s + 1] - starts[s]};
        assert_same(&whole[s], &again[s]);
        assert_int_equal(
            attn_search(model, 1, source + starts[s], bounds, streams + s, &o, &alone, NULL),
            ATTN_OK);
        assert_same(&whole[s], &alone);
        lengths += alone.hypotheses[0].length;
        attn_search_results_free(&alone, 1);
    }
    assert_true(lengths > COUNT); /* something was said */
    attn_search_results_free(again, COUNT);
    /* Without the first two, so that rows and slots all move. */
    int64_t shifted[COUNT - 1];
    for (int i = 0; i <= COUNT - 2; i++) {
        shifted[i] = starts[i + 2] - starts[2];
    }
    assert_int_equal(
        attn_search(model, COUNT - 2, source + starts[2], shifted, streams + 2, &o, again, NULL),
        ATTN_OK);
    for (int64_t s = 2; s < COUNT; s++) {
        assert_same(&whole[s], &again[s - 2]);
    }
    attn_search_results_free(again, COUNT - 2);
    attn_search_results_free(whole, COUNT);
    attn_translator_free(model);
    attn_set_threads(0);
}

static void beam_search_ignores_the_rest_of_the_batch(void **unused) {
    (void)unused;
    attn_search_options o;
    attn_search_options_init(&o);
    o.n_best = 4;
    check_batches(o, ATTN_COMPUTE_F32);
    check_batches(o, ATTN_COMPUTE_I8);
    o.length_penalty = 0.6;
    o.beam = 7;
    check_batches(o, ATTN_COMPUTE_F32);
    check_batches(o, ATTN_COMPUTE_I8);
}

static atomic_int asked;

static bool second_and_fifth(void *context, int64_t sentence) {
    return (sentence == 1 || sentence == 4) && atomic_fetch_add(&asked, 1) >= *(const int *)context;
}

/* At once, and later; what is left is as without them. */
static void a_sentence_is_given_up(void **unused) {
    (void)unused;
    attn_translator *model = tiny_model(12, 2);
    attn_search_result whole[COUNT], rest[COUNT];
    attn_search_options o;
    attn_search_options_init(&o);
    o.attention = true;
    assert_int_equal(attn_search(model, COUNT, source, starts, NULL, &o, whole, NULL), ATTN_OK);
    o.given_up = second_and_fifth;
    for (int threads = 1; threads <= 2; threads++) {
        for (int patience = 0; patience <= 4; patience += 2) {
            attn_set_threads(threads);
            atomic_store(&asked, 0);
            o.given_up_context = &patience;
            assert_int_equal(attn_search(model, COUNT, source, starts, NULL, &o, rest, NULL),
                             ATTN_OK);
            for (int64_t s = 0; s < COUNT; s++) {
                if (s == 1 || s == 4) {
                    assert_int_equal(rest[s].count, 0);
                } else {
                    assert_same(&whole[s], &rest[s]);
                }
            }
            attn_search_results_free(rest, COUNT);
        }
    }
    attn_set_threads(0);
    attn_search_results_free(whole, COUNT);
    attn_translator_free(model);
}

static void shortlists_ignore_the_rest_of_the_batch(void **unused) {
    (void)unused;
    static const int32_t frequent[] = {3, 5}, likely[] = {1, 1, 1, 1, 7, 8, 9, 10, 11, 4, 6, -1};
    attn_shortlist *list = NULL;
    attn_search_options o;
    attn_search_options_init(&o);
    assert_int_equal(attn_shortlist_create(12, 0, 2, frequent, 1, likely, &list, NULL), ATTN_OK);
    o.shortlist = list;
    check_batches(o, ATTN_COMPUTE_F32);
    check_batches(o, ATTN_COMPUTE_I8);
    /* Only what is on the list is said: for the sentence of 5 and 6, these and 8, 9 and 3. */
    attn_translator *model = tiny_model(12, 2);
    attn_search_result result;
    static const int32_t words[] = {5, 6, 3};
    static const int64_t bounds[] = {0, 3};
    assert_int_equal(attn_search(model, 1, words, bounds, NULL, &o, &result, NULL), ATTN_OK);
    for (int64_t t = 0; t < result.hypotheses[0].length; t++) {
        int32_t id = result.hypotheses[0].ids[t];
        assert_true(id == 5 || id == 6 || id == 8 || id == 9);
    }
    attn_search_results_free(&result, 1);
    attn_translator_free(model);
    attn_shortlist_free(list);
}

static void sampling_ignores_the_rest_of_the_batch(void **unused) {
    (void)unused;
    attn_search_options o;
    attn_search_options_init(&o);
    o.sample = true;
    o.n_best = 3;
    o.seed = 5;
    check_batches(o, ATTN_COMPUTE_F32);
    check_batches(o, ATTN_COMPUTE_I8);
    o.top_k = 4;
    o.temperature = 0.7;
    check_batches(o, ATTN_COMPUTE_F32);
    check_batches(o, ATTN_COMPUTE_I8);
}

typedef struct best_sequence {
    double score;
    int32_t ids[8];
    int64_t length;
} best_sequence;

/* The best of all sequences over {EOS, 4, 5} of at most `room` more tokens. */
static void try_all(attn_translator *model, int64_t sentence, double alpha, int32_t *prefix,
                    int64_t length, int64_t limit, double sum, best_sequence *best) {
    attn_real log_p[6];
    next_log_p(model, sentence, prefix, length, log_p);
    double score = (sum + log_p[EOS]) / pow((double)(length + 1), alpha);
    if (score > best->score) {
        best->score = score;
        best->length = length;
        memcpy(best->ids, prefix, (size_t)length * sizeof *prefix);
    }
    for (int32_t id = 4; id <= 5 && length < limit; id++) {
        prefix[length] = id;
        try_all(model, sentence, alpha, prefix, length + 1, limit, sum + log_p[id], best);
    }
}

static void a_wide_beam_finds_the_best_of_all(void **unused) {
    (void)unused;
    const double alphas[] = {0.0, 0.5, 1.0, 2.0};
    static const int32_t words[] = {4, 5, 5, 3, 5, 3, 3};
    for (uint64_t seed = 0; seed < 4; seed++) {
        attn_translator *model = tiny_model(6, seed);
        for (int a = 0; a < 4; a++) {
            attn_search_options o;
            attn_search_result result;
            best_sequence best = {.score = -INFINITY};
            int32_t prefix[8];
            attn_search_options_init(&o);
            o.beam = 64;
            o.n_best = 64;
            o.max_length = 4;
            o.length_penalty = alphas[a];
            o.repeat_guard = false;
            try_all(model, 5, alphas[a], prefix, 0, 4, 0.0, &best);
            int64_t bounds[] = {0, starts[6] - starts[5]};
            assert_int_equal(attn_search(model, 1, words + 6, bounds, NULL, &o, &result, NULL),
                             ATTN_OK);
            assert_int_equal(result.count, 31); /* 1 + 2 + 4 + 8 + 16 */
            assert_int_equal(result.hypotheses[0].length, best.length);
            assert_memory_equal(result.hypotheses[0].ids, best.ids,
                                (size_t)best.length * sizeof(int32_t));
            assert_true(fabs(result.hypotheses[0].score - best.score) < 1e-5);
            for (int64_t i = 1; i < result.count; i++) {
                assert_true(result.hypotheses[i].score <= result.hypotheses[i - 1].score);
            }
            attn_search_results_free(&result, 1);
        }
        attn_translator_free(model);
    }
}

static void draws_follow_the_probabilities(void **unused) {
    (void)unused;
    attn_translator *model = tiny_model(12, 4);
    attn_search_options o;
    attn_search_options_init(&o);
    o.sample = true;
    o.n_best = 256;
    o.max_length = 1;
    attn_real log_p[12];
    double total = 0, seen[12] = {0};
    next_log_p(model, 0, NULL, 0, log_p);
    for (int id = EOS; id < 12; id++) {
        total += exp(log_p[id]);
    }
    enum { ROUNDS = 8 };
    for (uint64_t stream = 0; stream < ROUNDS; stream++) {
        attn_search_result result;
        assert_int_equal(attn_search(model, 1, source, starts, &stream, &o, &result, NULL),
                         ATTN_OK);
        assert_int_equal(result.count, 256);
        for (int i = 0; i < 256; i++) {
            const attn_hypothesis *h = &result.hypotheses[i];
            seen[h->length > 0 ? h->ids[0] : EOS] += 1.0 / (256 * ROUNDS);
        }
        attn_search_results_free(&result, 1);
    }
    for (int id = 0; id < 12; id++) {
        double p = id >= EOS ? exp(log_p[id]) / total : 0;
        assert_true(fabs(seen[id] - p) <= 5 * sqrt(p * (1 - p) / (256 * ROUNDS)));
    }
    attn_translator_free(model);
}

static void draws_depend_on_the_seed_and_one_choice_is_greedy(void **unused) {
    (void)unused;
    attn_translator *model = tiny_model(12, 4);
    attn_search_options o;
    attn_search_result first[COUNT], second[COUNT];
    attn_search_options_init(&o);
    o.sample = true;
    assert_int_equal(attn_search(model, COUNT, source, starts, NULL, &o, first, NULL), ATTN_OK);
    o.seed = 1;
    assert_int_equal(attn_search(model, COUNT, source, starts, NULL, &o, second, NULL), ATTN_OK);
    int differ = 0;
    for (int s = 0; s < COUNT; s++) {
        differ += first[s].hypotheses[0].score != second[s].hypotheses[0].score;
    }
    assert_true(differ > 0);
    attn_search_results_free(first, COUNT);
    attn_search_results_free(second, COUNT);
    o.top_k = 1;
    assert_int_equal(attn_search(model, COUNT, source, starts, NULL, &o, first, NULL), ATTN_OK);
    o.sample = false;
    o.beam = 1;
    assert_int_equal(attn_search(model, COUNT, source, starts, NULL, &o, second, NULL), ATTN_OK);
    for (int s = 0; s < COUNT; s++) {
        assert_same(&first[s], &second[s]);
    }
    attn_search_results_free(first, COUNT);
    attn_search_results_free(second, COUNT);
    attn_translator_free(model);
}

/* The most times in a row that any n-gram, n = 1 .. 4, stands in the hypothesis. */
static int64_t longest_loop(const attn_hypothesis *h) {
    int64_t most = 1;
    for (int64_t n = 1; n <= 4; n++) {
        int64_t same = 0;
        for (int64_t i = n; i < h->length; i++) {
            same = h->ids[i] == h->ids[i - n] ? same + 1 : 0;
            most = same / n + 1 > most ? same / n + 1 : most;
        }
    }
    return most;
}

static attn_hypothesis search_loop(attn_translator *model, const int32_t *ids, int64_t length,
                                   const attn_search_options *o, attn_search_result *result) {
    int64_t bounds[] = {0, length};
    assert_int_equal(attn_search(model, 1, ids, bounds, NULL, o, result, NULL), ATTN_OK);
    return result->hypotheses[0];
}

static void guards_end_loops(void **unused) {
    (void)unused;
    attn_translator *model = looping_model();
    attn_search_result result;
    attn_search_options o;
    attn_search_options_init(&o);
    for (o.beam = 1; o.beam <= 4; o.beam += 3) {
        attn_hypothesis h = search_loop(model, source, 4, &o, &result);
        assert_true(longest_loop(&h) <= 3);
        attn_search_results_free(&result, 1);
    }
    o.beam = 1;
    o.repeat_guard = false;
    attn_hypothesis h = search_loop(model, source, 4, &o, &result);
    assert_int_equal(h.length, 2 * 4 + 20);
    assert_int_equal(longest_loop(&h), h.length);
    assert_true(h.cut);
    attn_search_results_free(&result, 1);
    o.length_guard = false;
    h = search_loop(model, source, 4, &o, &result);
    assert_int_equal(h.length, 47); /* <s> is the 48th */
    attn_search_results_free(&result, 1);
    o.max_length = 9;
    h = search_loop(model, source, 4, &o, &result);
    assert_int_equal(h.length, 9);
    attn_search_results_free(&result, 1);
    /* What the source itself repeats may be repeated. */
    static const int32_t repeated[] = {LOOP, LOOP, LOOP, LOOP, LOOP, EOS};
    o.repeat_guard = true;
    h = search_loop(model, repeated, 6, &o, &result);
    assert_int_equal(longest_loop(&h), 5);
    attn_search_results_free(&result, 1);
    attn_translator_free(model);
}

static void misuse_is_refused(void **unused) {
    (void)unused;
    attn_translator *model = tiny_model(12, 1);
    attn_search_result results[COUNT];
    attn_error error;
    attn_search_options good, o;
    attn_search_options_init(&good);
    o = good;
    o.beam = 0;
    assert_int_equal(attn_search(model, COUNT, source, starts, NULL, &o, results, &error),
                     ATTN_ERR_ARGUMENT);
    o = good;
    o.n_best = 5;
    assert_int_equal(attn_search(model, COUNT, source, starts, NULL, &o, results, &error),
                     ATTN_ERR_ARGUMENT);
    o = good;
    o.sample = true;
    o.temperature = 0;
    assert_int_equal(attn_search(model, COUNT, source, starts, NULL, &o, results, &error),
                     ATTN_ERR_ARGUMENT);
    int32_t foreign[] = {40, EOS};
    int64_t bounds[] = {0, 2};
    assert_int_equal(attn_search(model, 1, foreign, bounds, NULL, &good, results, &error),
                     ATTN_ERR_ARGUMENT);
    int32_t many[60];
    int64_t too_long[] = {0, 60};
    for (int i = 0; i < 60; i++) {
        many[i] = 4;
    }
    assert_int_equal(attn_search(model, 1, many, too_long, NULL, &good, results, &error),
                     ATTN_ERR_ARGUMENT);
    attn_search_results_free(results, 1);
    assert_int_equal(attn_search(model, 0, source, starts, NULL, &good, results, &error), ATTN_OK);
    attn_translator_unpack(model);
    assert_int_equal(attn_search(model, COUNT, source, starts, NULL, &good, results, &error),
                     ATTN_ERR_ARGUMENT);
    assert_string_equal(error.hint, "call attn_translator_pack first");
    attn_translator_free(model);
}

static void a_model_without_numbers_is_named(void **unused) {
    (void)unused;
    attn_translator *model = tiny_model(12, 1);
    attn_params *params = attn_translator_params(model);
    attn_search_result results[COUNT];
    attn_search_options o;
    attn_error error;
    attn_search_options_init(&o);
    for (int64_t i = 0; i < attn_params_size(params); i++) {
        attn_params_data(params)[i] = NAN;
    }
    assert_int_equal(attn_search(model, COUNT, source, starts, NULL, &o, results, &error),
                     ATTN_ERR_NUMERIC);
    attn_search_results_free(results, COUNT);
    o.sample = true;
    assert_int_equal(attn_search(model, COUNT, source, starts, NULL, &o, results, &error),
                     ATTN_ERR_NUMERIC);
    attn_search_results_free(results, COUNT);
    attn_translator_free(model);
}

static _Atomic int64_t allocations_left, alive; /* parts of a batch run on threads of their own */

static void *failing_allocate(size_t size, void *unused) {
    (void)unused;
    if (allocations_left-- <= 0) {
        return NULL;
    }
    alive++;
    return malloc(size);
}

static void counting_release(void *pointer, void *unused) {
    (void)unused;
    alive -= pointer != NULL;
    free(pointer);
}

/* Every allocation fails in turn: the search says so and keeps nothing. */
static void running_out_of_memory_is_survived(void **unused) {
    (void)unused;
    attn_search_options o;
    attn_search_options_init(&o);
    o.attention = true;
    o.max_length = 3;
    attn_set_allocator(failing_allocate, counting_release, NULL);
    allocations_left = INT64_MAX;
    attn_translator *model = tiny_model(12, 1);
    int64_t before = alive;
    attn_status status = ATTN_ERR_MEMORY;
    int failures = -1;
    for (int64_t n = 0; status != ATTN_OK; n++, failures++) {
        attn_search_result results[2];
        attn_error error;
        allocations_left = n;
        status = attn_search(model, 2, source, starts, NULL, &o, results, &error);
        assert_true(status == ATTN_OK || status == ATTN_ERR_MEMORY);
        assert_true(status == ATTN_OK || error.status == ATTN_ERR_MEMORY);
        attn_search_results_free(results, 2);
        assert_int_equal(alive, before);
    }
    assert_true(failures > 20);
    allocations_left = INT64_MAX;
    attn_translator_free(model);
    assert_int_equal(alive, 0);
    attn_set_allocator(NULL, NULL, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_is_the_likeliest_token_each_time),
        cmocka_unit_test(beam_search_ignores_the_rest_of_the_batch),
        cmocka_unit_test(a_sentence_is_given_up),
        cmocka_unit_test(shortlists_ignore_the_rest_of_the_batch),
        cmocka_unit_test(sampling_ignores_the_rest_of_the_batch),
        cmocka_unit_test(a_wide_beam_finds_the_best_of_all),
        cmocka_unit_test(draws_follow_the_probabilities),
        cmocka_unit_test(draws_depend_on_the_seed_and_one_choice_is_greedy),
        cmocka_unit_test(guards_end_loops),
        cmocka_unit_test(misuse_is_refused),
        cmocka_unit_test(a_model_without_numbers_is_named),
        cmocka_unit_test(running_out_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
