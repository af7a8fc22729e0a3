/* text/placeholder.h: the parts of a text that no translation may change.
 *
 *     {name} {} {0:.2f} {{x}} ${x} %{x} #{x} %(name)s     templates
 *     $x :x @user #12 #tag __X__ %X% [x] <0> </0> <%= x %> \n
 *     {n, plural, one {# day} other {# days}}             messages of ICU
 *     %s %d %1$s %-5.2f %@ %%                             printf
 *     https://... ftp://... mailto:... www....            addresses, without what punctuates after them
 *     name@host.tld                                       electronic mail
 */
#ifndef ATTN_TEXT_PLACEHOLDER_H
#define ATTN_TEXT_PLACEHOLDER_H

#include <stddef.h>

/* The length of the placeholder that begins at text[at], 0 when there is none. Linear in its result
 * but for runs of letters, which are looked at from their beginning alone. */
size_t attn_placeholder_at(const char *text, size_t length, size_t at);

#endif
