/* serve/service.c: /translate, /detect, the languages and the settings, and who may ask. */
#include "serve/service.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "text/language.h"

/* ---- the texts ---- */

typedef struct texts {
    const char **text; /* not owned */
    size_t count;
    bool list;
    size_t characters;
} texts;

static size_t count_characters(const char *text) {
    size_t count = 0;
    for (; *text != '\0'; text++) {
        count += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return count;
}

static bool add_text(const attn_service *s, texts *t, const char *text, attn_http_answer *answer) {
    if (text == NULL) {
        attn_http_error(answer, 400, "Invalid request: q parameter is not text");
        return false;
    }
    if (!attn_utf8_whole(text, strlen(text))) {
        attn_http_error(answer, 400, "Invalid request: q parameter is not UTF-8");
        return false;
    }
    size_t characters = count_characters(text);
    if (characters > (size_t)s->character_limit) {
        attn_http_error(answer, 400,
                        "Invalid request: request (%zu) exceeds text limit (%" PRId64 ")",
                        characters, s->character_limit);
        return false;
    }
    t->characters += characters;
    t->text[t->count++] = text;
    return true;
}

/* t->text is to be freed in any case. */
static bool read_texts(const attn_service *s, const attn_parameters *p, texts *t,
                       attn_http_answer *answer) {
    json_t *q = json_object_get(p->json, "q");
    *t = (texts){.list = json_is_array(q)};
    size_t size = json_array_size(q);
    const char *single = attn_parameter_text(p, "q");
    if (t->list ? size == 0 : single == NULL) {
        bool wrong = q != NULL && !json_is_null(q) && !json_is_string(q) && !t->list;
        attn_http_error(answer, 400,
                        wrong ? "Invalid request: q parameter is not text"
                              : "Invalid request: missing q parameter");
        return false;
    }
    if (size > (size_t)s->batch_limit) {
        attn_http_error(answer, 400,
                        "Invalid request: request (%zu) exceeds text limit (%" PRId64 ")", size,
                        s->batch_limit);
        return false;
    }
    t->text = calloc(size + 1, sizeof *t->text);
    if (t->text == NULL) {
        attn_http_error(answer, 500, "out of memory");
        return false;
    }
    if (!t->list) {
        return add_text(s, t, single, answer);
    }
    for (size_t i = 0; i < size; i++) {
        if (!add_text(s, t, json_string_value(json_array_get(q, i)), answer)) {
            return false;
        }
    }
    return true;
}

/* ---- languages ---- */

/* Languages of the models, each once. */
typedef struct codes {
    char code[2 * ATTN_SERVE_MODELS][ATTN_LANGUAGE_CODE];
    const char *pointer[2 * ATTN_SERVE_MODELS];
    size_t count;
} codes;

static void add_code(codes *c, const char *code) {
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->code[i], code) == 0) {
            return;
        }
    }
    snprintf(c->code[c->count], sizeof c->code[c->count], "%s", code);
    c->pointer[c->count] = c->code[c->count];
    c->count++;
}

static void list_codes(attn_service *s, bool targets, codes *out) {
    out->count = 0;
    for (size_t i = 0; i < attn_serve_models_count(s->models); i++) {
        attn_serve_model *model = attn_serve_models_get(s->models, i);
        if (attn_serve_model_translates(model)) {
            add_code(out, model->open->source);
        }
        if (attn_serve_model_translates(model) && targets) {
            add_code(out, model->open->target);
        }
        attn_serve_model_release(s->models, model);
    }
}

static bool is_known(attn_service *s, const char *code) {
    codes all;
    list_codes(s, true, &all);
    for (size_t i = 0; i < all.count; i++) {
        if (strcmp(all.code[i], code) == 0) {
            return true;
        }
    }
    return false;
}

/* To hundredths: what is behind the number is a guess. */
static double rounded(double confidence) {
    return (double)(int64_t)(100 * confidence + 0.5) / 100;
}

/* How likely all texts together are in each source language; the codes point into *sources. */
static void guess_languages(attn_service *s, const texts *t, codes *sources,
                            attn_language_guess guesses[2 * ATTN_SERVE_MODELS]) {
    attn_buffer all = {0};
    list_codes(s, false, sources);
    for (size_t i = 0; i < t->count; i++) {
        attn_buffer_text(&all, t->text[i]);
        attn_buffer_text(&all, "\n");
    }
    attn_language_detect(all.data, all.length, sources->pointer, sources->count, guesses);
    attn_buffer_free(&all);
}

/* ---- endpoints ---- */

