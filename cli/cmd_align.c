/* cli/cmd_align.c: `attn align`: which word translates which.
 *
 * Links learned from the text itself or those of a translator's attention, or how far links are from a gold standard. Next: src/align/words.h. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "align/aligner.h"
#include "align/error_rate.h"
#include "align/words.h"
#include "align_model.h"
#include "attn/threads.h"
#include "base/fail.h"
#include "base/memory.h"
#include "command.h"
#include "io/json_write.h"
#include "io/parallel.h"
#include "io/word_links.h"
#include "model.h"

typedef struct options {
    attn_option_list source, target, pairs, extra_source, extra_target, extra_pairs;
    const char *gold, *links, *model, *head;
    int64_t iterations, stem, threads;
    double threshold;
    int symmetry;
    bool json;
    attn_pair_options languages;
} options;

static const options defaults = {.iterations = 5, .stem = 5, .threshold = -1};

/* clang-format off */
static const attn_option table[] = {
    {"source", 's', ATTN_OPTION_FILES, offsetof(options, source), .value = "FILE",
     .help = "sentences, one per line; may be repeated"},
    {"target", 't', ATTN_OPTION_FILES, offsetof(options, target), .value = "FILE",
     .help = "their translations, line by line; the first --target is that of the first --source"},
    {"pairs", 'p', ATTN_OPTION_FILES, offsetof(options, pairs), .value = "FILE[:A,B]",
     .help = "both in one file: columns A and B of a table with tabs (1,2), or FILE.tmx:en,fr; may "
             "be repeated"},
    {"extra-source", 0, ATTN_OPTION_FILES, offsetof(options, extra_source), .value = "FILE",
     .help = "more text to learn from, whose links are not printed; may be repeated"},
    {"extra-target", 0, ATTN_OPTION_FILES, offsetof(options, extra_target), .value = "FILE",
     .help = "its translations"},
    {"extra-pairs", 0, ATTN_OPTION_FILES, offsetof(options, extra_pairs), .value = "FILE[:A,B]",
     .help = "both in one file; may be repeated"},
    {"symmetrize", 0, ATTN_OPTION_CHOICE, offsetof(options, symmetry),
     .choices = attn_symmetry_names, .value = "HOW",
     .help = "how both directions are joined (default posterior)"},
    {"threshold", 0, ATTN_OPTION_REAL, offsetof(options, threshold), 0.001, 0.999, .value = "P",
     .help = "of posterior: the least chance of a link; more is more precise (default 0.3; "
             "with --model, the least mean of both weights: 0.45)"},
    {"iterations", 0, ATTN_OPTION_INT, offsetof(options, iterations), 1, 100, .value = "N",
     .help = "rounds of each of the two models (default 5)"},
    {"stem", 0, ATTN_OPTION_INT, offsetof(options, stem), 0, 1000, .value = "N",
     .help = "letters of a word that count; more suit more text; 0: all (default 5)"},
    {"model", 'm', ATTN_OPTION_FILE, offsetof(options, model), .value = "FILE",
     .help = "take the links from a translator's attention, while it reads the translation"},
    {"head", 0, ATTN_OPTION_TEXT, offsetof(options, head), .value = "L[.H]",
     .help = "with --model: the decoder layer and its head; without .H the mean of its heads (default: "
             "the head that training guided, else the mean of the last layer)"},
    {"gold", 0, ATTN_OPTION_FILE, offsetof(options, gold), .value = "FILE",
     .help = "print error rate, precision and recall against links made by hand, not the links"},
    {"links", 0, ATTN_OPTION_FILE, offsetof(options, links), .value = "FILE",
     .help = "with --gold: measure these links, a line a pair, instead of learning some"},
    {"json", 0, ATTN_OPTION_FLAG, offsetof(options, json),
     .help = "with --gold: print one JSON object"},
    {"threads", 'j', ATTN_OPTION_INT, offsetof(options, threads), 1, 256, .value = "N",
     .help = "threads; affects speed only (default: all cores)"},
};
/* clang-format on */

static const attn_option_group groups[] = {
    {attn_pair_table, offsetof(options, languages)},
    {NULL, 0},
};

enum { MOST_SOURCES = 2 * ATTN_OPTION_LIST_MAX };

/* ---- text ---- */

/* Files in pairs, in the order given, then those with both sides. No file is no text. */
static attn_status read_text(const attn_option_list *source, const attn_option_list *target,
                             const attn_option_list *pairs, attn_parallel *out, attn_error *error) {
    attn_parallel_source list[MOST_SOURCES];
    size_t count = 0;
    for (size_t i = 0; i < source->count; i++) {
        list[count++] =
            (attn_parallel_source){.source = source->item[i], .target = target->item[i]};
    }
    for (size_t i = 0; i < pairs->count; i++) {
        list[count++] = (attn_parallel_source){.pairs = pairs->item[i]};
    }
    *out = (attn_parallel){.file_count = 0};
    return count > 0 ? attn_parallel_read(list, count, out, error) : ATTN_OK;
}

