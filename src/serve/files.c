/* serve/files.c: answering with an embedded file. */
#include "serve/files.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/hash.h"

const char attn_content_security_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static const attn_embedded_file *find_file(const char *path) {
    path = strcmp(path, "/") == 0       ? "/index.html"
           : strcmp(path, "/docs") == 0 ? "/docs.html"
                                        : path;
    for (const attn_embedded_file *file = attn_embedded_files; file->path != NULL; file++) {
        if (strcmp(file->path, path) == 0) {
            return file;
        }
    }
    return NULL;
}

bool attn_file_exists(const char *path) {
    return find_file(path) != NULL;
}

static const char *type_of(const char *path) {
    static const struct {
        const char *ending, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".json", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".ico", "image/x-icon"},
    };
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].ending, dot) == 0) {
            return types[i].type;
        }
    }
    return "application/octet-stream";
}

/* Adds the file as it was before it was compressed. */
static bool inflate_file(const attn_embedded_file *file, attn_buffer *out) {
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)file->gzip,
                       .avail_in = (uInt)file->gzip_size};
    unsigned char *plain = malloc(file->size + 1);
    bool ready = plain != NULL && inflateInit2(&stream, 16 + MAX_WBITS) == Z_OK;
    bool good = false;
    if (ready) {
        stream.next_out = plain;
        stream.avail_out = (uInt)file->size + 1;
        good = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.total_out == file->size;
        inflateEnd(&stream);
    }
    if (good) {
        attn_buffer_add(out, plain, file->size);
    }
    free(plain);
    return good;
}

bool attn_embedded_text(const char *path, attn_buffer *out) {
    return inflate_file(find_file(path), out);
}

void attn_file_answer(const attn_http_request *request, attn_http_answer *answer) {
    static _Thread_local char etag[24];
    const attn_embedded_file *file = find_file(request->path);
    snprintf(etag, sizeof etag, "\"%016" PRIx64 "\"", attn_hash64(file->gzip, file->gzip_size, 0));
    answer->etag = etag;
    answer->content_type = type_of(file->path);
    if (request->if_none_match != NULL && strstr(request->if_none_match, etag) != NULL) {
        answer->status = 304;
        return;
    }
    answer->status = 200;
    answer->gzip =
        request->accept_encoding != NULL && strstr(request->accept_encoding, "gzip") != NULL;
    if (answer->gzip) {
        attn_buffer_add(&answer->body, file->gzip, file->gzip_size);
    } else if (!inflate_file(file, &answer->body)) {
        attn_http_error(answer, 500, "out of memory");
    }
}
