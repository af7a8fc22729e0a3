/* io/safetensors_header.c: a scanner for exactly the JSON that a .safetensors header may hold, the
 * checks that make its numbers trustworthy, and the printer of such a header.
 *
 * The contract is io/safetensors_header.h. Next: io/safetensors.c. */
#include "io/safetensors_header.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "io/dtype.h"

static const char metadata_name[] = "__metadata__";
static const char cut_short_hint[] = "the file is damaged or was cut short: fetch it again";

enum { QUOTE_SIZE = 80 };

/* ---- scanner ---- */

typedef struct scanner {
    const char *text;
    size_t length;
    size_t at;
    char *strings; /* where decoded strings go: never longer than the text they come from */
    size_t strings_used;
    const char *where;
    attn_error *error;
} scanner;

static int64_t file_position(size_t at) {
    return (int64_t)(ATTN_HEADER_START + at);
}

static attn_status malformed(const scanner *s, const char *what) {
    return attn_fail(s->error, ATTN_ERR_FORMAT, s->where, file_position(s->at), NULL,
                     "malformed header: %s", what);
}

/* A complaint about the tensor whose name stands at `position` in the file. */
__attribute__((format(printf, 4, 5))) static attn_status tensor_fault(
    const scanner *s, const attn_header_tensor *tensor, const char *hint, const char *what, ...) {
    char quoted[QUOTE_SIZE];
    char detail[256];
    va_list arguments;
    va_start(arguments, what);
    vsnprintf(detail, sizeof detail, what, arguments);
    va_end(arguments);
    return attn_fail(s->error, ATTN_ERR_FORMAT, s->where, (int64_t)tensor->position, hint,
                     "tensor \"%s\": %s", attn_utf8_quote(quoted, sizeof quoted, tensor->info.name),
                     detail);
}

static void skip_space(scanner *s) {
    while (s->at < s->length && strchr(" \t\r\n", s->text[s->at]) != NULL &&
           s->text[s->at] != '\0') {
        s->at++;
    }
}

/* The next character that is not space; NUL at the end (and for a NUL byte, which is as wrong). */
static char peek(scanner *s) {
    skip_space(s);
    return s->at < s->length ? s->text[s->at] : '\0';
}

static attn_status expect(scanner *s, char wanted) {
    if (peek(s) != wanted) {
        char what[] = "expected '?'";
        what[sizeof what - 3] = wanted;
        return malformed(s, what);
    }
    s->at++;
    return ATTN_OK;
}

/* Between the items of an object or array: whether another one follows. Steps over the comma or the
 * closing bracket. index counts the items so far. */
static attn_status next_item(scanner *s, char close, size_t index, bool *more) {
    *more = peek(s) != close;
    if (!*more) {
        s->at++;
        return ATTN_OK;
    }
    return index > 0 ? expect(s, ',') : ATTN_OK;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The four digits of \uXXXX, after the u. */
static attn_status scan_hex4(scanner *s, uint32_t *out) {
    *out = 0;
    for (int i = 0; i < 4; i++) {
        int digit = s->at < s->length ? hex_digit(s->text[s->at]) : -1;
        if (digit < 0) {
            return malformed(s, "expected four hexadecimal digits");
        }
        *out = *out << 4 | (uint32_t)digit;
        s->at++;
    }
    return ATTN_OK;
}

static size_t encode_utf8(uint32_t code, char *out) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    out[0] = (char)(lead[length] | code);
    return length;
}

