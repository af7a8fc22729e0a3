/* text/abbreviations.h: words that end with a point and no sentence with them. */
#ifndef ATTN_TEXT_ABBREVIATIONS_H
#define ATTN_TEXT_ABBREVIATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <unicode/umachine.h>

/* Whether the word, without its last point, is an abbreviation that more words of its sentence follow: a title, an
 * initial, "e.g". One that often stands last ("etc", "p.m") is so only before a small letter, one of numbers ("No") before a
 * digit. follows: the next word's first character. */
bool attn_is_abbreviation(const char *language, const char *word, size_t length, UChar32 follows);

#endif
