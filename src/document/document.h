/* document/document.h: a file of a program as texts to translate, and the file again with their translations.
 *
 * What is around the texts comes out byte for byte: ids, times, styles, links, pictures, comments. Marks within a
 * sentence (bold runs, links, line breaks) become tags, which the translator puts around the words that they belong to
 * (text/markup.h), and are then written as the file had them. Members of packed files that hold no text are copied as
 * they lie. Next: document_parts.h, document.c. */
#ifndef ATTN_DOC_H
#define ATTN_DOC_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"
#include "text/buffer.h"

typedef struct attn_doc attn_doc;

/* Kind i of file by the usual end of its name, such as ".srt"; NULL past the last. */
const char *attn_doc_ending(size_t i);

/* Whether files of that name are of a kind that is known. */
bool attn_doc_is_named(const char *name);

/* Reads a file. bytes: from attn_alloc with a NUL behind them, taken over also on failure. name: of the file, for
 * its kind and for errors. limit: bytes that the file, and all texts unpacked from it, may have. attributes: the alternative texts of
 * pictures and the titles of pictures and links are texts too; pages are HTML, where the translator finds them
 * (text/html.h). ATTN_ERR_FORMAT: damaged,
 * over the limit, not UTF-8, or no kind that is known; ATTN_ERR_UNSUPPORTED: encrypted; ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_doc_open(char *bytes, size_t size, const char *name, size_t limit,
                                          bool attributes, attn_doc **out, attn_error *error);
/* NULL is allowed. */
void attn_doc_free(attn_doc *document);

/* The texts in their order, for attn_translate_texts; they belong to the document. */
const char *const *attn_doc_texts(const attn_doc *document, size_t *count);
/* Whether the texts are HTML (ATTN_TEXT_HTML), else plain. */
bool attn_doc_is_html(const attn_doc *document);

/* Whether a text's translation goes where one is missing, as in a catalogue of messages; else it replaces the text. */
bool attn_doc_fills(const attn_doc *document);

/* Adds the file with translations[i] in the place of text i. target: the language of the translations, for formats
 * that say it of themselves. A translation whose tags are not those of its text is not used: the text stays. */
ATTN_MUST_CHECK attn_status attn_doc_write(const attn_doc *document,
                                           const char *const *translations, const char *target,
                                           attn_buffer *out, attn_error *error);

#endif