/* After the u of \u: one code point, of which those past U+FFFF are two escapes. */
static attn_status scan_unicode_escape(scanner *s, char *out, size_t *length) {
    uint32_t code = 0;
    attn_status status = scan_hex4(s, &code);
    if (status != ATTN_OK) {
        return status;
    }
    if (code == 0) {
        return malformed(s, "a string holds the character NUL");
    }
    if (code >= 0xD800 && code < 0xE000) {
        uint32_t low = 0;
        if (code >= 0xDC00 || s->length - s->at < 2 || memcmp(s->text + s->at, "\\u", 2) != 0) {
            return malformed(s, "half of a surrogate pair");
        }
        s->at += 2;
        status = scan_hex4(s, &low);
        if (status != ATTN_OK) {
            return status;
        }
        if (low < 0xDC00 || low >= 0xE000) {
            return malformed(s, "half of a surrogate pair");
        }
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    *length = encode_utf8(code, out);
    return ATTN_OK;
}

/* After the backslash. */
static attn_status scan_escape(scanner *s, char *out, size_t *length) {
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    char c = s->at < s->length ? s->text[s->at] : '\0';
    if (c == 'u') {
        s->at++;
        return scan_unicode_escape(s, out, length);
    }
    const char *found = c != '\0' ? strchr(names, c) : NULL;
    if (found == NULL) {
        return malformed(s, "unknown escape in a string");
    }
    s->at++;
    *out = values[found - names];
    *length = 1;
    return ATTN_OK;
}

/* One step of a string: a code point or an escape. At most 4 bytes to out. */
static attn_status scan_character(scanner *s, char *out, size_t *length) {
    if (s->text[s->at] == '\\') {
        s->at++;
        return scan_escape(s, out, length);
    }
    if ((unsigned char)s->text[s->at] < 0x20) {
        return malformed(s, "a control character in a string");
    }
    *length = attn_utf8_step(s->text + s->at, s->length - s->at);
    if (*length == 0) {
        return malformed(s, "bytes that are not UTF-8 in a string");
    }
    memcpy(out, s->text + s->at, *length);
    s->at += *length;
    return ATTN_OK;
}

/* *out gets the decoded string, at most `limit` bytes and the final NUL. */
static attn_status scan_string(scanner *s, size_t limit, const char **out) {
    attn_status status = expect(s, '"');
    char *start = s->strings + s->strings_used;
    size_t used = 0;
    while (status == ATTN_OK && s->at < s->length && s->text[s->at] != '"') {
        size_t length = 0;
        status = scan_character(s, start + used, &length);
        used += length;
        if (status == ATTN_OK && used > limit) {
            return attn_fail(s->error, ATTN_ERR_FORMAT, s->where, file_position(s->at), NULL,
                             "malformed header: a string longer than %zu bytes", limit);
        }
    }
    if (status != ATTN_OK) {
        return status;
    }
    if (s->at == s->length) {
        return malformed(s, "a string without end");
    }
    s->at++;
    start[used] = '\0';
    s->strings_used += used + 1;
    *out = start;
    return ATTN_OK;
}

/* A whole number from 0 to 2^63 - 1, as JSON writes it. */
static attn_status scan_size(scanner *s, int64_t *out) {
    char c = peek(s);
    size_t start = s->at;
    int64_t value = 0;
    if (c == '-') {
        return malformed(s, "a negative number");
    }
    while (s->at < s->length && s->text[s->at] >= '0' && s->text[s->at] <= '9') {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, s->text[s->at] - '0', &value)) {
            return malformed(s, "a number too large");
        }
        s->at++;
    }
    c = s->at < s->length ? s->text[s->at] : '\0';
    if (s->at == start || c == '.' || c == 'e' || c == 'E' ||
        (s->text[start] == '0' && s->at - start > 1)) {
        return malformed(s, "expected a whole number");
    }
    *out = value;
    return ATTN_OK;
}

static attn_status scan_sizes(scanner *s, int limit, int64_t *out, int *count) {
    bool more = false;
    int found = 0;
    attn_status status = expect(s, '[');
    for (;;) {
        if (status == ATTN_OK) {
            status = next_item(s, ']', (size_t)found, &more);
        }
        if (status != ATTN_OK || !more) {
            *count = found;
            return status;
        }
        if (found == limit) {
            return attn_fail(s->error, ATTN_ERR_FORMAT, s->where, file_position(s->at), NULL,
                             "malformed header: more than %d numbers in a list", limit);
        }
        status = scan_size(s, &out[found++]);
    }
}

