/* document/xml.c: expat tells where elements are; the bytes between stay as they are. Next: xml_write.c. */
#include "document/xml.h"

#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/minmax.h"

enum { CHUNK = 1 << 26, DEEPEST = 512, DEEPEST_TEXT = 16, DEEPEST_FIELD = 8, STYLES = 64 };

static const size_t NONE = (size_t)-1;

/* A text is gathered as pieces, and becomes tags and words when its end is known. */
typedef struct piece {
    enum { WORDS, OPEN, CLOSE, POINT, BREAK } kind;
    attn_range at;    /* of what is no words */
    attn_range style; /* of the run that it is in */
    bool in_run;
    size_t words, length; /* in the text's buffer; of OPEN, words: the pair around it */
    size_t partner;       /* of CLOSE: the OPEN; of OPEN: NONE until it is closed */
    uint64_t id;          /* of an OPEN that has its end in another element; 0: it has not */
    size_t mark;
} piece;

typedef struct element {
    attn_xml_role role;
    attn_range tag;   /* its start tag */
    size_t open;      /* the piece of a pair, or NONE */
    size_t end_start; /* of a wrapper: where the end of its content begins */
    bool hides;       /* what is in it is no part of the text */
} element;

/* A field of WordprocessingML: begin, instructions, separate, result, end. */
typedef struct field {
    size_t start, open; /* NONE: its result has not begun */
} field;

/* A text under way. */
typedef struct gathered {
    piece *pieces;
    size_t count, room;
    attn_buffer words;
    attn_range content;
    size_t depth;        /* of its element */
    size_t hidden;       /* open elements that hide what is in them */
    size_t instructions; /* open fields whose result has not begun */
    bool spoilt;         /* it cannot be taken apart: it stays as it is */
    bool failed;
    size_t last_open; /* the innermost pair */
    attn_range run, style;
    bool in_run, run_has_words;
    enum { NO_FIELD, FIELD_BEGINS, FIELD_SEPARATES, FIELD_ENDS } run_field;
    field fields[DEEPEST_FIELD];
    size_t field_depth;
} gathered;

typedef struct reading {
    XML_Parser parser;
    attn_doc *d;
    size_t part;
    attn_xml_roles *roles;
    element stack[DEEPEST];
    size_t depth;
    gathered texts[DEEPEST_TEXT];
    size_t text_depth;
    size_t skip; /* the depth of what is not for translation, or 0 */
    /* Of XLIFF: the text for whose translation a place is looked for. */
    attn_text_maker pending;
    bool has_pending, target_is_full;
    size_t target_depth; /* or 0 */
    attn_range pending_tag;
    size_t pending_end; /* behind its element */
    attn_status status;
    attn_error *error;
} reading;

static void stop(reading *r, attn_status status) {
    if (status != ATTN_OK && r->status == ATTN_OK) {
        r->status = status;
        XML_StopParser(r->parser, XML_FALSE);
    }
}

static void refuse(reading *r, const char *hint, const char *what) {
    if (r->status != ATTN_OK) {
        return;
    }
    size_t at = (size_t)XML_GetCurrentByteIndex(r->parser);
    stop(r, attn_doc_fail(r->d, &r->d->parts[r->part], at, hint, what, r->error));
}

static attn_range here(const reading *r) {
    size_t start = (size_t)XML_GetCurrentByteIndex(r->parser);
    return (attn_range){start, start + (size_t)XML_GetCurrentByteCount(r->parser)};
}

static gathered *text_here(reading *r) {
    return r->text_depth > 0 ? &r->texts[r->text_depth - 1] : NULL;
}

/* ---- pieces ---- */

static size_t add_piece(gathered *g, const piece *added) {
    if (!attn_grow(&g->pieces, &g->room, g->count + 1, sizeof *g->pieces)) {
        g->failed = true;
        return NONE;
    }
    g->pieces[g->count] = *added;
    g->pieces[g->count].in_run = g->in_run;
    g->pieces[g->count].style = g->style;
    return g->count++;
}

static void add_words(gathered *g, const char *text, size_t length) {
    piece *last = g->count > 0 ? &g->pieces[g->count - 1] : NULL;
    if (last == NULL || last->kind != WORDS || last->style.start != g->style.start) {
        add_piece(g, &(piece){.kind = WORDS, .words = g->words.length});
        last = g->count > 0 ? &g->pieces[g->count - 1] : NULL;
    }
    if (last != NULL && !g->failed) {
        attn_buffer_add(&g->words, text, length);
        last->length += length;
    }
}

