/* serve/look.c: from a request to the numbers that show/ makes.
 *
 * A checkpoint of a training is a snapshot of its weights beside the model: STEM.checkpoint.N
 * (train/checkpoint.h). It is read when it is asked for, and forgotten. */
#include "serve/look.h"

#include <glob.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "pipeline/pair.h"
#include "pipeline/translation.h"
#include "show/document.h"
#include "show/intervene.h"
#include "show/layer_json.h"
#include "text/language.h"
#include "train/checkpoint.h"

typedef enum look { DOCUMENT, LAYER, MATRICES, INTERVENE } look;

/* ---- checkpoints ---- */

/* "models/en-fr" of "models/en-fr.safetensors". */
static void stem_of(const char *path, char *stem, size_t size) {
    snprintf(stem, size, "%s", path);
    char *end = strstr(stem, ".safetensors");
    if (end != NULL && end[strlen(".safetensors")] == '\0') {
        *end = '\0';
    }
}

static int by_number(const void *a, const void *b) {
    long long x = *(const long long *)a, y = *(const long long *)b;
    return (x > y) - (x < y);
}

/* Their numbers, ascending. */
static json_t *list_checkpoints(const attn_model *model) {
    char stem[4100], pattern[4200];
    long long number[256];
    size_t count = 0;
    glob_t found;
    json_t *list = json_array();
    stem_of(model->path, stem, sizeof stem);
    snprintf(pattern, sizeof pattern, "%s.checkpoint.[0-9]*", stem);
    if (model->path[0] != '\0' && glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc && count < 256; i++) {
            char *end;
            const char *digits = strrchr(found.gl_pathv[i], '.') + 1;
            number[count] = strtoll(digits, &end, 10);
            count += *end == '\0' && number[count] > 0;
        }
        globfree(&found);
    }
    qsort(number, count, sizeof *number, by_number);
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, json_integer(number[i]));
    }
    return list;
}

