/* cli/translate_file.c: through src/document. */
#include "translate_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "document/document.h"
#include "io/file.h"

static const size_t file_limit = (size_t)64 << 20;

static attn_status open_document(const char *path, bool attributes, attn_doc **out,
                                 attn_error *error) {
    char *bytes = NULL;
    size_t size = 0;
    bool standard = strcmp(path, "-") == 0;
    attn_status status =
        attn_file_read(standard ? "/dev/stdin" : path, file_limit, &bytes, &size, error);
    return status == ATTN_OK ? attn_doc_open(bytes, size, standard ? "stdin" : path, file_limit,
                                             attributes, out, error)
                             : status;
}

static attn_status write_document(const attn_doc *document, const attn_translation *t,
                                  const char *target, const char *output, attn_error *error) {
    size_t count;
    attn_doc_texts(document, &count);
    char **text = calloc(count + 1, sizeof *text);
    attn_buffer out = {0};
    attn_status status = text != NULL ? ATTN_OK : attn_fail_memory(error, count);
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        status = attn_translation_text(t, i, 0, &text[i], error);
    }
    if (status == ATTN_OK) {
        status = attn_doc_write(document, (const char *const *)text, target, &out, error);
    }
    if (status == ATTN_OK && output != NULL && strcmp(output, "-") != 0) {
        status = attn_file_replace(output, &(attn_bytes){out.data, out.length}, 1, error);
    } else if (status == ATTN_OK) {
        (void)fwrite(out.data, 1, out.length, stdout); /* the flush says what was lost */
        status = attn_output_flush(error);
    }
    for (size_t i = 0; i < count && text != NULL; i++) {
        attn_translate_free(text[i]);
    }
    free(text);
    attn_buffer_free(&out);
    return status;
}

attn_status attn_translate_file(const attn_model *model, const attn_decode_options *options,
                                const char *path, const char *output, attn_error *error) {
    attn_doc *document = NULL;
    attn_translation *translation = NULL;
    attn_decode_stats stats = {0};
    size_t count;
    attn_search_options search = attn_decode_search_options(options);
    attn_translate_options translate = attn_decode_translate_options(options, &search);
    attn_status status = open_document(path, options->attributes, &document, error);
    if (status != ATTN_OK) {
        return status;
    }
    const char *const *texts = attn_doc_texts(document, &count);
    translate.format = attn_doc_is_html(document) ? ATTN_TEXT_HTML : ATTN_TEXT_PLAIN;
    if (count == 0) {
        attn_say_warning("%s: there is no text in it", path);
    }
    status = attn_decode_texts(model, texts, count, &translate, &translation, &stats, error);
    if (status == ATTN_OK) {
        status = write_document(document, translation, model->target, output, error);
    }
    if (status == ATTN_OK && options->stats) {
        attn_decode_stats_print(&stats);
    }
    attn_translation_free(translation);
    attn_doc_free(document);
    return status;
}
