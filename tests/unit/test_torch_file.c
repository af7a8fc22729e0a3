/* PyTorch checkpoints written byte by byte, as a zip file and in the older kind: read as they are, and refused for
 * each way in which they can be wrong. tests/parity compares with PyTorch itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "io/tensor_file.h"
#include "support/model_bytes.h"

/* ---- pickles ---- */

static void op(bytes *b, int instruction) {
    put_number(b, 1, (uint64_t)instruction);
}

static void text(bytes *b, const char *characters) {
    op(b, 'X');
    put_number(b, 4, strlen(characters));
    put(b, characters, strlen(characters));
}

/* Of 64 bits. */
static void integer(bytes *b, int64_t value) {
    op(b, 0x8A);
    op(b, 8);
    put_number(b, 8, (uint64_t)value);
}

static void global(bytes *b, const char *module_and_name) {
    op(b, 'c');
    put(b, module_and_name, strlen(module_and_name));
}

static void start(bytes *b) {
    put(b, "\x80\x02", 2);
}

/* A tensor of 2 dimensions over a storage. */
typedef struct tensor {
    const char *function, *storage, *type, *key;
    int64_t count, offset, rows, columns, row_stride, column_stride;
    int dimensions; /* how often `rows` stands in the shape, beside columns */
} tensor;

static const tensor good = {"torch._utils\n_rebuild_tensor_v2\n",
                            "storage",
                            "torch\nFloatStorage\n",
                            "0",
                            6,
                            0,
                            2,
                            3,
                            3,
                            1,
                            1};

static void put_sizes(bytes *b, int64_t first, int dimensions, int64_t last) {
    op(b, '(');
    for (int d = 0; d < dimensions; d++) {
        integer(b, first);
    }
    integer(b, last);
    op(b, 't');
}

static void put_tensor(bytes *b, tensor t) {
    global(b, t.function);
    op(b, '(');
    op(b, '(');
    text(b, t.storage);
    global(b, t.type);
    text(b, t.key);
    text(b, "cpu");
    integer(b, t.count);
    op(b, 't');
    op(b, 'Q');
    integer(b, t.offset);
    put_sizes(b, t.rows, t.dimensions, t.columns);
    put_sizes(b, t.row_stride, t.dimensions, t.column_stride);
    op(b, 0x89); /* requires_grad */
    op(b, '}');  /* hooks */
    op(b, 't');
    op(b, 'R');
}

/* {"model": {"w": tensor}, "lr": True} */
static bytes objects(tensor t) {
    bytes b = {NULL, 0};
    start(&b);
    op(&b, '}');
    op(&b, '(');
    text(&b, "model");
    op(&b, '}');
    text(&b, "w");
    put_tensor(&b, t);
    op(&b, 's');
    text(&b, "lr");
    op(&b, 0x88);
    op(&b, 'u');
    op(&b, '.');
    return b;
}

/* ---- files ---- */

static const float six[6] = {1, -2, 3.5f, 0, 7, -8};

/* Takes over the pickle. */
static bytes zip_file(bytes pickle) {
    const member members[] = {
        {"m/data.pkl", pickle},
        {"m/byteorder", {(unsigned char *)(uintptr_t) "little", 6}},
        {"m/data/0", {(unsigned char *)(uintptr_t)six, sizeof six}},
    };
    bytes b = zip_of(members, 3, ZIP_CM_STORE);
    free(pickle.data);
    return b;
}

/* The older kind; takes over the pickle. count: elements that the storage says it has. */
static bytes old_file(bytes pickle, uint64_t count) {
    bytes b = {NULL, 0};
    put(&b, "\x80\x02\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19.", 15);
    put(&b, "\x80\x02M\xE9\x03.", 6);
    start(&b);
    op(&b, '}');
    text(&b, "little_endian");
    put(&b, "\x88s.", 3);
    put(&b, pickle.data, pickle.size);
    start(&b);
    op(&b, ']');
    text(&b, "0");
    put(&b, "a.", 2);
    put_number(&b, 8, count);
    put(&b, six, sizeof six);
    free(pickle.data);
    return b;
}

