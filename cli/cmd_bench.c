/* cli/cmd_bench.c: `attn bench`: measures the library on this machine.
 *
 * What is measured is the table in bench/cases.c; how, bench/measure.h. */
#include <jansson.h>
#include <string.h>

#include "attn/threads.h"
#include "attn/version.h"
#include "base/fail.h"
#include "base/utf8.h"
#include "bench/measure.h"
#include "bench/peak.h"
#include "bench_curves.h"
#include "bench_plan.h"
#include "command.h"
#include "io/file.h"
#include "io/json_write.h"
#include "io/recipe.h"

typedef struct options {
    attn_option_list only;
    int64_t threads, plan;
    const char *curves;
    bool quick, json, list, turns;
    int64_t batch, heads, kv_heads, tokens, head_size, window; /* of --plan */
    bool causal;
} options;

static const options defaults = {.batch = 1, .heads = 8, .head_size = 64};

static const attn_option table[] = {
    {"only", 0, ATTN_OPTION_LIST, offsetof(options, only), .value = "NAME",
     .help = "run only the cases whose names begin with NAME; may be repeated"},
    {"list", 0, ATTN_OPTION_FLAG, offsetof(options, list), .help = "list the cases"},
    {"quick", 0, ATTN_OPTION_FLAG, offsetof(options, quick),
     .help = "run few repetitions, for a first impression"},
    {"threads", 'j', ATTN_OPTION_INT, offsetof(options, threads), 1, 256, .value = "N",
     .help = "threads (default: OMP_NUM_THREADS or the number of cores)"},
    {"json", 0, ATTN_OPTION_FLAG, offsetof(options, json), .help = "print one JSON object"},
    {"turns", 0, ATTN_OPTION_FLAG, offsetof(options, turns),
     .help = "read lines `NAME SECONDS` and answer each with a line of JSON; used to take turns "
             "with another program"},
    {"plan", 0, ATTN_OPTION_INT, offsetof(options, plan), 1, 256, .value = "N",
     .help = "run nothing: say how attention would divide its work at N threads, and what it "
             "would allocate"},
    {"tokens", 0, ATTN_OPTION_INT, offsetof(options, tokens), 1, 1 << 24, .value = "N",
     .help = "with --plan: attention over N tokens instead of the cases"},
    {"batch", 0, ATTN_OPTION_INT, offsetof(options, batch), 1, 4096, .value = "N",
     .help = "with --tokens: sequences (default 1)"},
    {"heads", 0, ATTN_OPTION_INT, offsetof(options, heads), 1, 1024, .value = "N",
     .help = "with --tokens: heads (default 8)"},
    {"kv-heads", 0, ATTN_OPTION_INT, offsetof(options, kv_heads), 1, 1024, .value = "N",
     .help = "with --tokens: heads of keys and values (default: as many as heads)"},
    {"head-size", 0, ATTN_OPTION_INT, offsetof(options, head_size), 1, ATTN_MAX_HEAD_SIZE,
     .value = "N", .help = "with --tokens: channels of a head (default 64)"},
    {"causal", 0, ATTN_OPTION_FLAG, offsetof(options, causal),
     .help = "with --tokens: queries see no later keys"},
    {"window", 0, ATTN_OPTION_INT, offsetof(options, window), 1, 1 << 24, .value = "N",
     .help = "with --tokens: causal, and each query sees N keys"},
    {"curves", 0, ATTN_OPTION_FILE, offsetof(options, curves), .value = "FOLDER",
     .help = "measure how time and memory grow with tokens, batch, words and threads; write "
             "FOLDER/curves.json and a picture for each curve"},
};

/* ---- which cases ---- */

/* By whole words: "matmul-row-1" does not begin "matmul-row-16". */
static bool begins(const char *name, const char *prefix) {
    size_t length = strlen(prefix);
    return strncmp(name, prefix, length) == 0 && (name[length] == '-' || name[length] == '\0');
}

static bool chosen(const options *o, const char *name) {
    for (size_t i = 0; i < o->only.count; i++) {
        if (begins(name, o->only.item[i])) {
            return true;
        }
    }
    return o->only.count == 0;
}

/* What --only may name: the cases, or with --curves the curves. */
typedef struct names {
    const char *item[128];
    size_t count;
} names;

static names names_of(const options *o) {
    names all = {.count = 0};
    size_t count;
    if (o->curves != NULL) {
        const attn_bench_curve *curves = attn_bench_curves(&count);
        for (size_t i = 0; i < count; i++) {
            all.item[all.count++] = curves[i].work.name;
        }
        return all;
    }
    const attn_bench_case *cases = attn_bench_cases(&count);
    for (size_t i = 0; i < count && i < ATTN_LENGTH(all.item); i++) {
        all.item[all.count++] = cases[i].name;
    }
    return all;
}

