/* .safetensors files: what is written is read back, and one test case for each way in which a file
 * can be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "attn/safetensors.h"
#include "base/memory.h"
#include "io/file.h"
#include "io/safetensors_header.h"

static char path[64];

static int make_path(void **state) {
    (void)state;
    strcpy(path, "/tmp/attn-test-safetensors-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state) {
    (void)state;
    return unlink(path);
}

/* Header text and data_size bytes 0, 1, 2 ... as a file in memory. */
static char *make_file(const char *header, size_t length, size_t data_size, size_t *size) {
    *size = 8 + length + data_size;
    char *bytes = malloc(*size);
    assert_non_null(bytes);
    for (size_t i = 0; i < 8; i++) {
        bytes[i] = (char)(length >> 8 * i & 0xFF);
    }
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < data_size; i++) {
        bytes[8 + length + i] = (char)i;
    }
    return bytes;
}

static attn_status parse_text(const char *header, size_t data_size, attn_safetensors **file,
                              attn_error *error) {
    size_t size = 0;
    char *bytes = make_file(header, strlen(header), data_size, &size);
    attn_status status = attn_safetensors_parse(bytes, size, "model", file, error);
    free(bytes);
    return status;
}

static void assert_flaw(const char *header, size_t data_size, const char *what) {
    attn_safetensors *file = NULL;
    attn_error error = {0};
    attn_status status = parse_text(header, data_size, &file, &error);
    if (status != ATTN_ERR_FORMAT || strstr(error.what, what) == NULL) {
        print_error("%.200s\n  gave %d \"%s\" instead of \"%s\"\n", header, status, error.what,
                    what);
    }
    assert_int_equal(status, ATTN_ERR_FORMAT);
    assert_non_null(strstr(error.what, what));
    assert_string_equal(error.where, "model");
    assert_true(error.position <= (int64_t)(8 + strlen(header) + data_size));
    assert_null(file);
    assert_int_equal(parse_text(header, data_size, &file, NULL), ATTN_ERR_FORMAT);
}

/* ---- what is written is read back ---- */

static const float weights[6] = {1, -2, 3.5f, 1e-30f, 0, 7};
static const int8_t levels[3] = {-127, 0, 127};
static const int64_t counts[2] = {INT64_MIN, INT64_MAX};
static const double one = 1.0 / 3;

static const attn_tensor_info written[] = {
    {"levels", ATTN_DTYPE_I8, 1, {3}, levels, sizeof levels},
    {"encoder.\"0\"/weight\n\t\\\x01", ATTN_DTYPE_F32, 2, {2, 3}, weights, sizeof weights},
    {"bytes \xC3\xA9\xF0\x9F\x98\x80", ATTN_DTYPE_U8, 8, {1, 1, 3, 1, 1, 1, 1, 1}, "abc", 3},
    {"counts", ATTN_DTYPE_I64, 1, {2}, counts, sizeof counts},
    {"empty", ATTN_DTYPE_F32, 2, {0, 5}, NULL, 0},
    {"scalar", ATTN_DTYPE_F64, 0, {0}, &one, sizeof one},
    {"", ATTN_DTYPE_BF16, 1, {1}, "xy", 2},
};
enum { WRITTEN = sizeof written / sizeof *written };

static const attn_metadata pairs[] = {
    {"format", "attn"}, {"a \"quoted\" key", "line\nbreak \xE2\x82\xAC \x1F"}, {"", ""}};

