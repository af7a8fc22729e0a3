/* train/log.c: events to JSON lines, and cutting a log back to where a training resumes. */
#include "io/json_write.h"
#include "train/log.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "attn/threads.h"
#include "attn/version.h"
#include "base/fail.h"
#include "base/memory.h"
#include "io/file.h"

struct attn_train_log {
    FILE *file;
    char path[4096];
    int error_number; /* of the first failure */
};

/* ---- writing ---- */

static void write_line(attn_train_log *log, json_t *line) {
    errno = 0;
    bool written =
        attn_json_print(line, JSON_COMPACT | JSON_REAL_PRECISION(9), log->file, NULL) == ATTN_OK &&
        fflush(log->file) == 0;
    if (!written && log->error_number == 0) {
        log->error_number = errno != 0 ? errno : ENOMEM;
    }
}

/* JSON has no NaN and no infinity. */
static void put_real(json_t *line, const char *key, double value) {
    json_object_set_new(line, key, isfinite(value) ? json_real(value) : json_null());
}

static void put_exact(json_t *line, const char *key, double value) {
    char name[64], text[64];
    put_real(line, key, value);
    snprintf(name, sizeof name, "%s_hex", key);
    snprintf(text, sizeof text, "%a", value);
    json_object_set_new(line, name, json_string(text));
}

static void put_int(json_t *line, const char *key, int64_t value) {
    json_object_set_new(line, key, json_integer(value));
}

static void put_times(json_t *line, const attn_train_event *event) {
    put_int(line, event->task->unit, event->units);
    put_real(line, "seconds", event->seconds);
}

void attn_train_log_event(attn_train_log *log, const attn_train_event *event) {
    static const char *const names[] = {
        [ATTN_TRAIN_LOG] = "step",
        [ATTN_TRAIN_VALIDATION] = "validation",
        [ATTN_TRAIN_FINAL] = "final",
    };
    if (event->kind == ATTN_TRAIN_BEGIN || event->kind == ATTN_TRAIN_STEP) {
        return;
    }
    json_t *line = json_object();
    json_object_set_new(line, "event", json_string(names[event->kind]));
    put_int(line, "step", event->step);
    put_real(line, "epoch", (double)event->epoch + event->epoch_share);
    put_exact(line, "loss", event->loss);
    put_exact(line, "nll", event->nll);
    if (event->kind == ATTN_TRAIN_LOG) {
        put_exact(line, "learning_rate", event->learning_rate);
        put_exact(line, "gradient_norm", event->gradient_norm);
        put_int(line, "skipped", event->skipped);
        put_times(line, event);
        char name[64];
        snprintf(name, sizeof name, "%s_per_second", event->task->unit);
        put_real(line, name, event->units_per_second);
        if (event->ranks > 1) {
            put_int(line, "ranks", event->ranks);
            put_int(line, "slowest_rank", event->slowest);
            json_object_set_new(line, "slowest_host", json_string(event->slowest_host));
            put_real(line, "slowest_seconds", event->slowest_seconds);
            put_real(line, "seconds_of_others", event->seconds_of_others);
            put_int(line, "bytes_sent", event->bytes_sent);
        }
    } else {
        if (event->task->perplexity) {
            put_real(line, "perplexity", exp(event->nll));
        }
        if (event->score >= 0) {
            put_exact(line, event->task->score, event->score);
        }
        if (event->kind == ATTN_TRAIN_VALIDATION) {
            json_object_set_new(line, "best", json_boolean(event->best));
        }
        put_times(line, event);
    }
    write_line(log, line);
}

void attn_train_log_data(attn_train_log *log, const attn_train_count *counts, size_t count) {
    json_t *line = json_object();
    json_object_set_new(line, "event", json_string("data"));
    for (size_t i = 0; i < count; i++) {
        put_int(line, counts[i].name, counts[i].value);
    }
    write_line(log, line);
}

