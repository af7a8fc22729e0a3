/* cli/cmd_evaluate.c: `attn evaluate`: BLEU and chrF of the model's translations, or of a file; of a
 * segmenter, IoU and accuracy (evaluate_pictures.h). */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "attn/threads.h"
#include "base/fail.h"
#include "decode.h"
#include "evaluate_pictures.h"
#include "io/json_write.h"
#include "io/unpack.h"
#include "text/score.h"

typedef struct options {
    attn_decode_options decode;
    attn_evaluate_pictures_options pictures;
    const char *source, *reference, *hypothesis, *output;
    int tokenizer;
    bool lowercase, no_smoothing, json;
} options;

static const options defaults = {.decode = ATTN_DECODE_DEFAULTS,
                                 .pictures = ATTN_EVALUATE_PICTURES_DEFAULTS};

/* In the order of attn_bleu_tokenizer. */
static const char *const tokenizers[] = {"13a", "none", "zh", "char", NULL};

/* clang-format off */
static const attn_option table[] = {
    {"source", 's', ATTN_OPTION_FILE, offsetof(options, source), .value = "FILE",
     .help = "the sentences to translate, one per line; text may be packed (gzip, xz, zstd), a pipe, or - for standard input"},
    {"reference", 'r', ATTN_OPTION_FILE, offsetof(options, reference), .value = "FILE",
     .help = "their translations by a person, line by line"},
    {"hypothesis", 0, ATTN_OPTION_FILE, offsetof(options, hypothesis), .value = "FILE",
     .help = "score these translations; needs neither a model nor --source"},
    {"output", 'o', ATTN_OPTION_FILE, offsetof(options, output), .value = "FILE",
     .help = "write the model's translations to FILE"},
    {"tokenizer", 0, ATTN_OPTION_CHOICE, offsetof(options, tokenizer), .choices = tokenizers,
     .value = "NAME", .help = "BLEU's tokenizer: 13a (default), none, zh, char"},
    {"lowercase", 0, ATTN_OPTION_FLAG, offsetof(options, lowercase),
     .help = "ignore upper and lower case in BLEU"},
    {"no-smoothing", 0, ATTN_OPTION_FLAG, offsetof(options, no_smoothing),
     .help = "no smoothing: BLEU is 0 when no n-gram of some length matches"},
    {"json", 0, ATTN_OPTION_FLAG, offsetof(options, json), .help = "print one JSON object"},
};
/* clang-format on */

static const attn_option_group groups[] = {
    {attn_decode_table, offsetof(options, decode)},
    {attn_pair_table, offsetof(options, decode.pair)},
    {attn_evaluate_pictures_table, offsetof(options, pictures)},
    {attn_tiling_table, offsetof(options, pictures.tiling)},
    {NULL, 0},
};

static attn_status check_counts(const char *a_name, size_t a, const char *b_name, size_t b,
                                attn_error *error) {
    if (a == b) {
        return ATTN_OK;
    }
    return attn_fail(error, ATTN_ERR_FORMAT, b_name, -1, "give both files the same number of lines",
                     "%zu lines, but %s has %zu", b, a_name, a);
}

/* The model's translations of the lines, malloc'ed strings. */
static attn_status translate(const options *o, const attn_lines *source, char **texts,
                             attn_decode_stats *stats, attn_error *error) {
    attn_model *model = NULL;
    attn_translation *translation = NULL;
    attn_search_options search = attn_decode_search_options(&o->decode);
    attn_translate_options how = attn_decode_translate_options(&o->decode, &search);
    attn_set_threads((int)o->decode.threads);
    attn_status status = attn_decode_open(&o->decode, &model, error);
    if (status == ATTN_OK) {
        status = attn_decode_texts(model, (const char *const *)source->line, source->count, &how,
                                   &translation, stats, error);
    }
    if (status == ATTN_OK) {
        attn_decode_warn(translation, o->source, 1);
    }
    for (size_t i = 0; i < source->count && status == ATTN_OK; i++) {
        status = attn_translation_text(translation, i, 0, &texts[i], error);
    }
    attn_translation_free(translation);
    attn_model_close(model);
    return status;
}

static attn_status write_texts(const char *path, char **texts, size_t count, attn_error *error) {
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        return attn_fail_errno(error, path, "cannot write");
    }
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        good = fprintf(file, "%s\n", texts[i]) > 0 && good;
    }
    if (fclose(file) != 0 || !good) {
        return attn_fail_errno(error, path, "cannot write");
    }
    return ATTN_OK;
}