/* A pickle alone in a zip file: everything that is no tensor can be tried with it. */
static bytes pickled(const char *instructions, size_t size) {
    bytes b = {NULL, 0};
    start(&b);
    put(&b, instructions, size);
    return zip_file(b);
}
#define PICKLED(instructions) pickled(instructions, sizeof(instructions) - 1)

/* ---- what is read ---- */

static void both_kinds(void **state) {
    (void)state;
    bytes files[] = {zip_file(objects(good)), old_file(objects(good), 6)};
    for (int i = 0; i < 2; i++) {
        attn_tensor_file *file = good_model(&files[i]);
        assert_int_equal(attn_tensor_file_kind_of(file), ATTN_FILE_TORCH);
        assert_int_equal(attn_tensor_file_count(file), 1);
        assert_floats(file, "model.w", six, 6);
        assert_string_equal(attn_tensor_file_text(file, "lr"), "true");
        attn_tensor_file_close(file);
        assert_cuts_refused(&files[i]);
        assert_failures_survived(&files[i]);
        free(files[i].data);
    }
}

/* Strides and offsets are honoured: the transpose, a column, one element seen many times. */
static void views(void **state) {
    (void)state;
    static const struct {
        int64_t offset, rows, columns, row_stride, column_stride;
        float wanted[6];
    } cases[] = {
        {0, 3, 2, 1, 3, {1, 0, -2, 7, 3.5f, -8}},
        {1, 2, 2, 3, 1, {-2, 3.5f, 7, -8}},
        {5, 2, 3, 0, 0, {-8, -8, -8, -8, -8, -8}},
        {6, 0, 3, 3, 1, {0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tensor t = good;
        t.offset = cases[i].offset;
        t.rows = cases[i].rows;
        t.columns = cases[i].columns;
        t.row_stride = cases[i].row_stride;
        t.column_stride = cases[i].column_stride;
        bytes b = zip_file(objects(t));
        attn_tensor_file *file = good_model(&b);
        assert_floats(file, "model.w", cases[i].wanted, (size_t)(t.rows * t.columns));
        attn_tensor_file_close(file);
        free(b.data);
    }
}

static void assert_text(const bytes *b, const char *key, const char *wanted) {
    attn_tensor_file *file = good_model(b);
    const char *found = attn_tensor_file_text(file, key);
    if (wanted == NULL) {
        assert_null(found);
    } else {
        assert_non_null(found);
        assert_string_equal(found, wanted);
    }
    attn_tensor_file_close(file);
}

static void plain_data(void **state) {
    (void)state;
    static const struct {
        const char *instructions;
        size_t size;
        const char *key, *wanted;
    } cases[] = {
#define CASE(instructions, key, wanted) {instructions, sizeof(instructions) - 1, key, wanted}
        CASE("K\x07.", "value", "7"), CASE("J\xFE\xFF\xFF\xFF.", "value", "-2"),
        CASE("\x8A\x01\xFF.", "value", "-1"), CASE("\x8A\x00.", "value", "0"),
        CASE("G\x3F\xF8\x00\x00\x00\x00\x00\x00.", "value", "1.5"),
        CASE("](K\x01K\x02"
             "e.",
             "1", "2"),
        CASE("K\x01K\x02K\x03\x87.", "2", "3"),
        CASE("(X\x01\0\0\0aK\x05"
             "d.",
             "a", "5"),
        CASE("}K\x05K\x06s.", "5", "6"), CASE("}N\x88s.", "None", NULL), CASE("N.", "value", NULL),
        CASE("K\x01q\x00]h\x00"
             "ah\x00"
             "a0.",
             "value", "1"),
        /* An object of any class is its attributes. */
        CASE("cargparse\nNamespace\n)\x81}X\x01\0\0\0aK\x05sb.", "a", "5"),
        CASE("ca\nB\n)\x81N}X\x01\0\0\0aK\x05s\x86"
             "b.",
             "a", "5"),
        CASE("ccollections\nOrderedDict\n]K\x01K\x02\x86"
             "a\x85R.",
             "1", "2"),
        CASE("cos\nsystem\n.", "value", NULL), /* a name alone does nothing */
        /* A list that holds itself. */
        CASE("]q\x00(h\x00K\x05"
             "e.",
             "1", "5"),
        CASE("\x8C\x01"
             "a\x8C\x01"
             "b\x93)\x81}\x8C\x01xK\x01sb.",
             "x", "1"),
        CASE("X\x01\0\0\0\xFF.", "value", NULL), /* no UTF-8 */
#undef CASE
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bytes b = pickled(cases[i].instructions, cases[i].size);
        assert_text(&b, cases[i].key, cases[i].wanted);
        free(b.data);
    }
}

/* ---- what is refused ---- */

static void code_is_refused(void **state) {
    (void)state;
    static const char *const functions[] = {
        "os\nsystem\n",        "posix\nsystem\n",
        "builtins\neval\n",    "builtins\nexec\n",
        "__builtin__\neval\n", "subprocess\nPopen\n",
        "runpy\n_run_code\n",  "torch\nload\n",
        "builtins\ngetattr\n", "torch.storage\n_load_from_bytes\n"};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        char says[160];
        bytes pickle = {NULL, 0}, again = {NULL, 0};
        start(&pickle);
        global(&pickle, functions[i]);
        text(&pickle, "touch /tmp/x");
        put(&pickle, "\x85R.", 3);
        put(&again, pickle.data, pickle.size);
        bytes old = old_file(again, 6), zip = zip_file(pickle);
        int module = (int)strcspn(functions[i], "\n");
        const char *name = functions[i] + module + 1;
        snprintf(says, sizeof says, "needs the Python function %.*s.%.*s: refused, nothing was run",
                 module, functions[i], (int)strcspn(name, "\n"), name);
        assert_refused(&zip, ATTN_ERR_UNSUPPORTED, says);
        assert_refused(&old, ATTN_ERR_UNSUPPORTED, says);
        free(zip.data);
        free(old.data);
    }
}

static void tensor_flaws(void **state) {
    (void)state;
    static const int64_t huge = (int64_t)1 << 40;
    const char *const f = good.function, *const s = good.storage, *const t = good.type;
    const struct {
        tensor tensor;
        attn_status status;
        const char *says;
    } flaws[] = {
        {{f, s, t, "0", 6, 0, huge, huge, 3, 1, 1}, ATTN_ERR_FORMAT, "shape or strides"},
        {{f, s, t, "0", 6, 0, -2, 3, 3, 1, 1}, ATTN_ERR_FORMAT, "shape or strides"},
        {{f, s, t, "0", 6, 0, 2, 3, -3, 1, 1}, ATTN_ERR_FORMAT, "leaves its storage"},
        {{f, s, t, "0", 6, 1, 2, 3, 3, 1, 1}, ATTN_ERR_FORMAT, "leaves its storage"},
        {{f, s, t, "0", 6, -1, 2, 3, 3, 1, 1}, ATTN_ERR_FORMAT, "leaves its storage"},
        {{f, s, t, "0", 6, INT64_MAX, 2, 3, 3, 1, 1}, ATTN_ERR_FORMAT, "leaves its storage"},
        {{f, s, t, "0", 6, 0, 2, 3, INT64_MAX, 1, 1}, ATTN_ERR_FORMAT, "leaves its storage"},
        {{f, s, t, "0", 6, 0, 3, 3, INT64_MAX, 1, 1}, ATTN_ERR_FORMAT, "leaves its storage"},
        {{f, s, t, "0", 6, 0, 2, 4, 3, 1, 1}, ATTN_ERR_FORMAT, "leaves its storage"},
        {{f, s, t, "0", 6, 0, huge, 1, 0, 0, 1}, ATTN_ERR_FORMAT, "far larger"},
        {{f, s, t, "0", 6, 0, 1, 1, 1, 1, 8}, ATTN_ERR_UNSUPPORTED, "more than 8 dimensions"},
        {{f, s, t, "0", 7, 0, 2, 3, 3, 1, 1}, ATTN_ERR_FORMAT, ""},
        {{f, s, t, "0", -1, 0, 2, 3, 3, 1, 1}, ATTN_ERR_FORMAT, "a size that cannot be"},
        {{f, s, t, "0", INT64_MAX, 0, 2, 3, 3, 1, 1}, ATTN_ERR_FORMAT, "a size that cannot be"},
        {{f, s, t, "0", huge, 0, 2, 3, 3, 1, 1}, ATTN_ERR_FORMAT, ""},
        {{f, s, t, "1", 6, 0, 2, 3, 3, 1, 1}, ATTN_ERR_FORMAT, ""},
        {{f, s, t, "../data.pkl", 6, 0, 2, 3, 3, 1, 1}, ATTN_ERR_FORMAT, ""},
        {{f, "stowage", t, "0", 6, 0, 2, 3, 3, 1, 1}, ATTN_ERR_FORMAT, "a storage that is none"},
        {{f, s, "torch\nComplexFloatStorage\n", "0", 6, 0, 2, 3, 3, 1, 1},
         ATTN_ERR_UNSUPPORTED,
         "torch.ComplexFloatStorage"},
        {{f, s, "os\nFloatStorage\n", "0", 6, 0, 2, 3, 3, 1, 1}, ATTN_ERR_UNSUPPORTED, "os."},
        {{"torch._utils\n_rebuild_sparse_tensor\n", s, t, "0", 6, 0, 2, 3, 3, 1, 1},
         ATTN_ERR_UNSUPPORTED,
         "torch._utils._rebuild_sparse_tensor"},
    };
    for (size_t i = 0; i < sizeof flaws / sizeof *flaws; i++) {
        bytes zip = zip_file(objects(flaws[i].tensor)), old = old_file(objects(flaws[i].tensor), 6);
        assert_refused(&zip, flaws[i].status, flaws[i].says);
        assert_refused(&old, flaws[i].status, flaws[i].says);
        free(zip.data);
        free(old.data);
    }
    bytes b = old_file(objects(good), (uint64_t)1 << 60);
    assert_refused(&b, ATTN_ERR_FORMAT, "not the size that the pickle says");
    free(b.data);
}

static void pickle_flaws(void **state) {
    (void)state;
    static const struct {
        const char *instructions;
        size_t size;
        attn_status status;
        const char *says;
    } flaws[] = {
#define FLAW(instructions, status, says) {instructions, sizeof(instructions) - 1, status, says}
        FLAW(".", ATTN_ERR_FORMAT, "not one value"),
        FLAW("NN.", ATTN_ERR_FORMAT, "not one value"),
        FLAW("(N.", ATTN_ERR_FORMAT, "not one value"),
        FLAW("N", ATTN_ERR_FORMAT, "the pickle needs more"),
        FLAW("X\xFF\xFF\xFF\xFFx.", ATTN_ERR_FORMAT, "a text of the pickle needs more"),
        FLAW("\x8D\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFx.", ATTN_ERR_FORMAT, "a text of the pickle"),
        FLAW("\x8B\xFF\xFF\xFF\xFFx.", ATTN_ERR_FORMAT, "a text of the pickle"),
        FLAW("cos", ATTN_ERR_FORMAT, "the name of a class needs more"),
        FLAW("h\x07.", ATTN_ERR_FORMAT, "nothing under a number"),
        FLAW("j\xFF\xFF\xFF\xFF.", ATTN_ERR_FORMAT, "nothing under a number"),
        FLAW("Nr\xFF\xFF\xFF\xFF.", ATTN_ERR_FORMAT, "memo is too large"),
        FLAW("q\x00.", ATTN_ERR_FORMAT, "too few values"),
        FLAW("0.", ATTN_ERR_FORMAT, "too few values"),
        FLAW("R.", ATTN_ERR_FORMAT, "too few values"),
        FLAW("N(\x85.", ATTN_ERR_FORMAT, "too few values"), /* past the mark */
        FLAW("t.", ATTN_ERR_FORMAT, "no mark"),
        FLAW("NNa.", ATTN_ERR_FORMAT, "no container"),
        FLAW("]NNs.", ATTN_ERR_FORMAT, "no container"),
        FLAW("}Na.", ATTN_ERR_FORMAT, "no container"),
        FLAW("}(Nu.", ATTN_ERR_FORMAT, "no container"),
        FLAW("(Nd.", ATTN_ERR_FORMAT, "a key without a value"),
        FLAW("(N(e.", ATTN_ERR_FORMAT, "no container"),
        FLAW("NN\x81.", ATTN_ERR_FORMAT, "no class"),
        FLAW("N}b.", ATTN_ERR_FORMAT, "no object"),
        FLAW("NNR.", ATTN_ERR_FORMAT, "no tuple"),
        FLAW("N)R.", ATTN_ERR_UNSUPPORTED, "(no function)"),
        FLAW("ctorch._utils\n_rebuild_parameter\n)R.", ATTN_ERR_FORMAT, "without arguments"),
        FLAW("ctorch._utils\n_rebuild_tensor\n)R.", ATTN_ERR_FORMAT, "without storage or shape"),
        FLAW("NQ.", ATTN_ERR_FORMAT, "a storage that is none"),
        FLAW("I1\n.", ATTN_ERR_UNSUPPORTED, "protocol 0 or 1"),
        FLAW("\xFF.", ATTN_ERR_FORMAT, "an instruction 0xff"),
        FLAW("\x80\x09.", ATTN_ERR_FORMAT, "none of 2 to 5"),
        FLAW("NN\x93.", ATTN_ERR_FORMAT, "no text"),
        FLAW("\x8C\x01\x00\x8C\x01x\x93.", ATTN_ERR_FORMAT, "no name that Python allows"),
#undef FLAW
    };
    for (size_t i = 0; i < sizeof flaws / sizeof *flaws; i++) {
        bytes b = pickled(flaws[i].instructions, flaws[i].size);
        assert_refused(&b, flaws[i].status, flaws[i].says);
        free(b.data);
    }
}

/* A hundred thousand lists, each in the next: nothing recurses that deep. */
static void deep(void **state) {
    (void)state;
    enum { LEVELS = 100000 };
    bytes b = {malloc(2 * LEVELS + 3), 0};
    assert_non_null(b.data);
    memcpy(b.data, "\x80\x02", 2);
    memset(b.data + 2, ']', LEVELS);
    memset(b.data + 2 + LEVELS, 'a', LEVELS - 1);
    b.data[2 * LEVELS + 1] = '.';
    b.size = 2 * LEVELS + 2;
    bytes file = zip_file(b);
    assert_refused(&file, ATTN_ERR_UNSUPPORTED, "nests too deep");
    free(file.data);
}

/* Ten lists, each ten times in the next: ten thousand million places. */
static void many_places(void **state) {
    (void)state;
    bytes b = {NULL, 0};
    start(&b);
    put(&b, "(K\x01q\x00", 5);
    for (int level = 0; level < 10; level++) {
        put(&b, "](", 2);
        for (int i = 0; i < 10; i++) {
            op(&b, 'h');
            op(&b, level);
        }
        put(&b, "eq", 2);
        op(&b, level + 1);
    }
    put(&b, "l.", 2);
    bytes file = zip_file(b);
    assert_refused(&file, ATTN_ERR_UNSUPPORTED, "too many places");
    free(file.data);
}

static void other_order(void **state) {
    (void)state;
    const member members[] = {
        {"m/data.pkl", {(unsigned char *)(uintptr_t) "\x80\x02N.", 4}},
        {"m/byteorder", {(unsigned char *)(uintptr_t) "big", 3}},
    };
    bytes b = zip_of(members, 2, ZIP_CM_STORE);
    assert_refused(&b, ATTN_ERR_UNSUPPORTED, "the other order");
    free(b.data);
}

static void plain_pickle(void **state) {
    (void)state;
    bytes b = {(unsigned char *)(uintptr_t) "\x80\x02]K\x01"
                                            "a.",
               7};
    assert_refused(&b, ATTN_ERR_UNSUPPORTED, "no checkpoint of PyTorch");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_kinds),   cmocka_unit_test(views),
        cmocka_unit_test(plain_data),   cmocka_unit_test(code_is_refused),
        cmocka_unit_test(tensor_flaws), cmocka_unit_test(pickle_flaws),
        cmocka_unit_test(deep),         cmocka_unit_test(many_places),
        cmocka_unit_test(other_order),  cmocka_unit_test(plain_pickle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