/* ---- what is printed ---- */

static void print_links(const attn_link_set *set, size_t lines) {
    for (size_t line = 0; line < lines; line++) {
        for (int64_t i = set->start[line]; i < set->start[line + 1]; i++) {
            printf("%s%d-%d", i > set->start[line] ? " " : "", (int)set->link[i].source,
                   (int)set->link[i].target);
        }
        putchar('\n');
    }
}

static attn_status print_counts(const options *o, const attn_link_counts *c, int64_t sentences,
                                attn_error *error) {
    double percent[3] = {100 * attn_link_error_rate(c), 100 * attn_link_precision(c),
                         100 * attn_link_recall(c)};
    if (!o->json) {
        printf("AER %.2f  precision %.2f  recall %.2f  (%lld links, %lld sure in the gold, %lld "
               "sentences)\n",
               percent[0], percent[1], percent[2], (long long)c->found, (long long)c->sure,
               (long long)sentences);
        return ATTN_OK;
    }
    json_t *object = json_pack("{s:f, s:f, s:f, s:I, s:I, s:I}", "aer", percent[0], "precision",
                               percent[1], "recall", percent[2], "links", (json_int_t)c->found,
                               "sure", (json_int_t)c->sure, "sentences", (json_int_t)sentences);
    return attn_json_print(object, JSON_COMPACT | JSON_REAL_PRECISION(6), stdout, error);
}

static attn_status measure(const options *o, const attn_link_set *set, size_t lines,
                           attn_error *error) {
    attn_gold_links gold;
    attn_status status = attn_gold_links_read(o->gold, &gold, error);
    if (status == ATTN_OK && (size_t)gold.sentences > lines) {
        status = attn_fail(error, ATTN_ERR_FORMAT, o->gold, -1,
                           "give the text that the gold standard is of, and other text with "
                           "--extra-source and --extra-target",
                           "the gold standard has %lld sentences, the text %zu",
                           (long long)gold.sentences, lines);
    }
    if (status == ATTN_OK) {
        attn_link_counts counts = attn_count_links(set, &gold);
        status = print_counts(o, &counts, gold.sentences, error);
    }
    attn_gold_links_free(&gold);
    return status;
}

/* ---- links that are there already ---- */

static attn_status read_links(const char *path, attn_link_set *out, attn_error *error) {
    attn_gold_links read;
    *out = (attn_link_set){.count = 0};
    attn_status status = attn_gold_links_read(path, &read, error);
    if (status != ATTN_OK) {
        return status;
    }
    out->link = attn_alloc_zero(read.count, sizeof *out->link);
    out->start = attn_alloc_zero((size_t)read.sentences + 1, sizeof *out->start);
    if (out->link == NULL || out->start == NULL) {
        status = attn_fail_memory(error, read.count * sizeof *out->link);
    } else {
        out->count = read.sentences;
        for (size_t i = 0; i < read.count; i++) {
            out->link[i] = (attn_link){read.link[i].source, read.link[i].target};
            out->start[read.link[i].sentence + 1]++;
        }
        for (int64_t line = 0; line < out->count; line++) {
            out->start[line + 1] += out->start[line];
        }
    }
    attn_gold_links_free(&read);
    return status;
}

/* ---- all of it ---- */

static attn_status learn(const options *o, const attn_parallel texts[2], attn_link_set *links,
                         attn_error *error) {
    attn_word_parts parts;
    attn_aligner_options wanted;
    int64_t too_long = 0;
    attn_aligner_options_init(&wanted);
    wanted.model1_iterations = wanted.hmm_iterations = o->iterations;
    wanted.threads = attn_get_threads();
    attn_status status = attn_word_parts_create(texts, 2, o->stem, &parts, error);
    if (status == ATTN_OK) {
        status = attn_align(&parts.text, &wanted, (attn_symmetry)o->symmetry,
                            o->threshold > 0 ? o->threshold : 0.3, links, &too_long, error);
    }
    if (status == ATTN_OK) {
        attn_word_parts_join(&parts, links);
        attn_word_parts_free(&parts);
    }
    if (status == ATTN_OK && too_long > 0) {
        attn_say_warning("%lld pairs of lines are too long and get no links: cut them into "
                         "sentences",
                         (long long)too_long);
    }
    return status;
}

/* "3.2" or "3"; counted from 1. */
static bool read_head(const char *text, int64_t *layer, int64_t *head) {
    char *end;
    *layer = strtol(text, &end, 10);
    *head = 0;
    if (end == text || *layer < 1) {
        return false;
    }
    if (*end == '.') {
        text = end + 1;
        *head = strtol(text, &end, 10);
        return end > text && *end == '\0' && *head >= 1;
    }
    return *end == '\0';
}

