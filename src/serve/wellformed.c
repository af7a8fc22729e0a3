/* serve/wellformed.c: characters, one after another. */
#include "serve/wellformed.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_alphanumeric(unsigned char c) {
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool is_token(unsigned char c) {
    return is_alphanumeric(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

const char *attn_target_path(const char *target) {
    static const char scheme[] = "http://";
    if (strncasecmp(target, scheme, sizeof scheme - 1) != 0) {
        return target;
    }
    const char *path = strchr(target + sizeof scheme - 1, '/');
    return path != NULL ? path : "/";
}

bool attn_target_is_good(const char *target) {
    for (const char *c = target; *c != '\0'; c++) {
        if ((unsigned char)*c <= ' ' || *c == 0x7f) {
            return false;
        }
        if (*c == '%') {
            if (isxdigit((unsigned char)c[1]) == 0 || isxdigit((unsigned char)c[2]) == 0 ||
                (c[1] == '0' && c[2] == '0')) {
                return false;
            }
        }
    }
    return attn_target_path(target)[0] == '/' || strcmp(target, "*") == 0;
}

bool attn_field_is_good(const char *name, size_t name_size, const char *value, size_t value_size) {
    for (size_t i = 0; i < name_size; i++) {
        if (!is_token((unsigned char)name[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < value_size; i++) {
        unsigned char c = (unsigned char)value[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return name_size > 0;
}