/* ---- tensors and metadata ---- */

static attn_status scan_dtype(scanner *s, attn_header_tensor *tensor) {
    const char *name = "";
    size_t before = s->strings_used;
    attn_status status = scan_string(s, 32, &name);
    if (status != ATTN_OK) {
        return status;
    }
    s->strings_used = before; /* read at once, not kept */
    if (!attn_dtype_find(name, &tensor->info.dtype)) {
        char quoted[QUOTE_SIZE];
        return tensor_fault(s, tensor, "convert it to F32, BF16, F16, F64 or an integer type",
                            "unknown dtype \"%s\"", attn_utf8_quote(quoted, sizeof quoted, name));
    }
    return ATTN_OK;
}

/* The bytes that dtype and shape ask for have to be those between the offsets. */
static attn_status check_size(scanner *s, attn_header_tensor *tensor, const int64_t offsets[2]) {
    size_t size = attn_dtype_size(tensor->info.dtype);
    for (int i = 0; i < tensor->info.rank; i++) {
        if (!attn_size_mul(size, (size_t)tensor->info.shape[i], &size)) {
            return tensor_fault(s, tensor, NULL, "its shape has more elements than memory");
        }
    }
    if (offsets[1] < offsets[0] || (uint64_t)(offsets[1] - offsets[0]) != size) {
        return tensor_fault(s, tensor, NULL,
                            "data_offsets %" PRId64 " to %" PRId64
                            " do not span the %zu bytes of its shape",
                            offsets[0], offsets[1], size);
    }
    tensor->begin = (size_t)offsets[0];
    tensor->info.size = size;
    return ATTN_OK;
}

static attn_status scan_tensor(scanner *s, attn_header_tensor *tensor) {
    enum { DTYPE, SHAPE, OFFSETS, FIELDS };
    static const char *const fields[FIELDS] = {"dtype", "shape", "data_offsets"};
    bool seen[FIELDS] = {false};
    int64_t offsets[2] = {0, 0};
    int offset_count = 0;
    bool more = false;
    attn_status status = expect(s, '{');
    for (size_t i = 0; status == ATTN_OK; i++) {
        status = next_item(s, '}', i, &more);
        if (status != ATTN_OK || !more) {
            break;
        }
        const char *key = "";
        size_t before = s->strings_used;
        status = scan_string(s, ATTN_NAME_LIMIT, &key);
        if (status == ATTN_OK) {
            status = expect(s, ':');
        }
        if (status != ATTN_OK) {
            break;
        }
        s->strings_used = before;
        int field = 0;
        while (field < FIELDS && strcmp(key, fields[field]) != 0) {
            field++;
        }
        if (field == FIELDS || seen[field]) {
            return tensor_fault(s, tensor, NULL, "%s field",
                                field == FIELDS ? "an unknown" : "a repeated");
        }
        seen[field] = true;
        status = field == DTYPE ? scan_dtype(s, tensor)
                 : field == SHAPE
                     ? scan_sizes(s, ATTN_MAX_RANK, tensor->info.shape, &tensor->info.rank)
                     : scan_sizes(s, 2, offsets, &offset_count);
    }
    if (status != ATTN_OK) {
        return status;
    }
    if (!seen[DTYPE] || !seen[SHAPE] || !seen[OFFSETS] || offset_count != 2) {
        return tensor_fault(s, tensor, NULL, "needs dtype, shape and two data_offsets");
    }
    return check_size(s, tensor, offsets);
}

