/* document/plain.c: texts and pages, which the translator takes as they are. */
#include <string.h>
#include <strings.h>

#include "document/document_parts.h"

/* The whole file, behind its byte order mark, is one text. */
static attn_status read_whole(attn_doc *d, attn_error *error) {
    attn_text_maker m = {.has_letter = true};
    attn_slot slot = {
        .at = {d->size >= 3 && memcmp(d->bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0, d->size}};
    attn_make_markup(&m, d->bytes + slot.at.start, d->size - slot.at.start);
    return attn_make_end(&m, d, &slot, error);
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
                                     .read = read_whole,
                                     .write = write_whole};
const attn_format attn_format_html = {.name = "HTML",
                                      .endings = " .html .htm .xhtml ",
                                      .begins = begins_page,
                                      .read = read_whole,
                                      .write = write_whole};
