/* text/protect.h: the parts of a sentence that no model may change.
 *
 *     3  3.50  1,234  10:30  2026-11-29  $20  50 %  20°C  3rd  A4    numbers, with what is written onto them
 *     readme.txt  /usr/bin  foo_bar  f()  `x`  iPhone  example.org     code, files and hosts
 *     words in letters of another script, or that the vocabulary cannot write
 *     names that the model has never met (known_words.h)
 *     emoji, and signs that the vocabulary cannot write
 *
 * and what placeholder.h finds. */
#ifndef ATTN_TEXT_PROTECT_H
#define ATTN_TEXT_PROTECT_H

#include <unicode/uscript.h>

#include "text/spans.h"
#include "text/vocabulary.h"

enum { ATTN_MOST_SCRIPTS = 16 };

typedef struct attn_protect_rules {
    const attn_vocabulary *vocabulary;
    UScriptCode scripts[ATTN_MOST_SCRIPTS]; /* that the language is written in; none: any */
    int script_count;
    bool nouns_are_large;  /* a capital does not make a name: German */
    const char *ampersand; /* the word that & stands for between words, or NULL */
} attn_protect_rules;

void attn_protect_rules_init(attn_protect_rules *rules, const char *language,
                             const attn_vocabulary *vocabulary);
/* The length of the protected part that begins at text[at], 0 when there is none; it ends at `edge`
 * or before. */
size_t attn_protect_at(const attn_protect_rules *rules, const char *text, size_t length,
                       size_t edge, size_t at, attn_span_kind *kind);
/* Whether a sentence is a line of a program: it holds two signs that people do not write. */
bool attn_protect_is_code(const char *text, size_t length);
/* Whether two protected parts with text[from .. to) between them are best taken as one. */
bool attn_protect_joins(const char *text, size_t from, size_t to);
/* Digits of any script, and numbers that are one sign: they mean the same in every language. */
bool attn_is_digit(UChar32 c);
/* A pictograph, alone or as a part of one. */
bool attn_is_emoji(UChar32 c);
/* Whether a letter is of a script that the language is not written in. */
bool attn_protect_is_foreign(const attn_protect_rules *rules, UChar32 c);
/* Whether text[at] is an & that stands for a word. */
bool attn_protect_ampersand(const attn_protect_rules *rules, const char *text, size_t length,
                            size_t at);
/* What stands in for a character that the vocabulary cannot write: a plainer one, "" where it can be left out,
 * NULL when there is none. buffer: [8] */
const char *attn_protect_plain(const attn_protect_rules *rules, UChar32 c, char *buffer);

#endif
