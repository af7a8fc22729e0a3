/* text/passage_join.c: putting the translations of the units where they belong. */
#include <string.h>

#include "base/fail.h"
#include "text/html.h"
#include "text/passage_parts.h"

/* What a joining needs and tells. */
typedef struct joining {
    const attn_passage *p;
    const char *const *translations;
    const attn_links *links;
    bool judge, *used;
    bool *out_of_memory; /* set when a translation could not be judged */
    attn_buffer *out;
    attn_error *error;
} joining;

static attn_status join_parts(const joining *j, const part *parts, size_t count);

/* The translation of an attribute's value: its quote may not stand in it. */
static attn_status write_attribute(const joining *j, const attribute *a) {
    attn_buffer value = {0};
    joining inner = *j;
    char quote = a->quote != '\0' ? a->quote : '"';
    inner.out = &value;
    attn_status status = join_parts(&inner, j->p->side + a->part, a->count);
    for (size_t i = 0; status == ATTN_OK && i < value.length; i++) {
        if (value.data[i] == quote) {
            attn_buffer_text(j->out, quote == '"' ? "&quot;" : "&#39;");
        } else {
            attn_buffer_add(j->out, value.data + i, 1);
        }
    }
    j->out->failed = j->out->failed || value.failed;
    attn_buffer_free(&value);
    return status;
}

/* literals[start .. start + length), with the attributes in it. */
static attn_status write_literal(const joining *j, size_t start, size_t length) {
    const attn_passage *p = j->p;
    size_t end = start + length, low = 0, high = p->insert_count;
    attn_status status = ATTN_OK;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (p->inserts[middle].at <= start) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < p->insert_count && p->inserts[low].at < end && status == ATTN_OK; low++) {
        attn_buffer_add(j->out, p->literals.data + start, p->inserts[low].at - start);
        status = write_attribute(j, &p->attributes[p->inserts[low].attribute]);
        start = p->inserts[low].at;
    }
    if (start < end) {
        attn_buffer_add(j->out, p->literals.data + start, end - start);
    }
    return status;
}

/* text[from .. to) with what the stand-ins stand for. Returns where it ended: behind `to`, where a stand-in runs over it. */
static size_t write_masked(const attn_passage *p, const part *tried, const char *text, size_t from,
                           size_t to, attn_buffer *out) {
    while (from < to) {
        size_t number, length = 0;
        const char *found = attn_form_find(p, tried, text, text + from, &number, &length);
        size_t at = found != NULL && (size_t)(found - text) < to ? (size_t)(found - text) : to;
        attn_form_write(p, tried, text, from, at - from, out);
        if (at == to) {
            return to;
        }
        const mask *m = &p->masks[tried->masked + number];
        attn_buffer_add(out, p->literals.data + m->start, m->length);
        from = at + length;
    }
    return from;
}

/* What is written of a translation so far. */
typedef struct writing {
    size_t done;
    bool ended; /* the last sign is written, or left out */
    passage_ending ending;
} writing;

/* text[done .. to), with the last sign where it belongs. */
static void write_up_to(const attn_passage *p, const part *tried, const char *text, writing *w,
                        size_t to, bool last, attn_buffer *out) {
    size_t stop = to < w->ending.end ? to : w->ending.end;
    if (w->done < stop) {
        w->done = write_masked(p, tried, text, w->done, stop, out);
    }
    if (!w->ended && (last || to > w->ending.end)) {
        attn_buffer_text(out, w->ending.space);
        attn_buffer_text(out, w->ending.sign);
        w->ended = true;
        w->done = w->done > w->ending.tail ? w->done : w->ending.tail;
    }
    if (w->done < to && (w->ended || to <= w->ending.end)) {
        w->done = write_masked(p, tried, text, w->done, to, out);
    }
}

