/* cli/train_progress.h: what someone who waits for a training sees, on stderr.
 *
 * On a terminal one line that is written over; elsewhere a line every ten seconds or so. */
#ifndef ATTN_CLI_TRAIN_PROGRESS_H
#define ATTN_CLI_TRAIN_PROGRESS_H

#include "train/trainer.h"

typedef struct attn_train_progress {
    bool quiet, terminal;
    bool line_open;     /* a line without an end is on the terminal */
    double last_update; /* clock */
    int64_t max_steps;
} attn_train_progress;

void attn_train_progress_init(attn_train_progress *progress, bool quiet, int64_t max_steps);
void attn_train_progress_event(attn_train_progress *progress, const attn_train_event *event);
/* Ends the line, so that other messages can follow. */
void attn_train_progress_end(attn_train_progress *progress);
/* 75 -> "1:15", 3700 -> "1:01:40" */
void attn_train_duration(double seconds, char *text, size_t size);

#endif
