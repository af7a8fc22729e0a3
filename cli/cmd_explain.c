/* cli/cmd_explain.c: `attn explain`: what a word attends to, and how that comes about. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/utf8.h"
#include "command.h"
#include "explain_print.h"
#include "model.h"
#include "pipeline/pair.h"
#include "show/intervene.h"

typedef struct options {
    const char *model, *token, *target, *mask, *force;
    int64_t layer, head, sentence;
    int part;
    bool raw, json;
    attn_pair_options pair;
} options;

/* What layer and head are when they are left open. */
enum { OPEN = INT32_MIN };
static const options defaults = {.layer = OPEN, .head = OPEN, .sentence = 1};

static const char *const part_names[] = {"encoder", "decoder", "cross", NULL};

/* clang-format off */
static const attn_option table[] = {
    {"model", 'm', ATTN_OPTION_FILE, offsetof(options, model), .value = "FILE",
     .help = "the model (default: $ATTN_MODEL, else models/en-fr.safetensors)"},
    {"token", 't', ATTN_OPTION_TEXT, offsetof(options, token), .value = "W",
     .help = "the word to explain, or its number (default: the most decided word, after a table of all)"},
    {"layer", 'l', ATTN_OPTION_INT, offsetof(options, layer), .value = "L",
     .help = "the layer, from 1 (default: the one where the word is most decided)"},
    {"head", 0, ATTN_OPTION_INT, offsetof(options, head), .value = "H",
     .help = "the head, from 1 (default: bars for the mean, steps for the most decided head)"},
    {"part", 'p', ATTN_OPTION_CHOICE, offsetof(options, part), .choices = part_names,
     .value = "PART",
     .help = "encoder: among source words (default); decoder: among words of the translation; cross: from the translation to the source"},
    {"target", 0, ATTN_OPTION_TEXT, offsetof(options, target), .value = "TEXT",
     .help = "the translation to use with decoder and cross (default: the model's own)"},
    {"mask", 0, ATTN_OPTION_TEXT, offsetof(options, mask), .value = "L.H,...",
     .help = "silence these heads of the part, as 2.1, or 2.* for all of layer 2 (with --token: for that word), and show what becomes of the translation"},
    {"force", 0, ATTN_OPTION_TEXT, offsetof(options, force), .value = "WORD",
     .help = "make --token (default: every word) look at this word alone, in --layer and --head (default: in all), and show what becomes of the translation"},
    {"sentence", 's', ATTN_OPTION_INT, offsetof(options, sentence), 1, 1e9, .value = "N",
     .help = "which sentence of a text of several, from 1 (default 1): each is translated on its own"},
    {"raw", 0, ATTN_OPTION_FLAG, offsetof(options, raw),
     .help = "hand the text to the model as it is: no sentences are cut, nothing is kept"},
    {"json", 0, ATTN_OPTION_FLAG, offsetof(options, json),
     .help = "print every number as JSON; piece indices count from 0"},
};
/* clang-format on */

static const attn_option_group groups[] = {
    {attn_pair_table, offsetof(options, pair)},
    {NULL, 0},
};

/* ---- reading ---- */

/* The words on both sides of the attention. The rows of cross attention are named by what is being
 * written, those of the decoder's own by what has been read. */
static attn_status read_words(const attn_model *model, const attn_sentence_pair *p,
                              attn_explained *x, attn_error *error) {
    const int32_t *queries = x->part == ATTN_PART_ENCODER ? p->source
                             : x->part == ATTN_PART_CROSS ? p->target + 1
                                                          : p->target;
    const int32_t *keys = x->part == ATTN_PART_DECODER ? p->target : p->source;
    const attn_tokenizer *source = model->tokenizer, *target = attn_tokenizer_target(source);
    attn_status status = attn_words_create(x->part == ATTN_PART_ENCODER ? source : target, queries,
                                           x->shape.queries, &x->queries, error);
    return status == ATTN_OK ? attn_words_create(x->part == ATTN_PART_DECODER ? target : source,
                                                 keys, x->shape.keys, &x->keys, error)
                             : status;
}

/* ---- choosing ---- */

