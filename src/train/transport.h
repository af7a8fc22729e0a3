/* train/transport.h: how processes that train together send each other bytes.
 *
 * The tool links no library for it: a plug-in fills in this table (mpi/mpi.c, over MPI), and is opened only when a
 * launcher such as mpirun has started the program (group.c). Nothing here blocks, apart from start and end. */
#ifndef ATTN_TRAIN_TRANSPORT_H
#define ATTN_TRAIN_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>

enum { ATTN_HOST_SIZE = 64 };

typedef struct attn_transport {
    int rank, size;               /* this process, of how many */
    int here;                     /* processes on this machine, this one among them */
    char (*host)[ATTN_HOST_SIZE]; /* [size]: the machine of each */
    /* Begins to send, or to receive, `bytes` of memory that stays untouched until the message is done. Messages of a
     * rank with the same tag arrive in the order in which they were sent. tag: 0 .. 32767. false: it cannot be done. */
    bool (*send)(int to, int tag, const void *data, size_t bytes, void **message);
    bool (*receive)(int from, int tag, void *data, size_t bytes, void **message);
    /* Whether the message is done; then it is gone. *failed: it never will be. */
    bool (*is_done)(void **message, bool *failed);
    /* All ranks call it, when no message is under way. */
    void (*end)(void);
} attn_transport;

/* The function that a plug-in exports under this name. false: the launcher and the library do not find each other. */
typedef bool attn_transport_start_function(attn_transport *out);
#define ATTN_TRANSPORT_START "attn_transport_start"

#endif
