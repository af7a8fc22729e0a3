/* document/catalogue.c: message catalogues of gettext (PO): messages without a translation get one.
 *
 * What somebody has translated stays, also where it is marked as fuzzy; so do the header, obsolete messages and comments.
 * A line's end in a message, \n, ends a sentence. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "document/document_parts.h"
#include "text/html.h"

/* The strings behind one keyword: those of the lines that follow it count too. */
typedef struct strings {
    attn_range at;     /* from the first quote to behind the last one */
    attn_buffer value; /* without quotes and backslashes */
} strings;

typedef struct reading {
    attn_doc *d;
    size_t at;
    strings id, plural, str;
    attn_error *error;
} reading;

static void clear(strings *s) {
    s->at = (attn_range){0, 0};
    s->value.length = 0;
}

static attn_status damaged(const reading *r, size_t at, const char *what) {
    return attn_doc_fail(r->d, r->d->parts, at, "msgfmt -c FILE says more", what, r->error);
}

static char unescaped(char c) {
    static const char from[] = "nrtabfv", to[] = "\n\r\t\a\b\f\v";
    const char *found = c != '\0' ? strchr(from, c) : NULL;
    return found != NULL ? to[found - from] : c;
}

/* \101 and \x41. Returns how many bytes they are behind the backslash; 0: it is none. */
static size_t numbered(const char *text, char *out) {
    char *end;
    char digits[4] = {0};
    if (text[0] == 'x') {
        memcpy(digits, text + 1, text[1] != '\0' ? 2 : 0);
        *out = (char)strtoul(digits, &end, 16);
        return end > digits ? 1 + (size_t)(end - digits) : 0;
    }
    for (size_t i = 0; i < 3 && text[i] >= '0' && text[i] <= '7'; i++) {
        digits[i] = text[i];
    }
    *out = (char)strtoul(digits, NULL, 8);
    return strlen(digits);
}

/* One "..." at text[r->at] on the same line. */
static attn_status read_string(reading *r, strings *out) {
    const char *text = r->d->bytes;
    size_t at = r->at + 1;
    for (; text[at] != '"'; at++) {
        if (text[at] == '\0' || text[at] == '\n') {
            return damaged(r, r->at, "the quote of a string is not closed");
        }
        char c = text[at];
        if (c == '\\' && text[at + 1] != '\n' && text[at + 1] != '\0') {
            size_t size = numbered(text + at + 1, &c);
            c = size > 0 ? c : unescaped(text[at + 1]);
            at += size > 0 ? size : 1;
        }
        attn_buffer_add(&out->value, &c, 1);
    }
    out->at.start = out->at.end == 0 ? r->at : out->at.start;
    out->at.end = r->at = at + 1;
    return ATTN_OK;
}

static void skip_blanks(reading *r, const char *blanks) {
    r->at += strspn(r->d->bytes + r->at, blanks);
}

/* The strings from here on, over the ends of lines. */
static attn_status read_strings(reading *r, strings *out) {
    attn_status status = ATTN_OK;
    clear(out);
    skip_blanks(r, " \t");
    while (status == ATTN_OK && r->d->bytes[r->at] == '"') {
        status = read_string(r, out);
        size_t behind = r->at;
        skip_blanks(r, " \t\r\n");
        r->at = r->d->bytes[r->at] == '"' ? r->at : behind;
    }
    return status;
}

/* Whether there is markup in a message: then its & is markup too. */
static bool has_markup(const char *text, size_t length) {
    if (memchr(text, '<', length) == NULL) {
        return false;
    }
    attn_html_token first = attn_html_next(text, length, 0);
    return first.kind != ATTN_HTML_TEXT || first.length < length;
}

/* The message as a text, to stand where r->str does. */
static attn_status add_message(reading *r, const attn_buffer *message) {
    attn_text_maker m = {0};
    attn_slot slot = {.at = r->str.at};
    const char *text = message->data;
    size_t length = message->length;
    if (length == 0 || strlen(text) < length || !attn_utf8_whole(text, length)) {
        return ATTN_OK; /* by escapes it can be anything */
    }
    slot.seen = has_markup(text, length);
    for (size_t at = 0; at < length;) {
        const char *newline = memchr(text + at, '\n', length - at);
        size_t end = newline != NULL ? (size_t)(newline - text) : length;
        if (slot.seen) {
            attn_make_html(&m, text + at, end - at);
        } else {
            attn_make_words(&m, text + at, end - at);
        }
        if (newline != NULL) {
            attn_make_mark(&m, ATTN_SLOT_BREAK, 0, 0);
        }
        at = end + (newline != NULL);
    }
    return attn_make_end(&m, r->d, &slot, r->error);
}

static bool take_keyword(reading *r, const char *keyword) {
    size_t length = strlen(keyword);
    const char *text = r->d->bytes + r->at;
    if (strncmp(text, keyword, length) != 0 || strchr(" \t\"[\r\n", text[length]) == NULL) {
        return false;
    }
    r->at += length;
    return true;
}