/* The full names and the first word of each, for a suggestion. */
static const char *nearest_name(const names *all, const char *wanted) {
    static char words[ATTN_LENGTH(all->item)][32];
    const char *known[2 * ATTN_LENGTH(all->item)];
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++) {
        snprintf(words[i], sizeof words[i], "%.*s", (int)strcspn(all->item[i], "-"), all->item[i]);
        known[count++] = words[i];
        known[count++] = all->item[i];
    }
    return attn_nearest(wanted, known, count);
}

static int check_names(const options *o) {
    names all = names_of(o);
    const char *kind = o->curves != NULL ? "curve" : "case";
    for (size_t i = 0; i < o->only.count; i++) {
        bool found = false;
        for (size_t c = 0; c < all.count && !found; c++) {
            found = begins(all.item[c], o->only.item[i]);
        }
        if (!found) {
            char quoted[64];
            const char *near = nearest_name(&all, o->only.item[i]);
            attn_utf8_quote(quoted, sizeof quoted, o->only.item[i]);
            return near != NULL
                       ? attn_say_misuse("bench: no %s is called '%s': did you mean %s?", kind,
                                         quoted, near)
                       : attn_say_misuse("bench: no %s is called '%s': `attn bench --list` names "
                                         "them",
                                         kind, quoted);
        }
    }
    return ATTN_EXIT_OK;
}

static void print_list(const options *o) {
    size_t count;
    const attn_bench_case *cases = attn_bench_cases(&count);
    for (size_t i = 0; i < count; i++) {
        if (chosen(o, cases[i].name)) {
            printf("%-36s %s\n", cases[i].name, cases[i].work);
        }
    }
}

/* ---- the machine ---- */

enum { MOST_LOOPS = 8 };

typedef struct machine {
    char name[128];
    const attn_peak_fma *loop[MOST_LOOPS];
    double fma[MOST_LOOPS]; /* GFLOP/s; the last is the machine's peak */
    int loops;
    double read; /* GB/s */
} machine;

/* The best of some samples. */
static attn_status measure_machine(bool quick, machine *out, attn_error *error) {
    const int samples = quick ? 5 : 15;
    attn_machine_name(out->name, sizeof out->name);
    out->loops = attn_peak_fma_list(out->loop, MOST_LOOPS);
    for (int i = 0; i < out->loops; i++) {
        out->fma[i] = 0;
        for (int r = 0; r < samples; r++) {
            double sample = attn_peak_fma_measure(out->loop[i]);
            out->fma[i] = sample > out->fma[i] ? sample : out->fma[i];
        }
    }
    attn_peak_memory memory;
    attn_status status = attn_peak_memory_create(&memory, error);
    if (status != ATTN_OK) {
        return status;
    }
    out->read = 0;
    for (int r = 0; r < samples; r++) {
        double sample = attn_peak_memory_measure(&memory);
        out->read = sample > out->read ? sample : out->read;
    }
    attn_peak_memory_free(&memory);
    return ATTN_OK;
}

/* ---- the table ---- */

static void print_header(const machine *m) {
    printf("attn %s, %s, %s, %d thread%s\n", attn_version(), m->name, attn_isa_name(),
           attn_get_threads(), attn_get_threads() == 1 ? "" : "s");
    printf("FMA peak %.1f GFLOP/s (", m->fma[m->loops - 1]);
    for (int i = 0; i < m->loops; i++) {
        printf("%s%s %.1f", i > 0 ? ", " : "", m->loop[i]->isa, m->fma[i]);
    }
    printf("), memory read %.1f GB/s\n\n", m->read);
    printf("%-34s %-30s %22s %15s %7s %9s %9s\n", "case", "work", "median (spread) ms", "rate",
           "of peak", "tokens/s", "memory");
}

static const char *unit_name(attn_bench_unit unit) {
    return unit == ATTN_BENCH_GBS ? "GB/s" : "GFLOP/s";
}

static void print_row(const attn_bench_session *s, const attn_bench_result *r) {
    char spread[48], tokens[24] = "";
    double low = r->seconds.low * 1e3, median = r->seconds.median * 1e3;
    int digits = median < 10 ? 3 : median < 1000 ? 1 : 0;
    snprintf(spread, sizeof spread, "%.*f (%.*f..%.*f)", digits, median, digits, low, digits,
             r->seconds.high * 1e3);
    if (s->work.tokens > 0) {
        snprintf(tokens, sizeof tokens, "%.0f", r->tokens_per_second);
    }
    printf("%-34s %-30s %22s %7.1f %-7s %5.1f %% %9s %6.0f MB\n", s->of->name, s->of->work, spread,
           r->rate, unit_name(s->of->kind->unit), 100 * r->rate / r->limit, tokens,
           (double)s->peak_bytes / 1e6);
    fflush(stdout);
}