bool attn_service_check_key(const attn_service *s, const char *key, const char *header,
                            attn_http_answer *answer) {
    static const char bearer[] = "Bearer ";
    if (s->keys == NULL) {
        return true;
    }
    if ((key == NULL || key[0] == '\0') && header != NULL &&
        strncasecmp(header, bearer, sizeof bearer - 1) == 0) {
        key = header + sizeof bearer - 1;
    }
    if (key == NULL || key[0] == '\0') {
        attn_http_error(answer, 400, "Please contact the server operator to get an API key");
        return false;
    }
    if (!attn_keys_match(s->keys, key)) {
        attn_http_error(answer, 403, "Invalid API key");
        return false;
    }
    return true;
}

attn_job *attn_service_detect(attn_service *s, const attn_parameters *p, attn_http_answer *answer) {
    texts t;
    codes sources;
    attn_language_guess guesses[2 * ATTN_SERVE_MODELS];
    if (read_texts(s, p, &t, answer)) {
        guess_languages(s, &t, &sources, guesses);
        json_t *list = json_array();
        for (size_t i = 0; i < sources.count; i++) {
            json_array_append_new(list, json_pack("{s:f, s:s}", "confidence",
                                                  rounded(guesses[i].confidence), "language",
                                                  guesses[i].code));
        }
        attn_http_json(answer, list);
    }
    free(t.text);
    return NULL;
}

static json_t *language_json(attn_service *s, const char *code) {
    json_t *targets = json_array();
    for (size_t i = 0; i < attn_serve_models_count(s->models); i++) {
        attn_serve_model *model = attn_serve_models_get(s->models, i);
        bool known = false;
        for (size_t k = 0; k < json_array_size(targets); k++) {
            known = known ||
                    strcmp(json_string_value(json_array_get(targets, k)), model->open->target) == 0;
        }
        if (strcmp(model->open->source, code) == 0 && !known) {
            json_array_append_new(targets, json_string(model->open->target));
        }
        attn_serve_model_release(s->models, model);
    }
    return json_pack("{s:s, s:s, s:o}", "code", code, "name", attn_language_name(code), "targets",
                     targets);
}

attn_job *attn_service_languages(attn_service *s, const attn_parameters *p,
                                 attn_http_answer *answer) {
    (void)p;
    codes all;
    json_t *list = json_array();
    list_codes(s, true, &all);
    for (size_t i = 0; i < all.count; i++) {
        json_array_append_new(list, language_json(s, all.code[i]));
    }
    attn_http_json(answer, list);
    return NULL;
}

/* With a reference; NULL when pictures alone are served. */
static attn_serve_model *first_translator(attn_service *s) {
    for (size_t i = 0; i < attn_serve_models_count(s->models); i++) {
        attn_serve_model *model = attn_serve_models_get(s->models, i);
        if (attn_serve_model_translates(model)) {
            return model;
        }
        attn_serve_model_release(s->models, model);
    }
    return NULL;
}

attn_job *attn_service_settings(attn_service *s, const attn_parameters *p,
                                attn_http_answer *answer) {
    (void)p;
    attn_serve_model *model = first_translator(s), *pictures;
    const char *target = model != NULL ? model->open->target : "";
    pictures = attn_serve_models_for_pictures(s->models);
    json_t *value = json_pack(
        "{s:b, s:I, s:b, s:i, s:b, s:b, s:[], s:{s:{s:s, s:s}, s:{s:s, s:s}}}", "apiKeys",
        (int)(s->keys != NULL), "charLimit", (json_int_t)s->character_limit, "filesTranslation", 0,
        "frontendTimeout", 500, "keyRequired", (int)(s->keys != NULL), "suggestions", 0,
        "supportedFilesFormat", "language", "source", "code", "auto", "name", "Auto Detect",
        "target", "code", target, "name", attn_language_name(target));
    json_object_set_new(value, "pictures", json_boolean(pictures != NULL));
    if (model != NULL) {
        attn_serve_model_release(s->models, model);
    }
    if (pictures != NULL) {
        attn_serve_model_release(s->models, pictures);
    }
    attn_http_json(answer, value);
    return NULL;
}

/* ---- /translate ---- */