/* Room for one more item in a growing array of `count` items. */
static attn_status reserve(void **items, size_t *capacity, size_t count, size_t item_size,
                           attn_error *error) {
    if (count < *capacity) {
        return ATTN_OK;
    }
    size_t wanted = *capacity == 0 ? 16 : 2 * *capacity;
    void *grown = attn_alloc_zero(wanted, item_size);
    if (grown == NULL) {
        return attn_fail_memory(error, wanted * item_size);
    }
    if (count > 0) {
        memcpy(grown, *items, count * item_size);
    }
    attn_free(*items);
    *items = grown;
    *capacity = wanted;
    return ATTN_OK;
}

static attn_status scan_metadata(scanner *s, attn_header *header) {
    size_t capacity = 0;
    bool more = false;
    attn_status status = expect(s, '{');
    while (status == ATTN_OK) {
        status = next_item(s, '}', header->metadata_count, &more);
        if (status != ATTN_OK || !more) {
            break;
        }
        void *items = header->metadata;
        status =
            reserve(&items, &capacity, header->metadata_count, sizeof *header->metadata, s->error);
        header->metadata = items;
        if (status != ATTN_OK) {
            break;
        }
        attn_metadata *pair = &header->metadata[header->metadata_count];
        status = scan_string(s, s->length, &pair->key);
        if (status == ATTN_OK) {
            status = expect(s, ':');
        }
        if (status == ATTN_OK) {
            status = scan_string(s, s->length, &pair->value);
        }
        header->metadata_count++;
    }
    return status;
}

/* One member of the outermost object. */
static attn_status scan_member(scanner *s, attn_header *header, size_t *capacity,
                               bool *metadata_seen) {
    skip_space(s);
    size_t start = s->at;
    const char *name = "";
    attn_status status = scan_string(s, ATTN_NAME_LIMIT, &name);
    if (status == ATTN_OK) {
        status = expect(s, ':');
    }
    if (status != ATTN_OK) {
        return status;
    }
    if (strcmp(name, metadata_name) == 0) {
        if (*metadata_seen) {
            return malformed(s, "__metadata__ occurs twice");
        }
        *metadata_seen = true;
        return scan_metadata(s, header);
    }
    void *items = header->tensors;
    status = reserve(&items, capacity, header->count, sizeof *header->tensors, s->error);
    header->tensors = items;
    if (status != ATTN_OK) {
        return status;
    }
    attn_header_tensor *tensor = &header->tensors[header->count++];
    tensor->info.name = name;
    tensor->position = ATTN_HEADER_START + start;
    return scan_tensor(s, tensor);
}

static attn_status scan_header(scanner *s, attn_header *header) {
    size_t capacity = 0;
    bool metadata_seen = false;
    bool more = false;
    if (s->length == 0 || s->text[0] != '{') {
        return malformed(s, "does not begin with '{'");
    }
    attn_status status = expect(s, '{');
    for (size_t i = 0; status == ATTN_OK; i++) {
        status = next_item(s, '}', i, &more);
        if (status != ATTN_OK || !more) {
            break;
        }
        status = scan_member(s, header, &capacity, &metadata_seen);
    }
    if (status != ATTN_OK) {
        return status;
    }
    skip_space(s);
    return s->at == s->length ? ATTN_OK : malformed(s, "text after its end");
}

/* ---- checks across tensors ---- */

static int compare_begin(const void *a, const void *b) {
    const attn_header_tensor *x = a, *y = b;
    if (x->begin != y->begin) {
        return x->begin < y->begin ? -1 : 1;
    }
    /* Only tensors without bytes may share a beginning; they come before the one with bytes. */
    if (x->info.size != y->info.size) {
        return x->info.size < y->info.size ? -1 : 1;
    }
    return strcmp(x->info.name, y->info.name);
}

