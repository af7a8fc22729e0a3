/* serve/address.c: addresses as numbers. */
#include "serve/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fail.h"

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
enum { MAPPED_BITS = 96, ALL_BITS = 128 };

static bool is_four(const attn_address *a) {
    return memcmp(a->byte, mapped, sizeof mapped) == 0;
}

attn_address attn_address_of(const struct sockaddr *socket) {
    attn_address out = {{0}};
    if (socket != NULL && socket->sa_family == AF_INET6) {
        memcpy(out.byte, &((const struct sockaddr_in6 *)(const void *)socket)->sin6_addr, 16);
    } else if (socket != NULL && socket->sa_family == AF_INET) {
        memcpy(out.byte, mapped, sizeof mapped);
        memcpy(out.byte + sizeof mapped,
               &((const struct sockaddr_in *)(const void *)socket)->sin_addr, 4);
    }
    return out;
}

bool attn_address_parse(const char *text, size_t length, attn_address *out) {
    char copy[ATTN_ADDRESS_TEXT];
    attn_address found = {{0}};
    if (length == 0 || length >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (inet_pton(AF_INET, copy, found.byte + sizeof mapped) == 1) {
        memcpy(found.byte, mapped, sizeof mapped);
    } else if (inet_pton(AF_INET6, copy, found.byte) != 1) {
        return false;
    }
    *out = found;
    return true;
}

void attn_address_print(const attn_address *a, char out[ATTN_ADDRESS_TEXT]) {
    bool four = is_four(a);
    if (inet_ntop(four ? AF_INET : AF_INET6, four ? a->byte + sizeof mapped : a->byte, out,
                  ATTN_ADDRESS_TEXT) == NULL) {
        out[0] = '\0';
    }
}

uint64_t attn_address_client(const attn_address *a) {
    uint64_t network = 0;
    uint32_t four = 0;
    memcpy(&network, a->byte, sizeof network);
    memcpy(&four, a->byte + sizeof mapped, sizeof four);
    return is_four(a) ? four : network;
}

attn_status attn_network_parse(const char *text, attn_network *out, attn_error *error) {
    size_t length = strcspn(text, "/");
    char *end = NULL;
    *out = (attn_network){.bits = ALL_BITS};
    bool good = attn_address_parse(text, length, &out->address);
    if (good && text[length] == '/') {
        int before = is_four(&out->address) && strchr(text, ':') == NULL ? MAPPED_BITS : 0;
        long bits = strtol(text + length + 1, &end, 10);
        good = end != text + length + 1 && *end == '\0' && bits >= 0 && bits <= ALL_BITS - before;
        out->bits = good ? before + (int)bits : 0;
    }
    return good ? ATTN_OK
                : attn_fail(error, ATTN_ERR_ARGUMENT, text, -1,
                            "give an address such as 192.0.2.7, or a network such as 10.0.0.0/8",
                            "not an IP address");
}

bool attn_network_has(const attn_network *network, const attn_address *address) {
    size_t bytes = (size_t)network->bits / 8;
    unsigned rest = (unsigned)network->bits % 8, mask = (0xff00U >> rest) & 0xffU;
    return memcmp(network->address.byte, address->byte, bytes) == 0 &&
           (rest == 0 || ((network->address.byte[bytes] ^ address->byte[bytes]) & mask) == 0);
}

bool attn_networks_have(const attn_network *networks, size_t count, const attn_address *address) {
    for (size_t i = 0; i < count; i++) {
        if (attn_network_has(&networks[i], address)) {
            return true;
        }
    }
    return false;
}

/* An entry of the header: the address alone, with a port, or in brackets. */
static bool read_entry(const char *text, size_t length, attn_address *out) {
    while (length > 0 && strchr(" \t", text[0]) != NULL) {
        text++;
        length--;
    }
    while (length > 0 && strchr(" \t", text[length - 1]) != NULL) {
        length--;
    }
    if (length > 0 && text[0] == '[') {
        const char *close = memchr(text, ']', length);
        return close != NULL && attn_address_parse(text + 1, (size_t)(close - text) - 1, out);
    }
    const char *colon = memchr(text, ':', length);
    bool port = colon != NULL && memchr(text, '.', length) != NULL && colon > text &&
                memchr(colon + 1, ':', length - (size_t)(colon + 1 - text)) == NULL;
    return attn_address_parse(text, port ? (size_t)(colon - text) : length, out);
}

attn_address attn_address_behind(const attn_address *peer, const char *forwarded,
                                 const attn_network *trusted, size_t count) {
    attn_address found = *peer;
    size_t end = forwarded != NULL ? strlen(forwarded) : 0;
    while (end > 0 && attn_networks_have(trusted, count, &found)) {
        size_t start = end;
        while (start > 0 && forwarded[start - 1] != ',') {
            start--;
        }
        if (!read_entry(forwarded + start, end - start, &found)) {
            break;
        }
        end = start > 0 ? start - 1 : 0;
    }
    return found;
}
