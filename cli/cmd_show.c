/* cli/cmd_show.c: `attn show`: attention as a picture, in the terminal, or as JSON.
 *
 * Options to a view (choose_view), the sentence to a document, the document to what was asked for.
 * Next: src/show/document.h, src/show/view.h. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/utf8.h"
#include "command.h"
#include "io/json_write.h"
#include "model.h"
#include "pipeline/pair.h"
#include "show/view.h"
#include "show_page.h"

typedef struct options {
    const char *model, *target, *layer, *head, *token, *output;
    int part, view, theme; /* -1: left open */
    int64_t beam, sentence;
    bool words, raw, json;
    attn_pair_options pair;
} options;

static const options defaults = {
    .part = -1, .view = -1, .theme = ATTN_THEME_LIGHT, .beam = 4, .sentence = 1};

static const char *const part_names[] = {"encoder", "decoder", "cross", NULL};
static const char *const view_names[] = {"lines", "matrix", "grid", "rollout", NULL};
static const char *const theme_names[] = {"light", "dark", NULL};

/* clang-format off */
static const attn_option table[] = {
    {"model", 'm', ATTN_OPTION_FILE, offsetof(options, model), .value = "FILE",
     .help = "the model (default: $ATTN_MODEL, else models/en-fr.safetensors)"},
    {"output", 'o', ATTN_OPTION_FILE, offsetof(options, output), .value = "FILE",
     .help = "draw to this .svg, .png or .pdf, or write a web page to this .html (default: draw in the terminal)"},
    {"part", 'p', ATTN_OPTION_CHOICE, offsetof(options, part), .choices = part_names,
     .value = "PART",
     .help = "encoder: among source words (default); decoder: among words of the translation; cross: from the translation to the source (default with --target)"},
    {"target", 0, ATTN_OPTION_TEXT, offsetof(options, target), .value = "TEXT",
     .help = "the translation to use (default: the model's own)"},
    {"beam", 'b', ATTN_OPTION_INT, offsetof(options, beam), 1, 256, .value = "N",
     .help = "beam width for the model's own translation (default 4, as in translate)"},
    {"sentence", 's', ATTN_OPTION_INT, offsetof(options, sentence), 1, 1e9, .value = "N",
     .help = "which sentence of a text of several, from 1 (default 1): each is translated on its own"},
    {"view", 'v', ATTN_OPTION_CHOICE, offsetof(options, view), .choices = view_names,
     .value = "VIEW",
     .help = "matrix (default); lines between two columns of words (default with --token); grid of all layers and heads (default with 'all'); rollout through all layers"},
    {"layer", 'l', ATTN_OPTION_TEXT, offsetof(options, layer), .value = "L",
     .help = "the layer, from 1, or all (default: the last; all in a grid)"},
    {"head", 0, ATTN_OPTION_TEXT, offsetof(options, head), .value = "H",
     .help = "the head, from 1, or mean or all (default: mean; all in a grid)"},
    {"token", 't', ATTN_OPTION_TEXT, offsetof(options, token), .value = "W",
     .help = "one word, or its number: draw only its lines, or highlight its row in a matrix"},
    {"words", 'w', ATTN_OPTION_FLAG, offsetof(options, words),
     .help = "merge the tokenizer's pieces into words"},
    {"theme", 0, ATTN_OPTION_CHOICE, offsetof(options, theme), .choices = theme_names,
     .value = "THEME", .help = "light (default) or dark"},
    {"raw", 0, ATTN_OPTION_FLAG, offsetof(options, raw),
     .help = "hand the text to the model as it is: no sentences are cut, nothing is kept"},
    {"json", 0, ATTN_OPTION_FLAG, offsetof(options, json),
     .help = "print all weights, rollout, entropy and distance as JSON"},
};
/* clang-format on */

static const attn_option_group groups[] = {
    {attn_pair_table, offsetof(options, pair)},
    {NULL, 0},
};

/* ---- what to look at ---- */

/* Whether the view is of many layers or heads at once. */
static bool is_all(const char *value) {
    return value != NULL && strcmp(value, "all") == 0;
}