static size_t open_pair(gathered *g, attn_range at, uint64_t id) {
    size_t open = add_piece(g, &(piece){.kind = OPEN, .at = at, .partner = NONE, .id = id});
    if (open != NONE) {
        g->pieces[open].words = g->last_open;
        g->last_open = open;
    }
    return open;
}

/* Of pairs that cross, those of two elements are none. */
static void close_pair(gathered *g, size_t open, attn_range at) {
    while (g->last_open != NONE && g->last_open != open && g->pieces[g->last_open].id != 0) {
        g->last_open = g->pieces[g->last_open].words;
    }
    if (open == NONE || open != g->last_open) {
        g->spoilt = true;
        return;
    }
    g->last_open = g->pieces[open].words;
    g->pieces[open].partner = g->count;
    add_piece(g, &(piece){.kind = CLOSE, .at = at, .partner = open});
}

static void close_by_id(gathered *g, attn_range at, uint64_t id) {
    if (g->last_open != NONE && g->pieces[g->last_open].id == id) {
        close_pair(g, g->last_open, at);
    } else {
        add_piece(g, &(piece){.kind = POINT, .at = at});
    }
}

/* ---- fields ---- */

static void begin_field(gathered *g, attn_range run) {
    if (g->field_depth == DEEPEST_FIELD) {
        g->spoilt = true;
        return;
    }
    g->fields[g->field_depth++] = (field){run.start, NONE};
    g->instructions++;
}

static void separate_field(gathered *g, attn_range run) {
    field *f = g->field_depth > 0 ? &g->fields[g->field_depth - 1] : NULL;
    if (f == NULL || f->open != NONE) {
        g->spoilt = true;
    } else if (g->instructions == 1) { /* else it is within those of another one */
        g->instructions = 0;
        f->open = open_pair(g, (attn_range){f->start, run.end}, 0);
    }
}

static void end_field(gathered *g, attn_range run) {
    if (g->field_depth == 0) {
        g->spoilt = true;
        return;
    }
    field *f = &g->fields[--g->field_depth];
    if (f->open != NONE) {
        close_pair(g, f->open, run);
    } else if (--g->instructions == 0) {
        add_piece(g, &(piece){.kind = POINT, .at = {f->start, run.end}});
    }
}

static void end_run(gathered *g, size_t end) {
    attn_range run = {g->run.start, end};
    g->in_run = false;
    g->style = (attn_range){0, 0};
    g->spoilt = g->spoilt || (g->run_field != NO_FIELD && g->run_has_words);
    if (g->run_field == FIELD_BEGINS) {
        begin_field(g, run);
    } else if (g->run_field == FIELD_SEPARATES) {
        separate_field(g, run);
    } else if (g->run_field == FIELD_ENDS) {
        end_field(g, run);
    }
    g->run_field = NO_FIELD;
}

static void note_field(gathered *g, const char **attributes) {
    const char *type = attn_xml_attribute(attributes, "fldCharType");
    g->spoilt = g->spoilt || g->run_field != NO_FIELD || type == NULL || !g->in_run;
    g->run_field = type == NULL                    ? NO_FIELD
                   : strcmp(type, "begin") == 0    ? FIELD_BEGINS
                   : strcmp(type, "separate") == 0 ? FIELD_SEPARATES
                                                   : FIELD_ENDS;
}

/* ---- from pieces to a text ---- */

static bool same_bytes(const char *bytes, attn_range a, attn_range b) {
    size_t length = a.end - a.start;
    return length == b.end - b.start && memcmp(bytes + a.start, bytes + b.start, length) == 0;
}

/* The style that most words have: they need no tag. */
static attn_range common_style(const gathered *g, const char *bytes) {
    attn_range style[STYLES] = {{0, 0}};
    size_t words[STYLES] = {0}, count = 0, best = 0;
    for (size_t i = 0; i < g->count; i++) {
        size_t k = 0;
        if (g->pieces[i].kind != WORDS) {
            continue;
        }
        while (k < count && !same_bytes(bytes, style[k], g->pieces[i].style)) {
            k++;
        }
        if (k == count && count < STYLES) {
            style[count++] = g->pieces[i].style;
        }
        if (k < count) {
            words[k] += g->pieces[i].length;
            best = words[k] > words[best] ? k : best;
        }
    }
    return style[best];
}

