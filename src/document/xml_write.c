/* document/xml_write.c: a text with its marks as XML again. */
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "document/xml.h"

static void escape(attn_buffer *out, const char *text, size_t length, bool in_tag) {
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '&') {
            attn_buffer_text(out, "&amp;");
        } else if (c == '<') {
            attn_buffer_text(out, "&lt;");
        } else if (c == '>') {
            attn_buffer_text(out, "&gt;");
        } else if (c == '"' && in_tag) {
            attn_buffer_text(out, "&quot;");
        } else if (c == '\'' && in_tag) {
            attn_buffer_text(out, "&apos;");
        } else if (c >= ' ' || c == '\n' || c == '\t' || c == '\r') {
            attn_buffer_add(out, text + i, 1);
        }
    }
}

void attn_xml_escape(attn_buffer *out, const char *text, size_t length) {
    escape(out, text, length, false);
}

/* What is written of a slot so far. */
typedef struct output {
    attn_writing *w;
    const attn_slot *slot;
    bool runs; /* words are in runs */
    bool open; /* one is */
    attn_range style;
    size_t *styles, depth; /* pairs that are runs, the innermost last */
} output;

static void write_bytes(output *o, attn_range range) {
    attn_buffer_add(o->w->out, o->w->part->bytes + range.start, range.end - range.start);
}

/* The name of an element of WordprocessingML, with the prefix that the part has for it. */
static void write_name(output *o, const char *before, const char *name) {
    attn_buffer_text(o->w->out, before);
    write_bytes(o, o->w->part->prefix);
    attn_buffer_text(o->w->out, name);
}

static void close_run(output *o) {
    if (o->open) {
        write_name(o, "</", "t>");
        write_name(o, "</", "r>");
        o->open = false;
    }
}

static void open_run(output *o) {
    attn_range style = o->depth > 0
                           ? attn_slot_mark_at(o->w, o->slot, o->styles[o->depth - 1])->open
                           : o->slot->aid;
    if (o->open && style.start == o->style.start && style.end == o->style.end) {
        return;
    }
    close_run(o);
    write_name(o, "<", "r>");
    write_bytes(o, style);
    write_name(o, "<", "t xml:space=\"preserve\">");
    o->style = style;
    o->open = true;
}

/* A mark that holds no words: in a run of its own, or between runs. */
static void write_between(output *o, const attn_slot_mark *mark) {
    if (mark->is_run) {
        write_name(o, "<", "r>");
        write_bytes(o, mark->close);
    }
    attn_write_range(o->w, mark->open);
    if (mark->is_run) {
        write_name(o, "</", "r>");
    }
}

static void write_step(output *o, const attn_step *step) {
    if (step->kind == ATTN_STEP_WORDS) {
        if (o->runs) {
            open_run(o);
        }
        escape(o->w->out, step->words, step->length, o->slot->in_tag);
        return;
    }
    if (step->kind == ATTN_STEP_MARKUP) {
        return; /* there is none but ours */
    }
    const attn_slot_mark *mark = attn_slot_mark_at(o->w, o->slot, step->mark);
    if (mark->kind == ATTN_SLOT_PAIR && mark->is_run) {
        if (step->kind == ATTN_STEP_MARK) {
            o->styles[o->depth++] = step->mark;
        } else {
            o->depth--;
        }
        return;
    }
    close_run(o);
    if (step->kind == ATTN_STEP_CLOSE) {
        write_bytes(o, mark->close);
    } else if (mark->kind == ATTN_SLOT_PAIR) {
        write_bytes(o, mark->open);
    } else {
        write_between(o, mark);
    }
}

static void write_content(output *o, const char *translation) {
    const char *at = translation, *end = at + strlen(at);
    attn_step step = {0};
    for (attn_mark_next(o->w, o->slot, &at, end, &step); step.kind != ATTN_STEP_END;
         attn_mark_next(o->w, o->slot, &at, end, &step)) {
        write_step(o, &step);
    }
    close_run(o);
}

void attn_xml_write(attn_writing *w, const attn_slot *slot, const char *translation) {
    output o = {.w = w, .slot = slot, .runs = w->part->format == ATTN_PART_RUNS && !slot->in_tag};
    o.styles = attn_alloc_zero(slot->mark_count + 1, sizeof *o.styles);
    if (o.styles == NULL) {
        w->out->failed = true;
        return;
    }
    write_content(&o, translation);
    attn_free(o.styles);
}
