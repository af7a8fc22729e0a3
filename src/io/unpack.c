/* io/unpack.c: one loop over three libraries that inflate step by step. */
#include "io/unpack.h"

#include <lzma.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "io/file.h"

static const size_t text_limit = SIZE_MAX / 4 < (size_t)16 << 30 ? SIZE_MAX / 4 : (size_t)16 << 30;

typedef struct packed {
    const unsigned char *at, *end; /* not read yet */
    union {
        z_stream gzip;
        lzma_stream xz;
        ZSTD_DStream *zstd;
    } of;
} packed;

typedef enum progress { GOING_ON, MEMBER_DONE, DAMAGED } progress;

/* One way of packing. step: unpacks some of p into at most `room` bytes of `to`, adds their number to *used. */
typedef struct packing {
    const char *name, *magic;
    size_t magic_size;
    bool (*begin)(packed *p);
    progress (*step)(packed *p, char *to, size_t room, size_t *used);
    void (*end)(packed *p);
} packing;

/* ---- gzip ---- */

static bool gzip_begin(packed *p) {
    memset(&p->of.gzip, 0, sizeof p->of.gzip);
    return inflateInit2(&p->of.gzip, 15 + 16) == Z_OK;
}

static progress gzip_step(packed *p, char *to, size_t room, size_t *used) {
    z_stream *z = &p->of.gzip;
    uInt in = (uInt)attn_min(p->end - p->at, 1 << 30);
    uInt out = (uInt)attn_min((int64_t)room, 1 << 30);
    z->next_in = (Bytef *)(uintptr_t)p->at;
    z->avail_in = in;
    z->next_out = (Bytef *)to;
    z->avail_out = out;
    int result = inflate(z, Z_NO_FLUSH);
    p->at += in - z->avail_in;
    *used += out - z->avail_out;
    return result == Z_STREAM_END ? MEMBER_DONE : result == Z_OK ? GOING_ON : DAMAGED;
}

static void gzip_end(packed *p) {
    inflateEnd(&p->of.gzip);
}

/* ---- xz ---- */

static bool xz_begin(packed *p) {
    p->of.xz = (lzma_stream)LZMA_STREAM_INIT;
    return lzma_stream_decoder(&p->of.xz, UINT64_MAX, 0) == LZMA_OK;
}

static progress xz_step(packed *p, char *to, size_t room, size_t *used) {
    lzma_stream *z = &p->of.xz;
    z->next_in = p->at;
    z->avail_in = (size_t)(p->end - p->at);
    z->next_out = (uint8_t *)to;
    z->avail_out = room;
    lzma_ret result = lzma_code(z, LZMA_RUN);
    p->at = z->next_in;
    *used += room - z->avail_out;
    return result == LZMA_STREAM_END ? MEMBER_DONE : result == LZMA_OK ? GOING_ON : DAMAGED;
}

static void xz_end(packed *p) {
    lzma_end(&p->of.xz);
}

/* ---- zstd ---- */

static bool zstd_begin(packed *p) {
    p->of.zstd = ZSTD_createDStream();
    return p->of.zstd != NULL && !ZSTD_isError(ZSTD_initDStream(p->of.zstd));
}

static progress zstd_step(packed *p, char *to, size_t room, size_t *used) {
    ZSTD_inBuffer in = {p->at, (size_t)(p->end - p->at), 0};
    ZSTD_outBuffer out = {to, room, 0};
    size_t left = ZSTD_decompressStream(p->of.zstd, &out, &in);
    p->at += in.pos;
    *used += out.pos;
    if (ZSTD_isError(left) || (in.pos == 0 && out.pos == 0)) {
        return DAMAGED;
    }
    return left == 0 ? MEMBER_DONE : GOING_ON;
}

static void zstd_end(packed *p) {
    ZSTD_freeDStream(p->of.zstd);
}

static const packing packings[] = {
    {"gzip", "\x1F\x8B", 2, gzip_begin, gzip_step, gzip_end},
    {"xz",
     "\xFD"
     "7zXZ\0",
     6, xz_begin, xz_step, xz_end},
    {"zstd", "\x28\xB5\x2F\xFD", 4, zstd_begin, zstd_step, zstd_end},
};

static const packing *packing_of(const void *data, size_t size) {
    for (size_t i = 0; i < sizeof packings / sizeof *packings; i++) {
        if (size >= packings[i].magic_size &&
            memcmp(data, packings[i].magic, packings[i].magic_size) == 0) {
            return &packings[i];
        }
    }
    return NULL;
}

/* ---- the loop ---- */

/* One member: `gzip a; gzip b; cat a.gz b.gz` has two. */
static attn_status unpack_member(const packing *how, packed *p, const char *path, char **text,
                                 size_t *room, size_t *used, attn_error *error) {
    progress going = GOING_ON;
    if (!how->begin(p)) {
        how->end(p);
        return attn_fail_memory(error, 1 << 20);
    }
    attn_status status = ATTN_OK;
    while (going == GOING_ON && status == ATTN_OK) {
        size_t before = *used;
        if (*used > text_limit) {
            status = attn_fail(error, ATTN_ERR_FORMAT, path, -1, "split the text",
                               "it unpacks to more than %zu bytes", text_limit);
        } else if (!attn_grow(text, room, *used + 65536, 1)) {
            status = attn_fail_memory(error, *used + 65536);
        } else {
            const unsigned char *at = p->at;
            going = how->step(p, *text + *used, *room - *used - 1, used);
            if (going == GOING_ON && p->at == at && *used == before) {
                going = DAMAGED; /* it waits for bytes that are not there */
            }
        }
    }
    if (going == DAMAGED) {
        status =
            attn_fail(error, ATTN_ERR_FORMAT, path, -1, "take an undamaged copy",
                      "the %s data are %s", how->name, p->at == p->end ? "cut short" : "damaged");
    }
    how->end(p);
    return status;
}

static attn_status unpack_all(const packing *how, const char *path, const char *data, size_t size,
                              char **text, size_t *used, attn_error *error) {
    const unsigned char *bytes = (const unsigned char *)data;
    packed p = {.at = bytes, .end = bytes + size};
    size_t room = 0;
    attn_status status = ATTN_OK;
    *text = NULL;
    *used = 0;
    while (status == ATTN_OK && p.at < p.end) {
        if (packing_of(p.at, (size_t)(p.end - p.at)) != how) {
            status = attn_fail(error, ATTN_ERR_FORMAT, path, -1, "take an undamaged copy",
                               "behind the %s data are bytes of another kind", how->name);
        } else {
            status = unpack_member(how, &p, path, text, &room, used, error);
        }
    }
    if (status == ATTN_OK) {
        (*text)[*used] = '\0';
    } else {
        attn_free(*text);
        *text = NULL;
    }
    return status;
}

attn_status attn_unpack(const char *path, char **data, size_t *size, attn_error *error) {
    bool standard_input = strcmp(path, "-") == 0;
    attn_status status =
        attn_file_read(standard_input ? "/dev/stdin" : path, text_limit, data, size, error);
    if (status != ATTN_OK) {
        return status;
    }
    const packing *how = packing_of(*data, *size);
    if (how != NULL) {
        char *bytes = *data;
        status = unpack_all(how, path, bytes, *size, data, size, error);
        attn_free(bytes);
    }
    return status;
}

attn_status attn_unpack_lines(const char *path, attn_lines *out, attn_error *error) {
    char *text;
    size_t size;
    *out = (attn_lines){.text = NULL};
    attn_status status = attn_unpack(path, &text, &size, error);
    return status == ATTN_OK ? attn_lines_cut(text, size, path, out, error) : status;
}
