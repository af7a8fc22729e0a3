/* bench/cases_train.c: whole training steps: forward, backward, clipping, Adam.
 *
 * Ids are random; lengths are those of a real corpus and are drawn by a rule so simple that a peer
 * written in another language draws the same (lengths.h). C channels, F hidden channels, V words. */
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/random.h"
#include "bench/bench.h"
#include "bench/lengths.h"
#include "train/learner.h"
#include "train/translator_task.h"

enum { FIRST_ID = 4 }; /* below: <pad>, <unk>, <s>, </s> */

typedef struct state {
    attn_translator_recipe recipe;
    attn_translator_data data;
    attn_translator_task task; /* holds the batches, in order of length */
    attn_learner learner;
    int64_t batch[ATTN_BENCH_BATCHES]; /* the steps of one repetition */
    int64_t batch_count;
    int64_t update;
} state;

static void train_stop(void *given) {
    state *s = given;
    if (s != NULL) {
        attn_learner_free(&s->learner);
        attn_translator_task_free(&s->task);
        attn_corpus_free(&s->data.train);
        attn_free(s);
    }
}

static attn_status train_run(void *given, attn_error *error) {
    state *s = given;
    attn_status status = ATTN_OK;
    for (int64_t i = 0; i < s->batch_count && status == ATTN_OK; i++) {
        attn_learned learned;
        s->update++;
        status =
            attn_learner_update(&s->learner, s->batch[i], 1, (uint64_t)s->update, &learned, error);
        if (status == ATTN_OK && learned.skipped) {
            status =
                attn_fail(error, ATTN_ERR_NUMERIC, "training", -1, NULL, "the loss is not finite");
        }
    }
    return status;
}

/* ---- a corpus of random ids ---- */

static attn_status make_side(const int64_t *start, int64_t count, int64_t words, uint64_t stream,
                             int32_t **out, attn_error *error) {
    int32_t *ids = attn_alloc((size_t)start[count] * sizeof *ids);
    if (ids == NULL) {
        return attn_fail_memory(error, (size_t)start[count] * sizeof *ids);
    }
    attn_random random = attn_random_start(attn_random_key(1, 0, stream));
    for (int64_t i = 0; i < start[count]; i++) {
        ids[i] = FIRST_ID + (int32_t)attn_random_below(&random, (uint64_t)(words - FIRST_ID));
    }
    *out = ids;
    return ATTN_OK;
}

/* fixed: the length of every sentence; 0: lengths like those of Multi30k. */
static attn_status make_corpus(int64_t count, int64_t fixed, int64_t words, attn_corpus *out,
                               attn_error *error) {
    out->count = count;
    out->source_start = attn_alloc_zero((size_t)count + 1, sizeof *out->source_start);
    out->target_start = attn_alloc_zero((size_t)count + 1, sizeof *out->target_start);
    if (out->source_start == NULL || out->target_start == NULL) {
        return attn_fail_memory(error, 2 * (size_t)(count + 1) * sizeof(int64_t));
    }
    attn_bench_lengths lengths = {0};
    for (int64_t i = 0; i < count; i++) {
        int64_t source = fixed, target = fixed;
        if (fixed == 0) {
            attn_bench_lengths_draw(&lengths, &source, &target);
        }
        out->source_start[i + 1] = out->source_start[i] + source;
        out->target_start[i + 1] = out->target_start[i] + target;
    }
    attn_status status = make_side(out->source_start, count, words, 1, &out->source, error);
    return status == ATTN_OK ? make_side(out->target_start, count, words, 2, &out->target, error)
                             : status;
}

/* ---- how much work that is ---- */

static int64_t side_tokens(const int64_t *start, int64_t pair) {
    return start[pair + 1] - start[pair] + 1;
}

/* Weights in products times tokens, 6 times; attention forward and backward, 3.5 times. */
static double pair_flops(const attn_translator_recipe *o, double source, double target) {
    double c = (double)o->d_model, f = (double)o->ffn;
    double encoder = 4 * c * c + 2 * c * f;
    double decoder = 6 * c * c + 2 * c * f; /* cross attention's query and output among them */
    double layers_in = (double)o->encoder_layers, layers_out = (double)o->decoder_layers;
    double weights = layers_in * encoder * source + layers_out * decoder * target +
                     layers_out * 2 * c * c * source + c * (double)o->vocabulary * target;
    double pairs =
        layers_in * source * source + layers_out * (target * (target + 1) / 2 + target * source);
    return 6 * weights + 3.5 * 4 * c * pairs;
}