static attn_status print_scores(const options *o, const char *const *hypotheses,
                                const attn_lines *reference, attn_error *error) {
    attn_bleu bleu;
    attn_chrf chrf;
    const char *const *references = (const char *const *)reference->line;
    attn_status status = attn_bleu_compute(hypotheses, references, reference->count,
                                           (attn_bleu_tokenizer)o->tokenizer, o->lowercase,
                                           !o->no_smoothing, &bleu, error);
    if (status == ATTN_OK) {
        status = attn_chrf_compute(hypotheses, references, reference->count, &chrf, error);
    }
    if (status != ATTN_OK) {
        return status;
    }
    if (o->json) {
        json_t *object =
            json_pack("{s:{s:f, s:[f,f,f,f], s:f, s:I, s:I, s:s}, s:{s:f, s:s}}", "bleu", "score",
                      bleu.score, "precisions", bleu.precision[0], bleu.precision[1],
                      bleu.precision[2], bleu.precision[3], "brevity_penalty", bleu.brevity_penalty,
                      "hypothesis_length", (json_int_t)bleu.hypothesis_length, "reference_length",
                      (json_int_t)bleu.reference_length, "signature", bleu.signature, "chrf",
                      "score", chrf.score, "signature", chrf.signature);
        return attn_json_print(object, JSON_INDENT(2), stdout, error);
    }
    printf("BLEU|%s = %.2f %.1f/%.1f/%.1f/%.1f (BP = %.3f ratio = %.3f hyp_len = %lld ref_len = "
           "%lld)\n",
           bleu.signature, bleu.score, bleu.precision[0], bleu.precision[1], bleu.precision[2],
           bleu.precision[3], bleu.brevity_penalty,
           bleu.reference_length > 0
               ? (double)bleu.hypothesis_length / (double)bleu.reference_length
               : 0.0,
           (long long)bleu.hypothesis_length, (long long)bleu.reference_length);
    printf("chrF2|%s = %.2f\n", chrf.signature, chrf.score);
    return ATTN_OK;
}

static attn_status score_file(const options *o, const attn_lines *reference, attn_error *error) {
    attn_lines hypothesis = {0};
    attn_status status = attn_unpack_lines(o->hypothesis, &hypothesis, error);
    if (status == ATTN_OK) {
        status =
            check_counts(o->reference, reference->count, o->hypothesis, hypothesis.count, error);
    }
    if (status == ATTN_OK) {
        status = print_scores(o, (const char *const *)hypothesis.line, reference, error);
    }
    attn_lines_free(&hypothesis);
    return status;
}

static attn_status score_model(const options *o, const attn_lines *reference, attn_error *error) {
    attn_lines source = {0};
    attn_decode_stats stats = {0};
    char **texts = NULL;
    attn_status status = attn_unpack_lines(o->source, &source, error);
    if (status == ATTN_OK) {
        status = check_counts(o->source, source.count, o->reference, reference->count, error);
    }
    if (status != ATTN_OK) {
        goto out;
    }
    texts = calloc(source.count, sizeof *texts);
    if (texts == NULL) {
        status = attn_fail_memory(error, source.count * sizeof *texts);
        goto out;
    }
    status = translate(o, &source, texts, &stats, error);
    if (status == ATTN_OK && o->output != NULL) {
        status = write_texts(o->output, texts, source.count, error);
    }
    if (status == ATTN_OK) {
        status = print_scores(o, (const char *const *)texts, reference, error);
    }
    if (status == ATTN_OK && o->decode.stats) {
        attn_decode_stats_print(&stats);
    }
out:
    for (size_t i = 0; texts != NULL && i < source.count; i++) {
        free(texts[i]);
    }
    free(texts);
    attn_lines_free(&source);
    return status;
}

static int score_pictures(const options *o) {
    const attn_evaluate_pictures_options *p = &o->pictures;
    attn_error error;
    if (o->reference != NULL || o->source != NULL || o->hypothesis != NULL) {
        return attn_say_misuse("evaluate: give text or pictures, not both");
    }
    if (p->pairs != NULL ? p->images != NULL || p->masks != NULL
                         : p->images == NULL || p->masks == NULL) {
        return attn_say_misuse("evaluate: give --images DIR and --masks DIR, or --pairs FILE");
    }
    attn_set_threads((int)o->decode.threads);
    attn_status status = attn_evaluate_pictures(p, o->decode.model, o->json, &error);
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

static int evaluate_run(const void *given, int operand_count, char **operand) {
    (void)operand_count;
    (void)operand;
    const options *o = given;
    if (o->pictures.images != NULL || o->pictures.masks != NULL || o->pictures.pairs != NULL) {
        return score_pictures(o);
    }
    if (o->reference == NULL) {
        return attn_say_misuse("evaluate: name the references with --reference FILE");
    }
    if ((o->source == NULL) == (o->hypothesis == NULL)) {
        return attn_say_misuse("evaluate: give either --source FILE, to be translated, or "
                               "--hypothesis FILE, already translated");
    }
    attn_lines reference = {0};
    attn_error error;
    attn_status status = attn_unpack_lines(o->reference, &reference, &error);
    if (status == ATTN_OK) {
        status = o->hypothesis != NULL ? score_file(o, &reference, &error)
                                       : score_model(o, &reference, &error);
    }
    attn_lines_free(&reference);
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

const attn_command attn_cmd_evaluate = {
    .name = "evaluate",
    .summary = "Measure translations with BLEU and chrF, a segmenter with IoU",
    .usage = "[OPTION]... --source FILE --reference FILE\n"
             "[OPTION]... --hypothesis FILE --reference FILE\n"
             "[OPTION]... --images DIR --masks DIR",
    .description =
        "Translates the source with a model, or takes translations from a file, and prints corpus "
        "BLEU and chrF as sacreBLEU computes them, with its signatures.\nWith pictures, "
        "runs a segmenter on each at its own size and prints the IoU of each class, the mean IoU, "
        "class accuracy and global accuracy, from one confusion matrix over all pictures. Ignored "
        "pixels do not count. The default model is then $ATTN_SEGMENTER, else "
        "models/street.safetensors.",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .groups = groups,
    .defaults = &defaults,
    .options_size = sizeof(options),
    .run = evaluate_run,
};
