/* train/log.h: the log of a training, one JSON object a line.
 *
 * Every number that may be compared is there twice: rounded for reading (%.9g) and exact, as a
 * hexadecimal float in a string. A training that was killed and resumed leaves the lines that it
 * would have left in one go; only times, and a "resume" line, differ. */
#ifndef ATTN_TRAIN_LOG_H
#define ATTN_TRAIN_LOG_H

#include "train/trainer.h"

typedef struct attn_train_log attn_train_log;

/* Begins a file, or with resume_step >= 0 continues one: lines of later steps, which the training
 * is about to repeat, are removed. The file is locked until _close: ATTN_ERR_IO when another
 * training has it open. command: as typed. */
ATTN_MUST_CHECK attn_status attn_train_log_open(const char *path, int64_t resume_step,
                                                const char *command, const attn_recipe *recipe,
                                                attn_train_log **out, attn_error *error);
/* One number about the data, for the log; label: what people call it, or NULL. */
typedef struct attn_train_count {
    const char *name, *label;
    int64_t value;
} attn_train_count;

/* A line that says what there is to train on. Failures show in _close. */
void attn_train_log_data(attn_train_log *log, const attn_train_count *counts, size_t count);
/* Writes what belongs in the log (ATTN_TRAIN_LOG, _VALIDATION, _FINAL). Failures show in _close. */
void attn_train_log_event(attn_train_log *log, const attn_train_event *event);
/* ATTN_ERR_IO when a line was lost. NULL is allowed. */
ATTN_MUST_CHECK attn_status attn_train_log_close(attn_train_log *log, attn_error *error);

#endif
