/* document/subtitles.c: SubRip (SRT) and WebVTT: the lines below each time.
 *
 * The lines of a subtitle are one text, and come out as as many lines of like length; a line that begins with a dash is
 * somebody else's, and stands by itself. */
#include <ctype.h>
#include <string.h>

#include "document/document_parts.h"
#include "io/lines.h"
#include "text/html.h"

/* Whether a line holds "00:00:01,000 --> ". */
static bool is_time(const char *text, size_t length) {
    const char *arrow = attn_find_bytes(text, length, "-->");
    return arrow != NULL && length > 0 && strchr(" \t0123456789", text[0]) != NULL &&
           memchr(text, ':', (size_t)(arrow - text)) != NULL;
}

static bool begins_with_dash(const char *text, size_t length) {
    return (length > 0 && text[0] == '-') ||
           (length >= 3 &&
            (memcmp(text, "\xE2\x80\x93", 3) == 0 || memcmp(text, "\xE2\x80\x94", 3) == 0 ||
             memcmp(text, "\xE2\x99\xAA", 3) == 0));
}

/* Times within a WebVTT subtitle, <00:00:01.000>, and SubRip's {\an8} stand between words. Returns its length, or 0. */
static size_t point_length(const char *text, size_t length, bool vtt) {
    if (length < 3 || !(vtt ? text[0] == '<' && isdigit((unsigned char)text[1])
                            : text[0] == '{' && text[1] == '\\')) {
        return 0;
    }
    const char *end = memchr(text, vtt ? '>' : '}', length);
    return end != NULL ? (size_t)(end - text) + 1 : 0;
}

/* Where the last such sign is, or 0. */
static size_t last_sign(const char *text, size_t length, char sign) {
    while (length > 0 && text[length - 1] != sign) {
        length--;
    }
    return length > 0 ? length - 1 : 0;
}

/* The bytes of text at its start: up to the next markup or point. */
static size_t text_length(const char *text, size_t length, bool vtt) {
    size_t at = 1;
    while (at < length && text[at] != '<' && (vtt || text[at] != '{')) {
        at++;
    }
    return at;
}

static void add_line(attn_text_maker *m, const char *text, size_t length, size_t start, bool vtt) {
    size_t text_until = 0; /* up to there each '<' is known to be text */
    size_t last = last_sign(text, length, vtt ? '>' : '}');
    for (size_t at = 0; at < length;) {
        size_t point = at < last ? point_length(text + at, length - at, vtt) : 0;
        if (point > 0) {
            attn_make_mark(m, ATTN_SLOT_POINT, start + at, start + at + point);
            at += point;
            continue;
        }
        attn_html_token token = {.kind = ATTN_HTML_TEXT};
        if (text[at] == '<' && at >= text_until) {
            token = attn_html_next(text + at, length - at, 0);
            text_until = at + token.length;
        }
        if (token.kind != ATTN_HTML_TEXT) {
            attn_make_markup(m, text + at, token.length);
            at += token.length;
            continue;
        }
        size_t words = text_length(text + at, length - at, vtt);
        if (vtt) {
            attn_make_html(m, text + at, words); /* with its character references */
        } else {
            attn_make_words(m, text + at, words);
        }
        at += words;
    }
}

/* Counts a line of the segment behind break `last`, or before the first one. */
static size_t *lines_of(attn_text_maker *m, attn_slot *slot, size_t last) {
    return last < m->count ? &m->marks[last].lines : &slot->lines;
}

/* The lines of one subtitle from `at` on; *end: where they end. */
static attn_status read_lines(attn_doc *d, size_t at, bool vtt, size_t *end, attn_error *error) {
    attn_text_maker m = {0};
    attn_slot slot = {.at = {at, at}, .lines = 1};
    size_t last = (size_t)-1;
    while (at < d->size) {
        const char *text = d->bytes + at;
        size_t length = strcspn(text, "\n");
        size_t used = length > 0 && text[length - 1] == '\r' ? length - 1 : length;
        bool first = slot.at.end == slot.at.start;
        if (used == 0) {
            break;
        }
        if (!first && begins_with_dash(text, used)) {
            last = attn_make_mark(&m, ATTN_SLOT_BREAK, slot.at.end, at);
        } else if (!first) {
            slot.aid = slot.aid.end == 0 ? (attn_range){slot.at.end, at} : slot.aid;
            attn_make_html(&m, " ", 1);
            ++*lines_of(&m, &slot, last);
        }
        add_line(&m, text, used, at, vtt);
        slot.at.end = at + used;
        at += length + (at + length < d->size);
    }
    *end = at;
    return attn_make_end(&m, d, &slot, error);
}

