/* serve/access.c: keys under a lock, and a table of addresses that guess. */
#include "serve/access.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/fail.h"
#include "serve/keys.h"

enum { PLACES = 1024, FREE_GUESSES = 10, LONGEST_WAIT = 60 };

/* An address whose last keys were wrong. Another one in the same place takes it over. */
typedef struct guesser {
    uint64_t client;
    int wrong;
    double until; /* it may try again */
} guesser;

struct attn_access {
    attn_access_options options;
    pthread_mutex_t lock; /* guards what follows */
    attn_keys *keys;
    guesser guessers[PLACES];
};

attn_status attn_access_create(const attn_access_options *options, attn_access **out,
                               attn_error *error) {
    *out = NULL;
    attn_access *access = calloc(1, sizeof *access);
    if (access == NULL) {
        return attn_fail_memory(error, sizeof *access);
    }
    access->options = *options;
    attn_status status =
        options->keys != NULL ? attn_keys_read(options->keys, &access->keys, error) : ATTN_OK;
    if (status != ATTN_OK) {
        free(access);
        return status;
    }
    pthread_mutex_init(&access->lock, NULL);
    *out = access;
    return ATTN_OK;
}

void attn_access_free(attn_access *access) {
    if (access == NULL) {
        return;
    }
    attn_keys_free(access->keys);
    pthread_mutex_destroy(&access->lock);
    free(access);
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

/* Looks the key up, and remembers it of the address when it is wrong. The lock is held. *wait: seconds that it has to
 * wait instead. */
static bool try_key(attn_access *access, uint64_t client, const char *key, double *wait) {
    guesser *g = &access->guessers[(client * UINT64_C(0x9E3779B97F4A7C15)) >> 54];
    double now = attn_clock();
    if (g->client != client) {
        *g = (guesser){.client = client};
    }
    *wait = g->until > now ? g->until - now : 0;
    if (*wait > 0) {
        return false;
    }
    bool known = attn_keys_match(access->keys, key);
    g->wrong = known ? 0 : g->wrong + (g->wrong < 100);
    g->until = known ? 0 : now + wait_after(g->wrong);
    return known;
}

bool attn_access_check_key(attn_access *access, const attn_http_request *request, const char *given,
                           attn_http_answer *answer) {
    if (!attn_access_needs_key(access)) {
        return true;
    }
    const char *key = key_of(request, given);
    if (key == NULL) {
        attn_http_error(answer, 400, "Please contact the server operator to get an API key");
        return false;
    }
    double wait;
    pthread_mutex_lock(&access->lock);
    bool known = try_key(access, request->client, key, &wait);
    pthread_mutex_unlock(&access->lock);
    if (wait > 0) {
        attn_http_error(answer, 429, "Slowdown: too many wrong API keys");
        answer->retry_after = (int)wait + 1;
    } else if (!known) {
        attn_http_error(answer, 403, "Invalid API key");
    }
    return known;
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
        return attn_access_check_key(access, request, NULL, answer);
    }
    attn_http_error(answer, 403, "%s is not known as a name of this server: start it with --name",
                    name);
    return false;
}
