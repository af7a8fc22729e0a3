/* serve/router.c: the table of routes.
 *
 * A new route is a row here and its handler: /spec, /metrics, the methods allowed and the tests follow
 * from the row. Next: service.c, look.c, pictures.c. */
#include "serve/router.h"

#include <string.h>

#include "serve/documents.h"
#include "serve/files.h"
#include "serve/look.h"
#include "serve/pictures.h"
#include "serve/spec.h"
#include "serve/suggest.h"

/* ---- handlers of a few lines ---- */

static attn_job *segment(attn_service *s, const attn_parameters *p, attn_http_answer *answer) {
    return attn_picture_job(s, p, false, answer);
}

static attn_job *attend(attn_service *s, const attn_parameters *p, attn_http_answer *answer) {
    return attn_picture_job(s, p, true, answer);
}

static attn_job *download(attn_service *s, const attn_parameters *p, attn_http_answer *answer) {
    attn_document_download(s->shelf, p->request, answer);
    return NULL;
}

static attn_job *health(attn_service *s, const attn_parameters *p, attn_http_answer *answer) {
    (void)s, (void)p;
    attn_http_json(answer, json_pack("{s:s}", "status", "ok"));
    return NULL;
}

/* These two read the table, which stands below. */
static attn_job *spec(attn_service *s, const attn_parameters *p, attn_http_answer *answer);
static attn_job *metrics(attn_service *s, const attn_parameters *p, attn_http_answer *answer);

/* ---- parameters ---- */

#define API_KEY                                                                                    \
    { "api_key", "string", false, "API key; or the header Authorization: Bearer KEY" }

static const attn_route_parameter translate_parameters[] = {
    {"q", "string", true, "Text(s) to translate: a text, or in JSON a list of texts"},
    {"source", "string", true, "Source language code, or auto"},
    {"target", "string", true, "Target language code"},
    {"format", "string", false, "Format of the text: text (default) or html"},
    {"alternatives", "integer", false, "Number of other translations to return"},
    {"attributes", "boolean", false,
     "Of html, translate attributes that people read too: alt, title, placeholder, aria-label, a "
     "description's content (an addition of attn)"},
    {"translate_all", "boolean", false,
     "Translate also what is in the target language already; else it comes back as it is (an "
     "addition of attn)"},
    API_KEY,
    {"model", "integer", false,
     "One of several models for the pair, by its number in /attn/models; the first when not given "
     "(an addition of attn)"},
    {"scores", "boolean", false,
     "Add `sentences`: each sentence with its translation and scores (an addition of attn)"},
    {"alignments", "boolean", false,
     "Add to each sentence its tokens, their log-probabilities and what each attended to (an "
     "addition of attn)"},
    {"n_best", "integer", false,
     "Add to each sentence its N best hypotheses (an addition of attn)"},
    {"stream", "boolean", false,
     "Answer with server-sent events: partial ones with translatedText so far, then done with the "
     "whole answer, or error (an addition of attn)"},
};
static const attn_route_parameter file_parameters[] = {
    {"file", "file", true,
     "The document: txt, html, srt, vtt, po, xliff, md, docx, odt or epub, by the end of its name"},
    {"source", "string", true, "Source language code, or auto"},
    {"target", "string", true, "Target language code"},
    {"attributes", "boolean", false,
     "Of html, epub, md, docx and odt, translate alternative texts, titles and other attributes "
     "that people read too (an addition of attn)"},
    {"translate_all", "boolean", false,
     "Translate also what is in the target language already (an addition of attn)"},
    {"model", "integer", false,
     "One of several models for the pair, by its number in /attn/models (an addition of attn)"},
    API_KEY,
};
static const attn_route_parameter download_parameters[] = {
    {"filename", "string", true, "The last part of translatedFileUrl"},
};
static const attn_route_parameter detect_parameters[] = {
    {"q", "string", true, "Text to detect"},
    API_KEY,
};
static const attn_route_parameter suggest_parameters[] = {
    {"q", "string", true, "The text"},
    {"s", "string", true, "A better translation of it"},
    {"source", "string", true, "Source language code"},
    {"target", "string", true, "Target language code"},
    API_KEY,
};
static const attn_route_parameter segment_parameters[] = {API_KEY};
static const attn_route_parameter attend_parameters[] = {
    {"x", "integer", true, "Column of the querying pixel, from 0 at the left"},
    {"y", "integer", true, "Its row, from 0 at the top"},
    {"layer", "integer", false, "Block, from 1; the last when not given"},
    {"head", "string", false, "Head, from 1, or mean (default)"},
    API_KEY,
};
#define SENTENCE                                                                                   \
    {"q", "string", true, "A sentence"},                                                           \
        {"sentence", "integer", false, "Which sentence of q, from 0; the first when not given"},   \
        {"target", "string", false, "Its translation; the model's own when not given"},            \
        {"model", "integer", false, "The model's number in /attn/models; 0 when not given"},       \
        {"checkpoint", "integer", false,                                                           \
         "A checkpoint of its training; 0, the model itself, when not given"},                     \
        API_KEY
