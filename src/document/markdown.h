/* document/markdown.h: the two halves of the reader of Markdown: markdown.c finds the blocks of text, markdown_inline.c
 * the marks within one. */
#ifndef ATTN_DOC_MARKDOWN_H
#define ATTN_DOC_MARKDOWN_H

#include "document/document_parts.h"

/* Lines of one text, each without what is before it (quote signs, indentation) and the spaces behind it. */
typedef struct attn_md_block {
    attn_range *line;
    size_t count, room;
} attn_md_block;

/* Hashes of the names that links are defined by, sorted. */
typedef struct attn_md_names {
    uint64_t *hash;
    size_t count, room;
} attn_md_names;

/* Adds the block as a slot. */
ATTN_MUST_CHECK attn_status attn_md_add(attn_doc *d, const attn_md_block *block,
                                        const attn_md_names *names, attn_error *error);
void attn_md_write(attn_writing *w, const attn_slot *slot, const char *translation);
/* Whether a link is defined by that name, whose letters may be small or capital. */
bool attn_md_is_name(const attn_md_names *names, const char *text, size_t length);

#endif
