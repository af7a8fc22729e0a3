/* cli/train_progress.c: the live line, and the lines that stay. */
#include "train_progress.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

void attn_train_progress_init(attn_train_progress *progress, bool quiet, int64_t max_steps) {
    *progress = (attn_train_progress){
        .quiet = quiet, .terminal = isatty(STDERR_FILENO) != 0, .max_steps = max_steps};
}

void attn_train_duration(double seconds, char *text, size_t size) {
    long long whole = (long long)(seconds + 0.5);
    if (whole >= 3600) {
        snprintf(text, size, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
    } else {
        snprintf(text, size, "%lld:%02lld", whole / 60, whole % 60);
    }
}

void attn_train_progress_end(attn_train_progress *progress) {
    if (progress->line_open) {
        fputs("\r\033[K", stderr);
        progress->line_open = false;
    }
}

static void print_step(attn_train_progress *progress, const attn_train_event *event) {
    char left[32] = "", steps[32] = "";
    if (event->seconds_left >= 0) {
        attn_train_duration(event->seconds_left, left, sizeof left);
    }
    if (progress->max_steps > 0) {
        snprintf(steps, sizeof steps, "/%lld", (long long)progress->max_steps);
    }
    fprintf(stderr, "%sstep %lld%s  epoch %.2f  loss %.3f  rate %.2e  %.0f %s/s%s%s%s%s",
            progress->terminal ? "\r\033[K" : "", (long long)event->step, steps,
            (double)event->epoch + event->epoch_share, event->loss, event->learning_rate,
            event->units_per_second, event->task->unit, left[0] != '\0' ? "  " : "", left,
            left[0] != '\0' ? " left" : "", progress->terminal ? "" : "\n");
    progress->line_open = progress->terminal;
}

static void print_validation(const attn_train_event *event) {
    char perplexity[40] = "", score[48] = "";
    if (event->task->perplexity) {
        snprintf(perplexity, sizeof perplexity, ", perplexity %.3f", exp(event->nll));
    }
    if (event->score >= 0) {
        snprintf(score, sizeof score, ", %s %.2f", event->task->score_name, event->score);
    }
    if (event->kind == ATTN_TRAIN_FINAL) {
        fprintf(stderr, "finished model: validation loss %.4f%s%s\n", event->loss, perplexity,
                score);
    } else {
        fprintf(stderr, "step %lld, epoch %.2f: validation loss %.4f%s%s%s\n",
                (long long)event->step, (double)event->epoch + event->epoch_share, event->loss,
                perplexity, score, event->best ? " (best so far)" : "");
    }
}

void attn_train_progress_event(attn_train_progress *progress, const attn_train_event *event) {
    if (progress->quiet) {
        return;
    }
    if (event->kind == ATTN_TRAIN_VALIDATION || event->kind == ATTN_TRAIN_FINAL) {
        attn_train_progress_end(progress);
        print_validation(event);
    } else if (event->kind == ATTN_TRAIN_STEP) {
        double clock = attn_clock();
        if (clock - progress->last_update >= (progress->terminal ? 0.2 : 10.0)) {
            print_step(progress, event);
            progress->last_update = clock;
        }
    }
}