/* ---- JSON ---- */

static json_t *describe_machine(const machine *m, bool quick) {
    json_t *fma = json_object();
    for (int i = 0; i < m->loops; i++) {
        json_object_set_new(fma, m->loop[i]->isa, json_real(m->fma[i]));
    }
    return json_pack("{s:s, s:s, s:s, s:i, s:b, s:f, s:o, s:f, s:[]}", "version", attn_version(),
                     "machine", m->name, "isa", attn_isa_name(), "threads", attn_get_threads(),
                     "quick", quick, "fma_peak_gflops", m->fma[m->loops - 1], "fma_gflops", fma,
                     "memory_read_gbs", m->read, "cases");
}

/* A number of bytes where there is one. */
static void set_bytes(json_t *row, const char *key, int64_t bytes, bool known) {
    if (row != NULL && known) {
        json_object_set_new(row, key, json_integer(bytes));
    }
}

static json_t *describe_result(const attn_bench_session *s, const attn_bench_result *r) {
    json_t *row = json_pack(
        "{s:s, s:s, s:{s:f, s:f, s:f}, s:i, s:I, s:f, s:f, s:s, s:f, s:s, s:f, s:I}", "name",
        s->of->name, "work", s->of->work, "seconds", "median", r->seconds.median, "low",
        r->seconds.low, "high", r->seconds.high, "repetitions", r->repetitions, "parts",
        (json_int_t)s->work.parts, "amount", s->work.amount, "rate", r->rate, "unit",
        unit_name(s->of->kind->unit), "limit", r->limit, "bound", unit_name(r->bound), "share",
        r->rate / r->limit, "peak_bytes", (json_int_t)s->peak_bytes);
    set_bytes(row, "temporary_bytes", s->temporary_bytes, s->temporary_bytes >= 0);
    set_bytes(row, "data_bytes", s->work.data_bytes, s->work.data_bytes > 0);
    if (row != NULL && s->work.tokens > 0) {
        json_object_set_new(row, "tokens", json_integer(s->work.tokens));
        json_object_set_new(row, "tokens_per_second", json_real(r->tokens_per_second));
    }
    return row;
}

/* ---- in turns with a peer ---- */

static const attn_bench_case *find_case(const char *name) {
    size_t count;
    const attn_bench_case *cases = attn_bench_cases(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(cases[i].name, name) == 0) {
            return &cases[i];
        }
    }
    return NULL;
}

static attn_status take_turn(const char *line, attn_bench_session *session, attn_error *error) {
    char name[64];
    double seconds;
    const attn_bench_case *asked =
        sscanf(line, "%63s %lf", name, &seconds) == 2 ? find_case(name) : NULL;
    if (asked == NULL) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "bench", -1, "write each line as `NAME SECONDS`",
                         "not the name of a case and a time");
    }
    attn_status status = ATTN_OK;
    if (session->of != asked) {
        attn_bench_close(session);
        status = attn_bench_open(asked, session, error);
    }
    attn_bench_budget budget = attn_bench_budget_turn(seconds);
    attn_bench_result result;
    status = status == ATTN_OK ? attn_bench_turn(session, &budget, &result, error) : status;
    if (status == ATTN_OK) {
        json_t *row = describe_result(session, &result);
        status = attn_json_print(row, JSON_COMPACT | JSON_REAL_PRECISION(12), stdout, error);
        fflush(stdout);
    }
    return status;
}

/* A case stays set up while its name is repeated. */
static attn_status take_turns(attn_error *error) {
    char line[256];
    attn_bench_session session = {.of = NULL};
    attn_status status = ATTN_OK;
    while (status == ATTN_OK && fgets(line, sizeof line, stdin) != NULL) {
        status = take_turn(line, &session, error);
    }
    attn_bench_close(&session);
    return status;
}

/* ---- the command ---- */

static attn_status measure_case(const attn_bench_case *given, bool quick, json_t *rows,
                                attn_error *error) {
    attn_bench_budget budget = attn_bench_budget_for(quick);
    attn_bench_session session;
    attn_bench_result result;
    attn_status status = attn_bench_open(given, &session, error);
    status = status == ATTN_OK ? attn_bench_turn(&session, &budget, &result, error) : status;
    if (status == ATTN_OK && rows != NULL) {
        json_array_append_new(rows, describe_result(&session, &result));
    } else if (status == ATTN_OK) {
        print_row(&session, &result);
    }
    attn_bench_close(&session);
    return status;
}