static int check_number(const char *option, const char *what, int64_t value, int64_t count) {
    if (value == OPEN || (value >= 1 && value <= count)) {
        return ATTN_EXIT_OK;
    }
    return attn_say_misuse("explain: --%s %lld: %s 1 to %lld", option, (long long)value, what,
                           (long long)count);
}

static int say_words(const char *option, const char *given, const attn_words *words) {
    char list[512] = "", quoted[64], name[64];
    size_t used = 0;
    for (int64_t i = 0; i < words->count && used + 80 < sizeof list; i++) {
        attn_utf8_quote(name, sizeof name, words->word[i].text);
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%lld %s", i > 0 ? ", " : "",
                                 (long long)i + 1, name);
    }
    attn_utf8_quote(quoted, sizeof quoted, given);
    return attn_say_misuse("explain: --%s '%s': the words are: %s", option, quoted, list);
}

/* The largest weight of a word's row on another real word: how decided the word is. */
static double decided(const attn_explained *x, const double *rows, int64_t word) {
    double largest = -1;
    for (int64_t k = 0; k < x->keys.count; k++) {
        bool itself = x->part != ATTN_PART_CROSS && k == word;
        if (!itself && !x->keys.word[k].mark) {
            largest = fmax(largest, rows[word * x->keys.count + k]);
        }
    }
    return largest;
}

/* Of a matrix of words, the most decided row, or the one asked for; *best grows with it. */
static bool better_word(const attn_explained *x, const double *rows, int64_t wanted, int64_t *word,
                        double *best) {
    bool found = false;
    for (int64_t q = 0; q < x->queries.count; q++) {
        bool candidate = wanted >= 0 ? q == wanted : !x->queries.word[q].mark;
        if (candidate && decided(x, rows, q) > *best) {
            *best = decided(x, rows, q);
            *word = q;
            found = true;
        }
    }
    return found;
}

/* Fills in layer, word and head where the user left them open. rows: room for a matrix of words. */
static attn_status choose(attn_explained *x, attn_explain *explain, const options *o,
                          int64_t wanted, double *rows, attn_error *error) {
    size_t matrix = (size_t)(x->shape.queries * x->shape.keys);
    int64_t first = o->layer != OPEN ? o->layer - 1 : 0;
    int64_t last = o->layer != OPEN ? o->layer - 1 : x->shape.layers - 1;
    const attn_real *shown = x->weights + (o->head != OPEN ? (size_t)(o->head - 1) * matrix : 0);
    int64_t heads = o->head != OPEN ? 1 : x->shape.heads;
    double best = -2;
    x->layer = last;
    x->word = wanted >= 0 ? wanted : 0;
    for (int64_t layer = first; layer <= last; layer++) {
        attn_status status = attn_explain_weights(explain, x->part, layer, x->weights, error);
        if (status != ATTN_OK) {
            return status;
        }
        attn_words_merge(&x->queries, &x->keys, shown, heads, rows);
        x->layer = better_word(x, rows, wanted, &x->word, &best) ? layer : x->layer;
    }
    attn_status status = attn_explain_weights(explain, x->part, x->layer, x->weights, error);
    best = -2;
    x->head = o->head != OPEN ? o->head - 1 : 0;
    for (int64_t h = 0; status == ATTN_OK && o->head == OPEN && h < x->shape.heads; h++) {
        attn_words_merge(&x->queries, &x->keys, x->weights + (size_t)h * matrix, 1, rows);
        x->head = better_word(x, rows, x->word, &x->word, &best) ? h : x->head;
    }
    attn_words_merge(&x->queries, &x->keys, shown, heads, rows);
    return status;
}

/* ---- the command ---- */

static attn_status fill_explained(attn_explained *x, attn_explain *explain, const options *o,
                                  int64_t wanted, attn_error *error) {
    size_t matrix = (size_t)(x->shape.queries * x->shape.keys);
    x->weights = malloc((size_t)x->shape.heads * matrix * sizeof *x->weights);
    x->word_weights = malloc(matrix * sizeof *x->word_weights);
    if (x->weights == NULL || x->word_weights == NULL) {
        return attn_fail_memory(error, (size_t)x->shape.heads * matrix * sizeof *x->weights);
    }
    x->one_head = o->head != OPEN;
    x->whole = wanted < 0;
    attn_status status = choose(x, explain, o, wanted, x->word_weights, error);
    if (status != ATTN_OK) {
        return status;
    }
    return attn_explain_get_steps(explain, x->part, x->layer, x->head,
                                  x->queries.word[x->word].first, &x->steps, error);
}

