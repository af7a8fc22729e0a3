/* serve/access.h: who may ask what: API keys, addresses that guess at them, and the names this server is asked by. */
#ifndef ATTN_SERVE_ACCESS_H
#define ATTN_SERVE_ACCESS_H

#include "attn/status.h"
#include "serve/address.h"
#include "serve/http.h"

typedef struct attn_access attn_access;

typedef struct attn_access_options {
    const char *keys; /* path of a file with a key a line (keys.h); NULL: nobody needs one */
    const char *const *names;
    size_t name_count;
    int64_t
        per_minute; /* requests of a client, or of a key without a limit of its own; 0: any number */
    const char *const *
        proxies; /* whose X-Forwarded-For and -Proto are believed: addresses and networks (address.h) */
    size_t proxy_count;
} attn_access_options;

/* The strings must outlive it. Every other function may be called from any thread. */
ATTN_MUST_CHECK attn_status attn_access_create(const attn_access_options *options,
                                               attn_access **out, attn_error *error);
void attn_access_free(attn_access *access);
/* Who asks: the peer, or whom a trusted proxy names. forwarded: the header X-Forwarded-For, or NULL. */
attn_address attn_access_address(const attn_access *access, const attn_address *peer,
                                 const char *forwarded);
/* Whether what the peer says of those behind it is believed. */
bool attn_access_trusts(const attn_access *access, const attn_address *peer);
/* Reads the keys again, if there are any; after an error those in use stay. */
ATTN_MUST_CHECK attn_status attn_access_reload(attn_access *access, attn_error *error);

/* access may be NULL in what follows: then all is allowed. */
bool attn_access_needs_key(const attn_access *access);
/* Whether the request may be answered: no key is needed, or `key` (its parameter api_key, or NULL) or else the one in its
 * header `Authorization: Bearer KEY` is known. false: *answer says why. After ten wrong keys in a row an address has to
 * wait a second, and twice as long after each further one, up to a minute; until then not even a right key is looked at.
 * Each request that may be answered counts: more than so many a minute (all at once, then evenly) have to wait. */
bool attn_access_check(attn_access *access, const attn_http_request *request, const char *key,
                       attn_http_answer *answer);
/* Whether it may be told what concerns the operator alone: it has a key, or it asks for a host that is an IP address,
 * localhost, a name without a dot, or one of `names`. So a web page elsewhere cannot ask in its reader's name by giving
 * its own domain this server's address. false: *answer says why. */
bool attn_access_check_host(attn_access *access, const attn_http_request *request,
                            attn_http_answer *answer);

#endif
