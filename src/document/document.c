/* document/document.c: kinds of files, and what their readers share: parts, slots, and writing them again. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "document/document_parts.h"
#include "io/archive.h"
#include "io/lines.h"

static const attn_format *const formats[] = {
    &attn_format_txt, &attn_format_html,     &attn_format_srt,   &attn_format_vtt,
    &attn_format_po,  &attn_format_markdown, &attn_format_xliff, &attn_format_docx,
    &attn_format_odt, &attn_format_epub,
};

enum { FORMATS = sizeof formats / sizeof formats[0] };

static const char known[] = "give one of txt, html, srt, vtt, po, xliff, md, docx, odt, epub";

/* ---- kinds ---- */

const char *attn_doc_ending(size_t i) {
    static _Thread_local char ending[16];
    if (i >= FORMATS) {
        return NULL;
    }
    const char *first = formats[i]->endings + 1;
    snprintf(ending, sizeof ending, "%.*s", (int)strcspn(first, " "), first);
    return ending;
}

/* The end of a file's name from its last dot on; "" when it has none. */
static const char *ending_of(const char *name) {
    const char *slash = strrchr(name, '/'), *dot = strrchr(name, '.');
    return dot != NULL && dot != name && (slash == NULL || dot > slash + 1) ? dot : "";
}

static bool has_ending(const attn_format *format, const char *ending) {
    size_t length = strlen(ending);
    for (const char *at = format->endings + 1; *at != '\0'; at += strcspn(at, " ") + 1) {
        if (length > 0 && strcspn(at, " ") == length && strncasecmp(at, ending, length) == 0) {
            return true;
        }
    }
    return false;
}

bool attn_doc_is_named(const char *name) {
    for (size_t i = 0; i < FORMATS; i++) {
        if (has_ending(formats[i], ending_of(name))) {
            return true;
        }
    }
    return false;
}

static attn_status fail_kind(const attn_doc *d, attn_error *error) {
    return attn_fail(error, ATTN_ERR_FORMAT, d->name, -1, known,
                     "this is no kind of file whose text attn knows how to find");
}

/* By its content, then by its name; a name that promises another content is an error. */
static attn_status find_format(attn_doc *d, attn_error *error) {
    const char *ending = ending_of(d->name);
    const attn_format *named = NULL, *seen = NULL;
    size_t mark = attn_lines_mark(d->bytes, d->size);
    for (size_t i = 0; i < FORMATS; i++) {
        const attn_format *f = formats[i];
        named = has_ending(f, ending) ? f : named;
        if (f->begins != NULL && seen == NULL && f->begins(d->bytes + mark, d->size - mark)) {
            seen = f;
        }
    }
    bool packed = attn_archive_begins(d->bytes, d->size);
    if (named != NULL && (named->packed != packed || (packed && seen != NULL && seen != named))) {
        return attn_fail(error, ATTN_ERR_FORMAT, d->name, -1, "give an undamaged file of that kind",
                         "it is no %s file, as its name says", named->name);
    }
    if (ending[0] != '\0' && named == NULL && (seen == NULL || !seen->packed)) {
        return fail_kind(d, error);
    }
    d->format = named != NULL ? named : seen != NULL ? seen : packed ? NULL : &attn_format_txt;
    return d->format != NULL ? ATTN_OK : fail_kind(d, error);
}

/* ---- parts ---- */

attn_status attn_doc_add_part(attn_doc *d, char *bytes, size_t size, size_t member,
                              attn_part_format format, attn_error *error) {
    if (!attn_grow(&d->parts, &d->part_room, d->part_count + 1, sizeof *d->parts)) {
        return attn_fail_memory(error, sizeof *d->parts);
    }
    d->parts[d->part_count++] =
        (attn_part){.bytes = bytes, .size = size, .member = member, .format = format};
    return ATTN_OK;
}

attn_status attn_doc_fail(const attn_doc *d, const attn_part *part, size_t at, const char *hint,
                          const char *what, attn_error *error) {
    char quoted[120];
    int64_t line = 1;
    for (size_t i = 0; i < at && i < part->size; i++) {
        line += part->bytes[i] == '\n';
    }
    if (part->name == NULL) {
        return attn_fail(error, ATTN_ERR_FORMAT, d->name, line, hint, "%s", what);
    }
    return attn_fail(error, ATTN_ERR_FORMAT, d->name, -1, hint, "line %lld of %s: %s",
                     (long long)line, attn_utf8_quote(quoted, sizeof quoted, part->name), what);
}

/* By part, then by place, what is around something else first. */
static int by_place(const void *a, const void *b) {
    const attn_slot *x = a, *y = b;
    if (x->part != y->part) {
        return x->part < y->part ? -1 : 1;
    }
    if (x->at.start != y->at.start) {
        return x->at.start < y->at.start ? -1 : 1;
    }
    return (x->at.end < y->at.end) - (x->at.end > y->at.end);
}

