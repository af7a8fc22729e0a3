/* document/plain.c: texts and pages, which the translator takes as they are. */
#include <string.h>
#include <strings.h>

#include "document/document_parts.h"
#include "io/lines.h"
#include "text/html.h"

/* Texts end where a sentence cannot go on, once they have so many bytes: whoever translates a book need not hold all of it
 * at once. */
enum { ENOUGH = 4096, MOST = 65536 };

static attn_status add_text(attn_doc *d, size_t part, attn_range at, attn_error *error) {
    attn_text_maker m = {0};
    attn_slot slot = {.part = part, .at = at};
    attn_make_html(&m, d->parts[part].bytes + at.start, at.end - at.start);
    return attn_make_end(&m, d, &slot, error);
}

/* Behind the empty line that comes next, or the end; of a text without empty lines, behind a line. */
static size_t end_of_paragraph(const char *text, size_t length, size_t at) {
    for (size_t start = at; at < length && at - start < MOST;) {
        at += strcspn(text + at, "\n");
        at += at < length;
        size_t blank = at + strspn(text + at, " \t\r");
        if (blank < length && text[blank] == '\n') {
            return blank + 1;
        }
    }
    return at;
}

static size_t end_of_block(const char *text, size_t length, size_t at) {
    while (at < length) {
        attn_html_token token = attn_html_next(text, length, at);
        at += token.length;
        if (token.kind == ATTN_HTML_BLOCK) {
            return at;
        }
    }
    return length;
}

attn_status attn_plain_read(attn_doc *d, size_t part, bool html, attn_error *error) {
    const char *text = d->parts[part].bytes;
    size_t length = d->parts[part].size;
    size_t start = attn_lines_mark(text, length);
    attn_status status = ATTN_OK;
    for (size_t at = start; start < length && status == ATTN_OK;) {
        at = html ? end_of_block(text, length, at) : end_of_paragraph(text, length, at);
        if (at - start >= ENOUGH || at == length) {
            status = add_text(d, part, (attn_range){start, at}, error);
            start = at;
        }
    }
    return status;
}

static attn_status read_text(attn_doc *d, attn_error *error) {
    return attn_plain_read(d, 0, false, error);
}

static attn_status read_page(attn_doc *d, attn_error *error) {
    return attn_plain_read(d, 0, true, error);
}

static void write_whole(attn_writing *w, const attn_slot *slot, const char *translation) {
    (void)slot;
    attn_buffer_text(w->out, translation);
}

static bool begins_page(const char *text, size_t size) {
    size_t at = 0;
    while (at < size && strchr(" \t\r\n", text[at]) != NULL && text[at] != '\0') {
        at++;
    }
    return (size - at >= 9 && strncasecmp(text + at, "<!doctype", 9) == 0) ||
           (size - at >= 5 && strncasecmp(text + at, "<html", 5) == 0);
}

const attn_format attn_format_txt = {.name = "TXT",
                                     .endings = " .txt .text ",
                                     .plain = true,
                                     .read = read_text,
                                     .write = write_whole};
const attn_format attn_format_html = {.name = "HTML",
                                      .endings = " .html .htm .xhtml ",
                                      .begins = begins_page,
                                      .read = read_page,
                                      .write = write_whole};