/* Of msgstr[N], N; of msgstr, 0. */
static attn_status read_index(reading *r, bool *first) {
    *first = true;
    if (r->d->bytes[r->at] == '[') {
        char *end;
        *first = strtoul(r->d->bytes + r->at + 1, &end, 10) == 0;
        r->at = (size_t)(end - r->d->bytes);
        if (*end != ']') {
            return damaged(r, r->at, "the bracket of msgstr[N] is not closed");
        }
        r->at++;
    }
    return ATTN_OK;
}

static attn_status read_translation(reading *r) {
    bool first;
    attn_status status = read_index(r, &first);
    if (status == ATTN_OK) {
        status = read_strings(r, &r->str);
    }
    if (status != ATTN_OK) {
        return status;
    }
    if (r->str.at.end == 0) {
        return damaged(r, r->at, "a msgstr has no string");
    }
    if (r->str.value.length > 0) {
        return ATTN_OK;
    }
    bool plural = !first && r->plural.at.end != 0;
    return add_message(r, plural ? &r->plural.value : &r->id.value);
}

static attn_status read_line(reading *r) {
    strings skipped = {{0, 0}, {0}};
    attn_status status = ATTN_OK;
    if (take_keyword(r, "msgid")) {
        clear(&r->plural);
        status = read_strings(r, &r->id);
    } else if (take_keyword(r, "msgid_plural")) {
        status = read_strings(r, &r->plural);
    } else if (take_keyword(r, "msgstr")) {
        status = read_translation(r);
    } else if (take_keyword(r, "msgctxt")) {
        status = read_strings(r, &skipped);
    } else if (r->d->bytes[r->at] != '#' && r->d->bytes[r->at] != '\n' && r->at < r->d->size) {
        status = damaged(r, r->at, "a line begins with none of #, msgid, msgstr, msgctxt");
    }
    attn_buffer_free(&skipped.value);
    return status;
}

static attn_status read_catalogue(attn_doc *d, attn_error *error) {
    reading r = {.d = d, .error = error};
    attn_status status = ATTN_OK;
    r.at = d->size >= 3 && memcmp(d->bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    while (r.at < d->size && status == ATTN_OK) {
        skip_blanks(&r, " \t\r");
        status = read_line(&r);
        r.at += strcspn(d->bytes + r.at, "\n");
        r.at += r.at < d->size;
    }
    if (status == ATTN_OK && (r.id.value.failed || r.plural.value.failed || r.str.value.failed)) {
        status = damaged(&r, 0, "out of memory");
    }
    attn_buffer_free(&r.id.value);
    attn_buffer_free(&r.plural.value);
    attn_buffer_free(&r.str.value);
    return status;
}

static bool begins_catalogue(const char *text, size_t size) {
    (void)size;
    while (*text == '#' || *text == '\r' || *text == '\n') {
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    return (strncmp(text, "msgid", 5) == 0 || strncmp(text, "msgctxt", 7) == 0) &&
           strchr(" \t", text[text[3] == 'i' ? 5 : 7]) != NULL;
}

/* ---- writing ---- */

static void escape(attn_buffer *out, const char *text, size_t length) {
    static const char from[] = "\n\r\t\a\b\f\v\"\\", to[] = "nrtabfv\"\\";
    for (size_t i = 0; i < length; i++) {
        const char *found = text[i] != '\0' ? strchr(from, text[i]) : NULL;
        if (found != NULL) {
            attn_buffer_add(out, "\\", 1);
            attn_buffer_add(out, to + (found - from), 1);
        } else {
            attn_buffer_add(out, text + i, 1);
        }
    }
}

/* As gettext's tools do it: several lines each as a string of its own, below an empty one. */
static void write_message(attn_writing *w, const attn_slot *slot, const char *translation) {
    const char *at = translation, *end = at + strlen(at);
    bool several = strstr(translation, "<br x0>") != NULL &&
                   strstr(translation, "<br x0>") + strlen("<br x0>") < end;
    bool lines = slot->mark_count > 0 && several;
    attn_step step = {0};
    attn_buffer_text(w->out, lines ? "\"\"\n\"" : "\"");
    while (step.kind != ATTN_STEP_END) {
        attn_mark_next(w, slot, &at, end, &step);
        if (step.kind == ATTN_STEP_MARK) {
            attn_buffer_text(w->out, lines && at < end ? "\\n\"\n\"" : "\\n");
        } else if (step.kind == ATTN_STEP_WORDS && !slot->seen) {
            escape(w->out, step.words, step.length);
        } else {
            escape(w->out, step.raw, step.raw_length);
        }
    }
    attn_buffer_text(w->out, "\"");
}

const attn_format attn_format_po = {.name = "PO",
                                    .endings = " .po .pot ",
                                    .fills = true,
                                    .begins = begins_catalogue,
                                    .read = read_catalogue,
                                    .write = write_message};
