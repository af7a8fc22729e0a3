/* serve/shelf.c: a list of files, the newest first. */
#include "serve/shelf.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fail.h"

enum { RANDOM = 16 };

typedef struct kept_file {
    char name[ATTN_SHELF_NAME];
    attn_buffer bytes;
    double until;
    struct kept_file *next; /* the one that was put before it */
} kept_file;

struct attn_shelf {
    size_t memory, used;
    double seconds;
    pthread_mutex_t lock;
    kept_file *newest;
};

attn_status attn_shelf_create(size_t memory, double seconds, attn_shelf **out, attn_error *error) {
    attn_shelf *s = calloc(1, sizeof *s);
    *out = s;
    if (s == NULL) {
        return attn_fail_memory(error, sizeof *s);
    }
    s->memory = memory;
    s->seconds = seconds;
    pthread_mutex_init(&s->lock, NULL);
    return ATTN_OK;
}

/* Frees all files from *link on. */
static void drop_from(attn_shelf *s, kept_file **link) {
    while (*link != NULL) {
        kept_file *gone = *link;
        *link = gone->next;
        s->used -= gone->bytes.length;
        attn_buffer_free(&gone->bytes);
        free(gone);
    }
}

void attn_shelf_free(attn_shelf *s) {
    if (s != NULL) {
        drop_from(s, &s->newest);
        pthread_mutex_destroy(&s->lock);
        free(s);
    }
}

/* Lets go of what is too old, and of as many of the oldest as it takes for `room` more bytes. */
static void make_room(attn_shelf *s, size_t room) {
    double now = attn_clock();
    kept_file **link = &s->newest;
    for (size_t sum = room; *link != NULL && now < (*link)->until; link = &(*link)->next) {
        sum += (*link)->bytes.length;
        if (sum > s->memory) {
            break;
        }
    }
    drop_from(s, link);
}

static attn_status make_number(char number[2 * RANDOM + 1], attn_error *error) {
    unsigned char bytes[RANDOM];
    FILE *source = fopen("/dev/urandom", "rb");
    size_t got = source != NULL ? fread(bytes, 1, sizeof bytes, source) : 0;
    if (source != NULL) {
        fclose(source);
    }
    if (got < sizeof bytes) {
        return attn_fail_errno(error, "/dev/urandom", "cannot read");
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        sprintf(number + 2 * i, "%02x", bytes[i]);
    }
    return ATTN_OK;
}

static bool is_plain(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
           c == '-' || c == '_';
}

attn_status attn_shelf_put(attn_shelf *s, attn_buffer *bytes, const char *name,
                           char kept[ATTN_SHELF_NAME], attn_error *error) {
    char number[2 * RANDOM + 1];
    if (bytes->length > s->memory) {
        return attn_fail(error, ATTN_ERR_FORMAT, NULL, -1, NULL,
                         "the translated file has more than %zu bytes", s->memory);
    }
    attn_status status = make_number(number, error);
    kept_file *added = status == ATTN_OK ? calloc(1, sizeof *added) : NULL;
    if (added == NULL) {
        return status == ATTN_OK ? attn_fail_memory(error, sizeof *added) : status;
    }
    snprintf(added->name, sizeof added->name, "%s.%s", number, name);
    for (char *c = added->name; *c != '\0'; c++) {
        *c = is_plain(*c) ? *c : '_';
    }
    memcpy(kept, added->name, sizeof added->name);
    added->bytes = *bytes;
    *bytes = (attn_buffer){0};
    added->until = attn_clock() + s->seconds;
    pthread_mutex_lock(&s->lock);
    make_room(s, added->bytes.length);
    added->next = s->newest;
    s->newest = added;
    s->used += added->bytes.length;
    pthread_mutex_unlock(&s->lock);
    return ATTN_OK;
}

bool attn_shelf_get(attn_shelf *s, const char *kept, attn_buffer *out) {
    pthread_mutex_lock(&s->lock);
    make_room(s, 0);
    kept_file *file = s->newest;
    while (file != NULL && strcmp(file->name, kept) != 0) {
        file = file->next;
    }
    if (file != NULL) {
        attn_buffer_add(out, file->bytes.data, file->bytes.length);
    }
    pthread_mutex_unlock(&s->lock);
    return file != NULL;
}

void attn_shelf_sweep(attn_shelf *s) {
    pthread_mutex_lock(&s->lock);
    make_room(s, 0);
    pthread_mutex_unlock(&s->lock);
}
