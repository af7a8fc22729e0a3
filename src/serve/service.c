/* serve/service.c: /translate, /detect, the languages and the settings, and who may ask. */
#include "serve/service.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "serve/documents.h"
#include "serve/pair.h"
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
        if (attn_language_same(all.code[i], code)) {
            return true;
        }
    }
    return false;
}

/* To hundredths: what is behind the number is a guess. */
static double rounded(double confidence) {
    return (double)(int64_t)(100 * confidence + 0.5) / 100;
}

static void join_texts(const texts *t, attn_buffer *out) {
    for (size_t i = 0; i < t->count; i++) {
        attn_buffer_text(out, t->text[i]);
        attn_buffer_text(out, "\n");
    }
}

/* ---- auto ---- */

/* The language that the texts are in. */
typedef struct detected {
    const char *source; /* of a model, or one that is not served */
    double confidence;
    bool unchanged; /* they are in the target language */
} detected;

/* The likeliest source of the models for that target; NULL when there is none. number: as in find_model. */
static const char *likeliest_source(attn_service *s, int64_t number, const char *target,
                                    const char *text, size_t length, codes *sources) {
    attn_language_guess guesses[2 * ATTN_SERVE_MODELS];
    sources->count = 0;
    for (size_t i = 0; i < attn_serve_models_count(s->models); i++) {
        attn_serve_model *model = attn_serve_models_get(s->models, i);
        if (attn_serve_model_translates(model) && (number < 0 || (size_t)number == i) &&
            (attn_language_same(model->open->target, target) ||
             (number < 0 && !attn_language_same(model->open->source, target) &&
              attn_serve_pair_exists(s->models, model->open->source, target)))) {
            add_code(sources, model->open->source);
        }
        attn_serve_model_release(s->models, model);
    }
    attn_language_detect(text, length, sources->pointer, sources->count, guesses);
    return sources->count > 0 ? guesses[0].code : NULL;
}

/* Whether each text by itself is in the target language rather than in the source. */
static bool all_in_target(const texts *t, const char *target, const char *source) {
    const char *const pair[] = {target, source};
    attn_language_guess guesses[2];
    for (size_t i = 0; i < t->count && source != NULL; i++) {
        attn_language_detect(t->text[i], strlen(t->text[i]), pair, 2, guesses);
        if (guesses[0].code != target) { /* equal ones stay in order */
            return false;
        }
    }
    return true;
}

/* The likeliest language is taken at its word where it can be: it is the target, and nothing is to be done; or it is surely
 * one that is not served, which find_model then says. Else the likeliest of those served. */
static void detect_source(attn_service *s, int64_t number, const char *target, const texts *t,
                          codes *sources, detected *out) {
    enum { LIKELY = 50 };
    attn_buffer all = {0};
    attn_language_guess best = {"", 0}, served;
    join_texts(t, &all);
    const char *text = all.data != NULL ? all.data : "";
    const char *source = likeliest_source(s, number, target, text, all.length, sources);
    size_t found = attn_language_rank(text, all.length, &best, 1);
    if (found > 0 && attn_language_same(best.code, target) && best.confidence >= LIKELY &&
        all_in_target(t, target, source)) {
        *out = (detected){source != NULL ? source : best.code, best.confidence, true};
    } else if (source == NULL ||
               (found > 0 && attn_language_is_already(text, all.length, source, best.code))) {
        *out = (detected){best.code, best.confidence, false};
    } else {
        attn_language_detect(text, all.length, &source, 1, &served);
        *out = (detected){source, served.confidence, false};
    }
    attn_buffer_free(&all);
}

/* ---- endpoints ---- */

/* The likeliest languages of all that are known; for a text that says nothing, the first one served, with confidence 0, as
 * clients read the first. */
static json_t *detect_json(attn_service *s, const texts *t) {
    enum { MOST = 10, LEAST = 1 };
    attn_language_guess guesses[MOST];
    attn_buffer all = {0};
    codes sources;
    json_t *list = json_array();
    join_texts(t, &all);
    size_t count = attn_language_rank(all.data != NULL ? all.data : "", all.length, guesses, MOST);
    for (size_t i = 0; i < count && (i == 0 || guesses[i].confidence >= LEAST); i++) {
        json_array_append_new(list,
                              json_pack("{s:f, s:s}", "confidence", rounded(guesses[i].confidence),
                                        "language", guesses[i].code));
    }
    list_codes(s, false, &sources);
    if (count == 0) {
        json_array_append_new(list, json_pack("{s:f, s:s}", "confidence", 0.0, "language",
                                              sources.count > 0 ? sources.pointer[0] : "en"));
    }
    attn_buffer_free(&all);
    return list;
}

attn_job *attn_service_detect(attn_service *s, const attn_parameters *p, attn_http_answer *answer) {
    texts t;
    if (read_texts(s, p, &t, answer)) {
        attn_http_json(answer, detect_json(s, &t));
    }
    free(t.text);
    return NULL;
}

