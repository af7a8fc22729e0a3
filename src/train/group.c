/* train/group.c: joining and leaving, and what is built from single messages.
 *
 * Waiting is done here and not in the library below: it sleeps, so that a rank that has nothing to do takes no processor from
 * one that has, and it notices when another one is gone. */
#include "train/group.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "train/transport.h"

#define PLUGIN "attn-mpi.so"

/* Tags of the messages here; those of shards.c are above. */
enum { TAG_BROADCAST, TAG_AGREE };

struct attn_group {
    attn_transport transport;
    void *plugin;
    const volatile sig_atomic_t *stop;
    double asked; /* clock when the process was asked to end; 0: it was not */
    bool lost;
};

/* ---- joining ---- */

/* The number of processes that a launcher says it started; 0: it does not say; -1: there is none. */
static long launched(void) {
    static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const char *value = getenv(sizes[i]);
        if (value != NULL) {
            return strtol(value, NULL, 10);
        }
    }
    return getenv("PMIX_RANK") != NULL ? 0 : -1; /* srun --mpi=pmix */
}

/* Beside the program, as it is built, or where it is installed. */
static void *open_plugin(char *reason, size_t size) {
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - sizeof PLUGIN - 1);
    void *plugin = NULL;
    if (length > 0) {
        path[length] = '\0';
        char *slash = strrchr(path, '/');
        snprintf(slash != NULL ? slash + 1 : path, sizeof PLUGIN, "%s", PLUGIN);
        plugin = access(path, R_OK) == 0 ? dlopen(path, RTLD_NOW | RTLD_GLOBAL) : NULL;
    }
    if (plugin == NULL) {
        plugin = dlopen(ATTN_PLUGIN_DIR "/" PLUGIN, RTLD_NOW | RTLD_GLOBAL);
    }
    const char *why = plugin == NULL ? dlerror() : NULL;
    snprintf(reason, size, "%s", why != NULL ? why : "");
    return plugin;
}

static attn_status start(attn_group *group, attn_error *error) {
    char reason[256];
    group->plugin = open_plugin(reason, sizeof reason);
    if (group->plugin == NULL) {
        return attn_fail(error, ATTN_ERR_UNSUPPORTED, PLUGIN, -1,
                         "build attn where MPI is installed (ATTN_MPI), or start it without mpirun",
                         "several processes were started, but this attn has no MPI: %s", reason);
    }
    attn_transport_start_function *function = NULL;
    void *symbol = dlsym(group->plugin, ATTN_TRANSPORT_START);
    memcpy(&function, &symbol, sizeof function);
    if (function == NULL || !function(&group->transport)) {
        return attn_fail(error, ATTN_ERR_UNSUPPORTED, PLUGIN, -1,
                         "start it with the mpirun of the MPI that attn was built with",
                         "MPI does not start");
    }
    return ATTN_OK;
}

attn_status attn_group_join(const volatile sig_atomic_t *stop, attn_group **out,
                            attn_error *error) {
    *out = NULL;
    long processes = launched();
    if (processes < 0 || processes == 1) {
        return ATTN_OK;
    }
    attn_group *group = attn_alloc_zero(1, sizeof *group);
    if (group == NULL) {
        return attn_fail_memory(error, sizeof *group);
    }
    group->stop = stop;
    attn_status status = start(group, error);
    if (status != ATTN_OK || group->transport.size == 1) {
        if (status == ATTN_OK) {
            group->transport.end();
        }
        attn_free(group); /* the plug-in stays: libraries of MPI do not like to go */
        return status;
    }
    *out = group;
    return ATTN_OK;
}

void attn_group_leave(attn_group *group) {
    if (group != NULL && !group->lost) {
        group->transport.end();
    }
    attn_free(group);
}

int attn_group_rank(const attn_group *group) {
    return group != NULL ? group->transport.rank : 0;
}

int attn_group_size(const attn_group *group) {
    return group != NULL ? group->transport.size : 1;
}

int attn_group_here(const attn_group *group) {
    return group != NULL ? group->transport.here : 1;
}

bool attn_group_leads(const attn_group *group) {
    return attn_group_rank(group) == 0;
}

const char *attn_group_host(const attn_group *group, int rank) {
    return group != NULL ? group->transport.host[rank] : "";
}

