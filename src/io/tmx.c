/* io/tmx.c: expat reads the XML; this follows <tu>, <tuv> and <seg>. */
#include "io/tmx.h"

#include <ctype.h>
#include <expat.h>
#include <stdbool.h>
#include <string.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "io/lines.h"

enum { CHUNK = 1 << 26, NO_SIDE = -1 };

typedef struct segment {
    char *text;
    size_t length, room;
    bool found; /* in the unit under way: the first of a language counts */
} segment;

typedef struct reading {
    XML_Parser parser;
    const char *name, *language[2];
    segment side[2];
    int open;       /* the side whose <seg> is open, or NO_SIDE */
    int wanted;     /* the side whose <tuv> is open, or NO_SIDE */
    int code_depth; /* of elements within <seg> that hold another program's codes */
    char *pairs;
    size_t used, room, count;
    attn_status status;
    attn_error *error;
} reading;

static void stop(reading *r, attn_status status) {
    r->status = status;
    XML_StopParser(r->parser, XML_FALSE);
}

static char lower(char c) {
    return c == '_' ? '-' : (char)tolower((unsigned char)c);
}

/* Whether a language of the file is the one asked for, or a kind of it. */
static bool is_language(const char *of_file, const char *asked) {
    for (; *asked != '\0'; asked++, of_file++) {
        if (lower(*of_file) != lower(*asked)) {
            return false;
        }
    }
    return *of_file == '\0' || lower(*of_file) == '-';
}

static const char *language_of(const char **attributes) {
    for (; *attributes != NULL; attributes += 2) {
        if (strcmp(attributes[0], "xml:lang") == 0 || strcmp(attributes[0], "lang") == 0) {
            return attributes[1];
        }
    }
    return "";
}

static bool holds_codes(const char *element) {
    static const char *const names[] = {"bpt", "ept", "ph", "it", "ut"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(element, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void begin_unit(reading *r) {
    for (int side = 0; side < 2; side++) {
        r->side[side].length = 0;
        r->side[side].found = false;
    }
}

static void XMLCALL on_start(void *context, const char *element, const char **attributes) {
    reading *r = context;
    if (r->open != NO_SIDE) {
        r->code_depth += r->code_depth > 0 || holds_codes(element);
    } else if (strcmp(element, "tu") == 0) {
        begin_unit(r);
    } else if (strcmp(element, "tuv") == 0) {
        const char *language = language_of(attributes);
        r->wanted = is_language(language, r->language[0])   ? 0
                    : is_language(language, r->language[1]) ? 1
                                                            : NO_SIDE;
    } else if (strcmp(element, "seg") == 0 && r->wanted != NO_SIDE && !r->side[r->wanted].found) {
        r->open = r->wanted;
        r->side[r->open].found = true;
    }
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void XMLCALL on_text(void *context, const char *text, int length) {
    reading *r = context;
    if (r->open == NO_SIDE || r->code_depth > 0) {
        return;
    }
    segment *s = &r->side[r->open];
    if (!attn_grow(&s->text, &s->room, s->length + (size_t)length + 1, 1)) {
        stop(r, attn_fail_memory(r->error, s->length + (size_t)length + 1));
        return;
    }
    for (int i = 0; i < length; i++) {
        bool space = is_space(text[i]);
        if (!space || (s->length > 0 && s->text[s->length - 1] != ' ')) {
            s->text[s->length++] = space ? ' ' : text[i];
        }
    }
}

static void end_unit(reading *r) {
    if (!r->side[0].found || !r->side[1].found) {
        return;
    }
    for (int side = 0; side < 2; side++) {
        segment *s = &r->side[side];
        s->length -= s->length > 0 && s->text[s->length - 1] == ' ';
        attn_line line = {s->length > 0 ? s->text : "", s->length,
                          (int64_t)XML_GetCurrentLineNumber(r->parser)};
        attn_status status = attn_line_check(&line, r->name, ATTN_MAX_LINE_BYTES, r->error);
        if (status == ATTN_OK && !attn_grow(&r->pairs, &r->room, r->used + s->length + 1, 1)) {
            status = attn_fail_memory(r->error, r->used + s->length + 1);
        }
        if (status != ATTN_OK) {
            stop(r, status);
            return;
        }
        memcpy(r->pairs + r->used, line.text, s->length);
        r->used += s->length;
        r->pairs[r->used++] = '\0';
    }
    r->count++;
}

static void XMLCALL on_end(void *context, const char *element) {
    reading *r = context;
    if (r->code_depth > 0) {
        r->code_depth--;
    } else if (strcmp(element, "seg") == 0) {
        r->open = NO_SIDE;
    } else if (strcmp(element, "tuv") == 0) {
        r->wanted = NO_SIDE;
    } else if (strcmp(element, "tu") == 0) {
        end_unit(r);
        begin_unit(r);
    }
}

/* A memory needs no entities of its own, and small files can make huge texts of them. */
static void XMLCALL on_entity(void *context, const char *entity, int parameter, const char *value,
                              int length, const char *base, const char *system, const char *public,
                              const char *notation) {
    reading *r = context;
    (void)entity, (void)parameter, (void)value, (void)length, (void)base, (void)system;
    (void)public, (void)notation;
    stop(r,
         attn_fail(r->error, ATTN_ERR_FORMAT, r->name, (int64_t)XML_GetCurrentLineNumber(r->parser),
                   "remove its <!ENTITY>", "the file declares entities of its own"));
}

static void parse(reading *r, const char *text, size_t size) {
    bool last = false;
    while (!last && r->status == ATTN_OK) {
        int length = (int)attn_min((int64_t)size, CHUNK);
        last = (size_t)length == size;
        if (XML_Parse(r->parser, text, length, last) != XML_STATUS_OK && r->status == ATTN_OK) {
            r->status =
                attn_fail(r->error, ATTN_ERR_FORMAT, r->name,
                          (int64_t)XML_GetCurrentLineNumber(r->parser), "take an undamaged copy",
                          "not TMX: %s", XML_ErrorString(XML_GetErrorCode(r->parser)));
        }
        text += length;
        size -= (size_t)length;
    }
}

attn_status attn_tmx_read(const char *text, size_t size, const char *name, const char *source,
                          const char *target, char **pairs, size_t *count, attn_error *error) {
    reading r = {.parser = XML_ParserCreate(NULL),
                 .name = name,
                 .language = {source, target},
                 .open = NO_SIDE,
                 .wanted = NO_SIDE,
                 .error = error};
    if (r.parser == NULL) {
        return attn_fail_memory(error, 1 << 16);
    }
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, on_start, on_end);
    XML_SetCharacterDataHandler(r.parser, on_text);
    XML_SetEntityDeclHandler(r.parser, on_entity);
    parse(&r, text, size);
    XML_ParserFree(r.parser);
    if (r.status == ATTN_OK && r.count == 0) {
        r.status = attn_fail(error, ATTN_ERR_FORMAT, name, -1, "name two of its languages",
                             "no unit of the memory has both %s and %s", source, target);
    }
    attn_free(r.side[0].text);
    attn_free(r.side[1].text);
    if (r.status != ATTN_OK) {
        attn_free(r.pairs);
        r.pairs = NULL;
    }
    *pairs = r.pairs;
    *count = r.count;
    return r.status;
}