static void make_words(gathered *g, attn_text_maker *m, const piece *p) {
    attn_make_words(m, g->words.data + p->words, p->length);
}

/* The words of a run that is not of the common style, and of those behind it that are like it. Returns the last. */
static size_t make_run(gathered *g, attn_text_maker *m, size_t i, const char *bytes) {
    attn_range style = g->pieces[i].style;
    size_t mark = attn_make_mark(m, ATTN_SLOT_PAIR, style.start, style.end);
    if (mark < m->count) {
        m->marks[mark].is_run = true;
    }
    make_words(g, m, &g->pieces[i]);
    while (i + 1 < g->count && g->pieces[i + 1].kind == WORDS &&
           same_bytes(bytes, style, g->pieces[i + 1].style)) {
        make_words(g, m, &g->pieces[++i]);
    }
    attn_make_close(m, mark, 0, 0);
    return i;
}

static void make_mark(gathered *g, attn_text_maker *m, piece *p) {
    attn_slot_mark_kind kind = p->kind == BREAK                        ? ATTN_SLOT_BREAK
                               : p->kind == OPEN && p->partner != NONE ? ATTN_SLOT_PAIR
                                                                       : ATTN_SLOT_POINT;
    p->mark = attn_make_mark(m, kind, p->at.start, p->at.end);
    if (p->in_run && kind != ATTN_SLOT_PAIR && p->mark < m->count) {
        m->marks[p->mark].is_run = true;
        m->marks[p->mark].close = p->style;
    }
    (void)g;
}

static void make_text(gathered *g, const char *bytes, attn_text_maker *m, attn_slot *slot) {
    slot->aid = common_style(g, bytes);
    for (size_t i = 0; i < g->count; i++) {
        piece *p = &g->pieces[i];
        if (p->kind == WORDS && same_bytes(bytes, p->style, slot->aid)) {
            make_words(g, m, p);
        } else if (p->kind == WORDS) {
            i = make_run(g, m, i, bytes);
        } else if (p->kind == CLOSE) {
            attn_make_close(m, g->pieces[p->partner].mark, p->at.start, p->at.end);
        } else {
            make_mark(g, m, p);
        }
    }
}

static void free_gathered(gathered *g) {
    attn_free(g->pieces);
    attn_buffer_free(&g->words);
}

/* ---- texts ---- */

static void begin_text(reading *r, attn_range tag) {
    gathered *outer = text_here(r);
    if (r->text_depth == DEEPEST_TEXT) {
        refuse(r, "give a file made by a program", "texts nest too deep in it");
        return;
    }
    if (outer != NULL && outer->hidden == 0) {
        outer->spoilt = true;
    }
    r->texts[r->text_depth++] =
        (gathered){.content = {tag.end, tag.end}, .depth = r->depth, .last_open = NONE};
}

static void drop_pending(reading *r) {
    stop(r, attn_make_end(&r->pending, r->d, NULL, r->error));
    r->has_pending = false;
}

static void end_text(reading *r, const element *e, attn_range tag, bool in_unit) {
    gathered *g = text_here(r);
    const char *bytes = r->d->parts[r->part].bytes;
    attn_text_maker m = {0};
    attn_slot slot = {.part = r->part, .at = {g->content.start, tag.start}, .lines = 1};
    bool good = !g->spoilt && g->field_depth == 0;
    if (g->failed || g->words.failed) {
        stop(r, attn_fail_memory(r->error, 0));
        good = false;
    }
    if (good) {
        make_text(g, bytes, &m, &slot);
    }
    free_gathered(g);
    r->text_depth--;
    if (in_unit) {
        drop_pending(r);
        r->pending = m;
        r->has_pending = good;
        r->pending_tag = e->tag;
        r->pending_end = tag.end;
        return;
    }
    stop(r, attn_make_end(&m, r->d, good ? &slot : NULL, r->error));
}

/* The place of a unit's translation is known. */
static void end_pending(reading *r, attn_range at) {
    attn_slot slot = {.part = r->part, .at = at, .lines = 1, .aid = r->pending_tag};
    if (r->has_pending) {
        stop(r, attn_make_end(&r->pending, r->d, &slot, r->error));
        r->has_pending = false;
    }
}

