/* import/vision_labels.c: what config.json calls the classes, as attn keeps it: a name a line for pictures, and for masks a line
 * of image/classes.h, with colours of PASCAL VOC's rule, since the configuration has none. */
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/utf8.h"
#include "image/classes.h"
#include "import/import.h"
#include "import/json.h"
#include "import/vision.h"
#include "text/buffer.h"

enum { LABEL_SIZE = 256 };

/* Without spaces around it, line ends, or what a terminal would obey. size: at least 32. */
static void read_label(const json_t *names, int64_t number, char *out, size_t size) {
    char key[24], quoted[LABEL_SIZE];
    snprintf(key, sizeof key, "%lld", (long long)number);
    attn_utf8_quote(quoted, size < sizeof quoted ? size : sizeof quoted,
                    attn_json_text(names, key, ""));
    const char *start = quoted + strspn(quoted, " ");
    size_t length = strlen(start);
    while (length > 0 && start[length - 1] == ' ') {
        length--;
    }
    if (length == 0) {
        snprintf(out, size, "class %lld", (long long)number);
    } else {
        snprintf(out, size, "%.*s", (int)length, start);
    }
}

/* Bits 0, 3 and 6 of the number make the highest bits of red, and so on: no two alike. */
static void color_of(int number, uint8_t out[3]) {
    out[0] = out[1] = out[2] = 0;
    for (int bit = 7; number > 0; bit--, number >>= 3) {
        for (int c = 0; c < 3; c++) {
            out[c] = (uint8_t)(out[c] | ((number >> c & 1) << bit));
        }
    }
}

static bool is_taken(char (*names)[ATTN_CLASS_NAME_SIZE], int count, const char *name) {
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Names of masks are unique: of equal ones the later have their number behind them. */
static void write_classes(const json_t *names, int count, attn_buffer *text) {
    char seen[ATTN_MAX_CLASSES][ATTN_CLASS_NAME_SIZE];
    for (int i = 0; i < count; i++) {
        uint8_t color[3];
        char name[ATTN_CLASS_NAME_SIZE - 16]; /* room for the number */
        read_label(names, i, name, sizeof name);
        snprintf(seen[i], sizeof seen[i], "%s", name);
        if (is_taken(seen, i, name)) {
            snprintf(seen[i], sizeof seen[i], "%s (%d)", name, i);
        }
        color_of(i, color);
        attn_buffer_format(text, "%d %s %d %d %d\n", i, seen[i], color[0], color[1], color[2]);
    }
}

attn_status attn_vision_import_labels(const json_t *config, const attn_vision_config *c, char **out,
                                      attn_error *error) {
    attn_buffer text = {0};
    const json_t *names = json_object_get(config, "id2label");
    *out = NULL;
    if (c->head == ATTN_VISION_NO_HEAD) {
        return ATTN_OK;
    }
    if (names != NULL && (int64_t)json_object_size(names) != c->classes) {
        return attn_fail(error, ATTN_ERR_FORMAT, "config.json", -1, NULL,
                         "id2label names %lld classes, the model has %lld",
                         (long long)json_object_size(names), (long long)c->classes);
    }
    if (c->head == ATTN_VISION_SEGMENT) {
        write_classes(names, (int)c->classes, &text);
    }
    for (int64_t i = 0; c->head == ATTN_VISION_CLASSIFY && i < c->classes; i++) {
        char name[LABEL_SIZE];
        read_label(names, i, name, sizeof name);
        attn_buffer_format(&text, "%s\n", name);
    }
    return attn_buffer_take(&text, out, error);
}
