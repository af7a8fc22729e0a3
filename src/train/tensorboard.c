/* train/tensorboard.c: records of scalars. Sources: TensorFlow's record_writer.h and event.proto. */
#include "train/tensorboard.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/memory.h"

enum { TAG_LIMIT = 100, RECORD_LIMIT = 256 };

struct attn_tensorboard {
    FILE *file;
    char path[4096];
    int error_number; /* of the first failure */
};

/* ---- bytes ---- */

/* CRC-32C (Castagnoli), bit by bit: a record has a hundred bytes. */
static uint32_t checksum(const unsigned char *data, size_t size) {
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
        }
    }
    crc ^= 0xFFFFFFFFu;
    return (crc >> 15 | crc << 17) + 0xA282EAD8u; /* masked, as the format wants it */
}

typedef struct bytes {
    unsigned char *data;
    size_t size;
} bytes;

static void put_little(bytes *b, uint64_t value, int count) {
    for (int i = 0; i < count; i++) {
        b->data[b->size++] = (unsigned char)(value >> 8 * i);
    }
}

static void put_varint(bytes *b, uint64_t value) {
    for (; value >= 0x80; value >>= 7) {
        b->data[b->size++] = (unsigned char)(value | 0x80);
    }
    b->data[b->size++] = (unsigned char)value;
}

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static void put_key(bytes *b, unsigned field, unsigned wire) {
    put_varint(b, field << 3 | wire);
}

static void put_bytes(bytes *b, unsigned field, const void *data, size_t size) {
    put_key(b, field, WIRE_BYTES);
    put_varint(b, size);
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void put_double(bytes *b, unsigned field, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_key(b, field, WIRE_64);
    put_little(b, bits, 8);
}

static void put_float(bytes *b, unsigned field, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_key(b, field, WIRE_32);
    put_little(b, bits, 4);
}

/* ---- records ---- */

static size_t wrap(const bytes *event, unsigned char *out) {
    bytes b = {out, 0};
    put_little(&b, event->size, 8);
    put_little(&b, checksum(out, 8), 4);
    memcpy(out + b.size, event->data, event->size);
    b.size += event->size;
    put_little(&b, checksum(event->data, event->size), 4);
    return b.size;
}

/* Event { wall_time = 1, step = 2, summary = 5 { value = 1 { tag = 1, simple_value = 2 } } } */
size_t attn_tensorboard_record(const char *tag, int64_t step, double time, double value,
                               unsigned char *out) {
    unsigned char value_data[RECORD_LIMIT], summary_data[RECORD_LIMIT], event_data[RECORD_LIMIT];
    bytes one = {value_data, 0}, summary = {summary_data, 0}, event = {event_data, 0};
    put_bytes(&one, 1, tag, strnlen(tag, TAG_LIMIT));
    put_float(&one, 2, (float)value);
    put_bytes(&summary, 1, one.data, one.size);
    put_double(&event, 1, time);
    put_key(&event, 2, WIRE_VARINT);
    put_varint(&event, (uint64_t)step);
    put_bytes(&event, 5, summary.data, summary.size);
    return wrap(&event, out);
}

static void write_record(attn_tensorboard *board, const unsigned char *data, size_t size) {
    errno = 0;
    bool written = fwrite(data, 1, size, board->file) == size && fflush(board->file) == 0;
    if (!written && board->error_number == 0) {
        board->error_number = errno != 0 ? errno : EIO;
    }
}

/* Event { wall_time = 1, file_version = 3 }, the first of a file. */
static void write_version(attn_tensorboard *board, double now) {
    static const char version[] = "brain.Event:2";
    unsigned char event_data[RECORD_LIMIT], record[RECORD_LIMIT];
    bytes event = {event_data, 0};
    put_double(&event, 1, now);
    put_bytes(&event, 3, version, sizeof version - 1);
    write_record(board, record, wrap(&event, record));
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

attn_status attn_tensorboard_open(const char *folder, attn_tensorboard **out, attn_error *error) {
    char host[64] = "localhost";
    gethostname(host, sizeof host - 1);
    *out = NULL;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        return attn_fail_errno(error, folder, "cannot make the folder");
    }
    attn_tensorboard *board = attn_alloc_zero(1, sizeof *board);
    if (board == NULL) {
        return attn_fail_memory(error, sizeof *board);
    }
    snprintf(board->path, sizeof board->path, "%s/events.out.tfevents.%lld.%s.%ld", folder,
             (long long)now(), host, (long)getpid());
    board->file = fopen(board->path, "wb");
    if (board->file == NULL) {
        attn_status status = attn_fail_errno(error, board->path, "cannot write");
        attn_free(board);
        return status;
    }
    write_version(board, now());
    *out = board;
    return ATTN_OK;
}

void attn_tensorboard_scalar(attn_tensorboard *board, const char *tag, int64_t step, double time,
                             double value) {
    unsigned char record[2 * RECORD_LIMIT];
    write_record(board, record, attn_tensorboard_record(tag, step, time, value, record));
}

/* ---- of a training ---- */

static void put(attn_tensorboard *board, const attn_train_event *event, const char *group,
                const char *name, double value) {
    char tag[TAG_LIMIT];
    snprintf(tag, sizeof tag, "%s/%s", group, name);
    attn_tensorboard_scalar(board, tag, event->step, now(), value);
}

void attn_tensorboard_event(attn_tensorboard *board, const attn_train_event *event) {
    if (board == NULL || event->kind == ATTN_TRAIN_BEGIN || event->kind == ATTN_TRAIN_STEP) {
        return;
    }
    bool step = event->kind == ATTN_TRAIN_LOG;
    const char *group = step ? "train" : event->kind == ATTN_TRAIN_FINAL ? "final" : "valid";
    put(board, event, group, "loss", event->loss);
    put(board, event, group, "nll", event->nll);
    if (step) {
        char rate[64];
        snprintf(rate, sizeof rate, "%s_per_second", event->task->unit);
        put(board, event, group, "learning_rate", event->learning_rate);
        put(board, event, group, "gradient_norm", event->gradient_norm);
        put(board, event, group, rate, event->units_per_second);
        return;
    }
    if (event->task->perplexity) {
        put(board, event, group, "perplexity", exp(event->nll));
    }
    if (event->score >= 0) {
        put(board, event, group, event->task->score, event->score);
    }
}

attn_status attn_tensorboard_close(attn_tensorboard *board, attn_error *error) {
    if (board == NULL) {
        return ATTN_OK;
    }
    errno = 0;
    if (fclose(board->file) != 0 && board->error_number == 0) {
        board->error_number = errno != 0 ? errno : EIO;
    }
    attn_status status = ATTN_OK;
    if (board->error_number != 0) {
        errno = board->error_number;
        status = attn_fail_errno(error, board->path, "cannot write");
    }
    attn_free(board);
    return status;
}
