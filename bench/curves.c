/* bench/curves.c: the table of curves, and the processes that measure their points. */
#include "bench/curves.h"

#include <math.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attn/threads.h"
#include "base/fail.h"
#include "base/minmax.h"

static const attn_bench_curve curves[] = {
    {{"forward-tokens",
      "attention forward, 1 head of 64",
      &attn_bench_attention_forward,
      {1, 0, 64}},
     "tokens",
     1,
     64,
     131072,
     2,
     1,
     4096},
    {{"backward-tokens",
      "attention backward, 1 head of 64",
      &attn_bench_attention_backward,
      {1, 0, 64}},
     "tokens",
     1,
     64,
     131072,
     2,
     1,
     4096},
    {{"window-tokens",
      "attention forward, causal, window 1,024, 8 heads of 64",
      &attn_bench_attention_forward,
      {8, 0, 64, 1, 1024}},
     "tokens",
     1,
     64,
     131072,
     1,
     1,
     8192},
    {{"decode-tokens",
      "one query over a float32 cache, 8 heads of 64",
      &attn_bench_cache_decode,
      {8, 0, 64}},
     "keys",
     1,
     64,
     131072,
     1,
     NAN,
     8192},
    {{"batch", "greedy translation, d 256, 4 + 4 layers", &attn_bench_translate, {0, 24, 1}},
     "sentences at once",
     0,
     1,
     64,
     1,
     1,
     8},
    {{"vocabulary", "a training step of Transformer-Tiny", &attn_bench_train_multi30k, {0}},
     "words",
     0,
     1000,
     64000,
     1,
     1,
     16000},
    {{"forward-threads",
      "attention forward, 8 heads of 64, 4,096 tokens",
      &attn_bench_attention_forward,
      {8, 4096, 64}},
     "threads",
     ATTN_BENCH_THREADS_VARY,
     1,
     256,
     -1,
     NAN,
     1},
    {{"backward-threads",
      "attention backward, 8 heads of 64, 4,096 tokens",
      &attn_bench_attention_backward,
      {8, 4096, 64}},
     "threads",
     ATTN_BENCH_THREADS_VARY,
     1,
     256,
     -1,
     NAN,
     1},
};

const attn_bench_curve *attn_bench_curves(size_t *count) {
    *count = sizeof curves / sizeof *curves;
    return curves;
}

/* ---- one point ---- */

static attn_status measure(const attn_bench_case *work, bool quick, attn_bench_point *point,
                           attn_error *error) {
    attn_bench_budget budget = {
        .seconds = quick ? 0.05 : 1, .least = 1, .most = 15, .shortest = 0.005};
    attn_bench_session session;
    int64_t held = attn_machine_held_bytes();
    attn_status status = attn_bench_open(work, &session, error);
    if (status == ATTN_OK) {
        point->memory_bytes = attn_max(session.peak_bytes - held, 0);
        point->temporary_bytes = session.temporary_bytes;
        status = attn_bench_turn(&session, &budget, &point->result, error);
    }
    attn_bench_close(&session);
    return status;
}

static attn_status plan(const attn_bench_case *work, attn_bench_point *point, attn_error *error) {
    attn_attention attention;
    attn_plan found;
    bool backward;
    attn_plan_init(&found);
    attn_bench_attention_describe(work, &attention, &backward, &point->memory_bytes);
    attn_status status = attn_attention_plan(&attention, backward, &found, error);
    if (status == ATTN_OK) {
        point->planned = true;
        point->division = found.division;
        point->temporary_bytes = (int64_t)found.memory;
        point->memory_bytes += point->temporary_bytes;
    }
    return status;
}

typedef struct answer {
    attn_status status;
    attn_bench_point point;
} answer;

/* In the child: no thread has been started before, so that it can have its own. */
static void answer_point(const attn_bench_case *work, int threads, bool planned, bool quick,
                         attn_bench_point point, int out) {
    answer a = {.point = point};
    attn_set_threads(threads);
    a.status = planned ? plan(work, &a.point, NULL) : measure(work, quick, &a.point, NULL);
    ssize_t written = write(out, &a, sizeof a);
    _exit(written == (ssize_t)sizeof a ? 0 : 1);
}

static attn_status ask_child(const attn_bench_case *work, int threads, bool planned, bool quick,
                             attn_bench_point *point, attn_error *error) {
    answer a = {.status = ATTN_ERR_IO};
    int ends[2];
    if (pipe(ends) != 0) {
        return attn_fail(error, ATTN_ERR_IO, "bench", -1, NULL, "no pipe to a process");
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        answer_point(work, threads, planned, quick, *point, ends[1]);
    }
    close(ends[1]);
    bool whole = child > 0 && read(ends[0], &a, sizeof a) == (ssize_t)sizeof a;
    close(ends[0]);
    if (child > 0) {
        waitpid(child, NULL, 0);
    }
    if (!whole || a.status != ATTN_OK) {
        return attn_fail(error, whole ? a.status : ATTN_ERR_IO, work->name, (int64_t)point->x, NULL,
                         child < 0 ? "no process for this point" : "this point cannot be measured");
    }
    *point = a.point;
    return ATTN_OK;
}

/* ---- a curve ---- */

attn_status attn_bench_curve_measure(const attn_bench_curve *curve, int threads, bool quick,
                                     attn_bench_point point[ATTN_BENCH_POINTS], size_t *count,
                                     attn_error *error) {
    const double long_call = 0.02;
    bool over_threads = curve->varies == ATTN_BENCH_THREADS_VARY;
    attn_status status = ATTN_OK;
    *count = 0;
    for (int64_t x = curve->from; x <= curve->to && *count < ATTN_BENCH_POINTS; x *= 2) {
        attn_bench_case work = curve->work;
        bool planned = over_threads && x > threads;
        if (!over_threads) {
            work.size[curve->varies] = x;
        }
        point[*count] = (attn_bench_point){.x = x};
        status = ask_child(&work, over_threads ? (int)x : threads, planned, quick, &point[*count],
                           error);
        if (status != ATTN_OK) {
            return status;
        }
        bool is_long = !planned && point[*count].result.seconds.median > long_call;
        ++*count;
        if (quick && !over_threads && is_long && *count > 1) {
            break;
        }
    }
    return ATTN_OK;
}

double attn_bench_curve_slope(const attn_bench_curve *curve, const attn_bench_point *point,
                              size_t count, bool memory) {
    double n = 0, x = 0, y = 0, xx = 0, xy = 0;
    for (size_t i = 0; i < count; i++) {
        double value = memory ? (double)point[i].memory_bytes : point[i].result.seconds.median;
        if (point[i].x >= curve->large && point[i].planned == false && value > 0) {
            double log_x = log((double)point[i].x), log_y = log(value);
            n++, x += log_x, y += log_y, xx += log_x * log_x, xy += log_x * log_y;
        }
    }
    return n >= 2 ? (n * xy - x * y) / (n * xx - x * x) : NAN;
}