static attn_status print_explained(const attn_explained *x, bool json, attn_error *error) {
    if (!json) {
        attn_terminal terminal;
        attn_terminal_init(&terminal, stdout);
        attn_explained_print(x, &terminal);
        return ATTN_OK;
    }
    return attn_explained_print_json(x, stdout, error);
}

/* ---- what becomes of it ---- */

static bool intervenes(const options *o) {
    return o->mask != NULL || o->force != NULL;
}

/* A word of one side by its name; its pieces. */
static int find_word(const attn_words *words, const char *option, const char *name,
                     const attn_word **out) {
    int64_t i = attn_words_find(words, name);
    *out = i >= 0 ? &words->word[i] : NULL;
    return i >= 0 ? ATTN_EXIT_OK : say_words(option, name, words);
}

/* The edits that the options ask for, malloc'ed; *result: ATTN_EXIT_OK, or said already. */
static attn_status read_edits(const attn_model *model, const options *o, const attn_explained *x,
                              attn_translator_edit **edits, size_t *count, int *result,
                              attn_error *error) {
    const attn_word *token = NULL, *forced = NULL;
    attn_head_edit edit = {.head = o->head == OPEN ? -1 : o->head - 1, .queries = INT64_MAX};
    *result = o->token != NULL ? find_word(&x->queries, "token", o->token, &token) : ATTN_EXIT_OK;
    if (*result == ATTN_EXIT_OK && o->force != NULL) {
        *result = find_word(&x->keys, "force", o->force, &forced);
    }
    if (*result != ATTN_EXIT_OK) {
        return ATTN_OK;
    }
    if (token != NULL) {
        edit.query = token->first;
        edit.queries = token->count;
    }
    attn_status status = ATTN_OK;
    if (o->mask != NULL) {
        status = attn_edits_read(model->translator, o->mask, x->part, edit, edits, count, error);
    }
    if (forced == NULL) {
        return status;
    }
    edit.key = forced->first;
    edit.keys = forced->count;
    int64_t first = o->layer == OPEN ? 1 : o->layer;
    int64_t last = o->layer == OPEN ? x->shape.layers : o->layer;
    for (int64_t layer = first; status == ATTN_OK && layer <= last; layer++) {
        char heads[48];
        snprintf(heads, sizeof heads, edit.head < 0 ? "%lld.*" : "%lld.%lld", (long long)layer,
                 (long long)edit.head + 1);
        status = attn_edits_read(model->translator, heads, x->part, edit, edits, count, error);
    }
    return status;
}

static attn_status print_intervened(const attn_intervened *i, bool json, attn_error *error) {
    if (!json) {
        attn_terminal terminal;
        attn_terminal_init(&terminal, stdout);
        attn_intervened_print(i, &terminal);
        return ATTN_OK;
    }
    return attn_intervened_print_json(i, stdout, error);
}

static int intervene(const attn_model *model, const attn_sentence_pair *p, const options *o,
                     const attn_explained *x, attn_error *error) {
    attn_translator_edit *edits = NULL;
    attn_intervened made = {0};
    attn_search_options search;
    size_t count = 0;
    int result = ATTN_EXIT_FAILURE;
    attn_search_options_init(&search);
    attn_status status = read_edits(model, o, x, &edits, &count, &result, error);
    if (status == ATTN_OK && result == ATTN_EXIT_OK) {
        status = attn_intervene(model, p, edits, count, &search, &made, error);
        status = status == ATTN_OK ? print_intervened(&made, o->json, error) : status;
    }
    attn_intervened_free(&made);
    free(edits);
    return status == ATTN_OK ? result : attn_say_error(error);
}

/* ---- a sentence ---- */