static attn_status arrange(attn_doc *d, attn_error *error) {
    d->texts = calloc(d->slot_count + 1, sizeof *d->texts);
    if (d->texts == NULL) {
        return attn_fail_memory(error, d->slot_count * sizeof *d->texts);
    }
    if (d->slot_count > 0) {
        qsort(d->slots, d->slot_count, sizeof *d->slots, by_place);
    }
    for (size_t i = 0; i < d->slot_count; i++) {
        attn_part *part = &d->parts[d->slots[i].part];
        part->first_slot = part->slot_count == 0 ? i : part->first_slot;
        part->slot_count++;
        d->texts[i] = d->words.data + d->slots[i].text;
    }
    return ATTN_OK;
}

attn_status attn_doc_check_text(const attn_doc *d, const attn_part *part, attn_error *error) {
    size_t good = attn_utf8_prefix(part->bytes, part->size);
    if (good < part->size) {
        return attn_doc_fail(d, part, good, "save it as UTF-8", "the file is not UTF-8", error);
    }
    size_t length = strlen(part->bytes);
    return length == part->size ? ATTN_OK
                                : attn_doc_fail(d, part, length, "give a text file",
                                                "the file holds a NUL byte", error);
}

attn_status attn_doc_open(char *bytes, size_t size, const char *name, size_t limit, bool attributes,
                          attn_doc **out, attn_error *error) {
    attn_doc *d = calloc(1, sizeof *d);
    *out = NULL;
    if (d == NULL) {
        attn_free(bytes);
        return attn_fail_memory(error, sizeof *d);
    }
    *d = (attn_doc){.bytes = bytes,
                    .size = size,
                    .limit = limit,
                    .attributes = attributes,
                    .name = strdup(name)};
    attn_status status = d->name != NULL ? ATTN_OK : attn_fail_memory(error, 1);
    if (status == ATTN_OK && size > limit) {
        status = attn_fail(error, ATTN_ERR_FORMAT, name, -1, "give it in parts",
                           "the file has more than %zu bytes", limit);
    }
    status = status == ATTN_OK ? find_format(d, error) : status;
    if (status == ATTN_OK && !d->format->packed) {
        status = attn_doc_add_part(d, bytes, size, 0, ATTN_PART_NONE, error);
        status = status == ATTN_OK ? attn_doc_check_text(d, d->parts, error) : status;
    }
    status = status == ATTN_OK ? d->format->read(d, error) : status;
    status = status == ATTN_OK ? arrange(d, error) : status;
    if (status != ATTN_OK) {
        attn_doc_free(d);
        return status;
    }
    *out = d;
    return ATTN_OK;
}

void attn_doc_free(attn_doc *d) {
    if (d == NULL) {
        return;
    }
    attn_archive_close(d->archive);
    for (size_t i = 0; i < d->part_count; i++) {
        if (d->parts[i].bytes != d->bytes) {
            attn_free(d->parts[i].bytes);
        }
    }
    attn_free(d->bytes);
    attn_free(d->parts);
    attn_free(d->slots);
    attn_free(d->marks);
    attn_buffer_free(&d->words);
    free(d->texts);
    free(d->name);
    free(d);
}

const char *const *attn_doc_texts(const attn_doc *d, size_t *count) {
    *count = d->slot_count;
    return d->texts;
}

bool attn_doc_is_html(const attn_doc *d) {
    return !d->format->plain;
}

bool attn_doc_fills(const attn_doc *d) {
    return d->format->fills;
}

/* ---- writing ---- */

/* Follows which marks a translation has. */
typedef struct nesting {
    size_t *open, depth; /* pairs that are open, the last on top */
    unsigned char *seen; /* by mark: 1 once, 2 closed too */
} nesting;

static bool follow(const attn_writing *w, const attn_slot *slot, const attn_step *step,
                   nesting *n) {
    bool pair = attn_slot_mark_at(w, slot, step->mark)->kind == ATTN_SLOT_PAIR;
    if (step->kind == ATTN_STEP_MARK) {
        if (n->seen[step->mark]++ != 0) {
            return false;
        }
        if (pair) {
            n->open[n->depth++] = step->mark;
        }
        return true;
    }
    return pair && n->depth > 0 && n->open[--n->depth] == step->mark;
}

