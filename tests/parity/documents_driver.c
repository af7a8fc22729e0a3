/* documents_driver IN OUT same|loud: writes a document again with each text its own translation, or in capitals; prints the
 * texts as JSON. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "document/document.h"
#include "io/file.h"
#include "support/shouting.h"

static int fail(const attn_error *error) {
    char line[1200];
    fprintf(stderr, "%s\n", attn_error_format(error, line, sizeof line));
    return 1;
}

int main(int count, char **argument) {
    char *bytes;
    size_t size, texts;
    attn_doc *d;
    attn_error error = {0};
    attn_buffer out = {0};
    if (count < 4) {
        return 2;
    }
    if (attn_file_read(argument[1], 0, &bytes, &size, &error) != ATTN_OK ||
        attn_doc_open(bytes, size, argument[1], 1 << 24, count > 4, &d, &error) != ATTN_OK) {
        return fail(&error);
    }
    const char *const *text = attn_doc_texts(d, &texts);
    char **loud = shout(text, texts);
    bool same = strcmp(argument[3], "same") == 0;
    json_t *list = json_array();
    for (size_t i = 0; i < texts; i++) {
        json_array_append_new(list, json_string(text[i]));
    }
    if (attn_doc_write(d, same ? text : (const char *const *)loud, "fr", &out, &error) != ATTN_OK ||
        attn_file_replace(argument[2], &(attn_bytes){out.data, out.length}, 1, &error) != ATTN_OK) {
        return fail(&error);
    }
    json_dumpf(list, stdout, 0);
    json_decref(list);
    shout_free(loud, texts);
    attn_buffer_free(&out);
    attn_doc_free(d);
    return 0;
}
