/* cli/cmd_probe.c: `attn probe`: what heads look at, counted over a labelled set.
 *
 * A set is a table with tabs; a line becomes an item, the item a few counted answers. Next:
 * src/show/probe.h; probe_links.c for aligned words, probe_pixels.c for pictures. */
#include <stdlib.h>
#include <string.h>

#include "attn/threads.h"
#include "base/fail.h"
#include "base/utf8.h"
#include "command.h"
#include "import/import.h"
#include "io/json_write.h"
#include "io/lines.h"
#include "model.h"
#include "pipeline/pair.h"
#include "probe_links.h"
#include "probe_pixels.h"
#include "show/document.h"
#include "show/measures.h"
#include "show/probe.h"
#include "show/relevance.h"

typedef struct options {
    const char *set, *output;
    int part;
    int64_t threads, ignore, first;
    bool json;
    attn_pair_options pair;
} options;

static const options defaults = {.part = ATTN_PART_ENCODER, .ignore = -1};

static const char *const part_names[] = {"encoder", "decoder", "cross", NULL};

/* clang-format off */
static const attn_option table[] = {
    {"set", 's', ATTN_OPTION_FILE, offsetof(options, set), .value = "FILE",
     .help = "the labelled set: lines SENTENCE<tab>WORD<tab>RIGHT<tab>WRONG|...[<tab>TRANSLATION], or SENTENCE<tab>TRANSLATION<tab>LINKS (0-0 1-2 ...); of a segmenter PICTURE<tab>MASK"},
    {"part", 'p', ATTN_OPTION_CHOICE, offsetof(options, part), .choices = part_names,
     .value = "PART",
     .help = "encoder: WORD and candidates are of the sentence (default); decoder: of the translation; cross: WORD of the translation, candidates of the sentence"},
    {"output", 'o', ATTN_OPTION_FILE, offsetof(options, output), .value = "FILE",
     .help = "draw the tables to this .svg, .png or .pdf as well"},
    {"json", 0, ATTN_OPTION_FLAG, offsetof(options, json),
     .help = "print every count as JSON; MODEL.probe.json beside a model is what the page of `attn serve` shows"},
    {"ignore", 0, ATTN_OPTION_INT, offsetof(options, ignore), 0, 255, .value = "N",
     .help = "the value of masks that marks pixels to leave out (default: the model's)"},
    {"mask-first", 0, ATTN_OPTION_INT, offsetof(options, first), 0, 255, .value = "N",
     .help = "value of masks for class 0; smaller values are left out too (default 0)"},
    {"threads", 'j', ATTN_OPTION_INT, offsetof(options, threads), 1, 256, .value = "N",
     .help = "threads; affects speed only (default: all cores)"},
};
/* clang-format on */

static const attn_option_group groups[] = {
    {attn_pair_table, offsetof(options, pair)},
    {NULL, 0},
};

/* ---- items ---- */

enum { MOST_WRONG = 16, COLUMNS = 5 };

typedef struct labelled {
    char *sentence, *word, *right, *translation; /* translation: NULL for the model's own */
    char *wrong[MOST_WRONG];
    int64_t wrongs;
} labelled;

static attn_status fail_item(const options *o, size_t line, const char *hint, const char *what,
                             const char *name, attn_error *error) {
    char quoted[64];
    attn_utf8_quote(quoted, sizeof quoted, name);
    return attn_fail(error, ATTN_ERR_FORMAT, o->set, (int64_t)line + 1, hint, what, quoted);
}

/* Cuts a line in place. */
static attn_status read_item(const options *o, char *line, size_t number, labelled *out,
                             attn_error *error) {
    char *column[COLUMNS] = {line};
    int64_t columns = 1;
    for (char *at = line; (at = strchr(at, '\t')) != NULL && columns < COLUMNS;) {
        *at++ = '\0';
        column[columns++] = at;
    }
    if (columns < 4) {
        return attn_fail(error, ATTN_ERR_FORMAT, o->set, (int64_t)number + 1,
                         "write SENTENCE, WORD, RIGHT and WRONG with tabs between them",
                         "the line has %lld columns, not 4 or 5", (long long)columns);
    }
    *out = (labelled){.sentence = column[0], .word = column[1], .right = column[2]};
    out->translation = columns > 4 && column[4][0] != '\0' ? column[4] : NULL;
    for (char *at = column[3]; at != NULL && out->wrongs < MOST_WRONG;) {
        out->wrong[out->wrongs++] = at;
        at = strchr(at, '|');
        if (at != NULL) {
            *at++ = '\0';
        }
    }
    return ATTN_OK;
}

/* The words' places in one attention. */
typedef struct row_places {
    int64_t word, right, wrong[MOST_WRONG], wrongs;
} row_places;

