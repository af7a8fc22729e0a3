/* io/pickle_call.c: the functions and classes that a checkpoint may name, and the data that they stand for here.
 *
 * The table is the whole of what a pickle can ask for. Nothing of Python is there, so nothing can be run: a row
 * says only how the arguments are kept. */
#include <string.h>

#include "base/utf8.h"
#include "io/pickle_parts.h"

typedef enum kept_as {
    AS_DICT,     /* a dictionary, of pairs or of another dictionary, if given */
    AS_LIST,     /* a list of the items of the first argument */
    AS_FIRST,    /* the first argument itself */
    AS_BYTES,    /* bytes that nobody reads */
    AS_TENSOR,   /* a tensor, to be made of its storage */
    AS_OBJECT,   /* an object that has its arguments */
    AS_INSTANCE, /* an object of the class that the first argument names */
} kept_as;

/* A '*' at the end stands for any rest. */
static const struct {
    const char *name;
    kept_as as;
} functions[] = {
    {"collections.OrderedDict", AS_DICT},
    {"collections.defaultdict", AS_DICT},
    {"collections.Counter", AS_DICT},
    {"builtins.dict", AS_DICT},
    {"__builtin__.dict", AS_DICT},
    {"builtins.set", AS_LIST},
    {"__builtin__.set", AS_LIST},
    {"builtins.frozenset", AS_LIST},
    {"__builtin__.frozenset", AS_LIST},
    {"builtins.list", AS_LIST},
    {"__builtin__.list", AS_LIST},
    {"collections.deque", AS_LIST},
    {"torch.Size", AS_LIST},
    {"torch.device", AS_FIRST},
    {"torch._utils._rebuild_parameter", AS_FIRST},
    {"torch._utils._rebuild_parameter_with_state", AS_FIRST},
    {"torch._utils._rebuild_tensor", AS_TENSOR},
    {"torch._utils._rebuild_tensor_v2", AS_TENSOR},
    {"_codecs.encode", AS_BYTES},
    {"builtins.bytearray", AS_BYTES},
    {"__builtin__.bytearray", AS_BYTES},
    {"copyreg._reconstructor", AS_INSTANCE},
    {"copy_reg._reconstructor", AS_INSTANCE},
    /* Settings, as toolkits keep them beside the weights. */
    {"argparse.Namespace", AS_OBJECT},
    {"datetime.*", AS_OBJECT},
    {"pathlib.*", AS_OBJECT},
    {"numpy.dtype", AS_OBJECT},
    {"numpy.core.multiarray.scalar", AS_OBJECT},
    {"numpy._core.multiarray.scalar", AS_OBJECT},
    {"numpy.core.multiarray._reconstruct", AS_OBJECT},
    {"numpy._core.multiarray._reconstruct", AS_OBJECT},
    {"fairseq.*", AS_OBJECT},
    {"omegaconf.*", AS_OBJECT},
    {"onmt.*", AS_OBJECT},
    {"torchtext.*", AS_OBJECT},
};

static attn_status refuse_function(attn_pickle_machine *m, const attn_pickle_value *function) {
    char quoted[200];
    bool named = function->kind == ATTN_PICKLE_GLOBAL;
    attn_utf8_quote(quoted, sizeof quoted, named ? function->as.text.bytes : "(no function)");
    return attn_fail(m->error, ATTN_ERR_UNSUPPORTED, m->at->where, attn_cursor_position(m->at),
                     "if you trust the file, load it in Python and save its state_dict alone",
                     "needs the Python function %s: refused, nothing was run", quoted);
}

static bool matches(const char *pattern, const char *name) {
    size_t length = strlen(pattern);
    return pattern[length - 1] == '*' ? strncmp(pattern, name, length - 1) == 0
                                      : strcmp(pattern, name) == 0;
}

static bool is_container(const attn_pickle_value *v) {
    return v != NULL && v->kind >= ATTN_PICKLE_LIST && v->kind <= ATTN_PICKLE_OBJECT;
}

/* ---- one function a row of kept_as ---- */

static attn_status make_dict(attn_pickle_machine *m, const attn_pickle_value *first,
                             attn_pickle_value **result) {
    attn_status status = attn_pickle_new(m, ATTN_PICKLE_DICT, result);
    if (status != ATTN_OK || !is_container(first)) {
        return status; /* a defaultdict names what it makes for a missing key */
    }
    if (first->kind == ATTN_PICKLE_DICT) {
        return attn_pickle_add_all(m, *result, first);
    }
    for (size_t i = 0; status == ATTN_OK && i < first->as.items.count; i++) {
        const attn_pickle_value *pair = first->as.items.entries[i].value;
        if (!is_container(pair) || pair->as.items.count != 2) {
            return attn_pickle_damaged(m, "a dictionary of something else than pairs");
        }
        status = attn_pickle_add(m, *result, pair->as.items.entries[0].value,
                                 pair->as.items.entries[1].value);
    }
    return status;
}