/* Whether each mark is in the translation once, and pairs are well nested. */
static bool is_whole(const attn_writing *w, const attn_slot *slot, const char *translation) {
    nesting n = {.open = calloc(slot->mark_count + 1, sizeof *n.open),
                 .seen = calloc(slot->mark_count + 1, 1)};
    bool whole = n.open != NULL && n.seen != NULL;
    const char *at = translation, *end = at + strlen(at);
    attn_step step = {0};
    while (whole && step.kind != ATTN_STEP_END) {
        attn_mark_next(w, slot, &at, end, &step);
        if (step.kind == ATTN_STEP_MARK || step.kind == ATTN_STEP_CLOSE) {
            whole = follow(w, slot, &step, &n);
        }
    }
    for (size_t i = 0; i < slot->mark_count && whole; i++) {
        whole = n.seen[i] == 1;
    }
    whole = whole && n.depth == 0;
    w->out->failed = w->out->failed || n.open == NULL || n.seen == NULL;
    free(n.open);
    free(n.seen);
    return whole;
}

/* What takes the place of slot i; NULL: what is there stays. */
static const char *replacement(const attn_writing *w, size_t i) {
    const attn_doc *d = w->document;
    const char *text = d->texts[i], *translation = w->translations[i];
    if (d->slots[i].mark_count > 0 && !is_whole(w, &d->slots[i], translation)) {
        translation = text;
    }
    return d->format->fills || strcmp(translation, text) != 0 ? translation : NULL;
}

/* The first slot of the part that begins at `at` or behind it. */
static size_t slot_from(const attn_writing *w, size_t at) {
    size_t low = w->part->first_slot, high = low + w->part->slot_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (w->document->slots[middle].at.start < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void attn_write_range(attn_writing *w, attn_range range) {
    const attn_part *part = w->part;
    size_t end = part->first_slot + part->slot_count, at = range.start;
    for (size_t i = slot_from(w, at); i < end; i++) {
        const attn_slot *slot = &w->document->slots[i];
        if (slot->at.start >= range.end) {
            break;
        }
        bool here = slot->at.start >= at && slot->at.end <= range.end;
        const char *text = here ? replacement(w, i) : NULL;
        if (text != NULL) {
            attn_buffer_add(w->out, part->bytes + at, slot->at.start - at);
            w->document->format->write(w, slot, text);
            at = slot->at.end;
        }
    }
    attn_buffer_add(w->out, part->bytes + at, range.end - at);
}

/* A whole part. */
static void write_part(attn_writing *w) {
    const attn_part *part = w->part;
    attn_range whole = {0, part->size};
    if (part->attribute != NULL && part->insert.start > 0) {
        attn_write_range(w, (attn_range){0, part->insert.start});
        attn_buffer_format(w->out, " %s=\"%s\"", part->attribute, w->target);
        whole.start = part->insert.start;
    }
    attn_write_range(w, whole);
}

/* The part as its member in the archive is to be; false when it stays as it is. */
static bool write_member(attn_writing *w, attn_buffer *out) {
    const attn_part *part = w->part;
    w->out = out;
    write_part(w);
    return out->failed || out->length != part->size ||
           (part->size > 0 && memcmp(out->data, part->bytes, part->size) != 0);
}

/* Exchanges the members that hold a text. */
static attn_status write_packed(attn_writing *w, attn_buffer *out, attn_error *error) {
    const attn_doc *d = w->document;
    attn_archive_member *members = calloc(d->part_count + 1, sizeof *members);
    attn_buffer *bytes = calloc(d->part_count + 1, sizeof *bytes);
    attn_status status = members != NULL && bytes != NULL ? ATTN_OK : attn_fail_memory(error, 1);
    size_t count = 0, size = 0;
    char *packed = NULL;
    for (size_t i = 0; i < d->part_count && status == ATTN_OK; i++) {
        w->part = &d->parts[i];
        if (write_member(w, &bytes[i])) {
            members[count++] =
                (attn_archive_member){w->part->member, bytes[i].data, bytes[i].length};
        }
        status = bytes[i].failed ? attn_fail_memory(error, w->part->size) : ATTN_OK;
    }
    if (status == ATTN_OK && count == 0) {
        attn_buffer_add(out, d->bytes, d->size);
    } else if (status == ATTN_OK) {
        status =
            attn_archive_replace(d->bytes, d->size, d->name, members, count, &packed, &size, error);
        attn_buffer_add(out, packed, size);
    }
    attn_free(packed);
    for (size_t i = 0; bytes != NULL && i < d->part_count; i++) {
        attn_buffer_free(&bytes[i]);
    }
    free(bytes);
    free(members);
    return status;
}

attn_status attn_doc_write(const attn_doc *d, const char *const *translations, const char *target,
                           attn_buffer *out, attn_error *error) {
    attn_writing w = {.document = d,
                      .part = d->parts,
                      .translations = translations,
                      .target = target,
                      .out = out};
    attn_status status = ATTN_OK;
    if (d->format->packed) {
        status = write_packed(&w, out, error);
    } else {
        write_part(&w);
    }
    return status == ATTN_OK && out->failed ? attn_fail_memory(error, d->size) : status;
}