static int choose_kind(const options *o) {
    bool all_layers = is_all(o->layer), all_heads = is_all(o->head);
    if (o->view >= 0) {
        return o->view;
    }
    if (all_layers || (all_heads && o->token == NULL)) {
        return ATTN_VIEW_GRID;
    }
    return o->token != NULL ? ATTN_VIEW_LINES : ATTN_VIEW_MATRIX;
}

/* What can be said before the model is read. */
static int check_options(const options *o) {
    int kind = choose_kind(o);
    attn_canvas_format format;
    attn_error error;
    if (o->json && o->output != NULL) {
        return attn_say_misuse("show: --json prints to standard output: leave out -o");
    }
    bool page = o->output != NULL && attn_is_page(o->output);
    if (page && (o->part >= 0 || o->view >= 0 || o->layer != NULL || o->head != NULL ||
                 o->token != NULL || o->words)) {
        return attn_say_misuse("show: a page holds every part, view, layer and head: leave these "
                               "options out and choose in the page");
    }
    if (o->output != NULL && !page && attn_view_format(o->output, &format, &error) != ATTN_OK) {
        (void)attn_say_error(&error);
        return ATTN_EXIT_MISUSE;
    }
    if (o->target != NULL && o->part == ATTN_PART_ENCODER && !o->json) {
        return attn_say_misuse("show: --target goes with --part decoder or --part cross");
    }
    if (kind == ATTN_VIEW_ROLLOUT && (o->layer != NULL || o->head != NULL)) {
        return attn_say_misuse(
            "show: --view rollout combines all layers and heads: leave out --layer and --head");
    }
    if ((kind == ATTN_VIEW_LINES || kind == ATTN_VIEW_MATRIX) && is_all(o->layer)) {
        return attn_say_misuse("show: --view %s shows one layer: use --view grid to see all",
                               view_names[kind]);
    }
    if (kind == ATTN_VIEW_MATRIX && is_all(o->head)) {
        return attn_say_misuse(
            "show: --view matrix shows one head or the mean: use --view grid to see all");
    }
    if (kind == ATTN_VIEW_LINES && o->output == NULL && o->token == NULL && !o->json) {
        return attn_say_misuse(
            "show: --view lines needs -o FILE, or --token for bars in the terminal");
    }
    if (kind == ATTN_VIEW_LINES && o->output == NULL && is_all(o->head) && !o->json) {
        return attn_say_misuse("show: bars show one head or the mean: use -o FILE to draw all");
    }
    return ATTN_EXIT_OK;
}

/* "2" of 4 as 1. word, value: what may stand in the number's place, "" when nothing may. */
static int read_number(const char *option, const char *text, int64_t count, bool is_head,
                       int64_t *out) {
    char *end, quoted[64];
    if (is_all(text)) {
        *out = ATTN_VIEW_ALL;
        return ATTN_EXIT_OK;
    }
    if (is_head && strcmp(text, "mean") == 0) {
        *out = ATTN_DOCUMENT_MEAN;
        return ATTN_EXIT_OK;
    }
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || number < 1 || number > count) {
        return attn_say_misuse("show: --%s '%s': this model has %ss 1 to %lld here; also: %sall",
                               option, attn_utf8_quote(quoted, sizeof quoted, text), option,
                               (long long)count, is_head ? "mean, " : "");
    }
    *out = number - 1;
    return ATTN_EXIT_OK;
}

static const char SPACE[] = "\xe2\x96\x81";

/* The row of pieces that `name` names: a piece, its mark of a space left out or written as "_"; else
 * its number; else the first piece of a word; -1 when there is none. */
static int64_t find_piece(const attn_words *words, const char *name) {
    for (int64_t i = 0; i < words->pieces; i++) {
        const char *piece = words->piece[i];
        bool marked = strncmp(piece, SPACE, sizeof SPACE - 1) == 0;
        const char *rest = piece + sizeof SPACE - 1;
        if (strcmp(piece, name) == 0 ||
            (marked &&
             (strcmp(rest, name) == 0 || (name[0] == '_' && strcmp(rest, name + 1) == 0)))) {
            return i;
        }
    }
    char *end;
    long number = strtol(name, &end, 10);
    if (end != name && *end == '\0') {
        return number >= 1 && number <= words->pieces ? number - 1 : -1;
    }
    int64_t word = attn_words_find(words, name);
    return word >= 0 ? words->word[word].first : -1;
}