/* What `attn probe --json` wrote beside the model, STEM.probe.json; null when there is none. */
static json_t *read_probe(const attn_model *model) {
    char stem[4100], path[4200];
    stem_of(model->path, stem, sizeof stem);
    snprintf(path, sizeof path, "%s.probe.json", stem);
    json_t *probe =
        model->path[0] != '\0' ? json_load_file(path, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (!json_is_array(json_object_get(probe, "probes"))) {
        json_decref(probe);
        return json_null();
    }
    return probe;
}

/* The model with the weights of that checkpoint. */
static attn_status load_checkpoint(const attn_model *model, int64_t number, attn_translator **out,
                                   attn_error *error) {
    char path[4200], stem[4100];
    stem_of(model->path, stem, sizeof stem);
    snprintf(path, sizeof path, "%s.checkpoint.%lld", stem, (long long)number);
    attn_status status =
        attn_translator_create(attn_translator_get_config(model->translator), false, out, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_params *params = attn_translator_params(*out);
    status = attn_snapshot_load(path, attn_train_layout(params), attn_params_size(params),
                                attn_params_data(params), error);
    if (status == ATTN_OK) {
        status = attn_translator_pack(*out, ATTN_COMPUTE_F32, error);
    }
    if (status != ATTN_OK) {
        attn_translator_free(*out);
        *out = NULL;
    }
    return status;
}

/* ---- a sentence and its translation ---- */

/* One sentence of a text, its translation, and the texts of all the sentences. */
typedef struct reading {
    const attn_model *model;
    attn_sentence_pair pair;
    json_t *sentences; /* strings */
} reading;

static void free_reading(reading *r) {
    attn_sentence_pair_free(&r->pair);
    json_decref(r->sentences);
}

/* The pass that makes the translation is the server's own: the same search gives the same ids. */
static attn_status read_translation(reading *r, const char *text, size_t i,
                                    const attn_search_options *search, attn_error *error) {
    attn_translate_options options;
    attn_translation *translation = NULL;
    attn_translated_sentence s;
    attn_translate_options_init(&options);
    options.search = search;
    attn_status status = attn_translate_texts(r->model, &text, 1, &options, &translation, error);
    if (status != ATTN_OK) {
        return status;
    }
    bool copied = attn_translation_sentences(translation, 0) == 0;
    for (size_t k = 0; copied ? attn_translation_searched(translation, 0, k, &s)
                              : attn_translation_sentence(translation, 0, k, &s);
         k++) {
        json_array_append_new(r->sentences, json_string(s.sent));
    }
    status = attn_sentence_pair_of_translation(translation, 0, i, &r->pair, error);
    attn_translation_free(translation);
    return status;
}

/* With the translation that was given. */
static attn_status read_texts(reading *r, const char *text, const char *target, size_t i,
                              attn_error *error) {
    size_t count = 1;
    attn_status status =
        attn_sentence_pair_of_texts(r->model, text, target, i, &r->pair, &count, error);
    for (size_t k = 0; k < count && status == ATTN_OK && count > 1; k++) {
        attn_sentence_pair one;
        status =
            attn_sentence_pair_of_source(r->model, text, ATTN_TEXT_PLAIN, k, &one, &count, error);
        json_array_append_new(r->sentences, json_string(one.sentence));
        attn_sentence_pair_free(&one);
    }
    if (status == ATTN_OK && count == 1) {
        json_array_append_new(r->sentences, json_string(r->pair.sentence));
    }
    return status;
}

static attn_status read_pair(reading *r, json_t *asked, const attn_search_options *search,
                             attn_error *error) {
    const char *text = json_string_value(json_object_get(asked, "q"));
    const char *target = json_string_value(json_object_get(asked, "target"));
    json_int_t i = json_integer_value(json_object_get(asked, "sentence"));
    r->sentences = json_array();
    if (i < 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL, "sentence counts from 0");
    }
    return target != NULL ? read_texts(r, text, target, (size_t)i, error)
                          : read_translation(r, text, (size_t)i, search, error);
}

/* ---- what is asked for ---- */

static attn_status make_document(const reading *r, json_t *asked, json_t **out, attn_error *error) {
    const attn_sentence_pair *p = &r->pair;
    attn_document *document = NULL;
    attn_document_request request = {
        .translator = r->model->translator,
        .tokenizer = r->model->tokenizer,
        .model = attn_model_name(r->model),
        .source_language = r->model->source,
        .target_language = r->model->target,
        .sentence = p->sentence,
        .translation = p->translation,
        .source = p->source,
        .source_length = p->source_length,
        .target = p->target,
        .target_length = p->target_length,
    };
    attn_status status = attn_document_create(&request, &document, error);
    *out = status == ATTN_OK ? attn_document_json(document, true) : NULL;
    if (*out != NULL) {
        json_object_set(*out, "sentences", r->sentences);
        json_object_set_new(*out, "sentence",
                            json_integer(json_integer_value(json_object_get(asked, "sentence"))));
    }
    attn_document_free(document);
    return status;
}

static attn_status make_layer(look what, const reading *r, attn_translator_part part,
                              int64_t number, json_t **out, attn_error *error) {
    attn_explain *explain = NULL;
    attn_explain_layer layer;
    attn_status status =
        attn_explain_create(r->model->translator, r->pair.source, r->pair.source_length,
                            r->pair.target, r->pair.target_length, &explain, error);
    if (status == ATTN_OK) {
        status = attn_explain_get_layer(explain, part, number, &layer, error);
    }
    if (status == ATTN_OK) {
        *out = what == LAYER ? attn_layer_json(&layer, part, number)
                             : attn_matrices_json(&layer, part, number);
    }
    attn_explain_free(explain);
    return status;
}

/* [first, count] of `name`; false when it is given and is not that. */
static bool read_range(json_t *asked, const char *name, int64_t *first, int64_t *count) {
    json_t *range = json_object_get(asked, name);
    if (range == NULL || json_is_null(range)) {
        return true;
    }
    *first = json_integer_value(json_array_get(range, 0));
    *count = json_integer_value(json_array_get(range, 1));
    return json_array_size(range) == 2 && *first >= 0 && *count >= 1;
}

static attn_status make_intervention(const reading *r, json_t *asked, attn_translator_part part,
                                     const attn_search_options *search, json_t **out,
                                     attn_error *error) {
    json_t *head = json_object_get(asked, "head");
    attn_translator_edit edit = {
        .part = part,
        .layer = json_integer_value(json_object_get(asked, "layer")),
        .head = {.head = json_is_integer(head) ? json_integer_value(head) : -1,
                 .queries = INT64_MAX}};
    attn_intervened made = {0};
    if (!read_range(asked, "query", &edit.head.query, &edit.head.queries) ||
        !read_range(asked, "key", &edit.head.key, &edit.head.keys)) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                         "query and key are [first piece, how many]");
    }
    attn_status status = attn_intervene(r->model, &r->pair, &edit, 1, search, &made, error);
    if (status == ATTN_OK) {
        *out = attn_intervened_json(&made);
        status = *out != NULL ? ATTN_OK : attn_fail_memory(error, 0);
    }
    attn_intervened_free(&made);
    return status;
}