static attn_status find(const options *o, size_t line, const attn_words *words, const char *name,
                        int64_t *place, attn_error *error) {
    *place = attn_words_find(words, name);
    return *place >= 0 ? ATTN_OK
                       : fail_item(o, line, "name words as `attn explain` lists them",
                                   "'%s' is no word of the text", name, error);
}

static attn_status find_places(const options *o, size_t line, const labelled *item,
                               const attn_document_part *part, row_places *out, attn_error *error) {
    attn_status status = find(o, line, part->query_words, item->word, &out->word, error);
    status = status == ATTN_OK ? find(o, line, part->key_words, item->right, &out->right, error)
                               : status;
    out->wrongs = item->wrongs;
    for (int64_t i = 0; i < item->wrongs && status == ATTN_OK; i++) {
        status = find(o, line, part->key_words, item->wrong[i], &out->wrong[i], error);
    }
    return status;
}

/* ---- one item through the model ---- */

typedef struct prober {
    const options *options;
    const attn_model *model;
    attn_translator *trainable;
    attn_relevance *relevance;
    attn_probe weights, gradient;
} prober;

/* The row of the item's word, of words, out of `heads` matrices of pieces. */
static void count_matrix(const attn_document_part *part, const attn_real *matrix, int64_t heads,
                         const row_places *places, double *room, attn_probe_count *count) {
    attn_words_merge(part->query_words, part->key_words, matrix, heads, room);
    attn_probe_choose(count, room + places->word * part->key_words->count, places->right,
                      places->wrong, places->wrongs);
}

/* matrices: [L, H, Q, K]; whole: [Q, K]. */
static void count_part(const attn_document_part *part, const attn_real *matrices,
                       const attn_real *whole, const row_places *places, double *room,
                       attn_probe *probe) {
    int64_t size = part->queries * part->keys;
    for (int64_t l = 0; l < part->layers; l++) {
        const attn_real *layer = matrices + l * part->heads * size;
        attn_probe_count *row = probe->head + l * (part->heads + 1);
        for (int64_t h = 0; h < part->heads; h++) {
            count_matrix(part, layer + h * size, 1, places, room, &row[h]);
        }
        count_matrix(part, layer, part->heads, places, room, &row[part->heads]);
    }
    count_matrix(part, whole, 1, places, room, &probe->whole);
}

/* All layers of a part's relevance, [L, H, Q, K], malloc'ed. */
static attn_status read_relevance(prober *p, const attn_document *d, attn_translator_part which,
                                  attn_real **out, attn_error *error) {
    const attn_document_part *part = &d->part[which];
    int64_t layer = part->heads * part->queries * part->keys;
    attn_real *all = malloc((size_t)(part->layers * layer + 1) * sizeof *all);
    *out = all;
    attn_status status =
        all != NULL ? ATTN_OK
                    : attn_fail_memory(error, (size_t)(part->layers * layer) * sizeof *all);
    for (int64_t l = 0; l < part->layers && status == ATTN_OK; l++) {
        status = attn_relevance_get(p->relevance, which, l, all + l * layer, NULL, error);
    }
    return status;
}

/* The relevance through all layers, [Q, K]. */
static attn_status whole_relevance(const attn_document *d, attn_real *const own[3],
                                   attn_translator_part which, attn_real *out, attn_error *error) {
    const attn_document_part *encoder = &d->part[ATTN_PART_ENCODER], *part = &d->part[which];
    if (which != ATTN_PART_CROSS) {
        return attn_measure_relevance(own[which], part->layers, part->heads, part->queries, out,
                                      error);
    }
    int64_t keys = encoder->queries;
    attn_real *rolled = malloc((size_t)(keys * keys) * sizeof *rolled);
    if (rolled == NULL) {
        return attn_fail_memory(error, (size_t)(keys * keys) * sizeof *rolled);
    }
    attn_status status = attn_measure_relevance(own[ATTN_PART_ENCODER], encoder->layers,
                                                encoder->heads, keys, rolled, error);
    const attn_real *self = d->part[ATTN_PART_DECODER].layers > 0 ? own[ATTN_PART_DECODER] : NULL;
    attn_decoder_weights w = {part->layers, part->heads,          part->queries, keys,
                              self,         own[ATTN_PART_CROSS], rolled};
    status = status == ATTN_OK ? attn_measure_relevance_cross(&w, out, error) : status;
    free(rolled);
    return status;
}

