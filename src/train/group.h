/* train/group.h: the processes that train one model together, started by mpirun or srun.
 *
 * Each has a rank, 0 .. size - 1. Rank 0 leads: it alone writes files and speaks. A process that no launcher started
 * has no group: every function here takes NULL for it, and does what holds for one process. Messages go through a
 * plug-in (transport.h). A group belongs to one thread. Next: train/shards.h. */
#ifndef ATTN_TRAIN_GROUP_H
#define ATTN_TRAIN_GROUP_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"

typedef struct attn_group attn_group;

/* *out: NULL when the environment names no launcher, or one that started a single process. ATTN_ERR_UNSUPPORTED: there is
 * one, but this attn has no plug-in for it. stop: the signal that asked the process to end, or 0; a launcher sends one, not
 * SIGUSR1, when another process has died. */
ATTN_MUST_CHECK attn_status attn_group_join(const volatile sig_atomic_t *stop, attn_group **out,
                                            attn_error *error);
/* All ranks leave together, unless one has been lost. */
void attn_group_leave(attn_group *group);

int attn_group_rank(const attn_group *group);
int attn_group_size(const attn_group *group);
/* Ranks on this machine. */
int attn_group_here(const attn_group *group);
bool attn_group_leads(const attn_group *group);
const char *attn_group_host(const attn_group *group, int rank);
/* Whether another rank was given up: then there is no group any more. */
bool attn_group_is_lost(const attn_group *group);
/* This process fails alone, and its end will be the end of all. */
void attn_group_abandon(attn_group *group);

/* ---- together: every rank calls these, in the same order ---- */

/* The bytes of rank 0 become everybody's. */
ATTN_MUST_CHECK attn_status attn_group_broadcast(attn_group *group, void *data, size_t bytes,
                                                 attn_error *error);
/* The same of an array that the others do not know the size of: *data is allocated there, and freed with
 * attn_free. NULL stays NULL. */
ATTN_MUST_CHECK attn_status attn_group_broadcast_array(attn_group *group, void **data,
                                                       size_t *bytes, attn_error *error);
/* Whether all are well. If not, all return the failure of the lowest rank that has one, with its name if it is not rank 0. */
ATTN_MUST_CHECK attn_status attn_group_agree(attn_group *group, attn_status status,
                                             attn_error *error);
/* Whether all have the same number; what: what differs, for the error. */
ATTN_MUST_CHECK attn_status attn_group_same(attn_group *group, uint64_t number, const char *what,
                                            const char *hint, attn_error *error);

/* ---- messages (transport.h), with who they come from or go to ---- */

typedef struct attn_message {
    void *handle;
    int peer;
    bool open; /* under way */
} attn_message;

ATTN_MUST_CHECK attn_status attn_group_send(attn_group *group, int to, int tag, const void *data,
                                            size_t bytes, attn_message *out, attn_error *error);
ATTN_MUST_CHECK attn_status attn_group_receive(attn_group *group, int from, int tag, void *data,
                                               size_t bytes, attn_message *out, attn_error *error);
/* *done: whether it is. */
ATTN_MUST_CHECK attn_status attn_group_test(attn_group *group, attn_message *message, bool *done,
                                            attn_error *error);
/* Until all are done. */
ATTN_MUST_CHECK attn_status attn_group_wait(attn_group *group, attn_message *messages, size_t count,
                                            attn_error *error);

/* For a loop that waits: sleeps a little when nothing has `moved` for some time. ATTN_ERR_IO when the process is asked to end and
 * rank `peer`, which is waited for, does not answer. */
typedef struct attn_pause {
    double since; /* clock; 0: not waiting */
} attn_pause;
ATTN_MUST_CHECK attn_status attn_group_pause(attn_group *group, attn_pause *pause, bool moved,
                                             int peer, attn_error *error);

#endif
