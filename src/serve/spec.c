/* serve/spec.c: /spec, from a table of parameters. */
#include "serve/spec.h"

#include <stdbool.h>
#include <stddef.h>

#include "attn/version.h"

typedef struct parameter {
    const char *name, *type;
    bool required;
    const char *description;
} parameter;

static const parameter translate_parameters[] = {
    {"q", "string", true, "Text(s) to translate: a text, or in JSON a list of texts"},
    {"source", "string", true, "Source language code, or auto"},
    {"target", "string", true, "Target language code"},
    {"format", "string", false, "Format of the text: text (default) or html"},
    {"alternatives", "integer", false, "Number of other translations wanted"},
    {"api_key", "string", false, "API key"},
    {"model", "integer", false,
     "One of several models for the pair, by its number in /attn/models; the first when not given "
     "(an addition of attn)"},
    {"scores", "boolean", false,
     "Add sentences: what was searched, with scores (an addition of attn)"},
    {"alignments", "boolean", false,
     "Add to each sentence its tokens, their log-probabilities and what each attended to (an "
     "addition "
     "of attn)"},
    {"n_best", "integer", false,
     "Add to each sentence its N best hypotheses (an addition of attn)"},
    {"stream", "boolean", false,
     "Answer with server-sent events: partial ones with translatedText so far, then done with the "
     "whole "
     "answer, or error (an addition of attn)"},
};
static const parameter detect_parameters[] = {
    {"q", "string", true, "Text to detect"},
    {"api_key", "string", false, "API key"},
};
static const parameter picture_parameters[] = {
    {"api_key", "string", false,
     "API key, in the query, or as a header, Authorization: Bearer KEY; the body is the picture, "
     "JPEG or PNG"},
};
static const parameter attend_parameters[] = {
    {"x", "integer", true, "Column of the pixel that asks, from 0 at the left, in the query"},
    {"y", "integer", true, "Its row, from 0 at the top"},
    {"layer", "integer", false, "Block, from 1; the last when not given"},
    {"head", "string", false, "Head, from 1, or mean (default)"},
    {"api_key", "string", false, "API key; the body is the picture, JPEG or PNG"},
};

typedef struct endpoint {
    const char *path, *method, *summary;
    const parameter *parameters;
    size_t count;
} endpoint;

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
static const endpoint endpoints[] = {
    {"/translate", "post", "Translate text from a language to another", translate_parameters,
     COUNT(translate_parameters)},
    {"/detect", "post", "Detect the language of a single text", detect_parameters,
     COUNT(detect_parameters)},
    {"/attn/segment", "post",
     "A picture's mask: width, height, classes with colour and pixels, and a PNG (an addition of "
     "attn)",
     picture_parameters, COUNT(picture_parameters)},
    {"/attn/attend", "post",
     "What a pixel attends to: weights of columns x rows places, row by row (an addition of attn)",
     attend_parameters, COUNT(attend_parameters)},
    {"/languages", "get", "Retrieve list of supported languages", NULL, 0},
    {"/frontend/settings", "get", "Retrieve frontend specific settings", NULL, 0},
    {"/health", "get", "Whether the server answers", NULL, 0},
    {"/metrics", "get", "Counters in the text format of Prometheus", NULL, 0},
    {"/spec", "get", "This description", NULL, 0},
};

static json_t *parameters_json(const endpoint *e) {
    json_t *list = json_array();
    for (size_t i = 0; i < e->count; i++) {
        const parameter *p = &e->parameters[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b, s:s}", "in", "formData", "name",
                                              p->name, "type", p->type, "required",
                                              (int)p->required, "description", p->description));
    }
    return list;
}

json_t *attn_serve_spec(void) {
    json_t *paths = json_object();
    for (size_t i = 0; i < COUNT(endpoints); i++) {
        const endpoint *e = &endpoints[i];
        json_t *method = json_pack("{s:s, s:o, s:{s:{s:s}}}", "summary", e->summary, "parameters",
                                   parameters_json(e), "responses", "200", "description", "OK");
        json_object_set_new(paths, e->path, json_pack("{s:o}", e->method, method));
    }
    return json_pack("{s:s, s:{s:s, s:s, s:s}, s:o}", "swagger", "2.0", "info", "title", "attn",
                     "description", "LibreTranslate's interface, spoken by attn", "version",
                     attn_version(), "paths", paths);
}