static attn_status count_relevance(prober *p, const attn_sentence_pair *pair,
                                   const attn_document *d, const row_places *places, double *room,
                                   attn_error *error) {
    attn_translator_part which = (attn_translator_part)p->options->part;
    const attn_document_part *part = &d->part[which];
    attn_real *own[3] = {NULL};
    attn_real *whole = malloc((size_t)(part->queries * part->keys) * sizeof *whole);
    attn_status status = whole != NULL ? ATTN_OK : attn_fail_memory(error, sizeof *whole);
    if (status == ATTN_OK) {
        status = attn_relevance_run(p->relevance, pair->source, pair->source_length, pair->target,
                                    pair->target_length, -1, error);
    }
    for (int i = 0; i < 3 && status == ATTN_OK; i++) {
        status = read_relevance(p, d, (attn_translator_part)i, &own[i], error);
    }
    status = status == ATTN_OK ? whole_relevance(d, own, which, whole, error) : status;
    if (status == ATTN_OK) {
        count_part(part, own[which], whole, places, room, &p->gradient);
    }
    for (int i = 0; i < 3; i++) {
        free(own[i]);
    }
    free(whole);
    return status;
}

static attn_status count_pair(prober *p, const labelled *item, size_t line,
                              const attn_sentence_pair *pair, attn_error *error) {
    attn_document_request request = {.translator = p->model->translator,
                                     .tokenizer = p->model->tokenizer,
                                     .model = attn_model_name(p->model),
                                     .source_language = p->model->source,
                                     .target_language = p->model->target,
                                     .sentence = pair->sentence,
                                     .translation = pair->translation,
                                     .source = pair->source,
                                     .source_length = pair->source_length,
                                     .target = pair->target,
                                     .target_length = pair->target_length};
    attn_document *document = NULL;
    double *room = NULL;
    row_places places;
    attn_status status = attn_document_create(&request, &document, error);
    if (status != ATTN_OK) {
        return status;
    }
    const attn_document_part *part = &document->part[p->options->part];
    size_t size = (size_t)(part->query_words->count * part->key_words->count);
    room = malloc(size * sizeof *room);
    status = room != NULL ? find_places(p->options, line, item, part, &places, error)
                          : attn_fail_memory(error, size * sizeof *room);
    if (status == ATTN_OK) {
        count_part(part, part->weights, part->rollout, &places, room, &p->weights);
        status = count_relevance(p, pair, document, &places, room, error);
    }
    free(room);
    attn_document_free(document);
    return status;
}

static attn_status count_item(prober *p, char *text, size_t line, attn_error *error) {
    attn_sentence_pair pair = {0};
    labelled item = {0};
    attn_status status = read_item(p->options, text, line, &item, error);
    if (status == ATTN_OK) {
        status = attn_sentence_pair_read(p->model, item.sentence, item.translation, ATTN_TEXT_RAW,
                                         0, NULL, &pair, error);
        if (status == ATTN_ERR_ARGUMENT && error->where[0] == '\0') {
            snprintf(error->where, sizeof error->where, "%s", p->options->set);
            error->position = (int64_t)line + 1;
        }
    }
    status = status == ATTN_OK ? count_pair(p, &item, line, &pair, error) : status;
    attn_sentence_pair_free(&pair);
    return status;
}

/* ---- the command ---- */

/* The model once more, with gradients. What was made elsewhere is imported without them. */
static attn_status load_to_train(const char *path, attn_translator **out, attn_error *error) {
    attn_imported from;
    *out = NULL;
    attn_status status = attn_import_load(path, &from, error);
    const attn_params *params = status == ATTN_OK ? attn_translator_params(from.translator) : NULL;
    if (status == ATTN_OK && attn_params_grad(params) != NULL) {
        *out = from.translator;
        from.translator = NULL;
    } else if (status == ATTN_OK) {
        status =
            attn_translator_create(attn_translator_get_config(from.translator), true, out, error);
    }
    if (status == ATTN_OK && from.translator != NULL) {
        memcpy(attn_params_data(attn_translator_params(*out)), attn_params_data(params),
               (size_t)attn_params_size(params) * sizeof(attn_real));
    }
    attn_imported_free(&from);
    return status;
}

static attn_status start(prober *p, attn_error *error) {
    const attn_translator_config *c = attn_translator_get_config(p->model->translator);
    if (p->options->part == ATTN_PART_DECODER && c->ssru) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "probe the encoder or cross attention",
                         "the decoder has recurrent units: there is no attention to earlier words");
    }
    attn_status status = load_to_train(attn_model_path(p->model), &p->trainable, error);
    if (status == ATTN_OK) {
        status = attn_relevance_create(p->trainable, &p->relevance, error);
    }
    int64_t layers = p->options->part == ATTN_PART_ENCODER ? c->encoder_layers : c->decoder_layers;
    status = status == ATTN_OK ? attn_probe_create(&p->weights, "weights", layers, c->heads, error)
                               : status;
    return status == ATTN_OK
               ? attn_probe_create(&p->gradient, "weights x gradients", layers, c->heads, error)
               : status;
}

