/* serve/documents.c: documents in, and out again by an address. Their translation is a job (job_document.c). */
#include "serve/documents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"

static const char prefix[] = "/download_file/";

static bool refuse(attn_http_answer *answer, const char *what) {
    attn_http_error(answer, 400, "Invalid request: %s", what);
    return false;
}

static bool check_file(const attn_shelf *shelf, const attn_form_file *file,
                       attn_http_answer *answer) {
    if (shelf == NULL) {
        attn_http_error(answer, 403, "Files translation are disabled on this server.");
        return false;
    }
    if (file->bytes == NULL) {
        return refuse(answer, "missing file parameter");
    }
    if (file->name[0] == '\0') {
        return refuse(answer, "empty file");
    }
    return attn_doc_is_named(file->name) || refuse(answer, "file format not supported");
}

attn_doc *attn_document_of_request(const attn_shelf *shelf, size_t limit, const attn_parameters *p,
                                   attn_http_answer *answer) {
    const attn_form_file *file = &p->form.file;
    attn_doc *document = NULL;
    attn_error error;
    if (!check_file(shelf, file, answer)) {
        return NULL;
    }
    char *bytes = attn_alloc(file->size + 1);
    if (bytes == NULL) {
        attn_http_error(answer, 500, "out of memory");
        return NULL;
    }
    memcpy(bytes, file->bytes, file->size);
    bytes[file->size] = '\0';
    attn_status status = attn_doc_open(bytes, file->size, file->name, limit,
                                       attn_parameter_flag(p, "attributes"), &document, &error);
    if (status == ATTN_ERR_MEMORY) {
        attn_http_error(answer, 500, "out of memory");
    } else if (status != ATTN_OK) {
        attn_http_error(answer, 400, "Invalid request: %s", error.what);
    }
    return document;
}

/* ---- the way back ---- */

typedef struct ending {
    attn_shelf *shelf;
    char name[100]; /* of the translated file */
    char base[300]; /* of the address where it will be */
} ending;

/* What a browser puts before a path to reach this server again. */
static bool is_host(const char *host) {
    return host != NULL && host[0] != '\0' && strlen(host) < 256 &&
           host[strspn(host,
                       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]")] ==
               '\0';
}

/* "report.docx" is "report_fr.docx" in French. */
static void name_translated(const char *name, const char *target, char *out, size_t size) {
    const char *slash = strrchr(name, '/'), *back = strrchr(name, '\\');
    name = slash != NULL ? slash + 1 : name;
    name = back != NULL && back >= name ? back + 1 : name;
    const char *dot = strrchr(name, '.');
    size_t stem = dot != NULL ? (size_t)(dot - name) : strlen(name);
    stem = stem < size / 2 ? stem : size / 2;
    snprintf(out, size, "%.*s_%s%s", (int)stem, name, target, dot != NULL ? dot : "");
}

static void finish(void *context, attn_buffer *bytes, attn_http_answer *answer) {
    const ending *e = context;
    char kept[ATTN_SHELF_NAME], address[sizeof e->base + sizeof prefix + ATTN_SHELF_NAME];
    attn_error error;
    if (attn_shelf_put(e->shelf, bytes, e->name, kept, &error) != ATTN_OK) {
        attn_http_error(answer, 500, "Cannot keep the translated file: %s", error.what);
        return;
    }
    snprintf(address, sizeof address, "%s%s%s", e->base, prefix, kept);
    attn_http_json(answer, json_pack("{s:s}", "translatedFileUrl", address));
}

bool attn_document_ending(attn_shelf *shelf, const attn_parameters *p, const char *target,
                          attn_job_ending *out) {
    ending *e = calloc(1, sizeof *e);
    if (e == NULL) {
        return false;
    }
    e->shelf = shelf;
    name_translated(p->form.file.name, target, e->name, sizeof e->name);
    if (is_host(p->request->host)) {
        snprintf(e->base, sizeof e->base, "%s://%s", p->request->secure ? "https" : "http",
                 p->request->host);
    }
    *out = (attn_job_ending){finish, free, e};
    return true;
}

static const char *type_of(const char *name) {
    static const struct {
        const char *ending, *type;
    } types[] = {
        {".txt", "text/plain; charset=utf-8"},
        {".html",
         "application/octet-stream"}, /* nothing of others is shown as a page of this server */
        {".srt", "application/x-subrip"},
        {".vtt", "text/vtt; charset=utf-8"},
        {".po", "text/x-gettext-translation"},
        {".md", "text/markdown; charset=utf-8"},
        {".xliff", "application/xliff+xml"},
        {".xlf", "application/xliff+xml"},
        {".epub", "application/epub+zip"},
        {".odt", "application/vnd.oasis.opendocument.text"},
        {".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof types / sizeof types[0]; i++) {
        if (strcasecmp(types[i].ending, dot) == 0) {
            return types[i].type;
        }
    }
    return "application/octet-stream";
}

void attn_document_download(attn_shelf *shelf, const attn_http_request *request,
                            attn_http_answer *answer) {
    const char *kept = request->path + strlen(prefix);
    if (shelf == NULL) {
        attn_http_error(answer, 403, "Files translation are disabled on this server.");
    } else if (!attn_shelf_get(shelf, kept, &answer->body)) {
        attn_http_error(answer, 404, "No such file: it was fetched too late, or never made");
    } else {
        const char *dot = strchr(kept, '.');
        answer->status = 200;
        answer->content_type = type_of(kept);
        snprintf(answer->attachment, sizeof answer->attachment, "%s", dot != NULL ? dot + 1 : kept);
    }
}

json_t *attn_document_endings(const attn_shelf *shelf) {
    json_t *list = json_array();
    for (size_t i = 0; shelf != NULL && attn_doc_ending(i) != NULL; i++) {
        json_array_append_new(list, json_string(attn_doc_ending(i)));
    }
    return list;
}
