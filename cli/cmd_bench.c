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
#include "command.h"
#include "io/json_write.h"
#include "io/recipe.h"

typedef struct options {
    attn_option_list only;
    int64_t threads;
    bool quick, json, list, turns;
} options;

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
};

/* ---- which cases ---- */

/* By whole words: "matmul-row-1" does not begin "matmul-row-16". */
static bool begins(const char *name, const char *prefix) {
    size_t length = strlen(prefix);
    return strncmp(name, prefix, length) == 0 && (name[length] == '-' || name[length] == '\0');
}

static bool chosen(const options *o, const attn_bench_case *given) {
    for (size_t i = 0; i < o->only.count; i++) {
        if (begins(given->name, o->only.item[i])) {
            return true;
        }
    }
    return o->only.count == 0;
}

/* The full names and the first word of each, for a suggestion. */
static const char *nearest_case(const char *wanted) {
    enum { MOST = 128 };
    static char words[MOST][32];
    const char *names[2 * MOST];
    size_t count, known = 0;
    const attn_bench_case *cases = attn_bench_cases(&count);
    for (size_t i = 0; i < count && i < MOST; i++) {
        snprintf(words[i], sizeof words[i], "%.*s", (int)strcspn(cases[i].name, "-"),
                 cases[i].name);
        names[known++] = words[i];
        names[known++] = cases[i].name;
    }
    return attn_nearest(wanted, names, known);
}

static int check_names(const options *o) {
    size_t count;
    const attn_bench_case *cases = attn_bench_cases(&count);
    for (size_t i = 0; i < o->only.count; i++) {
        bool found = false;
        for (size_t c = 0; c < count && !found; c++) {
            found = begins(cases[c].name, o->only.item[i]);
        }
        if (!found) {
            char quoted[64];
            const char *near = nearest_case(o->only.item[i]);
            attn_utf8_quote(quoted, sizeof quoted, o->only.item[i]);
            return near != NULL
                       ? attn_say_misuse("bench: no case is called '%s': did you mean %s?", quoted,
                                         near)
                       : attn_say_misuse("bench: no case is called '%s': `attn bench --list` names "
                                         "them",
                                         quoted);
        }
    }
    return ATTN_EXIT_OK;
}

static void print_list(const options *o) {
    size_t count;
    const attn_bench_case *cases = attn_bench_cases(&count);
    for (size_t i = 0; i < count; i++) {
        if (chosen(o, &cases[i])) {
            printf("%-34s %s\n", cases[i].name, cases[i].work);
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
        if (chosen(o, &cases[i])) {
            status = measure_case(&cases[i], o->quick, json_object_get(report, "cases"), error);
        }
    }
    if (o->json && status == ATTN_OK) {
        return attn_json_print(report, JSON_INDENT(2) | JSON_REAL_PRECISION(12), stdout, error);
    }
    json_decref(report);
    return status;
}

static int bench_run(const void *given, int operand_count, char **operand) {
    const options *o = given;
    (void)operand_count;
    (void)operand;
    int result = check_names(o);
    if (result != ATTN_EXIT_OK) {
        return result;
    }
    if (o->list) {
        print_list(o);
        return ATTN_EXIT_OK;
    }
    attn_set_threads((int)o->threads);
    attn_error error;
    attn_status status = o->turns ? take_turns(&error) : measure_all(o, &error);
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

const attn_command attn_cmd_bench = {
    .name = "bench",
    .summary = "Measure matrix products, attention, training and decoding on this machine",
    .usage = "[--quick] [--only NAME]... [--threads N] [--json]\n--list [--only NAME]...\n--turns "
             "[--threads N]",
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
        "peak of the process.\n`make bench` measures everything in docs/benchmarks.md; `make "
        "bench-peers` also measures PyTorch, NumPy and CTranslate2.",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .options_size = sizeof(options),
    .run = bench_run,
};
