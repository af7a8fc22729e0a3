/* image/classes.c: reading the classes file; every refusal names the line. */
#include "image/classes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "io/file.h"
#include "io/lines.h"

enum { FILE_LIMIT = 1 << 20, FIELDS = 5 };

static const char form[] = "a line is: id name red green blue, as in `3 road 128 64 128`";

typedef struct parser {
    attn_classes *classes;
    int64_t line[ATTN_MAX_CLASSES]; /* where each id was given; 0: nowhere */
    const char *name;
    attn_error *error;
} parser;

/* One field that is a whole number 0 .. 255. */
static bool parse_byte(const char *field, int *out) {
    char *end;
    if (field[0] < '0' || field[0] > '9') {
        return false;
    }
    errno = 0;
    long value = strtol(field, &end, 10);
    *out = (int)value;
    return *end == '\0' && errno == 0 && value <= 255;
}

static int count_fields(const char *text) {
    int count = 0;
    for (text += strspn(text, " \t"); *text != '\0'; text += strspn(text, " \t")) {
        text += strcspn(text, " \t");
        count++;
    }
    return count;
}

/* Cuts off the last field of the text, in place; there is a field before it. */
static char *last_field(char *text) {
    size_t length = strlen(text);
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t')) {
        length--;
    }
    text[length] = '\0';
    while (length > 0 && text[length - 1] != ' ' && text[length - 1] != '\t') {
        length--;
    }
    text[length - 1] = '\0';
    return text + length;
}

/* UTF-8 without what a terminal would obey. */
static bool good_name(const char *name) {
    char shown[ATTN_CLASS_NAME_SIZE + 8];
    return strlen(name) < ATTN_CLASS_NAME_SIZE &&
           strcmp(attn_utf8_quote(shown, sizeof shown, name), name) == 0;
}

static attn_status fail_field(const parser *p, int64_t line, const char *which, const char *field) {
    char shown[64];
    return attn_fail(p->error, ATTN_ERR_FORMAT, p->name, line, form,
                     "%s '%s' is not a whole number from 0 to 255", which,
                     attn_utf8_quote(shown, sizeof shown, field));
}

/* The id, the colour from the right, and what is left in between: the name. */
static attn_status parse_fields(const parser *p, char *text, int64_t line, int *id,
                                attn_class *out) {
    static const char *const channel[] = {"red", "green", "blue"};
    if (count_fields(text) < FIELDS) {
        return attn_fail(p->error, ATTN_ERR_FORMAT, p->name, line, form,
                         "the line has fewer than %d fields", FIELDS);
    }
    text += strspn(text, " \t");
    for (int c = 2; c >= 0; c--) {
        int value;
        const char *field = last_field(text);
        if (!parse_byte(field, &value)) {
            return fail_field(p, line, channel[c], field);
        }
        out->color[c] = (uint8_t)value;
    }
    size_t length = strcspn(text, " \t");
    char *name = text + length;
    name += strspn(name, " \t");
    text[length] = '\0';
    if (!parse_byte(text, id)) {
        return fail_field(p, line, "id", text);
    }
    /* What stood between the name and the colour. */
    size_t used = strlen(name);
    while (used > 0 && (name[used - 1] == ' ' || name[used - 1] == '\t')) {
        name[--used] = '\0';
    }
    if (!good_name(name)) {
        return attn_fail(p->error, ATTN_ERR_FORMAT, p->name, line, form,
                         "the name is longer than %d bytes, is not UTF-8 or has control characters",
                         ATTN_CLASS_NAME_SIZE - 1);
    }
    memcpy(out->name, name, used + 1);
    return ATTN_OK;
}

static attn_status add_class(parser *p, int id, const attn_class *new, int64_t line) {
    static const char once[] = "each id, name and colour may stand on one line only";
    for (int other = 0; other < ATTN_MAX_CLASSES; other++) {
        const attn_class *old = &p->classes->item[other];
        const char *same = p->line[other] == 0                      ? NULL
                           : other == id                            ? "id"
                           : strcmp(old->name, new->name) == 0      ? "name"
                           : memcmp(old->color, new->color, 3) == 0 ? "colour"
                                                                    : NULL;
        if (same != NULL) {
            return attn_fail(p->error, ATTN_ERR_FORMAT, p->name, line, once,
                             "the %s of class %d '%s' is already used on line %lld", same, id,
                             new->name, (long long)p->line[other]);
        }
    }
    p->classes->item[id] = *new;
    p->line[id] = line;
    return ATTN_OK;
}