/* Itself among them: to translate it into itself is to copy it. */
static json_t *language_json(attn_service *s, const codes *all, const char *code) {
    json_t *targets = json_array();
    for (size_t i = 0; i < all->count; i++) {
        if (attn_serve_pair_exists(s->models, code, all->code[i])) {
            json_array_append_new(targets, json_string(all->code[i]));
        }
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
        json_array_append_new(list, language_json(s, &all, all.code[i]));
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
        (int)attn_access_needs_key(s->access), "charLimit", (json_int_t)s->character_limit,
        "filesTranslation", 0, "frontendTimeout", 500, "keyRequired",
        (int)attn_access_needs_key(s->access), "suggestions", (int)(s->suggestions != NULL),
        "supportedFilesFormat", "language", "source", "code", "auto", "name", "Auto Detect",
        "target", "code", target, "name", attn_language_name(target));
    json_object_set_new(value, "pictures", json_boolean(pictures != NULL));
    json_object_set_new(value, "filesTranslation", json_boolean(s->shelf != NULL));
    json_object_set_new(value, "supportedFilesFormat", attn_document_endings(s->shelf));
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
    o->attributes = attn_parameter_flag(p, "attributes");
    o->translate_all = attn_parameter_flag(p, "translate_all");
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

/* Model `number`, or an error when it is none for that pair. */
static bool get_model(attn_service *s, int64_t number, const char *source, const char *target,
                      attn_serve_pair *out, attn_http_answer *answer) {
    *out = (attn_serve_pair){0};
    if (number < (int64_t)attn_serve_models_count(s->models)) {
        out->model = attn_serve_models_get(s->models, (size_t)number);
        if (attn_serve_model_translates(out->model) &&
            attn_language_same(out->model->open->source, source) &&
            attn_language_same(out->model->open->target, target)) {
            return true;
        }
        attn_serve_pair_release(s->models, out);
    }
    attn_http_error(answer, 400, "Invalid request: model %" PRId64 " does not translate %s to %s",
                    number, source, target);
    return false;
}

/* What translates the pair, or an error. number: the model asked for; less than 0: the first. */
static bool find_pair(attn_service *s, int64_t number, const char *source, const char *target,
                      attn_serve_pair *out, attn_http_answer *answer) {
    const char *unknown = !is_known(s, source) ? source : !is_known(s, target) ? target : NULL;
    if (unknown != NULL) {
        attn_http_error(answer, 400, "%s is not supported", unknown);
        return false;
    }
    if (number >= 0) {
        return get_model(s, number, source, target, out, answer);
    }
    if (!attn_serve_pair_find(s->models, source, target, out)) {
        attn_http_error(answer, 400, "%s (%s) is not available as a target language from %s (%s)",
                        attn_language_name(target), target, attn_language_name(source), source);
        return false;
    }
    return true;
}

/* All that an answer follows from. */
static void write_key(const attn_serve_pair *pair, const texts *t, const attn_job_options *o,
                      attn_buffer *key) {
    attn_buffer_format(key, "%" PRIu64 " %" PRIu64 " %d%d%d%d%d%d%d %" PRId64 " %" PRId64 " %s %g",
                       pair->model->serial, pair->then != NULL ? pair->then->serial : 0, o->list,
                       o->html, o->attributes, o->translate_all, o->unchanged, o->scores,
                       o->attention, o->alternatives, o->n_best,
                       o->detected != NULL ? o->detected : "-", o->confidence);
    for (size_t i = 0; i < t->count; i++) {
        attn_buffer_format(key, " %zu:", strlen(t->text[i]));
        attn_buffer_text(key, t->text[i]);
    }
}

/* Whether the answer was given before, and is now. */
static bool answer_again(attn_service *s, const attn_buffer *key, attn_http_answer *answer) {
    if (s->cache == NULL || key->failed ||
        !attn_answers_get(s->cache, key->data, key->length, &answer->body)) {
        return false;
    }
    answer->status = 200;
    answer->content_type = "application/json";
    return true;
}

/* Takes the pair's references over. NULL: *answer is complete. */
static attn_job *make_job(attn_service *s, attn_serve_pair *pair, const texts *t,
                          attn_job_options *options, attn_http_answer *answer) {
    attn_job *job = NULL;
    attn_error error;
    attn_buffer key = {0};
    options->unchanged = options->unchanged || pair->unchanged;
    if (s->metrics != NULL) {
        atomic_fetch_add(&s->metrics->characters, t->characters);
    }
    if (s->cache != NULL && !options->stream) {
        write_key(pair, t, options, &key);
    }
    if (key.length > 0 && answer_again(s, &key, answer)) {
        attn_serve_pair_release(s->models, pair);
    } else if (attn_job_create(s->models, pair, t->text, t->count, options, &job, &error) !=
               ATTN_OK) {
        attn_http_error(answer, 500, "Cannot translate text: %s", error.what);
    } else if (key.length > 0) {
        attn_job_keep(job, s->cache, &key);
    }
    attn_buffer_free(&key);
    return job;
}

/* The code as a model of the pair has it: it has to outlive the request, and the job holds a reference to the models. */
static const char *own_name(const attn_serve_pair *pair, const char *code) {
    if (attn_language_same(pair->model->open->source, code)) {
        return pair->model->open->source;
    }
    return pair->then != NULL && attn_language_same(pair->then->open->target, code)
               ? pair->then->open->target
               : pair->model->open->target;
}

/* The pair from a language that is to be found out; false, and an answer, when there is none. */
static bool find_auto(attn_service *s, const char *target, int64_t number, const texts *t,
                      attn_job_options *options, attn_serve_pair *pair, attn_http_answer *answer) {
    codes sources;
    detected found;
    detect_source(s, number, target, t, &sources, &found);
    if (!is_known(s, found.source)) {
        attn_http_error(answer, 400, "%s (%s), the language detected, is not supported",
                        attn_language_name(found.source), found.source);
        return false;
    }
    if (!find_pair(s, number, found.source, target, pair, answer)) {
        return false;
    }
    options->confidence = rounded(found.confidence);
    options->unchanged = found.unchanged && !options->translate_all;
    options->detected = own_name(pair, found.unchanged ? target : found.source);
    return true;
}

/* The pair that a request names. */
static bool find_source(attn_service *s, const attn_parameters *p, int64_t number, const texts *t,
                        attn_job_options *options, attn_serve_pair *pair,
                        attn_http_answer *answer) {
    const char *source = attn_parameter_text(p, "source"),
               *target = attn_parameter_text(p, "target");
    return strcmp(source, "auto") == 0 ? find_auto(s, target, number, t, options, pair, answer)
                                       : find_pair(s, number, source, target, pair, answer);
}

/* false, and an answer, when one of them is missing. */
static bool has_languages(const attn_parameters *p, attn_http_answer *answer) {
    static const char *const needed[] = {"source", "target"};
    for (int i = 0; i < 2; i++) {
        if (attn_parameter_text(p, needed[i]) == NULL) {
            attn_http_error(answer, 400, "Invalid request: missing %s parameter", needed[i]);
            return false;
        }
    }
    return true;
}

attn_job *attn_service_translate(attn_service *s, const attn_parameters *p,
                                 attn_http_answer *answer) {
    texts t = {0};
    attn_job_options options;
    attn_job *job = NULL;
    int64_t number;
    json_t *q = json_object_get(p->json, "q");
    if (attn_parameter_text(p, "q") == NULL && json_array_size(q) == 0) {
        attn_http_error(answer, 400, "Invalid request: missing q parameter");
        return NULL;
    }
    if (!has_languages(p, answer)) {
        return NULL;
    }
    if (read_texts(s, p, &t, answer) && read_options(s, p, &t, &options, answer) &&
        attn_parameter_number(p, "model", ATTN_SERVE_MODELS, -1, &number, answer)) {
        attn_serve_pair pair;
        if (find_source(s, p, number, &t, &options, &pair, answer)) {
            job = make_job(s, &pair, &t, &options, answer);
        }
    }
    free(t.text);
    return job;
}

/* ---- /translate_file ---- */

/* As many texts of a document as it takes to tell their language. */
static texts first_texts(const attn_doc *document, const char **list, size_t most) {
    enum { ENOUGH = 16384 };
    texts t = {.text = list};
    size_t count, bytes = 0;
    const char *const *all = attn_doc_texts(document, &count);
    while (t.count < count && t.count < most && bytes < ENOUGH) {
        bytes += strlen(all[t.count]);
        list[t.count] = all[t.count];
        t.count++;
    }
    return t;
}

static attn_job *make_document_job(attn_service *s, const attn_parameters *p, attn_doc *document,
                                   attn_serve_pair *pair, attn_job_options *options,
                                   attn_http_answer *answer) {
    attn_job_ending ending;
    attn_job *job = NULL;
    attn_error error;
    const char *target = own_name(pair, attn_parameter_text(p, "target"));
    options->unchanged = options->unchanged || pair->unchanged;
    if (!attn_document_ending(s->shelf, p, target, &ending)) {
        attn_doc_free(document);
        attn_serve_pair_release(s->models, pair);
        attn_http_error(answer, 500, "out of memory");
    } else if (attn_job_create_document(s->models, pair, document, target, options, &ending, &job,
                                        &error) != ATTN_OK) {
        attn_http_error(answer, 500, "Cannot translate text: %s", error.what);
    }
    return job;
}

attn_job *attn_service_translate_file(attn_service *s, const attn_parameters *p,
                                      attn_http_answer *answer) {
    enum { MOST = 256 };
    const char *list[MOST];
    int64_t number;
    attn_serve_pair pair;
    attn_job_options options = {.search = s->search,
                                .attributes = attn_parameter_flag(p, "attributes"),
                                .translate_all = attn_parameter_flag(p, "translate_all")};
    if (!attn_parameter_number(p, "model", ATTN_SERVE_MODELS, -1, &number, answer)) {
        return NULL;
    }
    attn_doc *document = attn_document_of_request(s->shelf, (size_t)s->file_limit, p, answer);
    if (document == NULL) {
        return NULL;
    }
    texts t = first_texts(document, list, MOST);
    if (!has_languages(p, answer) || !find_source(s, p, number, &t, &options, &pair, answer)) {
        attn_doc_free(document);
        return NULL;
    }
    return make_document_job(s, p, document, &pair, &options, answer);
}