static int say_rows(const options *o, const attn_document_part *part) {
    char list[600] = "", quoted[64], name[64];
    size_t used = 0;
    int64_t rows = attn_document_rows(part, o->words), i = 0;
    for (; i < rows && used + 90 < sizeof list; i++) {
        attn_utf8_quote(name, sizeof name, attn_document_row(part, o->words, i));
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%lld %s", i > 0 ? ", " : "",
                                 (long long)i + 1, name);
    }
    attn_utf8_quote(quoted, sizeof quoted, o->token);
    return attn_say_misuse("show: --token '%s': the %s are: %s%s", quoted,
                           o->words ? "words" : "pieces", list, i < rows ? " ..." : "");
}

static int part_of(const options *o) {
    return o->part >= 0 ? o->part : o->target != NULL ? ATTN_PART_CROSS : ATTN_PART_ENCODER;
}

static int choose_view(const options *o, const attn_document *document, attn_view *view) {
    const attn_document_part *part = &document->part[part_of(o)];
    int result = ATTN_EXIT_OK;
    if (part->layers == 0) {
        return attn_say_misuse("show: the decoder has recurrent units: there is no attention to "
                               "earlier words: look at the encoder or cross attention");
    }
    *view = (attn_view){.kind = (attn_view_kind)choose_kind(o),
                        .part = (attn_translator_part)part_of(o),
                        .layer = part->layers - 1,
                        .head = ATTN_DOCUMENT_MEAN,
                        .token = -1,
                        .words = o->words,
                        .theme = (attn_theme)o->theme};
    if (view->kind == ATTN_VIEW_GRID) {
        view->layer = view->head = ATTN_VIEW_ALL;
    }
    if (o->layer != NULL) {
        result = read_number("layer", o->layer, part->layers, false, &view->layer);
    }
    if (result == ATTN_EXIT_OK && o->head != NULL) {
        result = read_number("head", o->head, part->heads, true, &view->head);
    }
    if (result == ATTN_EXIT_OK && o->token != NULL) {
        view->token = o->words ? attn_words_find(part->query_words, o->token)
                               : find_piece(part->query_words, o->token);
        result = view->token < 0 ? say_rows(o, part) : result;
    }
    return result;
}

/* ---- showing it ---- */

static attn_status print_json(const attn_document *document, attn_error *error) {
    return attn_json_print(attn_document_json(document, false),
                           JSON_REAL_PRECISION(9) | JSON_COMPACT, stdout, error);
}

static attn_status draw_view(const attn_document *document, const attn_view *view, const char *path,
                             attn_error *error) {
    char missing[64];
    attn_status status = attn_view_draw(document, view, path, missing, error);
    if (missing[0] != '\0') {
        attn_say_warning("no installed font has all characters of \"%s\": install one that does, "
                         "such as Noto Sans",
                         missing);
    }
    return status;
}

static int show(const options *o, const attn_document *document, attn_error *error) {
    attn_view view;
    attn_status status;
    if (o->json) {
        status = print_json(document, error);
        return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(error);
    }
    int result = choose_view(o, document, &view);
    if (result != ATTN_EXIT_OK) {
        return result;
    }
    if (o->output != NULL) {
        status = draw_view(document, &view, o->output, error);
    } else {
        attn_terminal terminal;
        attn_terminal_init(&terminal, stdout);
        status = attn_view_print(document, &view, &terminal, error);
    }
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(error);
}

/* pair: to be freed in any case. */
static attn_status read_sentence(const attn_model *model, const char *text, const options *o,
                                 attn_sentence_pair *pair, attn_document_request *out,
                                 attn_error *error) {
    attn_search_options search;
    attn_search_options_init(&search);
    search.beam = o->beam;
    attn_status status =
        attn_sentence_pair_read(model, text, o->target, o->raw ? ATTN_TEXT_RAW : ATTN_TEXT_PLAIN,
                                (size_t)o->sentence - 1, &search, pair, error);
    *out = (attn_document_request){
        .translator = model->translator,
        .tokenizer = model->tokenizer,
        .model = attn_model_name(model),
        .source_language = model->source,
        .target_language = model->target,
        .sentence = pair->sentence,
        .translation = pair->translation,
        .source = pair->source,
        .source_length = pair->source_length,
        .target = pair->target,
        .target_length = pair->target_length,
    };
    return status;
}

