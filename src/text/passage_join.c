/* text/passage_join.c: putting the translations of the units where they belong. */
#include <stdlib.h>
#include <string.h>

#include "text/html.h"
#include "text/passage_parts.h"

static size_t occurrences(const char *text, const char *word) {
    size_t count = 0, size = strlen(word);
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + size, word)) {
        count++;
    }
    return count;
}

/* Whether each stand-in came out once. */
static bool came_through(const part *whole, const char *translation) {
    for (size_t i = 0; i < whole->masked; i++) {
        if (occurrences(translation, whole->stand_in[i]) != 1) {
            return false;
        }
    }
    return true;
}

static void write_text(const attn_passage *p, attn_buffer *out, const char *text, size_t length) {
    if (p->html) {
        attn_html_escape(out, text, length);
    } else {
        attn_buffer_add(out, text, length);
    }
}

/* text[from .. end) with what the stand-ins stand for. */
static void write_masked(const attn_passage *p, const part *whole, const char *from,
                         const char *end, attn_buffer *out) {
    while (from < end) {
        const char *next = end;
        size_t which = 0;
        for (size_t i = 0; i < whole->masked; i++) {
            const char *found = strstr(from, whole->stand_in[i]);
            if (found != NULL && found < next) {
                next = found;
                which = i;
            }
        }
        write_text(p, out, from, (size_t)(next - from));
        if (next == end) {
            break;
        }
        attn_buffer_add(out, p->literals.data + whole->output_start[which],
                        whole->output_length[which]);
        from = next + strlen(whole->stand_in[which]);
    }
}

/* A unit's translation with its tags. A stand-in is a word, and no tag is put into a word. */
static attn_status write_unit(const attn_passage *p, const part *whole, const char *translation,
                              const attn_links *links, attn_buffer *out, attn_error *error) {
    attn_mark marks[ATTN_MOST_MARKS];
    const char *end = translation + strlen(translation), *done = translation;
    if (whole->mark_count > 0) {
        memcpy(marks, p->marks + whole->mark, whole->mark_count * sizeof *marks);
        attn_status status = attn_markup_place(
            marks, whole->mark_count, attn_passage_unit(p, whole->unit), translation, links, error);
        if (status != ATTN_OK) {
            return status;
        }
    }
    for (size_t m = 0; m < whole->mark_count; m++) {
        write_masked(p, whole, done, translation + marks[m].to, out);
        attn_buffer_add(out, p->literals.data + marks[m].start, marks[m].length);
        done = translation + marks[m].to;
    }
    write_masked(p, whole, done, end, out);
    return ATTN_OK;
}

attn_status attn_passage_join(const attn_passage *p, const char *const *translations,
                              const attn_links *links, bool *used, char **text, attn_error *error) {
    attn_buffer out = {0};
    attn_status status = ATTN_OK;
    *text = NULL;
    if (used != NULL) {
        memset(used, 0, p->unit_count * sizeof *used);
    }
    for (size_t i = 0; i < p->part_count && status == ATTN_OK; i++) {
        const part *next = &p->parts[i];
        if (next->kind == PART_LITERAL) {
            attn_buffer_add(&out, p->literals.data + next->start, next->length);
            continue;
        }
        const char *translation = translations[next->unit];
        if (next->kind == PART_WHOLE && (translation == NULL || !came_through(next, translation))) {
            continue; /* the pieces follow */
        }
        if (used != NULL) {
            used[next->unit] = true;
        }
        status = write_unit(p, next, translation != NULL ? translation : "",
                            links != NULL ? &links[next->unit] : NULL, &out, error);
        i += next->skip;
    }
    if (status != ATTN_OK) {
        attn_buffer_free(&out);
        return status;
    }
    return attn_buffer_take(&out, text, error);
}