static attn_status measure_all(const options *o, attn_error *error) {
    machine m;
    attn_status status = measure_machine(o->quick, &m, error);
    if (status != ATTN_OK) {
        return status;
    }
    json_t *report = o->json ? describe_machine(&m, o->quick) : NULL;
    if (!o->json) {
        print_header(&m);
    }
    size_t count;
    const attn_bench_case *cases = attn_bench_cases(&count);
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        if (chosen(o, cases[i].name)) {
            status = measure_case(&cases[i], o->quick, json_object_get(report, "cases"), error);
        }
    }
    if (o->json && status == ATTN_OK) {
        return attn_json_print(report, JSON_INDENT(2) | JSON_REAL_PRECISION(12), stdout, error);
    }
    json_decref(report);
    return status;
}

/* ---- plans ---- */

static attn_status add_plan(const options *o, const attn_attention *a, bool backward,
                            attn_bench_plan row, json_t *rows, attn_error *error) {
    attn_status status = attn_bench_plan_make(a, backward, &row, error);
    if (status == ATTN_OK && o->json) {
        json_array_append_new(rows, attn_bench_plan_json(&row));
    } else if (status == ATTN_OK) {
        attn_bench_plan_print(&row);
    }
    return status;
}

/* Of --tokens and what goes with it. */
static attn_status plan_shape(const options *o, json_t *rows, attn_error *error) {
    attn_attention a;
    char work[96];
    int64_t kv_heads = o->kv_heads > 0 ? o->kv_heads : o->heads;
    int64_t queries = o->batch * o->tokens * o->heads, keys = o->batch * o->tokens * kv_heads;
    attn_attention_init(&a, o->batch, o->heads, kv_heads, o->tokens, o->tokens, o->head_size,
                        o->head_size);
    a.causal = o->causal || o->window > 0;
    a.window_left = o->window > 0 ? o->window - 1 : -1;
    snprintf(work, sizeof work, "%lld x %lld tokens, %lld / %lld heads of %lld",
             (long long)o->batch, (long long)o->tokens, (long long)o->heads, (long long)kv_heads,
             (long long)o->head_size);
    attn_status status = attn_attention_check(&a, error);
    for (int backward = 0; backward < 2 && status == ATTN_OK; backward++) {
        int64_t numbers = (2 * (queries + keys) * o->head_size) * (backward ? 2 : 1) + queries;
        attn_bench_plan row = {.name = backward ? "backward" : "forward",
                               .work = work,
                               .data_bytes = numbers * (int64_t)sizeof(float)};
        status = add_plan(o, &a, backward != 0, row, rows, error);
    }
    return status;
}

static attn_status plan_cases(const options *o, json_t *rows, attn_error *error) {
    size_t count;
    const attn_bench_case *cases = attn_bench_cases(&count);
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        attn_attention a;
        bool backward;
        attn_bench_plan row = {.name = cases[i].name, .work = cases[i].work};
        if (chosen(o, cases[i].name) &&
            attn_bench_attention_describe(&cases[i], &a, &backward, &row.data_bytes)) {
            status = add_plan(o, &a, backward, row, rows, error);
        }
    }
    return status;
}

static attn_status plan_all(const options *o, attn_error *error) {
    json_t *rows = json_array();
    if (!o->json) {
        attn_bench_plan_print_head();
    }
    attn_status status = o->tokens > 0 ? plan_shape(o, rows, error) : plan_cases(o, rows, error);
    if (status == ATTN_OK && o->json) {
        return attn_json_print(rows, JSON_INDENT(2) | JSON_REAL_PRECISION(12), stdout, error);
    }
    json_decref(rows);
    return status;
}

/* ---- curves ---- */

static attn_status write_curves(const char *folder, json_t *report, attn_error *error) {
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/curves.json", folder);
    if (length < 0 || (size_t)length >= sizeof path) {
        json_decref(report);
        return attn_fail(error, ATTN_ERR_ARGUMENT, "bench", -1, NULL,
                         "the folder's name is too long");
    }
    char *text = attn_json_dump(report, JSON_INDENT(1) | JSON_REAL_PRECISION(12));
    if (text == NULL) {
        return attn_fail_memory(error, 0);
    }
    attn_bytes bytes = {text, strlen(text)};
    attn_status status = attn_file_replace(path, &bytes, 1, error);
    free(text);
    return status;
}