/* A translation that is there stays. */
static void end_target(reading *r, attn_range whole) {
    r->target_depth = 0;
    if (r->target_is_full) {
        drop_pending(r);
    } else {
        end_pending(r, whole);
    }
}

/* ---- elements ---- */

static uint64_t id_of(const char **attributes) {
    static const char *const names[] = {"rid", "startRef", "id"};
    for (size_t i = 0; i < 3; i++) {
        const char *value = attn_xml_attribute(attributes, names[i]);
        if (value != NULL) {
            return attn_hash64(value, strlen(value), 1) | 1;
        }
    }
    return 1;
}

/* An element within a text. */
static void begin_inside(reading *r, gathered *g, element *e, const char **attributes) {
    switch (e->role) {
    case ATTN_XML_PAIR:
        e->open = open_pair(g, e->tag, 0);
        break;
    case ATTN_XML_RUN:
        g->in_run = true;
        g->run = e->tag;
        g->style = (attn_range){0, 0};
        g->run_has_words = false;
        break;
    case ATTN_XML_WORDS:
        break;
    case ATTN_XML_FIELD:
        note_field(g, attributes);
        e->hides = true;
        break;
    case ATTN_XML_WRAPPED:
        if (r->depth >= 2 && r->stack[r->depth - 2].role == ATTN_XML_WRAPPER) {
            element *wrapper = &r->stack[r->depth - 2];
            g->hidden -= wrapper->hides;
            wrapper->hides = false;
            wrapper->open = open_pair(g, (attn_range){wrapper->tag.start, e->tag.end}, 0);
        }
        break;
    case ATTN_XML_OPENS:
        open_pair(g, e->tag, id_of(attributes));
        e->open = g->last_open;
        e->hides = true;
        break;
    case ATTN_XML_CLOSES:
        close_by_id(g, e->tag, id_of(attributes));
        e->open = g->count - 1;
        e->hides = true;
        break;
    default:
        e->hides = true;
    }
    g->hidden += e->hides;
}

/* The value of an attribute within a start tag, as it is written. expat has found the tag to be well formed. */
static attn_range find_value(const char *bytes, attn_range tag, const char *name) {
    size_t length = strlen(name);
    for (size_t at = tag.start; at < tag.end; at++) {
        size_t start = at;
        while (at < tag.end && strchr("\"'", bytes[at]) == NULL) {
            at++;
        }
        size_t open = at++;
        while (at < tag.end && bytes[at] != bytes[open]) {
            at++;
        }
        size_t end = open < tag.end ? open : start; /* of the name, with "=" and spaces behind it */
        while (end > start && strchr("= \t\r\n", bytes[end - 1]) != NULL) {
            end--;
        }
        if (end >= start + length + 1 && strchr(" \t\r\n", bytes[end - length - 1]) != NULL &&
            memcmp(bytes + end - length, name, length) == 0) {
            return (attn_range){open + 1, at};
        }
    }
    return (attn_range){0, 0};
}

/* What people read of a picture. */
static void add_attributes(reading *r, attn_range tag, const char **attributes) {
    static const char *const names[] = {"descr", "title"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = attn_xml_attribute(attributes, names[i]);
        attn_range at = find_value(r->d->parts[r->part].bytes, tag, names[i]);
        attn_text_maker m = {0};
        attn_slot slot = {.part = r->part, .at = at, .lines = 1, .in_tag = true};
        if (value != NULL && at.start < at.end) {
            attn_make_words(&m, value, strlen(value));
            stop(r, attn_make_end(&m, r->d, &slot, r->error));
        }
    }
}

static bool is_wrapped(const reading *r, attn_xml_role role) {
    return role == ATTN_XML_WRAPPED && r->depth >= 2 &&
           r->stack[r->depth - 2].role == ATTN_XML_WRAPPER && r->stack[r->depth - 2].hides;
}