static int show_sentence(const attn_model *model, const char *text, const options *o) {
    attn_sentence_pair pair = {0};
    attn_document_request request;
    attn_document *document = NULL;
    attn_error error = {0};
    attn_status status = read_sentence(model, text, o, &pair, &request, &error);
    if (status == ATTN_OK) {
        status = attn_document_create(&request, &document, &error);
    }
    int result = status == ATTN_OK ? show(o, document, &error) : attn_say_error(&error);
    attn_document_free(document);
    attn_sentence_pair_free(&pair);
    return result;
}

static int write_page(const attn_model *model, int count, char **text, const options *o) {
    attn_sentence_pair pairs[ATTN_PAGE_SENTENCES] = {{0}};
    attn_document_request requests[ATTN_PAGE_SENTENCES];
    attn_error error = {0};
    attn_status status = ATTN_OK;
    for (int i = 0; i < count && status == ATTN_OK; i++) {
        status = read_sentence(model, text[i], o, &pairs[i], &requests[i], &error);
    }
    if (status == ATTN_OK) {
        status = attn_page_write(requests, (size_t)count, o->output, &error);
    }
    for (int i = 0; i < count; i++) {
        attn_sentence_pair_free(&pairs[i]);
    }
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

static int show_run(const void *given, int operand_count, char **operand) {
    const options *o = given;
    attn_model *model = NULL;
    attn_model_options whole;
    attn_error error = {0};
    bool page = o->output != NULL && attn_is_page(o->output);
    int result = check_options(o);
    if (result == ATTN_EXIT_OK && operand_count > 1 && !page) {
        result = attn_say_misuse("show: give one sentence; only a page (-o FILE.html) takes two");
    }
    if (result != ATTN_EXIT_OK) {
        return result;
    }
    attn_model_options_init(&whole);
    whole.whole = true;
    whole.source = o->pair.from;
    whole.target = o->pair.to;
    if (attn_translator_model_open(o->model, &whole, &model, &error) != ATTN_OK) {
        result = attn_say_error(&error);
    } else {
        result = page ? write_page(model, operand_count, operand, o)
                      : show_sentence(model, operand[0], o);
    }
    attn_model_close(model);
    return result;
}

const attn_command attn_cmd_show = {
    .name = "show",
    .summary = "Draw attention: lines, matrix, all heads, rollout, a page",
    .usage = "[--part PART] [--view VIEW] [--layer L] [--head H] [--token W] [--words] [-o FILE] "
             "SENTENCE\n"
             "-o FILE.html SENTENCE [SENTENCE]\n"
             "--json [--target TEXT] SENTENCE",
    .description =
        "Draws what the words of a sentence and of its translation attend to, with the model's own "
        "weights: as SVG, PNG or PDF with -o, else in the terminal. Each head comes with its "
        "entropy (in nats; 0 means one piece alone) and its mean distance (in pieces), both "
        "averaged over the pieces.\nRollout (Abnar and Zuidema 2020) multiplies the layers, each "
        "as 0.5 A + 0.5 I, where A is the mean over the heads, with rows renormalized. Cross "
        "attention continues it to the source.\nWith --words, the weight on a word is the sum over "
        "its pieces, and the weights of a word are the mean over its pieces.\nThe colours work for "
        "colour-blind readers: Okabe and Ito's palette for heads, one blue of even lightness for "
        "weights. The same command writes the same file, byte for byte.\nA page (.html) is a "
        "single file that needs no network. It holds all heads, the steps with every number and "
        "the weights behind it, and, if given, a second sentence to compare with. `attn serve` "
        "shows the same page for any sentence.",
    .options = table,
    .groups = groups,
    .option_count = ATTN_LENGTH(table),
    .defaults = &defaults,
    .options_size = sizeof(options),
    .min_operands = 1,
    .max_operands = ATTN_PAGE_SENTENCES,
    .run = show_run,
};