/* What starts threads comes last: curves fork. */
static attn_status measure_curves(const options *o, attn_error *error) {
    size_t count;
    const attn_bench_curve *curves = attn_bench_curves(&count);
    int threads = o->threads > 0 ? (int)o->threads : attn_get_threads();
    char name[128];
    json_t *all = json_array();
    attn_status status = ATTN_OK;
    attn_bench_curves_print_head();
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        if (chosen(o, curves[i].work.name)) {
            status = attn_bench_curves_add(&curves[i], threads, o->quick, o->curves, all, error);
        }
    }
    if (status != ATTN_OK) {
        json_decref(all);
        return status;
    }
    attn_machine_name(name, sizeof name);
    return write_curves(o->curves,
                        json_pack("{s:s, s:s, s:s, s:i, s:b, s:o}", "version", attn_version(),
                                  "machine", name, "isa", attn_isa_name(), "threads", threads,
                                  "quick", o->quick, "curves", all),
                        error);
}

/* --tokens and what goes with it says nothing without --plan. */
static int check_plan(const options *o) {
    bool shape = o->batch != defaults.batch || o->heads != defaults.heads || o->kv_heads > 0 ||
                 o->head_size != defaults.head_size || o->causal || o->window > 0;
    if (o->tokens > 0 && o->plan == 0) {
        return attn_say_misuse("bench: --tokens describes what --plan plans: add --plan THREADS");
    }
    if (shape && o->tokens == 0) {
        return attn_say_misuse("bench: --batch, --heads, --kv-heads, --head-size, --causal and "
                               "--window go with --plan and --tokens N");
    }
    if (o->plan > 0 && (o->curves != NULL || o->turns)) {
        return attn_say_misuse("bench: --plan runs nothing: leave out --curves and --turns");
    }
    return ATTN_EXIT_OK;
}

static int bench_run(const void *given, int operand_count, char **operand) {
    const options *o = given;
    (void)operand_count;
    (void)operand;
    int result = check_plan(o);
    result = result == ATTN_EXIT_OK ? check_names(o) : result;
    if (result != ATTN_EXIT_OK) {
        return result;
    }
    if (o->list) {
        print_list(o);
        return ATTN_EXIT_OK;
    }
    attn_set_threads((int)(o->plan > 0 ? o->plan : o->threads));
    attn_error error;
    attn_status status = o->plan > 0         ? plan_all(o, &error)
                         : o->curves != NULL ? measure_curves(o, &error)
                         : o->turns          ? take_turns(&error)
                                             : measure_all(o, &error);
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

const attn_command attn_cmd_bench = {
    .name = "bench",
    .summary = "Measure matrix products, attention, training and decoding on this machine",
    .usage = "[--quick] [--only NAME]... [--threads N] [--json]\n--list [--only NAME]...\n--plan N "
             "[--only NAME]... [--json]\n--plan N --tokens N [--batch N] [--heads N] [--kv-heads "
             "N] [--head-size N] [--causal] [--window N] [--json]\n--curves FOLDER [--quick] "
             "[--only NAME]... [--threads N]\n--turns [--threads N]",
    .description =
        "Each row gives the median time and the spread of its repetitions, the rate, and the rate "
        "as a share of the machine's own limit. The limit is the peak rate of fused multiply-adds "
        "on registers. For work that mostly reads it is the memory bandwidth, unless the "
        "arithmetic takes longer than the reading. Both limits are sampled before and after each "
        "repetition, and the best sample counts: other load can only make the machine look slower "
        "than it is, and the shares higher. Work that reads cycles through several copies of its "
        "data, more than a cache holds.\nOperations are counted as 2 M N K for a product; 4 for "
        "each visible pair of query and key, per head and channel, for attention (2.5 times that "
        "for the backward pass); and 6 for each weight and token of a training step. Memory is the "
        "peak of the process.\n--plan runs nothing. For each case of attention, or for a shape, it "
        "tells "
        "how many threads would work, what an item of their work is, and the temporary memory "
        "beside that of inputs and outputs. N may be more threads than the machine has.\n--curves "
        "fits the power of tokens, batch or words by which time and memory grow, and gives the "
        "theory's in brackets. Time over threads is measured for as many as are used; beyond, the "
        "plan gives memory alone.\n`make bench` measures everything in docs/benchmarks.md; `make "
        "bench-peers` also measures PyTorch, NumPy, CTranslate2 and ONNX Runtime.",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .defaults = &defaults,
    .options_size = sizeof(options),
    .run = bench_run,
};
