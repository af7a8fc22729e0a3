/* serve/address.h: who asks: an address, or the one that a trusted proxy names. */
#ifndef ATTN_SERVE_ADDRESS_H
#define ATTN_SERVE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attn/status.h"

struct sockaddr;

/* IPv6; IPv4 as ::ffff:a.b.c.d. */
typedef struct attn_address {
    unsigned char byte[16];
} attn_address;

enum { ATTN_ADDRESS_TEXT = 46 };

/* All zeros for a socket of another kind. */
attn_address attn_address_of(const struct sockaddr *socket);
/* Without brackets and port; false: no address. */
bool attn_address_parse(const char *text, size_t length, attn_address *out);
void attn_address_print(const attn_address *address, char out[ATTN_ADDRESS_TEXT]);
/* A number for whoever takes turns and has limits: of IPv4 the address, of IPv6 its /64 network, which is what one
 * client is given. */
uint64_t attn_address_client(const attn_address *address);

/* Addresses that begin with the same bits. */
typedef struct attn_network {
    attn_address address;
    int bits; /* of 128 */
} attn_network;

/* "192.0.2.7", "10.0.0.0/8", "2001:db8::/32"; ATTN_ERR_ARGUMENT: none of these. */
ATTN_MUST_CHECK attn_status attn_network_parse(const char *text, attn_network *out,
                                               attn_error *error);
bool attn_network_has(const attn_network *network, const attn_address *address);
bool attn_networks_have(const attn_network *networks, size_t count, const attn_address *address);

/* Who is behind the peer: of the header's addresses ("client, proxy, ...", NULL: there is none) the last one that is not of
 * a trusted network, for each proxy appends whom it was asked by. The peer itself unless it is trusted; what is no address ends the
 * search. */
attn_address attn_address_behind(const attn_address *peer, const char *forwarded,
                                 const attn_network *trusted, size_t count);

#endif