static attn_status probe_sentences(const options *o, const attn_model *model, attn_probe out[2],
                                   attn_error *error) {
    prober p = {.options = o, .model = model};
    attn_lines lines = {0};
    attn_status status = start(&p, error);
    status = status == ATTN_OK ? attn_lines_read(o->set, &lines, error) : status;
    for (size_t i = 0; i < lines.count && status == ATTN_OK; i++) {
        if (lines.length[i] > 0 && lines.line[i][0] != '#') {
            status = count_item(&p, lines.line[i], i, error);
        }
    }
    if (status == ATTN_OK && p.weights.whole.count == 0) {
        status = attn_fail(error, ATTN_ERR_FORMAT, o->set, -1, NULL, "the set has no items");
    }
    attn_lines_free(&lines);
    attn_relevance_free(p.relevance);
    attn_translator_free(p.trainable);
    out[0] = p.weights;
    out[1] = p.gradient;
    return status;
}

static attn_status print(const options *o, const attn_model *model, const char *part,
                         const attn_probe *probes, size_t count, attn_error *error) {
    if (o->output != NULL) {
        char title[256];
        snprintf(title, sizeof title, "%s, %s: items answered, in per cent", attn_model_name(model),
                 part);
        attn_status status = attn_probe_draw(probes, count, title, o->output, error);
        if (status != ATTN_OK) {
            return status;
        }
    }
    if (!o->json) {
        attn_terminal terminal;
        attn_terminal_init(&terminal, stdout);
        for (size_t i = 0; i < count; i++) {
            attn_probe_print(&probes[i], &terminal);
        }
        return ATTN_OK;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, attn_probe_json(&probes[i]));
    }
    json_t *all = json_pack("{s:s, s:s, s:s, s:o}", "model", attn_model_name(model), "set", o->set,
                            "part", part, "probes", list);
    return attn_json_print(all, JSON_REAL_PRECISION(6), stdout, error);
}

static int probe_run(const void *given, int operand_count, char **operand) {
    const options *o = given;
    attn_model *model = NULL;
    attn_model_options whole;
    attn_probe probes[2] = {{0}};
    attn_error error = {0};
    if (o->set == NULL) {
        return attn_say_misuse("probe: give --set FILE");
    }
    if (o->threads > 0) {
        attn_set_threads((int)o->threads);
    }
    attn_model_options_init(&whole);
    whole.whole = true;
    whole.source = o->pair.from;
    whole.target = o->pair.to;
    attn_status status = operand_count > 0
                             ? attn_import_open(operand[0], &whole, &model, &error)
                             : attn_translator_model_open(NULL, &whole, &model, &error);
    if (status == ATTN_OK) {
        bool pixels = attn_model_get_kind(model) == ATTN_MODEL_SEGMENTER;
        bool links = !pixels && attn_probe_is_links(o->set);
        const char *part = pixels ? "pixels" : links ? "cross" : part_names[o->part];
        status = pixels  ? attn_probe_pixels(model, o->set, (int)o->ignore, (int)o->first,
                                             &probes[0], &error)
                 : links ? attn_probe_links(model, o->set, &probes[0], &error)
                         : probe_sentences(o, model, probes, &error);
        size_t count = pixels || links ? 1 : 2;
        status = status == ATTN_OK ? print(o, model, part, probes, count, &error) : status;
    }
    attn_probe_free(&probes[0]);
    attn_probe_free(&probes[1]);
    attn_model_close(model);
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

const attn_command attn_cmd_probe = {
    .name = "probe",
    .summary = "Count, over a labelled set, what each head looks at",
    .usage = "[MODEL] --set FILE [OPTION]...",
    .description =
        "Each line of the set asks whether a word gives more weight to the right one of its "
        "candidates: \"The cat saw the dog because it barked.\", it, dog, cat. Every head "
        "answers every line; so do the mean of a layer's heads and all layers together (attention "
        "rollout). The same is asked of weights times gradients: what of a weight matters for the "
        "translation. With links of words, each word of the translation asks whether the source "
        "word that a head looks at "
        "most is one that it is linked to. Of a segmenter: whether the pixel that a pixel looks at "
        "most, itself left "
        "out, is "
        "of the same class.\nBeside each figure stands the number of lines and what chance gives; "
        "the interval holds the true share with 95 %.\nLines are taken as they are, one sentence "
        "each; words are named as `attn explain` names them, by text or by number. Empty lines "
        "and lines with # in front are left out.",
    .groups = groups,
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .defaults = &defaults,
    .options_size = sizeof(options),
    .min_operands = 0,
    .max_operands = 1,
    .run = probe_run,
};