static attn_status ask_model(const options *o, const attn_parallel *text, attn_link_set *links,
                             attn_error *error) {
    attn_model_links how = {.threshold =
                                o->threshold > 0 ? o->threshold : ATTN_MODEL_LINK_THRESHOLD};
    attn_word_parts parts = {.text = {.count = 0}};
    attn_model *model = NULL;
    int64_t left_out = 0;
    if (o->head != NULL) {
        (void)read_head(o->head, &how.layer, &how.head); /* was checked */
    }
    attn_model_options open;
    attn_model_options_init(&open);
    open.source = o->languages.from;
    open.target = o->languages.to;
    attn_status status = attn_translator_model_open(o->model, &open, &model, error);
    if (status == ATTN_OK) {
        status = attn_word_parts_create(text, 1, 0, &parts, error);
    }
    if (status == ATTN_OK) {
        status = attn_align_by_model(model, text, &parts, &how, links, &left_out, error);
    }
    if (status == ATTN_OK) {
        attn_word_parts_join(&parts, links);
    }
    if (status == ATTN_OK && left_out > 0) {
        attn_say_warning("%lld pairs of lines are longer than the model takes and get no links",
                         (long long)left_out);
    }
    attn_word_parts_free(&parts);
    attn_model_close(model);
    return status;
}

static attn_status align(const options *o, attn_error *error) {
    attn_parallel texts[2] = {{.file_count = 0}, {.file_count = 0}};
    attn_link_set links = {.count = 0};
    size_t lines;
    attn_status status = read_text(&o->source, &o->target, &o->pairs, &texts[0], error);
    if (status == ATTN_OK) {
        status = read_text(&o->extra_source, &o->extra_target, &o->extra_pairs, &texts[1], error);
    }
    if (status == ATTN_OK) {
        status = o->links != NULL   ? read_links(o->links, &links, error)
                 : o->model != NULL ? ask_model(o, &texts[0], &links, error)
                                    : learn(o, texts, &links, error);
    }
    if (status == ATTN_OK) {
        lines = o->links != NULL ? (size_t)links.count : texts[0].source.count;
        if (o->gold != NULL) {
            status = measure(o, &links, lines, error);
        } else {
            print_links(&links, lines);
        }
    }
    attn_link_set_free(&links);
    attn_parallel_free(&texts[0]);
    attn_parallel_free(&texts[1]);
    return status;
}

static int check(const options *o) {
    if (o->source.count != o->target.count || o->extra_source.count != o->extra_target.count) {
        return attn_say_misuse("align: give as many --target as --source, and as many "
                               "--extra-target as --extra-source: they belong together in order");
    }
    if (o->links != NULL && o->gold == NULL) {
        return attn_say_misuse("align: --links are measured: name the gold standard with --gold");
    }
    int64_t layer, head;
    if (o->model == NULL && o->head != NULL) {
        return attn_say_misuse("align: --head is of a model: name it with --model");
    }
    if (o->head != NULL && !read_head(o->head, &layer, &head)) {
        return attn_say_misuse("align: --head %s: write LAYER.HEAD or LAYER, counted from 1",
                               o->head);
    }
    if (o->model != NULL && o->extra_source.count + o->extra_pairs.count > 0) {
        return attn_say_misuse("align: a model learns from no extra text: leave out --extra-source "
                               "or --model");
    }
    if (o->links == NULL && o->source.count + o->pairs.count == 0) {
        return attn_say_misuse("align: give --source FILE and --target FILE, or --pairs FILE");
    }
    return ATTN_EXIT_OK;
}

static int align_run(const void *given, int operand_count, char **operand) {
    const options *o = given;
    attn_error error;
    (void)operand_count;
    (void)operand;
    int misuse = check(o);
    if (misuse != ATTN_EXIT_OK) {
        return misuse;
    }
    attn_set_threads((int)o->threads);
    return align(o, &error) == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

const attn_command attn_cmd_align = {
    .name = "align",
    .summary = "Find which word translates which in parallel text",
    .usage = "[OPTION]... --source FILE --target FILE\n"
             "[OPTION]... --pairs FILE[:A,B]\n"
             "[OPTION]... --model FILE --source FILE --target FILE\n"
             "--gold FILE --links FILE",
    .description =
        "Learns from the text itself, by IBM model 1 and a hidden Markov model in both "
        "directions that teach each other. Prints a line for each pair of lines: i-j says that "
        "word i of the source and word j of the target belong together. Words are what spaces and "
        "tabs part, counted from 0. Punctuation and elisions such as l' and n't are cut off for "
        "learning only.\n"
        "More text of the same kind makes the links better: --extra-source and --extra-target "
        "name text that is learned from and not printed.\n"
        "--model gives the links of a translator instead: each token of the translation with the "
        "source "
        "token that a head of cross-attention looks at most.\n"
        "--gold names links made by hand, as '3 1 2 S' (sentence, source word, target word from "
        "1; S sure, P possible) or as '0-1 2?3' on a line a pair (from 0; ? is possible). It "
        "counts for the text of --source or --pairs.\n"
        "Text may be packed (gzip, xz, zstd), a pipe, or - for standard input. The same text and "
        "options give the same links on any number of threads.",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .groups = groups,
    .defaults = &defaults,
    .options_size = sizeof(options),
    .run = align_run,
};
