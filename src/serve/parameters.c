/* serve/parameters.c: where values come from. */
#include "serve/parameters.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "io/lines.h"

static bool has_type(const attn_http_request *r, const char *type) {
    size_t length = strlen(type);
    return r->content_type != NULL && strncasecmp(r->content_type, type, length) == 0 &&
           (r->content_type[length] == '\0' || strchr("; \t", r->content_type[length]) != NULL);
}

json_t *attn_body_json(const attn_http_request *r, attn_http_answer *answer) {
    size_t mark = attn_lines_mark(r->body, r->body_size);
    json_error_t error;
    json_t *json = json_loadb(r->body + mark, r->body_size - mark, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(json)) {
        attn_http_error(answer, 400, "Invalid JSON format");
        json_decref(json);
        return NULL;
    }
    return json;
}

bool attn_parameters_parse(const attn_http_request *r, attn_parameters *p,
                           attn_http_answer *answer) {
    *p = (attn_parameters){.request = r};
    if (has_type(r, "application/json")) {
        p->json = attn_body_json(r, answer);
        if (p->json == NULL) {
            return false;
        }
    } else if (has_type(r, "application/x-www-form-urlencoded") ||
               has_type(r, "multipart/form-data")) {
        const char *wrong = attn_form_parse(r->content_type, r->body, r->body_size, &p->form);
        if (wrong != NULL) {
            attn_http_error(answer, 400, "Invalid request: %s", wrong);
            return false;
        }
    }
    return true;
}

void attn_parameters_free(attn_parameters *p) {
    json_decref(p->json);
    attn_form_free(&p->form);
}

static const char *find_field(const attn_parameter *field, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(field[i].name, name) == 0) {
            return field[i].value;
        }
    }
    return NULL;
}

const char *attn_parameter_text(const attn_parameters *p, const char *name) {
    const char *value;
    if (p->json != NULL) {
        value = json_string_value(json_object_get(p->json, name));
    } else {
        value = find_field(p->request->query, p->request->query_count, name);
        value = value != NULL ? value : find_field(p->form.field, p->form.count, name);
    }
    return value != NULL && value[0] != '\0' ? value : NULL;
}

bool attn_parameter_flag(const attn_parameters *p, const char *name) {
    if (p->json != NULL) {
        return json_is_true(json_object_get(p->json, name));
    }
    const char *value = attn_parameter_text(p, name);
    return value != NULL && (strcmp(value, "true") == 0 || strcmp(value, "1") == 0);
}

bool attn_parameter_number(const attn_parameters *p, const char *name, int64_t limit,
                           int64_t missing, int64_t *out, attn_http_answer *answer) {
    json_t *value = json_object_get(p->json, name);
    const char *text = attn_parameter_text(p, name);
    *out = missing;
    if (json_is_integer(value)) {
        *out = json_integer_value(value);
    } else if (text != NULL) {
        char *end;
        *out = strtoll(text, &end, 10);
        if (*end != '\0') {
            attn_http_error(answer, 400, "Invalid request: %s parameter is not a number", name);
            return false;
        }
    } else if (value != NULL && !json_is_null(value)) {
        attn_http_error(answer, 400, "Invalid request: %s parameter is not a number", name);
        return false;
    }
    bool given = json_is_integer(value) || text != NULL;
    if (given && (*out < 0 || *out > limit)) {
        attn_http_error(answer, 400, "Invalid request: %s parameter must be %s %" PRId64, name,
                        *out < 0 ? ">=" : "<=", *out < 0 ? 0 : limit);
        return false;
    }
    return true;
}
