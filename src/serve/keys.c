/* serve/keys.c: API keys, each in a block of fixed size, so that every comparison is alike. */
#include "serve/keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/memory.h"
#include "io/file.h"

/* 128 bits are 22 letters in base 64, 32 in base 16. So many that are all alike are not 128 bits. */
enum { KEY_LOW = 22, KEY_HIGH = 128, KEY_DIFFERENT = 8, FILE_LIMIT = 1 << 20 };

typedef struct entry {
    unsigned char byte[KEY_HIGH + 1]; /* the key, then zeros */
    int64_t limit, line;
} entry;

struct attn_keys {
    entry *keys;
    size_t count, room;
};

/* The N behind the key, which is cut off the line: -1 without one, -2 when it is no number. */
static int64_t take_limit(const char *line, size_t *length) {
    size_t key = 0;
    while (key < *length && line[key] != ' ' && line[key] != '\t') {
        key++;
    }
    size_t at = key;
    while (at < *length && (line[at] == ' ' || line[at] == '\t')) {
        at++;
    }
    if (at == *length) {
        return -1;
    }
    int64_t limit = 0;
    for (; at < *length && limit < 1000000000; at++) {
        if (line[at] < '0' || line[at] > '9') {
            return -2;
        }
        limit = 10 * limit + (line[at] - '0');
    }
    *length = key;
    return limit;
}

static attn_status add_line(attn_keys *keys, const char *line, size_t length, const char *path,
                            int64_t number, attn_error *error) {
    while (length > 0 && strchr(" \t\r", line[length - 1]) != NULL) {
        length--;
    }
    if (length == 0 || line[0] == '#') {
        return ATTN_OK;
    }
    int64_t limit = take_limit(line, &length);
    bool clean = limit != -2;
    int different = 0;
    for (size_t i = 0; i < length; i++) {
        clean = clean && (unsigned char)line[i] > ' ' && (unsigned char)line[i] < 0x7f;
        different += memchr(line, line[i], i) == NULL;
    }
    if (!clean || length < KEY_LOW || length > KEY_HIGH || different < KEY_DIFFERENT) {
        return attn_fail(error, ATTN_ERR_FORMAT, path, number,
                         "make one with, for instance, openssl rand -hex 16",
                         "a key must have %d to %d visible ASCII characters, %d of them different; "
                         "behind it may "
                         "stand how many requests it has a minute",
                         KEY_LOW, KEY_HIGH, KEY_DIFFERENT);
    }
    if (!attn_grow(&keys->keys, &keys->room, keys->count + 1, sizeof *keys->keys)) {
        return attn_fail_memory(error, sizeof *keys->keys);
    }
    entry *added = &keys->keys[keys->count++];
    *added = (entry){.limit = limit, .line = number};
    memcpy(added->byte, line, length);
    return ATTN_OK;
}

static int compare(const void *left, const void *right) {
    const entry *a = left, *b = right;
    int order = memcmp(a->byte, b->byte, sizeof a->byte);
    return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

/* A key that stands there twice has two limits. */
static attn_status check_once(attn_keys *keys, const char *path, attn_error *error) {
    qsort(keys->keys, keys->count, sizeof *keys->keys, compare);
    for (size_t k = 1; k < keys->count; k++) {
        const entry *first = &keys->keys[k - 1], *again = &keys->keys[k];
        if (memcmp(first->byte, again->byte, sizeof first->byte) == 0) {
            return attn_fail(error, ATTN_ERR_FORMAT, path, again->line, "remove one of the two",
                             "the key of line %lld stands here again", (long long)first->line);
        }
    }
    return ATTN_OK;
}

attn_status attn_keys_read(const char *path, attn_keys **out, attn_error *error) {
    char *bytes;
    size_t size;
    *out = NULL;
    attn_status status = attn_file_read(path, FILE_LIMIT, &bytes, &size, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_keys *keys = calloc(1, sizeof *keys);
    status = keys == NULL ? attn_fail_memory(error, sizeof *keys) : ATTN_OK;
    int64_t number = 0;
    for (size_t start = 0; start < size && status == ATTN_OK;) {
        const char *newline = memchr(bytes + start, '\n', size - start);
        size_t end = newline != NULL ? (size_t)(newline - bytes) : size;
        status = add_line(keys, bytes + start, end - start, path, ++number, error);
        start = end + 1;
    }
    if (status == ATTN_OK && keys->count == 0) {
        status = attn_fail(error, ATTN_ERR_FORMAT, path, -1, "write one key per line",
                           "the file holds no key");
    }
    if (status == ATTN_OK) {
        status = check_once(keys, path, error);
    }
    memset(bytes, 0, size);
    attn_free(bytes);
    if (status != ATTN_OK) {
        attn_keys_free(keys);
        return status;
    }
    *out = keys;
    return ATTN_OK;
}

void attn_keys_free(attn_keys *keys) {
    if (keys != NULL) {
        attn_free(keys->keys);
        free(keys);
    }
}

bool attn_keys_match(const attn_keys *keys, const char *key, int64_t *limit) {
    entry given = {{0}, 0, 0};
    size_t length = strlen(key);
    volatile unsigned char found = 0;
    volatile uint64_t chosen = 0; /* limit + 1 */
    if (length > KEY_HIGH) {
        return false;
    }
    memcpy(given.byte, key, length);
    for (size_t k = 0; k < keys->count; k++) {
        unsigned char difference = 0;
        for (size_t i = 0; i <= KEY_HIGH; i++) {
            difference |= (unsigned char)(keys->keys[k].byte[i] ^ given.byte[i]);
        }
        /* 1 for no difference, 0 for any, without a branch */
        unsigned char same = (unsigned char)(((unsigned)difference - 1) >> 8 & 1);
        found |= same;
        chosen |= (0 - (uint64_t)same) & (uint64_t)(keys->keys[k].limit + 1);
    }
    if (limit != NULL) {
        *limit = (int64_t)chosen - 1;
    }
    return found != 0;
}