/* A unit's translation with its tags. A stand-in is a word, and no tag is put into a word. */
static attn_status write_unit(const joining *j, const part *tried, const char *translation) {
    const attn_passage *p = j->p;
    attn_mark marks[ATTN_MOST_MARKS];
    attn_status status = ATTN_OK;
    writing w = {.ending = attn_form_ending(p, &tried->form, translation)};
    if (tried->mark_count > 0) {
        memcpy(marks, p->marks + tried->mark, tried->mark_count * sizeof *marks);
        status = attn_markup_place(marks, tried->mark_count, attn_passage_unit(p, tried->unit),
                                   translation, j->links != NULL ? &j->links[tried->unit] : NULL,
                                   j->error);
    }
    for (size_t m = 0; m < tried->mark_count && status == ATTN_OK; m++) {
        write_up_to(p, tried, translation, &w, marks[m].to, false, j->out);
        status = write_literal(j, marks[m].start, marks[m].length);
    }
    write_up_to(p, tried, translation, &w, strlen(translation), true, j->out);
    return status;
}

/* The next part that is used, from `i` on. One whose unit is not known yet is. */
static size_t next_used(const joining *j, const part *parts, size_t count, size_t i) {
    for (; i < count; i++) {
        const part *next = &parts[i];
        const char *translation = next->kind == PART_TRY ? j->translations[next->unit] : NULL;
        if (next->kind == PART_LITERAL || translation == NULL || !j->judge ||
            attn_form_passes(j->p, next, translation, j->out_of_memory)) {
            return i;
        }
    }
    return i;
}

static size_t needed_of(const joining *j, const part *parts, size_t part_count, bool *needed) {
    size_t count = 0;
    for (size_t i = next_used(j, parts, part_count, 0); i < part_count;
         i = next_used(j, parts, part_count, i + 1)) {
        const part *next = &parts[i];
        if (next->kind == PART_TRY) {
            needed[next->unit] = j->translations[next->unit] == NULL;
            count += needed[next->unit];
            i += next->skip;
        }
    }
    return count;
}

attn_status attn_passage_needed(const attn_passage *p, const char *const *translations,
                                bool *needed, size_t *count, attn_error *error) {
    bool out_of_memory = false;
    const joining j = {
        .p = p, .translations = translations, .judge = true, .out_of_memory = &out_of_memory};
    memset(needed, 0, p->unit_count * sizeof *needed);
    *count = needed_of(&j, p->parts, p->part_count, needed);
    for (size_t i = 0; i < p->attribute_count; i++) {
        *count += needed_of(&j, p->side + p->attributes[i].part, p->attributes[i].count, needed);
    }
    return out_of_memory ? attn_fail_memory(error, 0) : ATTN_OK;
}

static attn_status join_parts(const joining *j, const part *parts, size_t count) {
    attn_status status = ATTN_OK;
    for (size_t i = next_used(j, parts, count, 0); i < count && status == ATTN_OK;
         i = next_used(j, parts, count, i + 1)) {
        const part *next = &parts[i];
        if (next->kind == PART_LITERAL) {
            status = write_literal(j, next->start, next->length);
            continue;
        }
        const char *translation = j->translations[next->unit];
        if (j->used != NULL) {
            j->used[next->unit] = true;
        }
        if (translation != NULL && translation[0] != '\0') {
            status = write_unit(j, next, translation);
        }
        i += next->skip;
    }
    return status;
}

static attn_status join(joining *j, char **text) {
    attn_buffer out = {0};
    bool out_of_memory = false;
    j->out = &out;
    j->out_of_memory = &out_of_memory;
    attn_status status = join_parts(j, j->p->parts, j->p->part_count);
    j->out = NULL;
    j->out_of_memory = NULL;
    if (status == ATTN_OK && out_of_memory) {
        status = attn_fail_memory(j->error, 0);
    }
    if (status != ATTN_OK) {
        attn_buffer_free(&out);
        return status;
    }
    return attn_buffer_take(&out, text, j->error);
}

attn_status attn_passage_join(const attn_passage *p, const char *const *translations,
                              const attn_links *links, bool *used, char **text, attn_error *error) {
    joining j = {.p = p,
                 .translations = translations,
                 .links = links,
                 .judge = true,
                 .used = used,
                 .error = error};
    *text = NULL;
    if (used != NULL) {
        memset(used, 0, p->unit_count * sizeof *used);
    }
    return join(&j, text);
}

attn_status attn_passage_preview(const attn_passage *p, const char *const *translations,
                                 char **text, attn_error *error) {
    joining j = {.p = p, .translations = translations, .error = error};
    *text = NULL;
    return join(&j, text);
}
