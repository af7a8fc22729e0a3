/* train/mpi/mpi.c: the plug-in attn-mpi.so, messages over MPI (train/transport.h).
 *
 * MPI-2 suffices. All of attn's calls come from one thread. */
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#include "train/transport.h"

_Static_assert(sizeof(MPI_Request) <= sizeof(void *), "a request fits into a pointer");

static char (*hosts)[ATTN_HOST_SIZE];

/* The request, whatever MPI makes it of, becomes the message; is_done waits for it. */
static void keep(const MPI_Request *request, void **message) {
    *message = NULL;
    memcpy(message, request, sizeof *request);
}

static bool begin_send(int to, int tag, const void *data, size_t bytes, void **message) {
    MPI_Request request = MPI_REQUEST_NULL;
    int result = MPI_Isend(data, (int)bytes, MPI_BYTE, to, tag, MPI_COMM_WORLD, &request);
    keep(&request, message);
    /* NOLINTNEXTLINE(clang-analyzer-optin.mpi.MPI-Checker): is_done waits */
    return result == MPI_SUCCESS;
}

static bool begin_receive(int from, int tag, void *data, size_t bytes, void **message) {
    MPI_Request request = MPI_REQUEST_NULL;
    int result = MPI_Irecv(data, (int)bytes, MPI_BYTE, from, tag, MPI_COMM_WORLD, &request);
    keep(&request, message);
    /* NOLINTNEXTLINE(clang-analyzer-optin.mpi.MPI-Checker): is_done waits */
    return result == MPI_SUCCESS;
}

static bool is_done(void **message, bool *failed) {
    MPI_Request request;
    int done = 0;
    memcpy(&request, message, sizeof request);
    *failed = MPI_Test(&request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS;
    keep(&request, message);
    return !*failed && done != 0;
}

static void end(void) {
    MPI_Finalize();
    free(hosts);
    hosts = NULL;
}

/* How many processes share this machine: those with the same name of it. */
static int count_here(int rank, int size) {
    int count = 0;
    for (int i = 0; i < size; i++) {
        count += strcmp(hosts[i], hosts[rank]) == 0;
    }
    return count;
}

attn_transport_start_function attn_transport_start __attribute__((visibility("default")));

bool attn_transport_start(attn_transport *out) {
    int provided, rank, size, length;
    char name[MPI_MAX_PROCESSOR_NAME], own[ATTN_HOST_SIZE] = "";
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) {
        return false;
    }
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Get_processor_name(name, &length);
    for (int i = 0; i < length && i < ATTN_HOST_SIZE - 1; i++) {
        own[i] = name[i];
    }
    hosts = calloc((size_t)size, sizeof *hosts);
    if (hosts == NULL || MPI_Allgather(own, ATTN_HOST_SIZE, MPI_CHAR, hosts, ATTN_HOST_SIZE,
                                       MPI_CHAR, MPI_COMM_WORLD) != MPI_SUCCESS) {
        return false;
    }
    *out = (attn_transport){.rank = rank,
                            .size = size,
                            .here = count_here(rank, size),
                            .host = hosts,
                            .send = begin_send,
                            .receive = begin_receive,
                            .is_done = is_done,
                            .end = end};
    return true;
}