static void write_begin(attn_train_log *log, int64_t resume_step, const char *command,
                        const attn_recipe *recipe) {
    json_t *line = json_object(), *values = json_object();
    json_object_set_new(line, "event", json_string(resume_step < 0 ? "begin" : "resume"));
    if (resume_step >= 0) {
        put_int(line, "step", resume_step);
    }
    json_object_set_new(line, "command", json_string(command));
    json_object_set_new(line, "attn", json_string(attn_version()));
    json_object_set_new(line, "isa", json_string(attn_isa_name()));
    put_int(line, "threads", attn_get_threads());
    for (size_t i = 0; i < recipe->count; i++) {
        char value[256];
        attn_recipe_print(&recipe->keys[i], recipe->values, value, sizeof value);
        json_object_set_new(values, recipe->keys[i].name, json_string(value));
    }
    json_object_set_new(line, "options", values);
    write_line(log, line);
}

/* ---- going on ---- */

/* Lines of steps to come, the end of an earlier run, and a line torn by a kill go. */
static bool keep_line(const char *text, size_t length, int64_t resume_step) {
    json_t *line = json_loadb(text, length, 0, NULL);
    const char *event = json_string_value(json_object_get(line, "event"));
    json_t *step = json_object_get(line, "step");
    bool keep = event != NULL && strcmp(event, "final") != 0 &&
                (step == NULL || json_integer_value(step) <= resume_step);
    json_decref(line);
    return keep;
}

static attn_status cut_back(const char *path, int64_t resume_step, attn_error *error) {
    char *text;
    size_t size, kept = 0;
    attn_status status = attn_file_read(path, 0, &text, &size, error);
    if (status != ATTN_OK) {
        return status;
    }
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end != NULL ? (size_t)(end - (text + at)) + 1 : size - at;
        if (end != NULL && keep_line(text + at, length, resume_step)) {
            memmove(text + kept, text + at, length);
            kept += length;
        }
        at += length;
    }
    attn_bytes bytes = {text, kept};
    status = attn_file_replace(path, &bytes, 1, error);
    attn_free(text);
    return status;
}

/* ---- the file ---- */

/* Opens the file to append to it, alone: the lock goes with the process, however that ends. */
static attn_status open_alone(const char *path, int *out, attn_error *error) {
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file < 0) {
        return attn_fail_errno(error, path, "cannot write the log");
    }
    if (flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        close(file);
        return attn_fail(error, ATTN_ERR_IO, path, -1,
                         "wait until it ends, stop it, or name another --out",
                         "another training is writing this log");
    }
    *out = file; /* a file system without locks does without */
    return ATTN_OK;
}

/* The file emptied, or cut back to resume_step. */
static attn_status open_file(const char *path, int64_t resume_step, int *out, attn_error *error) {
    int old = -1;
    attn_status status = open_alone(path, &old, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (resume_step < 0) {
        *out = old;
        return ftruncate(old, 0) == 0 ? ATTN_OK
                                      : attn_fail_errno(error, path, "cannot empty the log");
    }
    status = cut_back(path, resume_step, error); /* to a new file of that name */
    status = status == ATTN_OK ? open_alone(path, out, error) : status;
    close(old);
    return status;
}

attn_status attn_train_log_open(const char *path, int64_t resume_step, const char *command,
                                const attn_recipe *recipe, attn_train_log **out,
                                attn_error *error) {
    attn_train_log *log = attn_alloc_zero(1, sizeof *log);
    if (log == NULL) {
        return attn_fail_memory(error, sizeof *log);
    }
    int file = -1;
    attn_status status = open_file(path, resume_step, &file, error);
    log->file = status == ATTN_OK ? fdopen(file, "a") : NULL;
    if (log->file == NULL) {
        status = status == ATTN_OK ? attn_fail_errno(error, path, "cannot write the log") : status;
        if (file >= 0) {
            close(file);
        }
        attn_free(log);
        return status;
    }
    snprintf(log->path, sizeof log->path, "%s", path);
    write_begin(log, resume_step, command, recipe);
    *out = log;
    return ATTN_OK;
}

attn_status attn_train_log_close(attn_train_log *log, attn_error *error) {
    if (log == NULL) {
        return ATTN_OK;
    }
    errno = 0;
    if (fclose(log->file) != 0 && log->error_number == 0) {
        log->error_number = errno;
    }
    attn_status status = ATTN_OK;
    if (log->error_number != 0) {
        errno = log->error_number;
        status = attn_fail_errno(error, log->path, "lines of the log were lost");
    }
    attn_free(log);
    return status;
}
