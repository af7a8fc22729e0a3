/* serve/wellformed.h: what of HTTP/1.1 (RFC 9110, 9112) libmicrohttpd lets through and a proxy might read in
 * another way. */
#ifndef ATTN_SERVE_WELLFORMED_H
#define ATTN_SERVE_WELLFORMED_H

#include <stdbool.h>
#include <stddef.h>

/* A request's target as it was sent: printable characters, or bytes above 0x7f; each % with two hexadecimal
 * digits that are not 00; a path, or http://HOST/PATH. */
bool attn_target_is_good(const char *target);
/* The path of a target that may begin with http://HOST. */
const char *attn_target_path(const char *target);
/* A header line's name is a token; its value has no control character but tabs. */
bool attn_field_is_good(const char *name, size_t name_size, const char *value, size_t value_size);

#endif
