/* text/passage_join.c: putting the translations of the units where they belong. */
#include <string.h>

#include "text/html.h"
#include "text/passage_parts.h"

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
static attn_status write_unit(const attn_passage *p, const part *tried, const char *translation,
                              const attn_links *links, attn_buffer *out, attn_error *error) {
    attn_mark marks[ATTN_MOST_MARKS];
    writing w = {.ending = attn_form_ending(p, &tried->form, translation)};
    if (tried->mark_count > 0) {
        memcpy(marks, p->marks + tried->mark, tried->mark_count * sizeof *marks);
        attn_status status = attn_markup_place(
            marks, tried->mark_count, attn_passage_unit(p, tried->unit), translation, links, error);
        if (status != ATTN_OK) {
            return status;
        }
    }
    for (size_t m = 0; m < tried->mark_count; m++) {
        write_up_to(p, tried, translation, &w, marks[m].to, false, out);
        attn_buffer_add(out, p->literals.data + marks[m].start, marks[m].length);
    }
    write_up_to(p, tried, translation, &w, strlen(translation), true, out);
    return ATTN_OK;
}

/* The next part that is used, from `i` on; *asked: the unit that must be known to tell, when it is not. */
static size_t next_used(const attn_passage *p, const char *const *translations, size_t i,
                        bool judge) {
    for (; i < p->part_count; i++) {
        const part *next = &p->parts[i];
        const char *translation = next->kind == PART_TRY ? translations[next->unit] : NULL;
        if (next->kind == PART_LITERAL || translation == NULL || !judge ||
            attn_form_passes(p, next, translation)) {
            return i;
        }
    }
    return i;
}

size_t attn_passage_needed(const attn_passage *p, const char *const *translations, bool *needed) {
    size_t count = 0;
    memset(needed, 0, p->unit_count * sizeof *needed);
    for (size_t i = next_used(p, translations, 0, true); i < p->part_count;
         i = next_used(p, translations, i + 1, true)) {
        const part *next = &p->parts[i];
        if (next->kind == PART_TRY) {
            needed[next->unit] = translations[next->unit] == NULL;
            count += needed[next->unit];
            i += next->skip;
        }
    }
    return count;
}

static attn_status join(const attn_passage *p, const char *const *translations,
                        const attn_links *links, bool judge, bool *used, char **text,
                        attn_error *error) {
    attn_buffer out = {0};
    attn_status status = ATTN_OK;
    for (size_t i = next_used(p, translations, 0, judge); i < p->part_count && status == ATTN_OK;
         i = next_used(p, translations, i + 1, judge)) {
        const part *next = &p->parts[i];
        if (next->kind == PART_LITERAL) {
            attn_buffer_add(&out, p->literals.data + next->start, next->length);
            continue;
        }
        const char *translation = translations[next->unit];
        if (used != NULL) {
            used[next->unit] = true;
        }
        if (translation != NULL && translation[0] != '\0') {
            status = write_unit(p, next, translation, links != NULL ? &links[next->unit] : NULL,
                                &out, error);
        }
        i += next->skip;
    }
    if (status != ATTN_OK) {
        attn_buffer_free(&out);
        return status;
    }
    return attn_buffer_take(&out, text, error);
}

attn_status attn_passage_join(const attn_passage *p, const char *const *translations,
                              const attn_links *links, bool *used, char **text, attn_error *error) {
    *text = NULL;
    if (used != NULL) {
        memset(used, 0, p->unit_count * sizeof *used);
    }
    return join(p, translations, links, true, used, text, error);
}

attn_status attn_passage_preview(const attn_passage *p, const char *const *translations,
                                 char **text, attn_error *error) {
    *text = NULL;
    return join(p, translations, NULL, false, NULL, text, error);
}