bool attn_group_is_lost(const attn_group *group) {
    return group != NULL && group->lost;
}

void attn_group_abandon(attn_group *group) {
    if (group != NULL) {
        group->lost = true;
    }
}

/* ---- messages ---- */

static attn_status lose(attn_group *group, int peer, attn_error *error) {
    group->lost = true;
    return attn_fail(error, ATTN_ERR_IO, "training", -1, NULL,
                     "rank %d on %s has died, or does not answer", peer,
                     attn_group_host(group, peer));
}

attn_status attn_group_send(attn_group *group, int to, int tag, const void *data, size_t bytes,
                            attn_message *out, attn_error *error) {
    *out = (attn_message){.peer = to, .open = true};
    return group->transport.send(to, tag, data, bytes, &out->handle) ? ATTN_OK
                                                                     : lose(group, to, error);
}

attn_status attn_group_receive(attn_group *group, int from, int tag, void *data, size_t bytes,
                               attn_message *out, attn_error *error) {
    *out = (attn_message){.peer = from, .open = true};
    return group->transport.receive(from, tag, data, bytes, &out->handle)
               ? ATTN_OK
               : lose(group, from, error);
}

attn_status attn_group_test(attn_group *group, attn_message *message, bool *done,
                            attn_error *error) {
    bool failed = false;
    if (message->open) {
        message->open = !group->transport.is_done(&message->handle, &failed);
    }
    *done = !message->open;
    return failed ? lose(group, message->peer, error) : ATTN_OK;
}

/* Seconds that rank 0, asked to end, waits for another one: half of the time after which mpirun kills. The others may have to
 * wait until rank 0 has written a checkpoint. */
static double grace_of(const attn_group *group) {
    const char *kills = getenv("OMPI_MCA_odls_base_sigkill_timeout");
    double seconds = kills != NULL ? strtod(kills, NULL) : 1;
    return attn_group_leads(group) ? 0.5 * (seconds > 1 ? seconds : 1) : 600;
}

static attn_status check_asked(attn_group *group, const attn_pause *pause, double clock, int peer,
                               attn_error *error) {
    if (group->stop == NULL || *group->stop == 0 || *group->stop == SIGUSR1) {
        return ATTN_OK; /* who sends SIGUSR1 asks for an end, and has lost nobody */
    }
    group->asked = group->asked > 0 ? group->asked : clock;
    double from = group->asked > pause->since ? group->asked : pause->since;
    return clock - from > grace_of(group) ? lose(group, peer, error) : ATTN_OK;
}

attn_status attn_group_pause(attn_group *group, attn_pause *pause, bool moved, int peer,
                             attn_error *error) {
    static const double spin = 0.0002, most = 0.001; /* seconds */
    if (group == NULL) {
        return ATTN_OK;
    }
    double clock = attn_clock();
    if (moved || pause->since == 0) {
        pause->since = clock;
        return ATTN_OK;
    }
    attn_status status = check_asked(group, pause, clock, peer, error);
    double waited = clock - pause->since;
    if (status == ATTN_OK && waited > spin) {
        double seconds = waited / 8 < most ? waited / 8 : most;
        nanosleep(&(struct timespec){.tv_nsec = (long)(seconds * 1e9)}, NULL);
    }
    return status;
}

attn_status attn_group_wait(attn_group *group, attn_message *messages, size_t count,
                            attn_error *error) {
    attn_pause pause = {.since = 0};
    for (size_t i = 0; i < count;) {
        bool done;
        attn_status status = attn_group_test(group, &messages[i], &done, error);
        if (status == ATTN_OK) {
            status = attn_group_pause(group, &pause, done, messages[i].peer, error);
        }
        if (status != ATTN_OK) {
            return status;
        }
        i += done;
    }
    return ATTN_OK;
}

/* ---- together ---- */

static attn_status exchange(attn_group *group, bool send, int peer, int tag, void *data,
                            size_t bytes, attn_error *error) {
    attn_message message;
    attn_status status = send ? attn_group_send(group, peer, tag, data, bytes, &message, error)
                              : attn_group_receive(group, peer, tag, data, bytes, &message, error);
    return status == ATTN_OK ? attn_group_wait(group, &message, 1, error) : status;
}

