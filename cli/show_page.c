/* cli/show_page.c: documents, steps and weights as the blocks of a page. */
#include "show_page.h"

#include <string.h>
#include <strings.h>

#include "base/fail.h"
#include "io/file.h"
#include "output.h"
#include "serve/standalone.h"
#include "show/layer_json.h"

/* Of a document's blocks: itself, and two for each layer of each part. */
enum { LAYERS = 64, BLOCKS = ATTN_PAGE_SENTENCES * (1 + LAYERS) + LAYERS };
/* The steps of all layers are left out of a page when they would take more bytes. */
static const int64_t steps_limit = (int64_t)64 << 20;

typedef struct page {
    attn_standalone_block block[BLOCKS];
    size_t count;
} page;

bool attn_is_page(const char *path) {
    size_t length = strlen(path);
    return (length > 5 && strcasecmp(path + length - 5, ".html") == 0) ||
           (length > 4 && strcasecmp(path + length - 4, ".htm") == 0);
}

__attribute__((format(printf, 3, 4))) static attn_status add(page *p, json_t *value,
                                                             const char *format, ...) {
    va_list arguments;
    if (value == NULL) {
        return ATTN_ERR_MEMORY;
    }
    va_start(arguments, format);
    vsnprintf(p->block[p->count].id, sizeof p->block[p->count].id, format, arguments);
    va_end(arguments);
    p->block[p->count++].value = value;
    return ATTN_OK;
}

/* Of the packed numbers of all layers, about. */
static int64_t bytes_of_steps(const attn_explain *explain) {
    int64_t numbers = 0;
    for (int i = 0; i < ATTN_DOCUMENT_PARTS; i++) {
        attn_explain_shape n = attn_explain_get_shape(explain, (attn_translator_part)i);
        numbers += n.layers * (9 * n.queries * n.channels + 3 * n.keys * n.channels +
                               4 * n.heads * n.queries * n.keys);
    }
    return numbers * 16 / 3;
}

static attn_status add_layer(page *p, attn_explain *explain, size_t sentence,
                             attn_translator_part part, int64_t number, attn_error *error) {
    attn_explain_layer layer;
    attn_status status = attn_explain_get_layer(explain, part, number, &layer, error);
    if (status == ATTN_OK) {
        status = add(p, attn_layer_json(&layer, part, number), "layer-%zu-%s-%lld", sentence,
                     attn_part_names[part], (long long)number);
    }
    if (status == ATTN_OK && sentence == 0) {
        status = add(p, attn_matrices_json(&layer, part, number), "matrices-%s-%lld",
                     attn_part_names[part], (long long)number);
    }
    return status;
}

static attn_status add_steps(page *p, const attn_document_request *r, size_t sentence,
                             attn_error *error) {
    attn_explain *explain = NULL;
    attn_status status = attn_explain_create(r->translator, r->source, r->source_length, r->target,
                                             r->target_length, &explain, error);
    if (status != ATTN_OK) {
        return status;
    }
    int64_t layers = 0;
    for (int i = 0; i < ATTN_DOCUMENT_PARTS; i++) {
        layers += attn_explain_get_shape(explain, (attn_translator_part)i).layers;
    }
    bool fits = bytes_of_steps(explain) <= steps_limit && layers <= LAYERS;
    if (!fits) {
        attn_say_warning("the page holds the attention alone: the steps of so long a sentence are "
                         "left out; `attn serve` shows them");
    }
    for (int i = 0; i < ATTN_DOCUMENT_PARTS && fits; i++) {
        attn_explain_shape n = attn_explain_get_shape(explain, (attn_translator_part)i);
        for (int64_t l = 0; l < n.layers && status == ATTN_OK; l++) {
            status = add_layer(p, explain, sentence, (attn_translator_part)i, l, error);
        }
    }
    attn_explain_free(explain);
    return status;
}

static attn_status add_sentence(page *p, const attn_document_request *r, size_t sentence,
                                attn_error *error) {
    attn_document *document = NULL;
    attn_status status = attn_document_create(r, &document, error);
    if (status == ATTN_OK) {
        status = add(p, attn_document_json(document, true), "document-%zu", sentence);
    }
    attn_document_free(document);
    return status == ATTN_OK ? add_steps(p, r, sentence, error) : status;
}

static attn_status write_file(const page *p, const char *path, attn_error *error) {
    attn_buffer text = {0};
    attn_status status = attn_standalone_write(p->block, p->count, &text, error);
    if (status == ATTN_OK) {
        status = attn_file_replace(path, &(attn_bytes){text.data, text.length}, 1, error);
    }
    attn_buffer_free(&text);
    return status;
}

attn_status attn_page_write(const attn_document_request *sentences, size_t count, const char *path,
                            attn_error *error) {
    page p = {.count = 0};
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        status = add_sentence(&p, &sentences[i], i, error);
    }
    if (status == ATTN_OK) {
        status = write_file(&p, path, error);
    } else if (status == ATTN_ERR_MEMORY) {
        status = attn_fail_memory(error, 0);
    }
    for (size_t i = 0; i < p.count; i++) {
        json_decref(p.block[i].value);
    }
    return status;
}
