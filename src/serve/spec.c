/* serve/spec.c: /spec, from the table of routes. */
#include "serve/spec.h"

#include <string.h>

#include "attn/version.h"

/* A parameter that stands by itself: a field of a form, or in the query. */
static json_t *field_json(const attn_route_parameter *p, const char *in) {
    return json_pack("{s:s, s:s, s:s, s:b, s:s}", "in", in, "name", p->name, "type", p->type,
                     "required", (int)p->required, "description", p->description);
}

/* The parameters as one JSON object, which is the body. */
static json_t *object_json(const attn_route *route) {
    json_t *properties = json_object(), *required = json_array();
    for (size_t i = 0; i < route->parameter_count; i++) {
        const attn_route_parameter *p = &route->parameters[i];
        json_object_set_new(
            properties, p->name,
            json_pack("{s:s, s:s}", "type", p->type, "description", p->description));
        if (p->required) {
            json_array_append_new(required, json_string(p->name));
        }
    }
    return json_pack("{s:s, s:s, s:b, s:{s:s, s:o, s:o}}", "in", "body", "name", "body", "required",
                     1, "schema", "type", "object", "properties", properties, "required", required);
}

static json_t *parameters_json(const attn_route *route) {
    json_t *list = json_array();
    if (route->body == ATTN_ROUTE_JSON) {
        json_array_append_new(list, object_json(route));
        return list;
    }
    bool form = route->body == ATTN_ROUTE_FORM || route->body == ATTN_ROUTE_FILE;
    const char *in = form ? "formData" : strchr(route->path, '{') != NULL ? "path" : "query";
    for (size_t i = 0; i < route->parameter_count; i++) {
        json_array_append_new(list, field_json(&route->parameters[i], in));
    }
    if (route->body == ATTN_ROUTE_PICTURE) {
        json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s, s:{s:s, s:s}}", "in", "body",
                                              "name", "picture", "required", 1, "description",
                                              "The bytes of a JPEG or PNG file", "schema", "type",
                                              "string", "format", "binary"));
    }
    return list;
}

static json_t *route_json(const attn_route *route) {
    json_t *operation = json_pack("{s:s, s:o, s:{s:{s:s}, s:{s:s, s:{s:s}}}}", "summary",
                                  route->summary, "parameters", parameters_json(route), "responses",
                                  "200", "description", route->answers, "default", "description",
                                  "What is wrong", "schema", "$ref", "#/definitions/error");
    json_t *consumes = NULL;
    if (route->body == ATTN_ROUTE_FORM) {
        consumes = json_pack("[s, s]", "application/x-www-form-urlencoded", "multipart/form-data");
    } else if (route->body == ATTN_ROUTE_FILE) {
        consumes = json_pack("[s]", "multipart/form-data");
    } else if (route->body == ATTN_ROUTE_JSON) {
        consumes = json_pack("[s]", "application/json");
    } else if (route->body == ATTN_ROUTE_PICTURE) {
        consumes = json_pack("[s, s]", "image/jpeg", "image/png");
    }
    if (consumes != NULL) {
        json_object_set_new(operation, "consumes", consumes);
    }
    return json_pack("{s:o}", attn_route_is_post(route) ? "post" : "get", operation);
}

json_t *attn_serve_spec(const attn_route *routes, size_t count) {
    json_t *paths = json_object();
    for (size_t i = 0; i < count; i++) {
        json_object_set_new(paths, routes[i].path, route_json(&routes[i]));
    }
    return json_pack("{s:s, s:{s:s, s:s, s:s}, s:o, s:{s:{s:s, s:{s:{s:s}}}}}", "swagger", "2.0",
                     "info", "title", "attn", "description",
                     "LibreTranslate's interface, spoken by attn", "version", attn_version(),
                     "paths", paths, "definitions", "error", "type", "object", "properties",
                     "error", "type", "string");
}