static attn_status make(look what, const attn_search_options *search, json_t *asked, reading *r,
                        json_t **out, attn_error *error) {
    attn_status status = read_pair(r, asked, search, error);
    bool given = json_object_get(asked, "target") != NULL;
    if (what == DOCUMENT && !given && status == ATTN_ERR_ARGUMENT &&
        json_array_size(r->sentences) == 0) { /* all was copied: there is nothing to look at */
        *out = json_pack("{s:[]}", "sentences");
        return *out != NULL ? ATTN_OK : attn_fail_memory(error, 0);
    }
    if (status != ATTN_OK) {
        return status;
    }
    if (what == DOCUMENT) {
        return make_document(r, asked, out, error);
    }
    const char *name = json_string_value(json_object_get(asked, "part"));
    for (int i = 0; i < ATTN_DOCUMENT_PARTS && name != NULL; i++) {
        if (strcmp(attn_part_names[i], name) == 0 && what == INTERVENE) {
            return make_intervention(r, asked, (attn_translator_part)i, search, out, error);
        }
        if (strcmp(attn_part_names[i], name) == 0) {
            return make_layer(what, r, (attn_translator_part)i,
                              json_integer_value(json_object_get(asked, "layer")), out, error);
        }
    }
    return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                     "part must be encoder, decoder or cross");
}

static void answer_look(look what, const attn_model *open, const attn_search_options *search,
                        json_t *asked, attn_http_answer *answer) {
    attn_model model = *open; /* perhaps with other weights */
    reading r = {.model = &model};
    int64_t checkpoint = json_integer_value(json_object_get(asked, "checkpoint"));
    attn_error error = {0};
    attn_status status = ATTN_OK;
    json_t *value = NULL;
    const char *where = ""; /* a stranger is not told the path */
    if (!json_is_string(json_object_get(asked, "q"))) {
        attn_http_error(answer, 400, "Invalid request: missing q parameter");
        return;
    }
    if (checkpoint > 0) {
        status = load_checkpoint(open, checkpoint, &model.translator, &error);
        where = status == ATTN_OK ? "" : "the checkpoint: ";
    }
    status = status == ATTN_OK ? make(what, search, asked, &r, &value, &error) : status;
    if (status == ATTN_OK) {
        attn_http_json(answer, value);
    } else {
        bool theirs = status == ATTN_ERR_ARGUMENT || status == ATTN_ERR_IO;
        attn_http_error(answer, theirs ? 400 : 500, "%s%s", where, error.what);
    }
    free_reading(&r);
    if (checkpoint > 0) {
        attn_translator_free(model.translator);
    }
}

static json_t *model_json(const attn_model *model, size_t i) {
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "model", (json_int_t)i, "name",
                     attn_model_name(model), "source", model->source, "target", model->target,
                     "source_name", attn_language_name(model->source), "target_name",
                     attn_language_name(model->target), "checkpoints", list_checkpoints(model),
                     "probe", read_probe(model));
}

