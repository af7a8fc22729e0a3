/* serve/access.c: keys under a lock, a table of addresses that guess, and one of who asked how often. */
#include "serve/access.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/hash.h"
#include "serve/keys.h"

enum { PLACES = 1024, FREE_GUESSES = 10, LONGEST_WAIT = 60 };

/* An address whose last keys were wrong. Another one in the same place takes it over. */
typedef struct guesser {
    uint64_t client;
    int wrong;
    double until; /* it may try again */
} guesser;

/* What somebody may still ask now; it fills up again within a minute. Another one in the same place takes it over. */
typedef struct meter {
    uint64_t who;
    double left, since;
} meter;

struct attn_access {
    attn_access_options options;
    attn_network *proxies;
    pthread_mutex_t lock; /* guards what follows */
    attn_keys *keys;
    guesser guessers[PLACES];
    meter meters[PLACES];
};

attn_status attn_access_create(const attn_access_options *options, attn_access **out,
                               attn_error *error) {
    *out = NULL;
    attn_access *access = calloc(1, sizeof *access);
    if (access == NULL) {
        return attn_fail_memory(error, sizeof *access);
    }
    access->options = *options;
    pthread_mutex_init(&access->lock, NULL);
    access->proxies = calloc(options->proxy_count + 1, sizeof *access->proxies);
    attn_status status = access->proxies != NULL ? ATTN_OK : attn_fail_memory(error, 0);
    for (size_t i = 0; i < options->proxy_count && status == ATTN_OK; i++) {
        status = attn_network_parse(options->proxies[i], &access->proxies[i], error);
    }
    if (status == ATTN_OK && options->keys != NULL) {
        status = attn_keys_read(options->keys, &access->keys, error);
    }
    if (status != ATTN_OK) {
        attn_access_free(access);
        return status;
    }
    *out = access;
    return ATTN_OK;
}

void attn_access_free(attn_access *access) {
    if (access == NULL) {
        return;
    }
    attn_keys_free(access->keys);
    free(access->proxies);
    pthread_mutex_destroy(&access->lock);
    free(access);
}

attn_address attn_access_address(const attn_access *access, const attn_address *peer,
                                 const char *forwarded) {
    return access != NULL
               ? attn_address_behind(peer, forwarded, access->proxies, access->options.proxy_count)
               : *peer;
}

bool attn_access_trusts(const attn_access *access, const attn_address *peer) {
    return access != NULL && attn_networks_have(access->proxies, access->options.proxy_count, peer);
}

attn_status attn_access_reload(attn_access *access, attn_error *error) {
    attn_keys *fresh = NULL;
    if (access->options.keys == NULL) {
        return ATTN_OK;
    }
    attn_status status = attn_keys_read(access->options.keys, &fresh, error);
    if (status == ATTN_OK) {
        pthread_mutex_lock(&access->lock);
        attn_keys *former = access->keys;
        access->keys = fresh;
        pthread_mutex_unlock(&access->lock);
        attn_keys_free(former);
    }
    return status;
}

bool attn_access_needs_key(const attn_access *access) {
    return access != NULL && access->options.keys != NULL;
}

/* ---- keys ---- */

/* The key that the request gives, or NULL. */
static const char *key_of(const attn_http_request *request, const char *key) {
    static const char bearer[] = "Bearer ";
    const char *header = request->authorization;
    if ((key == NULL || key[0] == '\0') && header != NULL &&
        strncasecmp(header, bearer, sizeof bearer - 1) == 0) {
        key = header + sizeof bearer - 1;
    }
    return key != NULL && key[0] != '\0' ? key : NULL;
}

/* Seconds after the address's wrong key number `wrong`. */
static double wait_after(int wrong) {
    int doublings = wrong - FREE_GUESSES;
    return doublings < 0 ? 0 : doublings < 6 ? 1 << doublings : LONGEST_WAIT;
}

/* One of PLACES. */
static size_t place_of(uint64_t who) {
    return (who * UINT64_C(0x9E3779B97F4A7C15)) >> 54;
}

/* Looks the key up, and remembers it of the address when it is wrong. The lock is held. *wait: seconds that it has to
 * wait instead. */
