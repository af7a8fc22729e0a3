/* train/tensorboard.h: curves of a training for TensorBoard: an event file of scalars.
 *
 * A file is a run of records: length, its checksum, data, their checksum (TFRecord, CRC-32C, masked); each holds an
 * Event as a protocol buffer. */
#ifndef ATTN_TRAIN_TENSORBOARD_H
#define ATTN_TRAIN_TENSORBOARD_H

#include <stdint.h>

#include "train/trainer.h"

typedef struct attn_tensorboard attn_tensorboard;

/* A new file events.out.tfevents.TIME.HOST.PROCESS in the folder, which is made when it is not there. ATTN_ERR_IO. */
ATTN_MUST_CHECK attn_status attn_tensorboard_open(const char *folder, attn_tensorboard **out,
                                                  attn_error *error);
/* time: seconds since 1970. Failures show in _close. */
void attn_tensorboard_scalar(attn_tensorboard *board, const char *tag, int64_t step, double time,
                             double value);
/* The lines of the log as scalars: train/loss, valid/bleu and so on. NULL is allowed. */
void attn_tensorboard_event(attn_tensorboard *board, const attn_train_event *event);
/* ATTN_ERR_IO when something was lost. NULL is allowed. */
ATTN_MUST_CHECK attn_status attn_tensorboard_close(attn_tensorboard *board, attn_error *error);

/* ---- for tests ---- */

/* The record of one scalar; out: at least 128 bytes and the tag. Returns its size. */
size_t attn_tensorboard_record(const char *tag, int64_t step, double time, double value,
                               unsigned char *out);

#endif