static const attn_route_parameter document_parameters[] = {SENTENCE};
static const attn_route_parameter layer_parameters[] = {
    SENTENCE,
    {"part", "string", true, "Which attention: encoder, decoder or cross"},
    {"layer", "integer", false, "Its layer, from 0 (default)"},
};
static const attn_route_parameter intervene_parameters[] = {
    SENTENCE,
    {"part", "string", true, "Which attention: encoder, decoder or cross"},
    {"layer", "integer", false, "Its layer, from 0 (default)"},
    {"head", "integer", false, "Its head, from 0; all of the layer when not given"},
    {"query", "array", false,
     "[first, count]: the pieces whose attention is changed; all when not given"},
    {"key", "array", false,
     "[first, count]: the pieces that they are made to look at; the head is silenced when not "
     "given"},
};

/* ---- the table ---- */

#define NONE        NULL, 0
#define LIST(array) array, sizeof(array) / sizeof((array)[0])

static const attn_route routes[] = {
    {"/translate", ATTN_ROUTE_FORM, attn_service_translate,
     "Translate text from one language to another",
     "The translation, and whatever else was requested", LIST(translate_parameters)},
    {"/translate_file", ATTN_ROUTE_FILE, attn_service_translate_file,
     "Translate a document and keep its structure",
     "translatedFileUrl: where the translated document is, for some minutes",
     LIST(file_parameters)},
    {"/download_file/{filename}", ATTN_ROUTE_ASKED, download, "Fetch a translated document",
     "The document", LIST(download_parameters)},
    {"/detect", ATTN_ROUTE_FORM, attn_service_detect, "Detect the language of a text",
     "Languages with a confidence each, the likeliest first", LIST(detect_parameters)},
    {"/suggest", ATTN_ROUTE_FORM, attn_suggest, "Suggest a better translation", "success is true",
     LIST(suggest_parameters)},
    {"/attn/segment", ATTN_ROUTE_PICTURE, segment, "Segment a picture (an addition of attn)",
     "Width, height, classes with colour and number of pixels, and the mask as a PNG",
     LIST(segment_parameters)},
    {"/attn/attend", ATTN_ROUTE_PICTURE, attend,
     "Tell what a pixel of a picture attends to (an addition of attn)",
     "Weights of columns x rows places, row by row", LIST(attend_parameters)},
    {"/languages", ATTN_ROUTE_ASKED, attn_service_languages, "List the supported languages",
     "Codes, names and the languages that each is translated to", NONE},
    {"/health", ATTN_ROUTE_ASKED, health, "Tell whether the server answers", "status is ok", NONE},
    {"/spec", ATTN_ROUTE_ASKED, spec, "Describe this interface", "This description", NONE},
    {"/frontend/settings", ATTN_ROUTE_ASKED, attn_service_settings, "List settings for a page",
     "Limits, and whether a key is required", NONE},
    {"/metrics", ATTN_ROUTE_OPERATOR, metrics, "Show counters",
     "Counters in the text format of Prometheus", NONE},
    {"/attn/models", ATTN_ROUTE_OPERATOR, attn_look_models, "List the models (an addition of attn)",
     "Numbers, names, languages, and the checkpoints of their trainings", NONE},
    {"/attn/document", ATTN_ROUTE_JSON, attn_look_document,
     "Show all attention of a sentence and its translation (an addition of attn)",
     "The document that attn show reads", LIST(document_parameters)},
    {"/attn/layer", ATTN_ROUTE_JSON, attn_look_layer,
     "Show every step of one layer (an addition of attn)",
     "Queries, keys, values, scores, weights and output of each head", LIST(layer_parameters)},
    {"/attn/matrices", ATTN_ROUTE_JSON, attn_look_matrices,
     "Show the weights behind those steps (an addition of attn)", "The layer's weight matrices",
     LIST(layer_parameters)},
    {"/attn/intervene", ATTN_ROUTE_JSON, attn_look_intervene,
     "Silence heads or make them look elsewhere (an addition of attn)",
     "The translation before and after, each with its log-probability as the model is and with the "
     "intervention",
     LIST(intervene_parameters)},
};

/* After the routes the metrics count the page, and then all else. */
enum { ROUTES = sizeof routes / sizeof routes[0], PAGE = ROUTES, OTHER };
_Static_assert((int)OTHER < (int)ATTN_METRICS_ENDPOINTS, "raise ATTN_METRICS_ENDPOINTS");

const attn_route *attn_router_routes(size_t *count) {
    *count = ROUTES;
    return routes;
}

static bool is_of_route(const attn_route *route, const char *path) {
    const char *name = strchr(route->path, '{');
    return name != NULL ? strncmp(route->path, path, (size_t)(name - route->path)) == 0
                        : strcmp(route->path, path) == 0;
}

