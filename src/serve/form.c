/* serve/form.c: name=value&... with %XX, and multipart/form-data (RFC 7578). Both are decoded in place
 * in one copy of the body. */
#include "serve/form.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char TOO_MANY[] = "too many fields";
static const char NUL_BYTE[] = "a field holds a NUL byte";

static int hex(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes in place; returns the new length. */
static size_t unescape(char *text, size_t length) {
    size_t to = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '%' && length - i > 2 && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
            text[to++] = (char)(16 * hex(text[i + 1]) + hex(text[i + 2]));
            i += 2;
        } else {
            text[to++] = text[i] == '+' ? ' ' : text[i];
        }
    }
    return to;
}

/* Both parts lie in the form's bytes, with room for a NUL after each. */
static const char *add_field(attn_form *form, char *name, size_t name_length, char *value,
                             size_t length) {
    if (form->count == ATTN_HTTP_PARAMETERS) {
        return TOO_MANY;
    }
    if (memchr(name, '\0', name_length) != NULL || memchr(value, '\0', length) != NULL) {
        return NUL_BYTE;
    }
    name[name_length] = '\0';
    value[length] = '\0';
    form->field[form->count++] = (attn_parameter){name, value};
    return NULL;
}

static const char *parse_urlencoded(attn_form *form, size_t size) {
    char *nothing = form->bytes + size; /* the value of a name without '=' */
    const char *wrong = NULL;
    for (size_t start = 0; start < size && wrong == NULL;) {
        char *field = form->bytes + start;
        const char *ampersand = memchr(field, '&', size - start);
        size_t length = ampersand != NULL ? (size_t)(ampersand - field) : size - start;
        char *equals = memchr(field, '=', length);
        size_t name_length = equals != NULL ? (size_t)(equals - field) : length;
        char *value = equals != NULL ? equals + 1 : nothing;
        size_t value_length = equals != NULL ? length - name_length - 1 : 0;
        start += length + 1;
        if (length > 0) {
            value_length = unescape(value, value_length);
            wrong = add_field(form, field, unescape(field, name_length), value, value_length);
        }
    }
    return wrong;
}

/* The first place of a needle, at or after `from`. */
static char *find_bytes(char *from, const char *end, const char *needle, size_t size) {
    while ((size_t)(end - from) >= size) {
        char *at = memchr(from, needle[0], (size_t)(end - from) - size + 1);
        if (at == NULL || memcmp(at, needle, size) == 0) {
            return at;
        }
        from = at + 1;
    }
    return NULL;
}

/* What follows key, such as name=", on a Content-Disposition line within [head, end); NULL when it is not there. */
static char *find_value(char *head, char *end, const char *key, size_t *length) {
    size_t size = strlen(key);
    for (char *at = find_bytes(head, end, key, size); at != NULL;
         at = find_bytes(at + 1, end, key, size)) {
        if (at > head && (at[-1] == ' ' || at[-1] == ';')) {
            char *value = at + size;
            char *quote = memchr(value, '"', (size_t)(end - value));
            *length = quote != NULL ? (size_t)(quote - value) : 0;
            return quote != NULL ? value : NULL;
        }
    }
    return NULL;
}

/* The part is the file: its bytes may be any. */
static const char *take_file(attn_form *form, char *name, size_t name_length, const char *bytes,
                             size_t size) {
    if (form->file.bytes != NULL) {
        return "more than one file";
    }
    if (memchr(name, '\0', name_length) != NULL) {
        return NUL_BYTE;
    }
    name[name_length] = '\0';
    form->file = (attn_form_file){name, bytes, size};
    return NULL;
}

/* The boundary with "--" before it; 0 when the type names none that is allowed. */
static size_t read_boundary(const char *content_type, char boundary[76]) {
    const char *at = content_type;
    while (*at != '\0' && strncasecmp(at, "boundary=", 9) != 0) {
        at++;
    }
    if (*at == '\0') {
        return 0;
    }
    at += 9;
    size_t length = *at == '"' ? strcspn(++at, "\"") : strcspn(at, "; \t");
    if (length == 0 || length > 70) {
        return 0;
    }
    boundary[0] = boundary[1] = '-';
    memcpy(boundary + 2, at, length);
    return length + 2;
}

static const char *parse_multipart(attn_form *form, size_t size, const char *content_type) {
    static const char wrong_shape[] = "the multipart body is cut or damaged";
    char boundary[80];
    size_t length = read_boundary(content_type, boundary);
    char *end = form->bytes + size;
    char *at = length > 0 ? find_bytes(form->bytes, end, boundary, length) : NULL;
    while (at != NULL) {
        at += length;
        if (end - at >= 2 && memcmp(at, "--", 2) == 0) {
            return NULL;
        }
        char *value = find_bytes(at, end, "\r\n\r\n", 4);
        if (value == NULL) {
            return wrong_shape;
        }
        size_t name_length = 0, file_length = 0;
        char *name = find_value(at, value, "name=\"", &name_length);
        char *file = find_value(at, value, "filename=\"", &file_length);
        value += 4;
        char *next = find_bytes(value, end, boundary, length);
        if (next == NULL || next - value < 2 || memcmp(next - 2, "\r\n", 2) != 0) {
            return wrong_shape;
        }
        if (name != NULL) {
            size_t size_here = (size_t)(next - 2 - value);
            bool is_file = file != NULL && name_length == 4 && memcmp(name, "file", 4) == 0;
            const char *wrong = is_file ? take_file(form, file, file_length, value, size_here)
                                        : add_field(form, name, name_length, value, size_here);
            if (wrong != NULL) {
                return wrong;
            }
        }
        at = next;
    }
    return wrong_shape;
}

const char *attn_form_parse(const char *content_type, const char *body, size_t size,
                            attn_form *out) {
    out->count = 0;
    out->file = (attn_form_file){NULL, NULL, 0};
    out->bytes = malloc(size + 1);
    if (out->bytes == NULL) {
        return "out of memory";
    }
    if (size > 0) {
        memcpy(out->bytes, body, size);
    }
    out->bytes[size] = '\0';
    if (strncasecmp(content_type, "multipart/form-data", 19) == 0) {
        return parse_multipart(out, size, content_type);
    }
    return parse_urlencoded(out, size);
}

void attn_form_free(attn_form *form) {
    free(form->bytes);
    form->bytes = NULL;
}