attn_job *attn_look_models(attn_service *s, const attn_parameters *p, attn_http_answer *answer) {
    (void)p;
    json_t *list = json_array();
    for (size_t i = 0; i < attn_serve_models_count(s->models); i++) {
        attn_serve_model *model = attn_serve_models_get(s->models, i);
        if (attn_serve_model_translates(model)) {
            json_array_append_new(list, model_json(model->open, i));
        }
        attn_serve_model_release(s->models, model);
    }
    attn_http_json(answer, json_pack("{s:o}", "models", list));
    return NULL;
}

static bool check_length(const attn_service *s, json_t *asked, attn_http_answer *answer) {
    static const char *const texts[] = {"q", "target"};
    for (int i = 0; i < 2; i++) {
        json_t *text = json_object_get(asked, texts[i]);
        if ((int64_t)json_string_length(text) > 4 * s->character_limit) {
            attn_http_error(answer, 400, "Invalid request: %s is longer than %lld characters",
                            texts[i], (long long)s->character_limit);
            return false;
        }
    }
    return true;
}

/* ---- the job ---- */

typedef struct work {
    look what;
    attn_serve_models *models;
    attn_serve_model *model;
    json_t *asked;
    attn_search_options search; /* the server's own */
} work;

static void do_work(void *context, attn_http_answer *answer) {
    work *w = context;
    answer_look(w->what, w->model->open, &w->search, w->asked, answer);
}

static void release(void *context) {
    work *w = context;
    attn_serve_model_release(w->models, w->model);
    json_decref(w->asked);
    free(w);
}

/* Takes the reference to `asked` over. */
static attn_job *make_job(attn_service *s, look what, size_t i, json_t *asked,
                          attn_http_answer *answer) {
    attn_job *job = NULL;
    attn_error error;
    work *w = malloc(sizeof *w);
    if (w == NULL) {
        json_decref(asked);
        attn_http_error(answer, 500, "out of memory");
        return NULL;
    }
    *w = (work){what, s->models, attn_serve_models_get(s->models, i), asked, s->search};
    if (!attn_serve_model_translates(w->model)) {
        release(w);
        attn_http_error(answer, 400, "Invalid request: model %zu does not translate", i);
    } else if (attn_job_create_work(do_work, release, w, &job, &error) != ATTN_OK) {
        attn_http_error(answer, 500, "%s", error.what);
    }
    return job;
}

static attn_job *handle_post(attn_service *s, look what, const attn_http_request *request,
                             attn_http_answer *answer) {
    json_t *asked = attn_body_json(request, answer);
    json_int_t i = json_integer_value(json_object_get(asked, "model"));
    const char *key = json_string_value(json_object_get(asked, "api_key"));
    if (asked == NULL) {
        return NULL;
    }
    if (i < 0 || i >= (json_int_t)attn_serve_models_count(s->models)) {
        attn_http_error(answer, 400, "Invalid request: there is no model %lld", (long long)i);
    } else if (attn_access_check(s->access, request, key, answer) &&
               check_length(s, asked, answer)) {
        return make_job(s, what, (size_t)i, asked, answer);
    }
    json_decref(asked);
    return NULL;
}

attn_job *attn_look_document(attn_service *s, const attn_parameters *p, attn_http_answer *answer) {
    return handle_post(s, DOCUMENT, p->request, answer);
}

attn_job *attn_look_layer(attn_service *s, const attn_parameters *p, attn_http_answer *answer) {
    return handle_post(s, LAYER, p->request, answer);
}

attn_job *attn_look_matrices(attn_service *s, const attn_parameters *p, attn_http_answer *answer) {
    return handle_post(s, MATRICES, p->request, answer);
}

attn_job *attn_look_intervene(attn_service *s, const attn_parameters *p, attn_http_answer *answer) {
    return handle_post(s, INTERVENE, p->request, answer);
}