static attn_status read_subtitles(attn_doc *d, bool vtt, attn_error *error) {
    attn_status status = ATTN_OK;
    for (size_t at = 0; at < d->size && status == ATTN_OK;) {
        const char *text = d->bytes + at;
        size_t length = strcspn(text, "\n");
        at += length + (at + length < d->size);
        if (is_time(text, length)) {
            status = read_lines(d, at, vtt, &at, error);
        }
    }
    return status;
}

static attn_status read_srt(attn_doc *d, attn_error *error) {
    return read_subtitles(d, false, error);
}

static bool begins_vtt(const char *text, size_t size) {
    return size >= 6 && memcmp(text, "WEBVTT", 6) == 0 && (size == 6 || strchr(" \t\r\n", text[6]));
}

static attn_status read_vtt(attn_doc *d, attn_error *error) {
    size_t mark = attn_lines_mark(d->bytes, d->size);
    if (!begins_vtt(d->bytes + mark, d->size - mark)) {
        return attn_doc_fail(d, d->parts, 0, "is it SubRip? Then call it .srt",
                             "a WebVTT file begins with WEBVTT", error);
    }
    return read_subtitles(d, true, error);
}

/* A number, and below it a time. */
static bool begins_srt(const char *text, size_t size) {
    size_t digits = 0;
    while (digits < size && isdigit((unsigned char)text[digits])) {
        digits++;
    }
    size_t next = digits + (digits < size && text[digits] == '\r');
    return digits > 0 && next + 1 < size && text[next] == '\n' &&
           is_time(text + next + 1, strcspn(text + next + 1, "\n"));
}

/* ---- writing ---- */

static void write_subtitle(attn_writing *w, const attn_slot *slot, const char *translation,
                           bool vtt) {
    const char *at = translation, *end = at + strlen(at), *bytes = w->part->bytes;
    attn_buffer segment = {0};
    size_t lines = slot->lines;
    attn_step step = {0};
    while (step.kind != ATTN_STEP_END) {
        attn_mark_next(w, slot, &at, end, &step);
        const attn_slot_mark *mark =
            step.kind == ATTN_STEP_MARK ? attn_slot_mark_at(w, slot, step.mark) : NULL;
        if (step.kind == ATTN_STEP_END || (mark != NULL && mark->kind == ATTN_SLOT_BREAK)) {
            attn_write_lines(w->out, segment.data != NULL ? segment.data : "", segment.length,
                             lines, bytes + slot->aid.start, slot->aid.end - slot->aid.start);
            segment.length = 0;
            lines = mark != NULL ? mark->lines : 0;
            attn_buffer_add(w->out, bytes + (mark != NULL ? mark->open.start : 0),
                            mark != NULL ? mark->open.end - mark->open.start : 0);
        } else if (mark != NULL) {
            attn_buffer_add(&segment, bytes + mark->open.start, mark->open.end - mark->open.start);
        } else if (step.kind == ATTN_STEP_WORDS && !vtt) {
            attn_buffer_add(&segment, step.words, step.length);
        } else {
            attn_buffer_add(&segment, step.raw, step.raw_length);
        }
    }
    w->out->failed = w->out->failed || segment.failed;
    attn_buffer_free(&segment);
}

static void write_srt(attn_writing *w, const attn_slot *slot, const char *translation) {
    write_subtitle(w, slot, translation, false);
}

static void write_vtt(attn_writing *w, const attn_slot *slot, const char *translation) {
    write_subtitle(w, slot, translation, true);
}

const attn_format attn_format_srt = {.name = "SubRip",
                                     .endings = " .srt ",
                                     .begins = begins_srt,
                                     .read = read_srt,
                                     .write = write_srt};
const attn_format attn_format_vtt = {.name = "WebVTT",
                                     .endings = " .vtt ",
                                     .begins = begins_vtt,
                                     .read = read_vtt,
                                     .write = write_vtt};