/* The sentence asked for, and its translation where it is looked at: the one given, or the model's own. */
static attn_status read_pair(const attn_model *model, const char *text, const options *o,
                             attn_sentence_pair *out, attn_error *error) {
    size_t number = (size_t)o->sentence - 1, count;
    attn_text_format format = o->raw ? ATTN_TEXT_RAW : ATTN_TEXT_PLAIN;
    if (o->part == ATTN_PART_ENCODER && !intervenes(o)) {
        return attn_sentence_pair_of_source(model, text, format, number, out, &count, error);
    }
    return attn_sentence_pair_read(model, text, o->target, format, number, NULL, out, error);
}

static int explain_open(const attn_model *model, const char *sentence, const options *o) {
    attn_explained x = {.part = (attn_translator_part)o->part};
    attn_explain *explain = NULL;
    attn_error error = {0};
    attn_sentence_pair p = {0};
    int64_t wanted = -1;
    int result = ATTN_EXIT_FAILURE;
    attn_status status = read_pair(model, sentence, o, &p, &error);
    if (status == ATTN_OK) {
        status = attn_explain_create(model->translator, p.source, p.source_length, p.target,
                                     p.target_length, &explain, &error);
    }
    if (status != ATTN_OK) {
        goto out;
    }
    x.sentence = p.sentence;
    x.target = p.translation;
    x.shape = attn_explain_get_shape(explain, x.part);
    status = read_words(model, &p, &x, &error);
    if (status != ATTN_OK) {
        goto out;
    }
    result = check_number("layer", "this part has layers", o->layer, x.shape.layers);
    result = result ? result : check_number("head", "each layer has heads", o->head, x.shape.heads);
    if (result == ATTN_EXIT_OK && intervenes(o)) {
        result = intervene(model, &p, o, &x, &error);
        goto out;
    }
    if (result == ATTN_EXIT_OK && o->token != NULL) {
        wanted = attn_words_find(&x.queries, o->token);
        result = wanted < 0 ? say_words("token", o->token, &x.queries) : ATTN_EXIT_OK;
    }
    if (result == ATTN_EXIT_OK) {
        status = fill_explained(&x, explain, o, wanted, &error);
        status = status == ATTN_OK ? print_explained(&x, o->json, &error) : status;
    }
out:
    free(x.weights);
    free(x.word_weights);
    attn_words_free(&x.queries);
    attn_words_free(&x.keys);
    attn_explain_free(explain);
    attn_sentence_pair_free(&p);
    return status == ATTN_OK ? result : attn_say_error(&error);
}

static int explain_run(const void *given, int operand_count, char **operand) {
    const options *o = given;
    attn_model *model = NULL;
    attn_model_options whole;
    attn_error error;
    (void)operand_count;
    if (o->target != NULL && o->part == ATTN_PART_ENCODER && !intervenes(o)) {
        return attn_say_misuse("explain: --target goes with --part decoder or --part cross");
    }
    attn_model_options_init(&whole);
    whole.whole = true;
    whole.source = o->pair.from;
    whole.target = o->pair.to;
    int result = attn_translator_model_open(o->model, &whole, &model, &error) == ATTN_OK
                     ? explain_open(model, operand[0], o)
                     : attn_say_error(&error);
    attn_model_close(model);
    return result;
}

const attn_command attn_cmd_explain = {
    .name = "explain",
    .summary = "Show what a word attends to, and each step of how",
    .usage = "[--token W] [--layer L] [--head H] [--part PART] [--json] SENTENCE\n"
             "[--mask L.H,...] [--force WORD] [--part PART] [--token W] [--json] SENTENCE",
    .description = "Bars show how a word distributes its attention; a word of several pieces "
                   "counts as one. The steps of attention follow, with the model's numbers: embed "
                   "and project; dot products; divide by the root of the key size; softmax; "
                   "weighted sum of the values; join the heads by the output projection. The steps "
                   "are recomputed and checked against the model's own numbers.\nThe most decided "
                   "word or head is the one with the largest weight on another word.\n"
                   "--mask and --force intervene: a silenced head adds nothing, a forced one "
                   "passes on the word it is made to look at. The translation before and after is "
                   "printed, each with log p as the model is and with the intervention. A word of "
                   "several pieces is looked at evenly.",
    .options = table,
    .groups = groups,
    .option_count = ATTN_LENGTH(table),
    .defaults = &defaults,
    .options_size = sizeof(options),
    .min_operands = 1,
    .max_operands = 1,
    .run = explain_run,
};
