/* text/glossary.h: terms whose translation is fixed.
 *
 * A file of lines SOURCE<TAB>TARGET; empty lines and lines that begin with '#' do not count. A term
 * is found as whole words, the longest one first, as it is written or with its first letter as a
 * capital; the target then gets a capital too. */
#ifndef ATTN_TEXT_GLOSSARY_H
#define ATTN_TEXT_GLOSSARY_H

#include <stddef.h>

#include "attn/status.h"

typedef struct attn_glossary attn_glossary;

/* Errors name the line: no tab, an empty side, a term twice, not UTF-8. */
ATTN_MUST_CHECK attn_status attn_glossary_read(const char *path, attn_glossary **out,
                                               attn_error *error);
/* The same from memory; `name` stands for the path in errors. */
ATTN_MUST_CHECK attn_status attn_glossary_parse(const char *bytes, size_t size, const char *name,
                                                attn_glossary **out, attn_error *error);
void attn_glossary_free(attn_glossary *glossary);
size_t attn_glossary_size(const attn_glossary *glossary);
/* The length of the term that begins at text[at], 0 when there is none; *target, owned by the
 * glossary, is what it becomes. glossary may be NULL. Threads may share it. */
size_t attn_glossary_at(const attn_glossary *glossary, const char *text, size_t length, size_t at,
                        const char **target);

#endif