static attn_status check_layout(scanner *s, attn_header *header, size_t data_size) {
    size_t end = 0;
    if (header->count > 0) {
        qsort(header->tensors, header->count, sizeof *header->tensors, compare_begin);
    }
    for (size_t i = 0; i < header->count; i++) {
        const attn_header_tensor *tensor = &header->tensors[i];
        if (tensor->begin != end) {
            return tensor_fault(s, tensor, NULL,
                                tensor->begin < end ? "overlaps the tensor before it"
                                                    : "a hole in the data before it");
        }
        if (tensor->info.size > data_size - end) {
            return tensor_fault(s, tensor, cut_short_hint,
                                "needs %zu bytes, but the file has %zu left", tensor->info.size,
                                data_size - end);
        }
        end += tensor->info.size;
    }
    if (end != data_size) {
        return attn_fail(s->error, ATTN_ERR_FORMAT, s->where, file_position(s->length + end), NULL,
                         "%zu bytes after the last tensor", data_size - end);
    }
    return ATTN_OK;
}

static int compare_names(const void *a, const void *b) {
    const attn_header_tensor *const *x = a, *const *y = b;
    return strcmp((*x)->info.name, (*y)->info.name);
}

static int compare_keys(const void *a, const void *b) {
    const attn_metadata *const *x = a, *const *y = b;
    return strcmp((*x)->key, (*y)->key);
}

/* Sorted once, for finding names and for seeing that none is there twice. */
static attn_status index_names(scanner *s, attn_header *header) {
    header->by_name = attn_alloc_zero(header->count, sizeof *header->by_name);
    header->by_key = attn_alloc_zero(header->metadata_count, sizeof *header->by_key);
    if (header->by_name == NULL || header->by_key == NULL) {
        return attn_fail_memory(s->error, header->count * sizeof *header->by_name);
    }
    for (size_t i = 0; i < header->count; i++) {
        header->by_name[i] = &header->tensors[i];
    }
    for (size_t i = 0; i < header->metadata_count; i++) {
        header->by_key[i] = &header->metadata[i];
    }
    qsort(header->by_name, header->count, sizeof *header->by_name, compare_names);
    qsort(header->by_key, header->metadata_count, sizeof *header->by_key, compare_keys);
    for (size_t i = 1; i < header->count; i++) {
        if (compare_names(&header->by_name[i - 1], &header->by_name[i]) == 0) {
            return tensor_fault(s, header->by_name[i], NULL, "its name occurs twice");
        }
    }
    for (size_t i = 1; i < header->metadata_count; i++) {
        if (compare_keys(&header->by_key[i - 1], &header->by_key[i]) == 0) {
            char quoted[QUOTE_SIZE];
            return attn_fail(s->error, ATTN_ERR_FORMAT, s->where, -1, NULL,
                             "metadata key \"%s\" occurs twice",
                             attn_utf8_quote(quoted, sizeof quoted, header->by_key[i]->key));
        }
    }
    return ATTN_OK;
}

attn_status attn_header_parse(const char *text, size_t length, size_t data_size, const char *where,
                              attn_header *header, attn_error *error) {
    *header = (attn_header){.strings = attn_alloc(length)};
    if (header->strings == NULL) {
        return attn_fail_memory(error, length);
    }
    scanner s = {
        .text = text, .length = length, .strings = header->strings, .where = where, .error = error};
    attn_status status = scan_header(&s, header);
    if (status == ATTN_OK) {
        status = check_layout(&s, header, data_size);
    }
    if (status == ATTN_OK) {
        status = index_names(&s, header);
    }
    if (status != ATTN_OK) {
        attn_header_free(header);
    }
    return status;
}

void attn_header_free(attn_header *header) {
    attn_free(header->tensors);
    attn_free(header->metadata);
    attn_free(header->by_name);
    attn_free(header->by_key);
    attn_free(header->strings);
    *header = (attn_header){0};
}

const attn_header_tensor *attn_header_find(const attn_header *header, const char *name) {
    const attn_header_tensor wanted = {.info.name = name};
    const attn_header_tensor *key = &wanted;
    const attn_header_tensor **found =
        bsearch(&key, header->by_name, header->count, sizeof *header->by_name, compare_names);
    return found != NULL ? *found : NULL;
}