static bool read_options(attn_service *s, const attn_parameters *p, const texts *t,
                         attn_job_options *o, attn_http_answer *answer) {
    const char *format = attn_parameter_text(p, "format");
    *o = (attn_job_options){.list = t->list, .search = s->search};
    if (format != NULL && strcmp(format, "text") != 0 && strcmp(format, "html") != 0) {
        attn_http_error(answer, 400, "%s format is not supported", format);
        return false;
    }
    o->html = format != NULL && strcmp(format, "html") == 0;
    o->stream = attn_parameter_flag(p, "stream");
    o->scores = attn_parameter_flag(p, "scores");
    o->attention = attn_parameter_flag(p, "alignments");
    if (o->stream && t->list) {
        attn_http_error(answer, 400, "Invalid request: stream takes one text, not a list");
        return false;
    }
    bool good = attn_parameter_number(p, "alternatives", s->alternatives_limit, 0, &o->alternatives,
                                      answer) &&
                attn_parameter_number(p, "n_best", s->alternatives_limit, 0, &o->n_best, answer);
    o->alternatives = o->alternatives < 0 ? 0 : o->alternatives;
    o->n_best = o->n_best < 0 ? 0 : o->n_best;
    return good;
}

/* Model `number`, with a reference, or NULL and an error when it is none for that pair. */
static attn_serve_model *get_model(attn_service *s, int64_t number, const char *source,
                                   const char *target, attn_http_answer *answer) {
    attn_serve_model *model = NULL;
    if (number < (int64_t)attn_serve_models_count(s->models)) {
        model = attn_serve_models_get(s->models, (size_t)number);
        if (attn_serve_model_translates(model) && strcmp(model->open->source, source) == 0 &&
            strcmp(model->open->target, target) == 0) {
            return model;
        }
        attn_serve_model_release(s->models, model);
    }
    attn_http_error(answer, 400, "Invalid request: model %" PRId64 " does not translate %s to %s",
                    number, source, target);
    return NULL;
}

/* The model for the pair, with a reference, or NULL and an error. number: the one asked for; less than 0: the
 * first. */
static attn_serve_model *find_model(attn_service *s, int64_t number, const char *source,
                                    const char *target, attn_http_answer *answer) {
    const char *unknown = !is_known(s, source) ? source : !is_known(s, target) ? target : NULL;
    if (unknown != NULL) {
        attn_http_error(answer, 400, "%s is not supported", unknown);
        return NULL;
    }
    if (number >= 0) {
        return get_model(s, number, source, target, answer);
    }
    attn_serve_model *model = attn_serve_models_find(s->models, source, target);
    if (model == NULL) {
        attn_http_error(answer, 400, "%s (%s) is not available as a target language from %s (%s)",
                        attn_language_name(target), target, attn_language_name(source), source);
    }
    return model;
}

/* The name of a detected language has to outlive the request: it is the model's own, for which the job
 * holds a reference. */
static attn_job *make_job(attn_service *s, attn_serve_model *model, const texts *t,
                          attn_job_options *options, bool detected, attn_http_answer *answer) {
    attn_job *job;
    attn_error error;
    options->detected = detected ? model->open->source : NULL;
    attn_status status =
        attn_job_create(s->models, model, t->text, t->count, options, &job, &error);
    if (status != ATTN_OK) {
        attn_http_error(answer, 500, "Cannot translate text: %s", error.what);
        return NULL;
    }
    if (s->metrics != NULL) {
        atomic_fetch_add(&s->metrics->characters, t->characters);
    }
    return job;
}

attn_job *attn_service_translate(attn_service *s, const attn_parameters *p,
                                 attn_http_answer *answer) {
    texts t = {0};
    attn_job_options options;
    attn_job *job = NULL;
    codes sources;
    int64_t number;
    attn_language_guess guesses[2 * ATTN_SERVE_MODELS];
    static const char *const needed[] = {"source", "target"};
    json_t *q = json_object_get(p->json, "q");
    const char *missing =
        attn_parameter_text(p, "q") == NULL && json_array_size(q) == 0 ? "q" : NULL;
    for (int i = 0; i < 2 && missing == NULL; i++) {
        missing = attn_parameter_text(p, needed[i]) == NULL ? needed[i] : NULL;
    }
    if (missing != NULL) {
        attn_http_error(answer, 400, "Invalid request: missing %s parameter", missing);
        return NULL;
    }
    if (read_texts(s, p, &t, answer) && read_options(s, p, &t, &options, answer) &&
        attn_parameter_number(p, "model", ATTN_SERVE_MODELS, -1, &number, answer)) {
        const char *source = attn_parameter_text(p, "source");
        bool detected = strcmp(source, "auto") == 0;
        if (detected) {
            guess_languages(s, &t, &sources, guesses);
            source = sources.count > 0 ? guesses[0].code : source;
            options.confidence = sources.count > 0 ? rounded(guesses[0].confidence) : 0;
        }
        attn_serve_model *model =
            find_model(s, number, source, attn_parameter_text(p, "target"), answer);
        if (model != NULL) {
            job = make_job(s, model, &t, &options, detected, answer);
        }
    }
    free(t.text);
    return job;
}