static bool try_key(attn_access *access, uint64_t client, const char *key, int64_t *limit,
                    double *wait) {
    guesser *g = &access->guessers[place_of(client)];
    double now = attn_clock();
    if (g->client != client) {
        *g = (guesser){.client = client};
    }
    *wait = g->until > now ? g->until - now : 0;
    if (*wait > 0) {
        return false;
    }
    bool known = attn_keys_match(access->keys, key, limit);
    g->wrong = known ? 0 : g->wrong + (g->wrong < 100);
    g->until = known ? 0 : now + wait_after(g->wrong);
    return known;
}

/* ---- how often ---- */

/* Takes one of what there is; false: there is none for *wait seconds. The lock is held. */
static bool take_turn(attn_access *access, uint64_t who, int64_t limit, double *wait) {
    meter *m = &access->meters[place_of(who)];
    double now = attn_clock(), most = (double)limit;
    if (m->who != who || m->since == 0) {
        *m = (meter){.who = who, .left = most, .since = now};
    }
    m->left += (now - m->since) * most / 60;
    m->left = m->left < most ? m->left : most;
    m->since = now;
    if (m->left < 1) {
        *wait = (1 - m->left) * 60 / most;
        return false;
    }
    m->left -= 1;
    return true;
}

/* limit: requests a minute; 0: any number. */
static bool check_rate(attn_access *access, uint64_t who, int64_t limit, attn_http_answer *answer) {
    double wait = 0;
    if (limit <= 0) {
        return true;
    }
    pthread_mutex_lock(&access->lock);
    bool good = take_turn(access, who, limit, &wait);
    pthread_mutex_unlock(&access->lock);
    if (!good) {
        attn_http_error(answer, 429, "Slowdown: %" PRId64 " per 1 minute", limit);
        answer->retry_after = (int)wait + 1;
    }
    return good;
}

/* *limit: how many requests a minute the key has, or -1. */
static bool check_key(attn_access *access, const attn_http_request *request, const char *key,
                      int64_t *limit, attn_http_answer *answer) {
    if (key == NULL) {
        attn_http_error(answer, 400, "Please contact the server operator to get an API key");
        return false;
    }
    double wait;
    pthread_mutex_lock(&access->lock);
    bool known = try_key(access, request->client, key, limit, &wait);
    pthread_mutex_unlock(&access->lock);
    if (wait > 0) {
        attn_http_error(answer, 429, "Slowdown: too many wrong API keys");
        answer->retry_after = (int)wait + 1;
    } else if (!known) {
        attn_http_error(answer, 403, "Invalid API key");
    }
    return known;
}

bool attn_access_check(attn_access *access, const attn_http_request *request, const char *given,
                       attn_http_answer *answer) {
    if (access == NULL) {
        return true;
    }
    uint64_t who = request->client;
    int64_t limit = -1;
    if (attn_access_needs_key(access)) {
        const char *key = key_of(request, given);
        if (!check_key(access, request, key, &limit, answer)) {
            return false;
        }
        who = attn_hash64(key, strlen(key), 1);
    }
    return check_rate(access, who, limit >= 0 ? limit : access->options.per_minute, answer);
}

/* ---- names ---- */

/* The host without its port and brackets; "" when it is too long for a name. */
static void name_of(const char *host, char *name, size_t size) {
    bool bracket = host[0] == '[';
    size_t length = bracket ? strcspn(++host, "]") : strcspn(host, ":");
    snprintf(name, size, "%.*s", length < size ? (int)length : 0, host);
}

static bool is_own(const attn_access *access, const char *name) {
    unsigned char address[16];
    bool own = strchr(name, '.') == NULL || inet_pton(AF_INET, name, address) == 1 ||
               inet_pton(AF_INET6, name, address) == 1;
    for (size_t i = 0; i < access->options.name_count && !own; i++) {
        own = strcasecmp(name, access->options.names[i]) == 0;
    }
    return own && name[0] != '\0';
}

bool attn_access_check_host(attn_access *access, const attn_http_request *request,
                            attn_http_answer *answer) {
    char name[256];
    if (access == NULL || request->host == NULL) { /* every browser names the host */
        return true;
    }
    name_of(request->host, name, sizeof name);
    if (is_own(access, name)) {
        return true;
    }
    if (attn_access_needs_key(access) && key_of(request, NULL) != NULL) {
        return attn_access_check(access, request, NULL, answer);
    }
    attn_http_error(answer, 403, "%s is not known as a name of this server: start it with --name",
                    name);
    return false;
}
