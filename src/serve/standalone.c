/* serve/standalone.c: joining modules, and putting script, style and data into index.html.
 *
 * The modules keep to a few forms, so that joining needs no parser: an import is one line,
 * `import { a, b } from "./x.js";`, and an export begins a line with `export function NAME`,
 * `export async function NAME`, `export class NAME` or `export const NAME`. Each becomes a function that
 * returns what it exports. */
#include "serve/standalone.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "io/json_write.h"
#include "serve/files.h"
#include "serve/sha256.h"

enum { MODULES = 64, NAME = 64 };

/* The modules that stand in the script so far. */
typedef struct joining {
    char name[MODULES][NAME]; /* "x.js" */
    size_t count;
    attn_buffer script;
    bool wrong; /* a module that keeps to no such form: a mistake in the page */
} joining;

/* With its line break. */
static size_t line_length(const char *line) {
    size_t length = strcspn(line, "\n");
    return length + (line[length] == '\n');
}

static bool begins(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

/* "x.js" of `import ... from "./x.js";` */
static bool imported(const char *line, size_t length, char name[NAME]) {
    const char *from = strstr(line, " from \"./");
    size_t size = from != NULL && from < line + length ? strcspn(from + 9, "\"") : 0;
    if (size == 0 || size >= NAME) {
        return false;
    }
    memcpy(name, from + 9, size);
    name[size] = '\0';
    return true;
}

/* x.js is called m_x in the script. */
static void add_variable(attn_buffer *out, const char *name) {
    attn_buffer_format(out, "m_%.*s", (int)strcspn(name, "."), name);
}

static void add_import(joining *j, const char *line, size_t length) {
    char name[NAME];
    const char *open = memchr(line, '{', length), *close = memchr(line, '}', length);
    if (open == NULL || close == NULL || !imported(line, length, name)) {
        j->wrong = true;
        return;
    }
    attn_buffer_text(&j->script, "const ");
    attn_buffer_add(&j->script, open, (size_t)(close - open) + 1);
    attn_buffer_text(&j->script, " = ");
    add_variable(&j->script, name);
    attn_buffer_text(&j->script, ";\n");
}

/* The line without `export`; the name goes to the list of what the module returns. */
static void add_export(joining *j, const char *line, size_t length, attn_buffer *names) {
    static const char *const forms[] = {"function ", "async function ", "class ", "const "};
    const char *rest = line + strlen("export ");
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (begins(rest, forms[i])) {
            const char *name = rest + strlen(forms[i]);
            attn_buffer_format(names, "%s%.*s", names->length > 0 ? ", " : "",
                               (int)strcspn(name, " (={"), name);
            attn_buffer_add(&j->script, rest, length - strlen("export "));
            return;
        }
    }
    j->wrong = true;
}

static attn_status add_module(joining *j, const char *name, attn_error *error);

static attn_status add_needed(joining *j, const char *text, attn_error *error) {
    attn_status status = ATTN_OK;
    for (const char *line = text; *line != '\0' && status == ATTN_OK;) {
        size_t length = line_length(line);
        char name[NAME];
        if (begins(line, "import ") && imported(line, length, name)) {
            status = add_module(j, name, error);
        }
        line += length;
    }
    return status;
}

static void add_lines(joining *j, const char *text) {
    attn_buffer names = {0};
    for (const char *line = text; *line != '\0';) {
        size_t length = line_length(line);
        if (begins(line, "import ")) {
            add_import(j, line, length);
        } else if (begins(line, "export ")) {
            add_export(j, line, length, &names);
        } else {
            attn_buffer_add(&j->script, line, length);
        }
        line += length;
    }
    attn_buffer_format(&j->script, "return { %s };\n", names.data != NULL ? names.data : "");
    j->script.failed = j->script.failed || names.failed;
    attn_buffer_free(&names);
}

static attn_status read_file(const char *name, attn_buffer *out, attn_error *error) {
    char path[NAME + 2];
    snprintf(path, sizeof path, "/%s", name);
    if (!attn_file_exists(path)) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, name, -1, "please report this",
                         "the page has no such file");
    }
    return attn_embedded_text(path, out) ? ATTN_OK : attn_fail_memory(error, 0);
}