/* Or ROUTES. */
static size_t find_route(const char *path) {
    size_t i = 0;
    while (i < ROUTES && !is_of_route(&routes[i], path)) {
        i++;
    }
    return i;
}

bool attn_router_takes_file(const char *path) {
    size_t i = find_route(path);
    return i < ROUTES && routes[i].body == ATTN_ROUTE_FILE;
}

/* ---- what the table says of itself ---- */

static attn_job *spec(attn_service *s, const attn_parameters *p, attn_http_answer *answer) {
    (void)s, (void)p;
    attn_http_json(answer, attn_serve_spec(routes, ROUTES));
    return NULL;
}

static attn_job *metrics(attn_service *s, const attn_parameters *p, attn_http_answer *answer) {
    (void)p;
    const char *names[ATTN_METRICS_ENDPOINTS] = {[PAGE] = "page", [OTHER] = "other"};
    for (size_t i = 0; i < ROUTES; i++) {
        names[i] =
            routes[i].handler == download ? "download_file" : strrchr(routes[i].path, '/') + 1;
    }
    answer->status = 200;
    answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
    attn_metrics_print(s->metrics, names, &answer->body);
    if (s->cache != NULL) {
        attn_answers_counts c = attn_answers_count(s->cache);
        attn_buffer_format(&answer->body,
                           "# HELP attn_cache_requests_total Requests whose answer was looked for "
                           "among those kept.\n"
                           "# TYPE attn_cache_requests_total counter\n"
                           "attn_cache_requests_total{found=\"yes\"} %llu\n"
                           "attn_cache_requests_total{found=\"no\"} %llu\n"
                           "# HELP attn_cache_bytes Memory of the answers that are kept.\n"
                           "# TYPE attn_cache_bytes gauge\nattn_cache_bytes %zu\n",
                           c.hits, c.misses, c.bytes);
    }
    return NULL;
}

bool attn_router_is_quick(const char *path) {
    size_t i = find_route(path);
    return i == ROUTES || routes[i].handler == health || routes[i].handler == metrics;
}

void attn_router_count(attn_metrics *m, const char *path, int status, double seconds) {
    size_t i = find_route(path);
    bool page = strcmp(path, "/") == 0;
    attn_metrics_request(m, i < ROUTES ? i : page ? PAGE : OTHER, status);
    if (i < ROUTES && routes[i].handler == attn_service_translate) {
        attn_metrics_translated(m, seconds);
    }
}

/* ---- from a request to its route ---- */

static attn_job *with_parameters(attn_service *s, const attn_http_request *r,
                                 const attn_route *route, attn_http_answer *answer) {
    attn_parameters p;
    attn_job *job = NULL;
    attn_http_request bare = *r;
    if (route->body == ATTN_ROUTE_PICTURE) {
        bare.content_type = NULL; /* the body is a file, whatever it says */
    }
    if (attn_parameters_parse(&bare, &p, answer) &&
        attn_access_check(s->access, r, attn_parameter_text(&p, "api_key"), answer)) {
        job = route->handler(s, &p, answer);
    }
    attn_parameters_free(&p);
    return job;
}

static bool allows(bool posts, const char *method) {
    return posts ? strcmp(method, "POST") == 0
                 : strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* The answer of a route that may be asked so. */
static attn_job *answer_route(attn_service *s, const attn_http_request *r, const attn_route *route,
                              attn_http_answer *answer) {
    attn_parameters bare = {.request = r};
    if (route->body == ATTN_ROUTE_FORM || route->body == ATTN_ROUTE_FILE ||
        route->body == ATTN_ROUTE_PICTURE) {
        return with_parameters(s, r, route, answer);
    }
    if (route->body == ATTN_ROUTE_OPERATOR && !attn_access_check_host(s->access, r, answer)) {
        return NULL;
    }
    return route->handler(s, &bare, answer);
}

attn_job *attn_router_handle(attn_service *s, const attn_http_request *r,
                             attn_http_answer *answer) {
    size_t i = find_route(r->path);
    const attn_route *route = i < ROUTES ? &routes[i] : NULL;
    bool posts = route != NULL && attn_route_is_post(route);
    const char *allowed = posts ? "POST, OPTIONS" : "GET, HEAD, OPTIONS";
    *answer = (attn_http_answer){.status = 200,
                                 .content_type = "text/plain; charset=utf-8",
                                 .own = route != NULL && route->body == ATTN_ROUTE_OPERATOR};
    if (route == NULL && !attn_file_exists(r->path)) {
        attn_http_error(answer, 404, "Not found");
    } else if (strcmp(r->method, "OPTIONS") == 0) {
        answer->status = 204;
        answer->allow = allowed;
    } else if (!allows(posts, r->method)) {
        attn_http_error(answer, 405, "Method not allowed");
        answer->allow = allowed;
    } else if (route == NULL) {
        attn_file_answer(r, answer);
    } else {
        return answer_route(s, r, route, answer);
    }
    return NULL;
}
