/* text/passage.h: a text of any length as what is to be translated and what stays as it is.
 *
 * Parsing gives units: sentences, or parts of them, without white space around them. Joining puts the
 * translations of the units where they belong; line breaks, spacing, list marks, markup, placeholders,
 * numbers, addresses, names that the model has never met, emoji, foreign script and what holds no letter come out byte for byte, the terms of
 * a glossary as it says.
 *
 * A sentence is offered in several ways, best first: as it is, with number words or names in the places of its
 * protected parts, in pieces around them. The first whose translation passes is used: each stand-in
 * came out exactly once, no digit was invented, no word was stammered. What passes in no way is copied. So a
 * protected part can be neither lost nor doubled, whatever the model. A sentence that is in the target language already
 * can stay as it is. Capitals and the last sign are the
 * source's. The tags within a sentence of HTML are put back around the words that they were around (markup.h).
 *
 * Who translates either gives all units to the model, or asks attn_passage_needed again and again for those
 * that matter. Next: passage.c. */
#ifndef ATTN_TEXT_PASSAGE_H
#define ATTN_TEXT_PASSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"
#include "text/glossary.h"
#include "text/markup.h"
#include "text/vocabulary.h"

typedef struct attn_passage_options {
    const char *language;          /* of the text, such as "en" */
    const char *target;            /* that it is translated into, or NULL */
    bool html;                     /* else plain text */
    const attn_glossary *glossary; /* or NULL; must outlive the passage */
    bool attributes;            /* of HTML, those that people read (html.h), are translated too */
    bool keep_target;           /* what is surely in the target language already stays */
    attn_vocabulary vocabulary; /* of the model; all zero: it can write anything */
} attn_passage_options;

typedef struct attn_passage attn_passage;

/* Without a letter a text is nothing to a translator. */
bool attn_has_letter(const char *text, size_t length);

/* ATTN_ERR_FORMAT: the text is not UTF-8 or holds a NUL byte. The text is copied, but for a byte
 * order mark at its start. */
ATTN_MUST_CHECK attn_status attn_passage_parse(const char *text, size_t length,
                                               const attn_passage_options *options,
                                               attn_passage **out, attn_error *error);
void attn_passage_free(attn_passage *passage);
size_t attn_passage_unit_count(const attn_passage *passage);
/* Unit i, NUL-terminated plain text, never empty. */
const char *attn_passage_unit(const attn_passage *passage, size_t i);
/* The part of the text that it stands for, as it was sent: with the protected parts themselves, without tags. */
const char *attn_passage_unit_sent(const attn_passage *passage, size_t i);
/* Whether tags are to be put into its translation, for which links help. */
bool attn_passage_unit_is_marked(const attn_passage *passage, size_t i);
/* Which units joining still asks for, given the translations so far (NULL: none yet): the next way of each sentence
 * whose ways so far did not pass. needed: [units]. *count: how many; 0: attn_passage_join will not miss any.
 * ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_passage_needed(const attn_passage *passage,
                                                const char *const *translations, bool *needed,
                                                size_t *count, attn_error *error);
/* The text with translations[i] for unit i (NULL: nothing yet); malloc'ed. links: NULL, or [units].
 * used[i], where used is not NULL: whether unit i is part of the result. */
ATTN_MUST_CHECK attn_status attn_passage_join(const attn_passage *passage,
                                              const char *const *translations,
                                              const attn_links *links, bool *used, char **text,
                                              attn_error *error);
/* The same while translations are under way and cannot be judged: the first way of each sentence that has anything. */
ATTN_MUST_CHECK attn_status attn_passage_preview(const attn_passage *passage,
                                                 const char *const *translations, char **text,
                                                 attn_error *error);

#endif
