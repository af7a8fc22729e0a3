/* text/elision.h: words that lose their last vowel to the next word and are written onto it.
 *
 * French writes "l'animal" for "le animal". To a tokenizer that cuts at spaces the animal in it is a
 * word it has seldom seen, and "qu'elle" another than "elle". With the list "l qu" the tokenizer sees
 * "l' animal" and "qu' elle"; joining takes that space away again. A word counts only as a whole, in
 * any case, before ' or \xe2\x80\x99 and a letter: "all's" and "don't" stay as they are.
 *
 * The list is the words without their apostrophe, one space between them, UTF-8. */
#ifndef ATTN_TEXT_ELISION_H
#define ATTN_TEXT_ELISION_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the text is such a list; an empty one is. */
bool attn_elisions_valid(const char *elisions);
/* Copies the text with a space after each elision; out has room for 2 * length bytes. Returns the
 * new length. */
size_t attn_elisions_split(const char *elisions, const char *text, size_t length, char *out);
/* The inverse, in place. Returns the new length. */
size_t attn_elisions_join(const char *elisions, char *text, size_t length);

#endif