static void begin_element(reading *r, attn_xml_role role, const char **attributes) {
    element *e = &r->stack[r->depth++];
    gathered *g = text_here(r);
    *e = (element){.role = role, .tag = here(r), .open = NONE};
    if (role == ATTN_XML_SKIP) {
        r->skip = r->depth;
    } else if (role == ATTN_XML_TEXT) {
        begin_text(r, e->tag);
    } else if (g != NULL && (g->hidden == 0 || (g->hidden == 1 && is_wrapped(r, role)))) {
        bool of_field = role == ATTN_XML_RUN || role == ATTN_XML_STYLE || role == ATTN_XML_FIELD;
        e->role = g->instructions > 0 && !of_field ? ATTN_XML_DROP : role;
        begin_inside(r, g, e, attributes);
    } else if (role == ATTN_XML_UNIT) {
        drop_pending(r);
    } else if (role == ATTN_XML_TARGET) {
        r->target_depth = r->depth;
        r->target_is_full = false;
    } else if (role != ATTN_XML_BEHIND) {
        e->role = ATTN_XML_PASS;
    }
}

static void XMLCALL on_start(void *context, const char *name, const char **attributes) {
    reading *r = context;
    const char *bar = strrchr(name, '|');
    char space[128];
    size_t length = bar != NULL ? (size_t)(bar - name) : 0;
    length = length < sizeof space ? length : sizeof space - 1;
    memcpy(space, name, length);
    space[length] = '\0';
    if (r->depth == DEEPEST) {
        refuse(r, "give a file made by a program", "its elements nest too deep");
        return;
    }
    attn_xml_role parent = r->depth > 0 ? r->stack[r->depth - 1].role : ATTN_XML_PASS;
    attn_xml_role role = ATTN_XML_PASS;
    if (r->skip == 0) {
        role = r->roles(space, bar != NULL ? bar + 1 : name, attributes, parent);
    }
    if (role == ATTN_XML_PICTURE) {
        role = ATTN_XML_PASS;
        if (r->d->attributes) {
            add_attributes(r, here(r), attributes);
        }
    }
    begin_element(r, role, attributes);
}

/* The end of an element within a text that was begun in it. */
static void end_inside(gathered *g, element *e, attn_range tag) {
    attn_range whole = {e->tag.start, tag.end};
    g->hidden -= e->hides;
    switch (e->role) {
    case ATTN_XML_PAIR:
        close_pair(g, e->open, tag);
        break;
    case ATTN_XML_RUN:
        end_run(g, tag.end);
        break;
    case ATTN_XML_STYLE:
        g->style = whole;
        break;
    case ATTN_XML_WRAPPER:
        if (e->open != NONE) {
            close_pair(g, e->open, (attn_range){e->end_start, tag.end});
        } else {
            add_piece(g, &(piece){.kind = POINT, .at = whole});
        }
        break;
    case ATTN_XML_HEAD:
        g->content.start = g->count == 0 ? tag.end : g->content.start;
        break;
    case ATTN_XML_OPENS:
    case ATTN_XML_CLOSES:
        if (e->open < g->count) {
            g->pieces[e->open].at = whole;
        }
        break;
    case ATTN_XML_DROP:
    case ATTN_XML_FIELD:
    case ATTN_XML_WRAPPED:
    case ATTN_XML_WORDS:
        break;
    default:
        g->run_has_words = true;
        add_piece(g, &(piece){.kind = e->role == ATTN_XML_BREAK ? BREAK : POINT, .at = whole});
    }
}

/* Whether an element began within the text under way, and where it is no longer hidden. */
static bool was_inside(const gathered *g, const element *e, size_t depth) {
    return g != NULL && depth > g->depth && g->hidden == (size_t)e->hides &&
           e->role != ATTN_XML_TEXT;
}

static void XMLCALL on_end(void *context, const char *name) {
    reading *r = context;
    (void)name;
    if (r->depth == 0) {
        return;
    }
    size_t depth = r->depth--;
    element *e = &r->stack[r->depth], *around = r->depth > 0 ? e - 1 : NULL;
    gathered *g = text_here(r);
    attn_range tag = here(r);
    if (r->skip == depth) {
        r->skip = 0;
    }
    if (e->role == ATTN_XML_TEXT) {
        end_text(r, e, tag, around != NULL && around->role == ATTN_XML_UNIT);
    } else if (e->role == ATTN_XML_WRAPPED && around != NULL && around->role == ATTN_XML_WRAPPER &&
               around->open != NONE) {
        around->end_start = tag.start;
        around->hides = true; /* what follows the content is part of its end */
        g->hidden++;
    } else if (e->role == ATTN_XML_TARGET) {
        end_target(r, (attn_range){e->tag.start, tag.end});
    } else if (e->role == ATTN_XML_BEHIND) {
        r->pending_end = tag.end;
    } else if (e->role == ATTN_XML_UNIT) {
        end_pending(r, (attn_range){r->pending_end, r->pending_end});
    } else if (was_inside(g, e, depth)) {
        end_inside(g, e, tag);
    }
}

