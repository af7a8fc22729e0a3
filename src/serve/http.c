/* serve/http.c: answers in JSON, and such that say what is wrong. */
#include "serve/http.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "io/json_write.h"

void attn_http_answer_free(attn_http_answer *answer) {
    attn_buffer_free(&answer->body);
}

void attn_http_error(attn_http_answer *answer, int status, const char *format, ...) {
    char raw[600], text[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(raw, sizeof raw, format, arguments);
    va_end(arguments);
    json_t *object = json_pack("{s:s}", "error", attn_utf8_quote(text, sizeof text, raw));
    char *dump = attn_json_dump(object, JSON_COMPACT);
    attn_buffer_free(&answer->body);
    answer->status = status;
    answer->content_type = "application/json";
    attn_buffer_text(&answer->body, dump != NULL ? dump : "{\"error\":\"out of memory\"}");
    attn_buffer_text(&answer->body, "\n");
    free(dump);
}

void attn_http_json(attn_http_answer *answer, json_t *value) {
    char *dump = attn_json_dump(value, JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (dump == NULL) {
        attn_http_error(answer, 500, "out of memory");
        return;
    }
    answer->status = 200;
    answer->content_type = "application/json";
    attn_buffer_text(&answer->body, dump);
    attn_buffer_text(&answer->body, "\n");
    free(dump);
}