/* Ids that are classes must be 0 .. count - 1. */
static attn_status count_classes(parser *p) {
    attn_classes *classes = p->classes;
    int count = 0;
    while (count < ATTN_MAX_CLASSES && count != classes->ignore && p->line[count] != 0) {
        count++;
    }
    for (int id = count; id < ATTN_MAX_CLASSES; id++) {
        if (p->line[id] == 0 || id == classes->ignore) {
            continue;
        }
        if (count == classes->ignore) {
            return attn_fail(p->error, ATTN_ERR_FORMAT, p->name, p->line[id],
                             "give the ignored pixels the highest number",
                             "class %d comes after the ignore value %d, which leaves a gap in the "
                             "classes",
                             id, classes->ignore);
        }
        return attn_fail(p->error, ATTN_ERR_FORMAT, p->name, p->line[id],
                         "number the classes 0, 1, 2 and so on",
                         "there is a class %d but no class %d", id, count);
    }
    if (count == 0) {
        return attn_fail(p->error, ATTN_ERR_FORMAT, p->name, -1, form, "the file lists no classes");
    }
    classes->count = count;
    classes->ignore_is_named = p->line[classes->ignore] != 0;
    return ATTN_OK;
}

attn_status attn_classes_parse(const char *text, size_t size, const char *name, int ignore,
                               attn_classes *out, attn_error *error) {
    parser p = {.classes = out, .name = name, .error = error};
    char copy[ATTN_LIST_LINE_BYTES + 1];
    attn_line line;
    bool more;
    memset(out, 0, sizeof *out);
    if (ignore < 0 || ignore > 255) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, name, -1, "give a number from 0 to 255",
                         "the ignore value %d is not a value of an 8-bit mask", ignore);
    }
    out->ignore = ignore;
    attn_line_walk walk = attn_line_walk_start(text, size, name, ATTN_LIST_LINE_BYTES);
    for (;;) {
        attn_status status = attn_line_walk_next(&walk, &line, &more, error);
        if (status != ATTN_OK) {
            return status;
        }
        if (!more) {
            return count_classes(&p);
        }
        snprintf(copy, sizeof copy, "%.*s", (int)line.length, line.text);
        size_t blank = strspn(copy, " \t");
        if (copy[blank] == '\0' || copy[blank] == '#') {
            continue;
        }
        int id = 0;
        attn_class new = {0};
        status = parse_fields(&p, copy, line.number, &id, &new);
        if (status == ATTN_OK) {
            status = add_class(&p, id, &new, line.number);
        }
        if (status != ATTN_OK) {
            return status;
        }
    }
}

attn_status attn_classes_read(const char *path, int ignore, attn_classes *out, attn_error *error) {
    char *text;
    size_t size;
    attn_status status = attn_file_read(path, FILE_LIMIT, &text, &size, error);
    if (status == ATTN_OK) {
        status = attn_classes_parse(text, size, path, ignore, out, error);
        attn_free(text);
    }
    return status;
}

char *attn_classes_print(const attn_classes *classes) {
    size_t room = ((size_t)classes->count + 1) * (ATTN_CLASS_NAME_SIZE + 20) + 1, used = 0;
    char *text = attn_alloc(room);
    if (text == NULL) {
        return NULL;
    }
    text[0] = '\0';
    for (int i = 0; i <= classes->count; i++) {
        int id = i < classes->count ? i : classes->ignore;
        const attn_class *c = &classes->item[id];
        if (i < classes->count || classes->ignore_is_named) {
            used += (size_t)snprintf(text + used, room - used, "%d %s %d %d %d\n", id, c->name,
                                     c->color[0], c->color[1], c->color[2]);
        }
    }
    return text;
}

int attn_classes_find_color(const attn_classes *classes, const uint8_t color[3]) {
    for (int id = 0; id < classes->count; id++) {
        if (memcmp(classes->item[id].color, color, 3) == 0) {
            return id;
        }
    }
    bool ignored =
        classes->ignore_is_named && memcmp(classes->item[classes->ignore].color, color, 3) == 0;
    return ignored ? classes->ignore : -1;
}

const attn_class *attn_classes_at(const attn_classes *classes, int value) {
    static const attn_class ignored = {"ignored", {0, 0, 0}};
    bool named = value >= 0 &&
                 (value < classes->count || (value == classes->ignore && classes->ignore_is_named));
    return named ? &classes->item[value] : &ignored;
}