static void XMLCALL on_text(void *context, const char *text, int length) {
    reading *r = context;
    gathered *g = text_here(r);
    const element *e = r->depth > 0 ? &r->stack[r->depth - 1] : NULL;
    if (r->target_depth > 0) {
        for (int i = 0; i < length; i++) {
            r->target_is_full = r->target_is_full || strchr(" \t\r\n", text[i]) == NULL;
        }
    }
    if (g == NULL || g->hidden > 0 || g->instructions > 0 || r->skip > 0 || e == NULL) {
        return;
    }
    if (e->role == ATTN_XML_WORDS || r->d->parts[r->part].format != ATTN_PART_RUNS) {
        g->run_has_words = true;
        add_words(g, text, (size_t)length);
    }
}

/* Comments and instructions within a text stand between its words. */
static void add_other(reading *r) {
    gathered *g = text_here(r);
    if (g != NULL && g->hidden == 0 && g->instructions == 0 && !g->in_run) {
        add_piece(g, &(piece){.kind = POINT, .at = here(r)});
    }
}

static void XMLCALL on_comment(void *context, const char *text) {
    (void)text;
    add_other(context);
}

static void XMLCALL on_instruction(void *context, const char *target, const char *data) {
    (void)target, (void)data;
    add_other(context);
}

/* A document needs no entities of its own, and small files can make huge texts of them. */
static void XMLCALL on_entity(void *context, const char *entity, int parameter, const char *value,
                              int length, const char *base, const char *system, const char *public,
                              const char *notation) {
    (void)entity, (void)parameter, (void)value, (void)length, (void)base, (void)system;
    (void)public, (void)notation;
    refuse(context, "remove its <!ENTITY>", "the XML declares entities of its own");
}

static void parse(reading *r, const char *text, size_t size) {
    bool last = false;
    while (!last && r->status == ATTN_OK) {
        int length = (int)attn_min((int64_t)size, CHUNK);
        last = (size_t)length == size;
        if (XML_Parse(r->parser, text, length, last) != XML_STATUS_OK && r->status == ATTN_OK) {
            if (XML_GetErrorCode(r->parser) == XML_ERROR_NO_MEMORY) {
                r->status = attn_fail_memory(r->error, 0);
                return;
            }
            char what[120];
            snprintf(what, sizeof what, "it is damaged XML: %s",
                     XML_ErrorString(XML_GetErrorCode(r->parser)));
            refuse(r, "take an undamaged copy", what);
        }
        text += length;
        size -= (size_t)length;
    }
}

attn_status attn_xml_read(attn_doc *d, size_t part, attn_xml_roles *roles, attn_error *error) {
    reading *r = calloc(1, sizeof *r);
    XML_Parser parser = XML_ParserCreateNS("UTF-8", '|');
    attn_status status = attn_doc_check_text(d, &d->parts[part], error);
    if (r == NULL || parser == NULL) {
        status = attn_fail_memory(error, sizeof *r);
    }
    if (status == ATTN_OK) {
        *r = (reading){.parser = parser, .d = d, .part = part, .roles = roles, .error = error};
        XML_SetUserData(parser, r);
        XML_SetElementHandler(parser, on_start, on_end);
        XML_SetCharacterDataHandler(parser, on_text);
        XML_SetCommentHandler(parser, on_comment);
        XML_SetProcessingInstructionHandler(parser, on_instruction);
        XML_SetEntityDeclHandler(parser, on_entity);
        parse(r, d->parts[part].bytes, d->parts[part].size);
        status = r->status;
        while (r->text_depth > 0) {
            free_gathered(&r->texts[--r->text_depth]);
        }
        drop_pending(r);
    }
    if (parser != NULL) {
        XML_ParserFree(parser);
    }
    free(r);
    return status;
}

const char *attn_xml_attribute(const char **attributes, const char *name) {
    for (; *attributes != NULL; attributes += 2) {
        const char *bar = strrchr(attributes[0], '|');
        if (strcmp(bar != NULL ? bar + 1 : attributes[0], name) == 0) {
            return attributes[1];
        }
    }
    return NULL;
}
