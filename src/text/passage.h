/* text/passage.h: a text of any length as what is to be translated and what stays as it is.
 *
 * Parsing gives units: sentences, or parts of them, without white space around them. Joining puts the
 * translations of the units where they belong; line breaks, spacing, markup, placeholders, addresses
 * and what holds no letter come out byte for byte, the terms of a glossary as it says.
 *
 * A sentence with protected parts is offered twice: whole, with names in their places, which reads
 * better, and in pieces around them. The whole one is used when each of its names came out exactly
 * once, so that a protected part can be neither lost nor doubled. The tags within a sentence of HTML are
 * put back around the words that they were around (markup.h). Next: passage.c. */
#ifndef ATTN_TEXT_PASSAGE_H
#define ATTN_TEXT_PASSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"
#include "text/glossary.h"
#include "text/markup.h"

typedef struct attn_passage_options {
    const char *language;          /* of the text, such as "en" */
    bool html;                     /* else plain text */
    const attn_glossary *glossary; /* or NULL; must outlive the passage */
} attn_passage_options;

typedef struct attn_passage attn_passage;

/* ATTN_ERR_FORMAT: the text is not UTF-8 or holds a NUL byte. The text is copied. */
ATTN_MUST_CHECK attn_status attn_passage_parse(const char *text, size_t length,
                                               const attn_passage_options *options,
                                               attn_passage **out, attn_error *error);
void attn_passage_free(attn_passage *passage);
size_t attn_passage_unit_count(const attn_passage *passage);
/* Unit i, NUL-terminated plain text, never empty. */
const char *attn_passage_unit(const attn_passage *passage, size_t i);
/* Whether tags are to be put into its translation, for which links help. */
bool attn_passage_unit_is_marked(const attn_passage *passage, size_t i);
/* The text with translations[i] for unit i (NULL: nothing yet); malloc'ed. links: NULL, or [units].
 * used[i], where used is not NULL: whether unit i is part of the result. */
ATTN_MUST_CHECK attn_status attn_passage_join(const attn_passage *passage,
                                              const char *const *translations,
                                              const attn_links *links, bool *used, char **text,
                                              attn_error *error);

#endif