/* Batches spread evenly over an epoch in order of length; one when there is but one. */
static void choose_batches(state *s, attn_bench_work *work) {
    const attn_batches *batches = &s->task.train;
    const attn_corpus *corpus = &s->data.train;
    int64_t count = batches->count < ATTN_BENCH_BATCHES ? 1 : ATTN_BENCH_BATCHES;
    s->batch_count = work->parts = count;
    for (int64_t i = 0; i < count; i++) {
        int64_t b = s->batch[i] = (2 * i + 1) * batches->count / (2 * count);
        for (int64_t p = batches->start[b]; p < batches->start[b + 1]; p++) {
            int64_t source = side_tokens(corpus->source_start, batches->pair[p]);
            int64_t target = side_tokens(corpus->target_start, batches->pair[p]);
            work->tokens += target;
            work->amount += pair_flops(&s->recipe, (double)source, (double)target);
        }
    }
}

static attn_status train_start(state *s, int64_t pairs, int64_t fixed, attn_bench_work *work,
                               attn_error *error) {
    int64_t words = s->recipe.vocabulary;
    attn_status status = make_corpus(pairs, fixed, words, &s->data.train, error);
    if (status == ATTN_OK) {
        status = attn_translator_task_create(&s->recipe, &s->data, words, &s->task, error);
    }
    if (status == ATTN_OK) {
        status = attn_batches_make(&s->data.train, s->recipe.batch_tokens, false, 1, 0,
                                   &s->task.train, error);
    }
    if (status == ATTN_OK) {
        choose_batches(s, work);
        s->recipe.train.learning_rate = 1e-4; /* in every step */
        s->recipe.train.warmup_steps = 0;
        s->recipe.train.schedule = ATTN_SCHEDULE_CONSTANT;
        status = attn_learner_create(&s->recipe.train, &s->task.task, &s->learner, error);
    }
    return status;
}

static attn_status train_start_multi30k(const attn_bench_case *given, void **out,
                                        attn_bench_work *work, attn_error *error) {
    state *s = *out = attn_alloc_zero(1, sizeof *s);
    if (s == NULL) {
        return attn_fail_memory(error, sizeof *s);
    }
    attn_translator_recipe *o = &s->recipe;
    attn_translator_recipe_init(o);
    o->d_model = 128;
    o->ffn = 256;
    o->heads = 4;
    o->encoder_layers = o->decoder_layers = 4;
    o->norm = ATTN_NORM_POST;
    o->vocabulary = given->size[0] > 0 ? given->size[0] : 10000;
    o->dropout = 0.3;
    o->train.clip_norm = 25;
    o->batch_tokens = 8192;
    return train_start(s, 29000, 0, work, error);
}

const attn_bench_kind attn_bench_train_multi30k = {ATTN_BENCH_GFLOPS, train_start_multi30k,
                                                   train_run, train_stop};

static attn_status train_start_base(const attn_bench_case *given, void **out, attn_bench_work *work,
                                    attn_error *error) {
    (void)given;
    enum { PAIRS = 128, LENGTH = 32 }; /* </s> counted */
    state *s = *out = attn_alloc_zero(1, sizeof *s);
    if (s == NULL) {
        return attn_fail_memory(error, sizeof *s);
    }
    attn_translator_recipe *o = &s->recipe;
    attn_translator_recipe_init(o);
    o->d_model = 512;
    o->ffn = 2048;
    o->heads = 8;
    o->encoder_layers = o->decoder_layers = 6;
    o->norm = ATTN_NORM_POST;
    o->vocabulary = 16000;
    o->dropout = 0.1;
    o->batch_tokens = PAIRS * LENGTH;
    return train_start(s, PAIRS, LENGTH - 1, work, error);
}

const attn_bench_kind attn_bench_train_base = {ATTN_BENCH_GFLOPS, train_start_base, train_run,
                                               train_stop};