const char *attn_header_metadata(const attn_header *header, const char *key) {
    const attn_metadata wanted = {key, NULL};
    const attn_metadata *pointer = &wanted;
    const attn_metadata **found = bsearch(&pointer, header->by_key, header->metadata_count,
                                          sizeof *header->by_key, compare_keys);
    return found != NULL ? (*found)->value : NULL;
}

/* ---- printer ---- */

/* Counts always, writes while there is room: run once to measure, once to write. */
typedef struct printer {
    char *out;
    size_t room;
    size_t used;
} printer;

static void put(printer *p, const char *text, size_t length) {
    if (p->out != NULL && length <= p->room && p->used <= p->room - length) {
        memcpy(p->out + p->used, text, length);
    }
    p->used += length;
}

static void put_text(printer *p, const char *text) {
    put(p, text, strlen(text));
}

static void put_number(printer *p, uint64_t value) {
    char digits[24];
    put(p, digits, (size_t)snprintf(digits, sizeof digits, "%" PRIu64, value));
}

static void put_string(printer *p, const char *text) {
    put_text(p, "\"");
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            put_text(p, "\\");
            put(p, text, 1);
        } else if ((unsigned char)*text < 0x20) {
            char escape[8];
            put(p, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", *text));
        } else {
            put(p, text, 1);
        }
    }
    put_text(p, "\"");
}

static void put_tensor(printer *p, const attn_tensor_info *tensor, size_t begin) {
    put_string(p, tensor->name);
    put_text(p, ":{\"dtype\":");
    put_string(p, attn_dtype_name(tensor->dtype));
    put_text(p, ",\"shape\":[");
    for (int i = 0; i < tensor->rank; i++) {
        put_text(p, i > 0 ? "," : "");
        put_number(p, (uint64_t)tensor->shape[i]);
    }
    put_text(p, "],\"data_offsets\":[");
    put_number(p, begin);
    put_text(p, ",");
    put_number(p, begin + tensor->size);
    put_text(p, "]}");
}

static void put_header(printer *p, const attn_tensor_info *const *tensors, size_t count,
                       const attn_metadata *metadata, size_t metadata_count) {
    size_t begin = 0;
    put_text(p, "{");
    if (metadata_count > 0) {
        put_string(p, metadata_name);
        for (size_t i = 0; i < metadata_count; i++) {
            put_text(p, i > 0 ? "," : ":{");
            put_string(p, metadata[i].key);
            put_text(p, ":");
            put_string(p, metadata[i].value);
        }
        put_text(p, count > 0 ? "}," : "}");
    }
    for (size_t i = 0; i < count; i++) {
        put_text(p, i > 0 ? "," : "");
        put_tensor(p, tensors[i], begin);
        begin += tensors[i]->size;
    }
    put_text(p, "}");
    while (p->used % 8 != 0) {
        put_text(p, " ");
    }
}

attn_status attn_header_print(const attn_tensor_info *const *tensors, size_t count,
                              const attn_metadata *metadata, size_t metadata_count, char **bytes,
                              size_t *size, attn_error *error) {
    printer measure = {NULL, 0, 0};
    put_header(&measure, tensors, count, metadata, metadata_count);
    if (measure.used > ATTN_HEADER_LIMIT) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "store fewer tensors or less metadata",
                         "the header would be %zu bytes; at most %d are allowed", measure.used,
                         ATTN_HEADER_LIMIT);
    }
    char *text = attn_alloc(ATTN_HEADER_START + measure.used);
    if (text == NULL) {
        return attn_fail_memory(error, ATTN_HEADER_START + measure.used);
    }
    for (int i = 0; i < ATTN_HEADER_START; i++) {
        text[i] = (char)(measure.used >> 8 * i & 0xFF);
    }
    printer write = {text + ATTN_HEADER_START, measure.used, 0};
    put_header(&write, tensors, count, metadata, metadata_count);
    *bytes = text;
    *size = ATTN_HEADER_START + measure.used;
    return ATTN_OK;
}