static attn_status add_module(joining *j, const char *name, attn_error *error) {
    attn_buffer text = {0};
    for (size_t i = 0; i < j->count; i++) {
        if (strcmp(j->name[i], name) == 0) {
            return ATTN_OK;
        }
    }
    attn_status status = read_file(name, &text, error);
    if (status == ATTN_OK && j->count == MODULES) {
        status = attn_fail(error, ATTN_ERR_ARGUMENT, name, -1, NULL, "too many modules");
    }
    if (status == ATTN_OK) { /* before its own imports: they may go in a circle only by mistake */
        snprintf(j->name[j->count++], NAME, "%s", name);
        status = add_needed(j, text.data, error);
    }
    if (status == ATTN_OK) {
        attn_buffer_text(&j->script, "const ");
        add_variable(&j->script, name);
        attn_buffer_text(&j->script, " = (() => {\n");
        add_lines(j, text.data);
        attn_buffer_text(&j->script, "})();\n");
        status = j->wrong ? attn_fail(error, ATTN_ERR_FORMAT, name, -1, "please report this",
                                      "an import or export in an unknown form")
                          : ATTN_OK;
    }
    attn_buffer_free(&text);
    return status;
}

/* ---- the file ---- */

/* 'sha256-...' of what stands between the tags. */
static void add_hash(attn_buffer *out, const attn_buffer *text) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t d[33] = {0};
    char base64[45] = "";
    attn_sha256(text->data, text->length, d);
    for (int i = 0; i < 11; i++) {
        unsigned three = (unsigned)d[3 * i] << 16 | (unsigned)d[3 * i + 1] << 8 | d[3 * i + 2];
        for (int k = 0; k < 4; k++) {
            base64[4 * i + k] = digits[three >> (18 - 6 * k) & 63];
        }
    }
    base64[43] = '=';
    attn_buffer_format(out, "'sha256-%s'", base64);
}

static void add_policy(attn_buffer *out, const attn_buffer *script, const attn_buffer *style) {
    attn_buffer_text(out,
                     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                     "img-src data: blob:; base-uri 'none'; form-action 'none'; script-src ");
    add_hash(out, script);
    attn_buffer_text(out, "; style-src ");
    add_hash(out, style);
    attn_buffer_text(out, "\">\n");
}

/* JSON in which nothing can be taken for markup. */
static bool add_block(attn_buffer *out, const attn_standalone_block *block) {
    char *text = attn_json_dump(json_incref(block->value), JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (text == NULL) {
        return false;
    }
    attn_buffer_format(out, "<script type=\"application/json\" id=\"%s\">", block->id);
    for (const char *at = text; *at != '\0';) {
        size_t plain = strcspn(at, "<");
        attn_buffer_add(out, at, plain);
        at += plain;
        if (*at == '<') {
            attn_buffer_text(out, "\\u003c");
            at++;
        }
    }
    attn_buffer_text(out, "</script>\n");
    free(text);
    return true;
}

static bool add_blocks(attn_buffer *out, const attn_standalone_block *blocks, size_t count) {
    bool done = true;
    for (size_t i = 0; i < count && done; i++) {
        done = add_block(out, &blocks[i]);
    }
    return done;
}

/* The lines of index.html, three of which become what they name. */
static attn_status join_page(const char *index, const attn_buffer *script, const attn_buffer *style,
                             const attn_standalone_block *blocks, size_t count, attn_buffer *out) {
    bool done = true;
    for (const char *line = index; *line != '\0' && done;) {
        size_t length = line_length(line);
        if (begins(line, "<link rel=\"stylesheet\"")) {
            attn_buffer_text(out, "<style>");
            attn_buffer_add(out, style->data, style->length);
            attn_buffer_text(out, "</style>\n");
        } else if (begins(line, "<script type=\"module\"")) {
            done = add_blocks(out, blocks, count);
            attn_buffer_text(out, "<script type=\"module\">");
            attn_buffer_add(out, script->data, script->length);
            attn_buffer_text(out, "</script>\n");
        } else {
            attn_buffer_add(out, line, length);
        }
        if (begins(line, "<meta charset")) {
            add_policy(out, script, style);
        }
        line += length;
    }
    return done ? ATTN_OK : ATTN_ERR_MEMORY;
}

attn_status attn_standalone_write(const attn_standalone_block *blocks, size_t count,
                                  attn_buffer *out, attn_error *error) {
    joining j = {.count = 0};
    attn_buffer index = {0}, style = {0};
    attn_status status = read_file("index.html", &index, error);
    status = status == ATTN_OK ? read_file("page.css", &style, error) : status;
    status = status == ATTN_OK ? add_module(&j, "main.js", error) : status;
    if (status == ATTN_OK) {
        status = join_page(index.data, &j.script, &style, blocks, count, out);
        if (status != ATTN_OK || j.script.failed || out->failed) {
            status = attn_fail_memory(error, out->length);
        }
    }
    attn_buffer_free(&index);
    attn_buffer_free(&style);
    attn_buffer_free(&j.script);
    return status;
}