static attn_status make_list(attn_pickle_machine *m, const attn_pickle_value *first,
                             attn_pickle_value **result) {
    attn_status status = attn_pickle_new(m, ATTN_PICKLE_LIST, result);
    return status == ATTN_OK && is_container(first) ? attn_pickle_add_all(m, *result, first)
                                                    : status;
}

static attn_status make_object(attn_pickle_machine *m, const attn_pickle_value *arguments,
                               attn_pickle_value **result) {
    attn_status status = attn_pickle_new(m, ATTN_PICKLE_OBJECT, result);
    return status == ATTN_OK ? attn_pickle_add_all(m, *result, arguments) : status;
}

static attn_status make_tensor(attn_pickle_machine *m, attn_pickle_value *arguments,
                               attn_pickle_value **result) {
    attn_status status = attn_pickle_new(m, ATTN_PICKLE_TENSOR, result);
    if (status == ATTN_OK) {
        (*result)->as.of = arguments;
    }
    return status;
}

attn_status attn_pickle_object(attn_pickle_machine *m, const attn_pickle_value *class,
                               attn_pickle_value **result) {
    if (class == NULL || class->kind != ATTN_PICKLE_GLOBAL) {
        return attn_pickle_damaged(m, "an object of something that is no class");
    }
    return attn_pickle_new(m, ATTN_PICKLE_OBJECT, result);
}

static attn_status answer(attn_pickle_machine *m, kept_as as, attn_pickle_value *arguments,
                          attn_pickle_value **result) {
    bool any = arguments->as.items.count > 0;
    attn_pickle_value *first = any ? arguments->as.items.entries[0].value : NULL;
    switch (as) {
    case AS_DICT:
        return make_dict(m, first, result);
    case AS_LIST:
        return make_list(m, first, result);
    case AS_BYTES:
        return attn_pickle_new(m, ATTN_PICKLE_BYTES, result);
    case AS_TENSOR:
        return make_tensor(m, arguments, result);
    case AS_OBJECT:
        return make_object(m, arguments, result);
    case AS_INSTANCE:
        return attn_pickle_object(m, first, result);
    case AS_FIRST:
        break;
    }
    *result = first;
    return any ? ATTN_OK : attn_pickle_damaged(m, "a call without arguments");
}

attn_status attn_pickle_call(attn_pickle_machine *m, const attn_pickle_value *function,
                             attn_pickle_value *arguments, attn_pickle_value **result) {
    if (arguments->kind != ATTN_PICKLE_TUPLE) {
        return attn_pickle_damaged(m, "the arguments of a call are no tuple");
    }
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (function->kind == ATTN_PICKLE_GLOBAL &&
            matches(functions[i].name, function->as.text.bytes)) {
            return answer(m, functions[i].as, arguments, result);
        }
    }
    return refuse_function(m, function);
}

/* ---- attributes ---- */

/* An object of a class with slots has a pair: the attributes, and those in slots. */
static attn_status add_state(attn_pickle_machine *m, attn_pickle_value *object,
                             const attn_pickle_value *state) {
    if (state->kind == ATTN_PICKLE_DICT) {
        return attn_pickle_add_all(m, object, state);
    }
    attn_status status = ATTN_OK;
    for (size_t i = 0; state->kind == ATTN_PICKLE_TUPLE && status == ATTN_OK && i < 2; i++) {
        const attn_pickle_value *part = attn_pickle_item(state, i, ATTN_PICKLE_DICT);
        status = part != NULL ? attn_pickle_add_all(m, object, part) : ATTN_OK;
    }
    return status;
}

attn_status attn_pickle_build(attn_pickle_machine *m, attn_pickle_value *object,
                              const attn_pickle_value *state) {
    switch (object->kind) {
    case ATTN_PICKLE_OBJECT:
        return add_state(m, object, state);
    case ATTN_PICKLE_DICT: /* attributes beside the entries, such as a state_dict's _metadata */
    case ATTN_PICKLE_LIST:
    case ATTN_PICKLE_TENSOR:
        return ATTN_OK;
    default:
        return attn_pickle_damaged(m, "attributes for what is no object");
    }
}