static void round_trip(void **state) {
    (void)state;
    attn_safetensors *file = NULL;
    attn_error error = {0};
    assert_int_equal(attn_safetensors_write(path, written, WRITTEN, pairs, 3, &error), ATTN_OK);
    assert_int_equal(attn_safetensors_open(path, &file, &error), ATTN_OK);
    assert_int_equal(attn_safetensors_count(file), WRITTEN);
    for (size_t i = 0; i < WRITTEN; i++) {
        const attn_tensor_info *tensor = attn_safetensors_find(file, written[i].name);
        assert_non_null(tensor);
        assert_string_equal(tensor->name, written[i].name);
        assert_int_equal(tensor->dtype, written[i].dtype);
        assert_int_equal(tensor->rank, written[i].rank);
        assert_memory_equal(tensor->shape, written[i].shape, sizeof tensor->shape);
        assert_int_equal(tensor->size, written[i].size);
        if (tensor->size > 0) {
            assert_memory_equal(tensor->data, written[i].data, tensor->size);
        }
    }
    /* Wide types first, so that each is aligned; then as given. */
    const char *const order[WRITTEN] = {"counts", "scalar", written[1].name, "empty",
                                        "",       "levels", written[2].name};
    for (size_t i = 0; i < WRITTEN; i++) {
        assert_string_equal(attn_safetensors_at(file, i)->name, order[i]);
    }
    assert_null(attn_safetensors_at(file, WRITTEN));
    assert_null(attn_safetensors_find(file, "level"));
    const char *key = NULL, *value = NULL;
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(attn_safetensors_metadata(file, pairs[i].key), pairs[i].value);
        assert_true(attn_safetensors_metadata_at(file, i, &key, &value));
        assert_string_equal(key, pairs[i].key);
        assert_string_equal(value, pairs[i].value);
    }
    assert_false(attn_safetensors_metadata_at(file, 3, &key, &value));
    assert_null(attn_safetensors_metadata(file, "author"));
    attn_safetensors_close(file);
    attn_safetensors_close(NULL);
}

static void nothing_at_all(void **state) {
    (void)state;
    attn_safetensors *file = NULL;
    assert_int_equal(attn_safetensors_write(path, NULL, 0, NULL, 0, NULL), ATTN_OK);
    assert_int_equal(attn_safetensors_open(path, &file, NULL), ATTN_OK);
    assert_int_equal(attn_safetensors_count(file), 0);
    assert_null(attn_safetensors_find(file, "x"));
    assert_null(attn_safetensors_metadata(file, "x"));
    attn_safetensors_close(file);
}

static void data_begins_aligned(void **state) {
    (void)state;
    char *bytes = NULL;
    size_t size = 0;
    assert_int_equal(attn_safetensors_write(path, written, WRITTEN, pairs, 3, NULL), ATTN_OK);
    assert_int_equal(attn_file_read(path, 0, &bytes, &size, NULL), ATTN_OK);
    assert_int_equal((unsigned char)bytes[0] % 8, 0);
    assert_int_equal(bytes[8], '{');
    attn_free(bytes);
}

/* Python's writers put an I8 of odd length before an F32. */
static void odd_places_are_aligned(void **state) {
    (void)state;
    attn_safetensors *file = NULL;
    assert_int_equal(parse_text("{\"a\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                                "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]}}",
                                5, &file, NULL),
                     ATTN_OK);
    const attn_tensor_info *tensor = attn_safetensors_find(file, "b");
    assert_int_equal((uintptr_t)tensor->data % 4, 0);
    assert_memory_equal(tensor->data, "\1\2\3\4", 4);
    attn_safetensors_close(file);
}

/* Such tensors do not keep the others from being read. */
static void types_that_nothing_computes_with(void **state) {
    (void)state;
    attn_safetensors *file = NULL;
    static const struct {
        const char *name;
        attn_dtype dtype;
        size_t size;
    } types[] = {{"BOOL", ATTN_DTYPE_BOOL, 1},       {"I16", ATTN_DTYPE_I16, 2},
                 {"U16", ATTN_DTYPE_U16, 2},         {"U32", ATTN_DTYPE_U32, 4},
                 {"U64", ATTN_DTYPE_U64, 8},         {"F8_E4M3", ATTN_DTYPE_F8_E4M3, 1},
                 {"F8_E5M2", ATTN_DTYPE_F8_E5M2, 1}, {"F8_E8M0", ATTN_DTYPE_F8_E8M0, 1},
                 {"C64", ATTN_DTYPE_C64, 8}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char header[256];
        size_t end = 4 + types[i].size;
        snprintf(header, sizeof header,
                 "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                 "\"b\":{\"dtype\":\"%s\",\"shape\":[1],\"data_offsets\":[4,%zu]}}",
                 types[i].name, end);
        assert_int_equal(parse_text(header, end, &file, NULL), ATTN_OK);
        const attn_tensor_info *odd = attn_safetensors_find(file, "b");
        assert_int_equal(odd->dtype, types[i].dtype);
        assert_int_equal(odd->size, types[i].size);
        assert_int_equal((uintptr_t)odd->data % types[i].size, 0);
        assert_memory_equal(attn_safetensors_find(file, "a")->data, "\0\1\2\3", 4);
        attn_safetensors_close(file);
    }
}