/* A binomial tree: rank r has it from r without its lowest bit, and hands it on to r + 1, r + 2, r + 4 ... below that
 * bit, the farthest first. */
static attn_status broadcast_part(attn_group *group, void *data, size_t bytes, attn_error *error) {
    int rank = group->transport.rank, size = group->transport.size, bit = 1;
    attn_status status = ATTN_OK;
    while (bit < size && (rank & bit) == 0) {
        bit *= 2;
    }
    if (rank > 0) {
        status = exchange(group, false, rank - bit, TAG_BROADCAST, data, bytes, error);
    }
    for (bit /= 2; bit > 0 && status == ATTN_OK; bit /= 2) {
        if (rank + bit < size) {
            status = exchange(group, true, rank + bit, TAG_BROADCAST, data, bytes, error);
        }
    }
    return status;
}

attn_status attn_group_broadcast(attn_group *group, void *data, size_t bytes, attn_error *error) {
    static const size_t most = 64 << 20; /* bytes of a message */
    attn_status status = ATTN_OK;
    for (size_t at = 0; group != NULL && at < bytes && status == ATTN_OK; at += most) {
        size_t part = bytes - at < most ? bytes - at : most;
        status = broadcast_part(group, (char *)data + at, part, error);
    }
    return status;
}

attn_status attn_group_broadcast_array(attn_group *group, void **data, size_t *bytes,
                                       attn_error *error) {
    bool leads = attn_group_leads(group);
    uint64_t size[2] = {*bytes, *data != NULL};
    attn_status status = attn_group_broadcast(group, size, sizeof size, error);
    if (status != ATTN_OK || group == NULL) {
        return status;
    }
    if (!leads) {
        *bytes = (size_t)size[0];
        *data = size[1] != 0 ? attn_alloc(*bytes > 0 ? *bytes : 1) : NULL;
        if (size[1] != 0 && *data == NULL) {
            status = attn_fail_memory(error, *bytes);
        }
    }
    status = attn_group_agree(group, status, error);
    return status == ATTN_OK && size[1] != 0 ? attn_group_broadcast(group, *data, *bytes, error)
                                             : status;
}

/* Rank 0 hears of everybody, and tells everybody of the first that failed. */
attn_status attn_group_agree(attn_group *group, attn_status status, attn_error *error) {
    attn_error own = {.status = status}, worst = {.status = ATTN_OK};
    if (group == NULL || group->lost) {
        return status;
    }
    if (status != ATTN_OK && error != NULL) {
        own = *error;
    }
    int rank = group->transport.rank, size = group->transport.size;
    attn_status sent = ATTN_OK;
    if (rank > 0) {
        sent = exchange(group, true, 0, TAG_AGREE, &own, sizeof own, error);
    } else {
        worst = own;
    }
    for (int from = 1; rank == 0 && from < size && sent == ATTN_OK; from++) {
        attn_error theirs;
        sent = exchange(group, false, from, TAG_AGREE, &theirs, sizeof theirs, error);
        if (sent == ATTN_OK && worst.status == ATTN_OK && theirs.status != ATTN_OK) {
            char what[sizeof worst.what];
            worst = theirs;
            snprintf(what, sizeof what, "%s", theirs.what);
            snprintf(worst.what, sizeof worst.what, "%.400s (rank %d on %s)", what, from,
                     attn_group_host(group, from));
        }
    }
    if (sent == ATTN_OK) {
        sent = attn_group_broadcast(group, &worst, sizeof worst, error);
    }
    if (sent == ATTN_OK && worst.status != ATTN_OK && error != NULL) {
        *error = worst;
    }
    return sent == ATTN_OK ? worst.status : sent;
}

attn_status attn_group_same(attn_group *group, uint64_t number, const char *what, const char *hint,
                            attn_error *error) {
    uint64_t first = number;
    attn_status status = attn_group_broadcast(group, &first, sizeof first, error);
    if (status == ATTN_OK && first != number) {
        status = attn_fail(error, ATTN_ERR_ARGUMENT, "training", -1, hint,
                           "the ranks do not have the same %s", what);
    }
    return attn_group_agree(group, status, error);
}