static void all_that_json_allows(void **state) {
    (void)state;
    attn_safetensors *file = NULL;
    attn_error error = {0};
    const char *header =
        "{ \"b\" :\t{ \"shape\":[ 2 ,\n1 ] ,\"data_offsets\" : [1,3],\"dtype\":\"U8\"}\r,"
        "\"\\u0061\\/\\b\\f\\n\\r\\t\\\\\\\"\\u00e9\\u20AC\\uD83D\\ude00\":"
        "{\"dtype\":\"\\u00498\",\"shape\":[],\"data_offsets\":[0,1]},"
        "\"__metadata__\":{\"k\":\"\\u20ac\"} }  \n ";
    assert_int_equal(parse_text(header, 3, &file, &error), ATTN_OK);
    assert_string_equal(attn_safetensors_at(file, 0)->name,
                        "a/\b\f\n\r\t\\\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    assert_int_equal(attn_safetensors_at(file, 0)->dtype, ATTN_DTYPE_I8);
    assert_memory_equal(attn_safetensors_find(file, "b")->data, "\1\2", 2);
    assert_string_equal(attn_safetensors_metadata(file, "k"), "\xE2\x82\xAC");
    attn_safetensors_close(file);
}

/* ---- flaws ---- */

#define TENSOR(name, dtype, shape, offsets)                                                        \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define ONE(dtype, shape, offsets) "{" TENSOR("a", dtype, shape, offsets) "}"
#define BYTE(name)                 TENSOR(name, "U8", "[1]", "[0,1]")

static void wrong_shapes(void **state) {
    (void)state;
    /* 2^32 * 2^32 elements and 2^62 * 4 bytes wrap to 0 */
    assert_flaw(ONE("U8", "[4294967296,4294967296]", "[0,0]"), 0, "more elements than memory");
    assert_flaw(ONE("F32", "[4611686018427387904]", "[0,0]"), 0, "more elements than memory");
    assert_flaw(ONE("I64", "[2,2305843009213693953]", "[0,16]"), 16, "more elements than memory");
    assert_flaw(ONE("U8", "[9223372036854775808]", "[0,0]"), 0, "number too large");
    assert_flaw(ONE("U8", "[99999999999999999999999]", "[0,0]"), 0, "number too large");
    assert_flaw(ONE("F32", "[1000000]", "[0,4]"), 4, "do not span");
    assert_flaw(ONE("F32", "[1000000]", "[0,4000000]"), 4, "needs 4000000 bytes");
    assert_flaw(ONE("U8", "[9223372036854775807]", "[0,9223372036854775807]"), 4, "file has 4");
    assert_flaw(ONE("U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, "more than 8 numbers");
    assert_flaw(ONE("U8", "[-1]", "[0,1]"), 1, "negative number");
    assert_flaw(ONE("U8", "[1.0]", "[0,1]"), 1, "whole number");
    assert_flaw(ONE("U8", "[1e0]", "[0,1]"), 1, "whole number");
    assert_flaw(ONE("U8", "[01]", "[0,1]"), 1, "whole number");
    assert_flaw(ONE("U8", "[+1]", "[0,1]"), 1, "whole number");
    assert_flaw(ONE("U8", "[1,]", "[0,1]"), 1, "whole number");
    assert_flaw(ONE("U8", "[1 1]", "[0,1]"), 1, "expected ','");
    assert_flaw(ONE("U8", "[\"1\"]", "[0,1]"), 1, "whole number");
    assert_flaw(ONE("U8", "1", "[0,1]"), 1, "expected '['");
    assert_flaw(ONE("U8", "null", "[0,1]"), 1, "expected '['");
}

static void wrong_dtypes(void **state) {
    (void)state;
    assert_flaw(ONE("F4", "[1]", "[0,1]"), 1, "unknown dtype \"F4\"");
    assert_flaw(ONE("f32", "[1]", "[0,4]"), 4, "unknown dtype");
    assert_flaw(ONE("", "[1]", "[0,4]"), 4, "unknown dtype");
    assert_flaw(ONE("F16", "[1]", "[0,4]"), 4, "do not span the 2 bytes");
    assert_flaw(ONE("\\u001b[2J", "[1]", "[0,4]"), 4, "\"?[2J\""); /* no orders to the terminal */
}

static void wrong_offsets(void **state) {
    (void)state;
    assert_flaw(ONE("U8", "[1]", "[1,0]"), 1, "do not span");
    assert_flaw(ONE("U8", "[1]", "[0]"), 1, "two data_offsets");
    assert_flaw(ONE("U8", "[1]", "[]"), 1, "two data_offsets");
    assert_flaw(ONE("U8", "[1]", "[0,1,2]"), 1, "more than 2 numbers");
    assert_flaw(ONE("U8", "[1]", "[-1,0]"), 1, "negative number");
    assert_flaw(ONE("U8", "[1]", "[1,2]"), 2, "hole");
    assert_flaw(ONE("U8", "[1]", "[0,1]"), 2, "1 bytes after the last tensor");
    assert_flaw("{}", 1, "1 bytes after the last tensor");
    assert_flaw("{" TENSOR("a", "U8", "[2]", "[0,2]") "," TENSOR("b", "U8", "[2]", "[1,3]") "}", 3,
                "overlaps");
    assert_flaw("{" TENSOR("a", "U8", "[2]", "[0,2]") "," TENSOR("b", "U8", "[2]", "[0,2]") "}", 2,
                "overlaps");
    assert_flaw("{" TENSOR("a", "U8", "[3]", "[0,3]") "," TENSOR("b", "U8", "[1]", "[1,2]") "}", 3,
                "overlaps");
    assert_flaw("{" TENSOR("a", "U8", "[0]", "[1,1]") "," TENSOR("b", "U8", "[2]", "[0,2]") "}", 2,
                "overlaps");
    assert_flaw("{" TENSOR("a", "U8", "[1]", "[0,1]") "," TENSOR("b", "U8", "[1]", "[2,3]") "}", 3,
                "hole");
    assert_flaw("{" TENSOR("a", "U8", "[0]", "[5,5]") "}", 0, "hole");
}

static void wrong_fields(void **state) {
    (void)state;
    assert_flaw("{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "needs dtype");
    assert_flaw("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, "needs dtype");
    assert_flaw("{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "needs dtype");
    assert_flaw("{\"a\":{}}", 0, "needs dtype");
    assert_flaw("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
                1, "repeated field");
    assert_flaw("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":1}}", 1,
                "unknown field");
    assert_flaw("{\"a\":[]}", 0, "expected '{'");
    assert_flaw("{\"a\":{\"dtype\":8,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "expected '\"'");
}

static void names_twice(void **state) {
    (void)state;
    assert_flaw("{" BYTE("a") "," TENSOR("a", "U8", "[1]", "[1,2]") "}", 2, "occurs twice");
    assert_flaw("{" BYTE("a") "," TENSOR("\\u0061", "U8", "[1]", "[1,2]") "}", 2, "occurs twice");
    assert_flaw("{\"__metadata__\":{\"k\":\"1\",\"l\":\"\",\"k\":\"2\"}}", 0, "key \"k\"");
    assert_flaw("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "occurs twice");
}

static void wrong_metadata(void **state) {
    (void)state;
    assert_flaw("{\"__metadata__\":{\"k\":1}}", 0, "expected '\"'");
    assert_flaw("{\"__metadata__\":{\"k\":null}}", 0, "expected '\"'");
    assert_flaw("{\"__metadata__\":{\"k\":{\"l\":\"m\"}}}", 0, "expected '\"'");
    assert_flaw("{\"__metadata__\":\"k\"}", 0, "expected '{'");
    assert_flaw("{\"__metadata__\":{\"k\":\"v\",}}", 0, "expected '\"'");
    assert_flaw("{\"__metadata__\":{\"k\" \"v\"}}", 0, "expected ':'");
}

static void wrong_strings(void **state) {
    (void)state;
    static const char *const bytes[] = {"\x80",     "\xC0\x80",         "\xC3",
                                        "\xC3(",    "\xE0\x80\x80",     "\xED\xA0\x80",
                                        "\xE2\x82", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80",
                                        "\xFF",     "\xF8\x88\x80\x80"};
    char header[100];
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        snprintf(header, sizeof header, "{\"__metadata__\":{\"k\":\"%s\"}}", bytes[i]);
        assert_flaw(header, 0, "not UTF-8");
        snprintf(header, sizeof header, "{\"%s\":{}}", bytes[i]);
        assert_flaw(header, 0, "not UTF-8");
    }
    assert_flaw("{\"a\nb\":{}}", 0, "control character");
    assert_flaw("{\"\\u0000\":{}}", 0, "NUL");
    assert_flaw("{\"\\x41\":{}}", 0, "unknown escape");
    assert_flaw("{\"\\uD800\":{}}", 0, "surrogate");
    assert_flaw("{\"\\uD800\\n\":{}}", 0, "surrogate");
    assert_flaw("{\"\\uD800\\u0041\":{}}", 0, "surrogate");
    assert_flaw("{\"\\uDC00\":{}}", 0, "surrogate");
    assert_flaw("{\"\\uDC00\\uDC00\":{}}", 0, "surrogate");
    assert_flaw("{\"\\u12g4\":{}}", 0, "hexadecimal");
    assert_flaw("{\"\\u12", 0, "hexadecimal");
    assert_flaw("{\"a", 0, "without end");
    assert_flaw("{\"a\\", 0, "unknown escape");
}

static void long_name(void **state) {
    (void)state;
    char header[1000], name[600];
    attn_safetensors *file = NULL;
    memset(name, 'n', sizeof name);
    name[ATTN_NAME_LIMIT] = '\0';
    snprintf(header, sizeof header,
             "{\"%s\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", name);
    assert_int_equal(parse_text(header, 0, &file, NULL), ATTN_OK);
    attn_safetensors_close(file);
    name[ATTN_NAME_LIMIT] = 'n';
    name[ATTN_NAME_LIMIT + 1] = '\0';
    snprintf(header, sizeof header, "{\"%s\":{}}", name);
    assert_flaw(header, 0, "longer than 512 bytes");
}

static void wrong_json(void **state) {
    (void)state;
    assert_flaw("", 0, "begin with '{'");
    assert_flaw(" {}", 0, "begin with '{'");
    assert_flaw("[]", 0, "begin with '{'");
    assert_flaw("{", 0, "expected '\"'");
    assert_flaw("{,}", 0, "expected '\"'");
    assert_flaw("{} {}", 0, "after its end");
    assert_flaw("{" BYTE("a") ",}", 1, "expected '\"'");
    assert_flaw("{" BYTE("a") BYTE("b") "}", 1, "expected ','");
    assert_flaw("{/**/}", 0, "expected '\"'");
    assert_flaw("{'a':{}}", 0, "expected '\"'");
}

static void nul_bytes(void **state) {
    (void)state;
    const char text[] = "{}\0\0\0\0\0";
    attn_safetensors *file = NULL;
    for (size_t length = 3; length < sizeof text; length++) {
        size_t size = 0;
        char *bytes = make_file(text, length, 0, &size);
        assert_int_equal(attn_safetensors_parse(bytes, size, "model", &file, NULL),
                         ATTN_ERR_FORMAT);
        free(bytes);
    }
}

static void deep_nesting(void **state) {
    (void)state;
    enum { DEPTH = 1000000 };
    char *header = malloc(DEPTH + 100);
    assert_non_null(header);
    static const char *const starts[] = {
        "{\"a\":", "{\"__metadata__\":{\"k\":", "{\"a\":{\"dtype\":\"U8\",\"shape\":[", ""};
    for (size_t i = 0; i < 4; i++) {
        size_t start = strlen(starts[i]);
        strcpy(header, starts[i]);
        memset(header + start, '[', DEPTH);
        header[start + DEPTH] = '\0';
        assert_flaw(header, 0, "malformed header");
        for (size_t j = 0; j < DEPTH; j++) {
            header[start + j] = "{\"a\":"[j % 5];
        }
        assert_flaw(header, 0, ""); /* an unknown field, or malformed */
    }
    free(header);
}

static void giant_header_length(void **state) {
    (void)state;
    attn_safetensors *file = NULL;
    attn_error error = {0};
    static const uint64_t lengths[] = {UINT64_MAX,
                                       UINT64_MAX - 7,
                                       (uint64_t)1 << 63,
                                       (uint64_t)1 << 32,
                                       ATTN_HEADER_LIMIT + 1,
                                       ATTN_HEADER_LIMIT,
                                       3};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        char bytes[10];
        for (size_t j = 0; j < 8; j++) {
            bytes[j] = (char)(lengths[i] >> 8 * j & 0xFF);
        }
        memcpy(bytes + 8, "{}", 2);
        assert_int_equal(attn_safetensors_parse(bytes, 10, "model", &file, &error),
                         ATTN_ERR_FORMAT);
        assert_non_null(strstr(error.what, "header of"));
    }
}

static void cut_short_at_every_byte(void **state) {
    (void)state;
    char *bytes = NULL;
    size_t size = 0;
    attn_safetensors *file = NULL;
    assert_int_equal(attn_safetensors_write(path, written, WRITTEN, pairs, 3, NULL), ATTN_OK);
    assert_int_equal(attn_file_read(path, 0, &bytes, &size, NULL), ATTN_OK);
    for (size_t cut = 0; cut < size; cut++) {
        char *part = malloc(cut + 1); /* its own block, so that a sanitizer sees a byte too far */
        memcpy(part, bytes, cut);
        attn_error error = {0};
        assert_int_equal(attn_safetensors_parse(part, cut, "model", &file, &error),
                         ATTN_ERR_FORMAT);
        assert_true(error.position >= 0);
        free(part);
    }
    assert_int_equal(attn_safetensors_parse(bytes, size, "model", &file, NULL), ATTN_OK);
    attn_safetensors_close(file);
    attn_free(bytes);
}

/* Whatever one byte is turned into, the answer is a verdict. */
static void every_byte_changed(void **state) {
    (void)state;
    char *bytes = NULL;
    size_t size = 0;
    assert_int_equal(attn_safetensors_write(path, written, WRITTEN, pairs, 3, NULL), ATTN_OK);
    assert_int_equal(attn_file_read(path, 0, &bytes, &size, NULL), ATTN_OK);
    for (size_t i = 0; i < size; i++) {
        char kept = bytes[i];
        for (int value = 0; value < 256; value += 5) {
            attn_safetensors *file = NULL;
            bytes[i] = (char)value;
            attn_status status = attn_safetensors_parse(bytes, size, "model", &file, NULL);
            assert_true(status == ATTN_OK || status == ATTN_ERR_FORMAT);
            attn_safetensors_close(file);
        }
        bytes[i] = kept;
    }
    attn_free(bytes);
}

static void files_that_are_none(void **state) {
    (void)state;
    attn_safetensors *file = NULL;
    attn_error error = {0};
    assert_int_equal(attn_safetensors_open("/nonexistent", &file, &error), ATTN_ERR_IO);
    assert_int_equal(attn_safetensors_open("/tmp", &file, &error), ATTN_ERR_IO);
    assert_int_equal(attn_safetensors_open(path, &file, &error), ATTN_ERR_FORMAT); /* empty */
    assert_string_equal(error.where, path);
    assert_non_null(strstr(error.hint, ".safetensors"));
    const attn_bytes text[] = {{"\x7F"
                                "ELF a program, not a model",
                                27}};
    assert_int_equal(attn_file_replace(path, text, 1, NULL), ATTN_OK);
    assert_int_equal(attn_safetensors_open(path, &file, &error), ATTN_ERR_FORMAT);
}

/* ---- callers' mistakes ---- */

static void assert_refused(attn_tensor_info first, attn_tensor_info second) {
    const attn_tensor_info tensors[] = {first, second};
    attn_error error = {0};
    assert_int_equal(attn_safetensors_write(path, tensors, 2, NULL, 0, &error), ATTN_ERR_ARGUMENT);
    assert_true(error.what[0] != '\0');
}

static void writer_refuses(void **state) {
    (void)state;
    char name[600];
    const attn_tensor_info good = {"good", ATTN_DTYPE_U8, 1, {1}, "x", 1};
    attn_tensor_info bad = good;
    assert_refused(good, bad); /* the name twice */
    bad.name = NULL;
    assert_refused(good, bad);
    bad.name = "__metadata__";
    assert_refused(good, bad);
    bad.name = "\xFF";
    assert_refused(good, bad);
    memset(name, 'n', sizeof name);
    name[ATTN_NAME_LIMIT + 1] = '\0';
    bad.name = name;
    assert_refused(good, bad);
    const attn_tensor_info shapes[] = {
        {"bad", ATTN_DTYPE_U8, 1, {2}, "x", 1},
        {"bad", ATTN_DTYPE_F32, 1, {1}, "x", 1},
        {"bad", ATTN_DTYPE_U8, 1, {-1}, "x", 1},
        {"bad", ATTN_DTYPE_U8, 9, {1}, "x", 1},
        {"bad", ATTN_DTYPE_U8, -1, {1}, "x", 1},
        {"bad", (attn_dtype)8, 1, {1}, "x", 1},
        {"bad", ATTN_DTYPE_U8, 1, {1}, NULL, 1},
        {"bad", ATTN_DTYPE_F32, 1, {(int64_t)1 << 62}, "x", 0},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        assert_refused(good, shapes[i]);
    }
    const attn_metadata twice[] = {{"k", "1"}, {"k", "2"}}, missing[] = {{"k", NULL}};
    assert_int_equal(attn_safetensors_write(path, &good, 1, twice, 2, NULL), ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_safetensors_write(path, &good, 1, missing, 1, NULL), ATTN_ERR_ARGUMENT);
}

static void writer_keeps_the_header_readable(void **state) {
    (void)state;
    char *large = malloc(ATTN_HEADER_LIMIT);
    assert_non_null(large);
    memset(large, 'v', ATTN_HEADER_LIMIT);
    large[ATTN_HEADER_LIMIT - 1] = '\0';
    const attn_metadata pair = {"k", large};
    assert_int_equal(attn_safetensors_write(path, NULL, 0, &pair, 1, NULL), ATTN_ERR_ARGUMENT);
    large[ATTN_HEADER_LIMIT - 32] = '\0';
    attn_safetensors *file = NULL;
    assert_int_equal(attn_safetensors_write(path, NULL, 0, &pair, 1, NULL), ATTN_OK);
    assert_int_equal(attn_safetensors_open(path, &file, NULL), ATTN_OK);
    assert_string_equal(attn_safetensors_metadata(file, "k"), large);
    attn_safetensors_close(file);
    free(large);
}

/* ---- every allocation failed in turn ---- */

static int allocations_left, alive;

static void *allocate_some(size_t size, void *context) {
    (void)context;
    if (allocations_left-- <= 0) {
        return NULL;
    }
    alive++;
    return malloc(size);
}

static void release(void *pointer, void *context) {
    (void)context;
    alive -= pointer != NULL;
    free(pointer);
}

static void out_of_memory(void **state) {
    (void)state;
    int failures = 0;
    attn_set_allocator(allocate_some, release, NULL);
    for (int allowed = 0;; allowed++, failures++) {
        attn_safetensors *file = NULL;
        allocations_left = allowed;
        attn_status status = attn_safetensors_write(path, written, WRITTEN, pairs, 3, NULL);
        if (status == ATTN_OK) {
            status = parse_text("{\"a\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                                "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]},"
                                "\"__metadata__\":{\"k\":\"v\"}}",
                                5, &file, NULL);
        }
        attn_safetensors_close(file);
        assert_int_equal(alive, 0);
        if (status == ATTN_OK) {
            break;
        }
        assert_int_equal(status, ATTN_ERR_MEMORY);
    }
    attn_set_allocator(NULL, NULL, NULL);
    assert_true(failures >= 10);
}

#define WITH_PATH(test) cmocka_unit_test_setup_teardown(test, make_path, remove_path)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_PATH(round_trip),
        WITH_PATH(nothing_at_all),
        WITH_PATH(data_begins_aligned),
        cmocka_unit_test(odd_places_are_aligned),
        cmocka_unit_test(types_that_nothing_computes_with),
        cmocka_unit_test(all_that_json_allows),
        cmocka_unit_test(wrong_shapes),
        cmocka_unit_test(wrong_dtypes),
        cmocka_unit_test(wrong_offsets),
        cmocka_unit_test(wrong_fields),
        cmocka_unit_test(names_twice),
        cmocka_unit_test(wrong_metadata),
        cmocka_unit_test(wrong_strings),
        cmocka_unit_test(long_name),
        cmocka_unit_test(wrong_json),
        cmocka_unit_test(nul_bytes),
        cmocka_unit_test(deep_nesting),
        cmocka_unit_test(giant_header_length),
        WITH_PATH(cut_short_at_every_byte),
        WITH_PATH(every_byte_changed),
        WITH_PATH(files_that_are_none),
        WITH_PATH(writer_refuses),
        WITH_PATH(writer_keeps_the_header_readable),
        WITH_PATH(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
