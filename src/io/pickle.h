/* io/pickle.h: Python's pickles, read as data. Nothing is ever run.
 *
 * A pickle is a program for a small machine that builds objects; among its instructions is "call this Python
 * function". Here the machine builds plain containers, and a call is answered by a table of a few dozen names
 * (pickle_call.c): containers, tensors, and objects that are only their data. Every other function is refused by
 * name. Protocols 2 to 5. Next: io/torch_file.h. */
#ifndef ATTN_IO_PICKLE_H
#define ATTN_IO_PICKLE_H

#include "io/cursor.h"

typedef enum attn_pickle_kind {
    ATTN_PICKLE_NONE,
    ATTN_PICKLE_BOOL,
    ATTN_PICKLE_INTEGER,
    ATTN_PICKLE_FLOAT,
    ATTN_PICKLE_TEXT,
    ATTN_PICKLE_BYTES, /* and integers of more than 64 bits */
    ATTN_PICKLE_LIST,
    ATTN_PICKLE_TUPLE,
    ATTN_PICKLE_DICT,
    ATTN_PICKLE_OBJECT,     /* of a class: its arguments and attributes */
    ATTN_PICKLE_GLOBAL,     /* the name of a class or function */
    ATTN_PICKLE_PERSISTENT, /* what lies outside the pickle: a storage */
    ATTN_PICKLE_TENSOR,     /* to be made of a storage: the arguments */
} attn_pickle_kind;

typedef struct attn_pickle_value attn_pickle_value;

/* key: NULL in a list or tuple, and for an argument of an object. */
typedef struct attn_pickle_entry {
    attn_pickle_value *key, *value;
} attn_pickle_entry;

struct attn_pickle_value {
    attn_pickle_kind kind;
    bool visiting; /* for whoever walks over values that may hold themselves */
    union {
        int64_t integer; /* BOOL and INTEGER */
        double number;
        struct {
            const char *bytes; /* no NUL behind them, except behind a GLOBAL's "module.name" */
            size_t size;
        } text; /* TEXT, BYTES and GLOBAL */
        struct {
            attn_pickle_entry *entries;
            size_t count, room;
        } items;               /* LIST, TUPLE, DICT and OBJECT */
        attn_pickle_value *of; /* PERSISTENT: its id; TENSOR: the tuple of arguments */
    } as;
};

typedef struct attn_pickle attn_pickle;

/* Reads one pickle, up to its end, where the cursor then stands. The bytes have to outlive it.
 * ATTN_ERR_FORMAT: damaged; ATTN_ERR_UNSUPPORTED: it needs a function, or an older protocol. */
ATTN_MUST_CHECK attn_status attn_pickle_read(attn_cursor *at, attn_pickle **out, attn_error *error);
void attn_pickle_free(attn_pickle *pickle);
attn_pickle_value *attn_pickle_root(const attn_pickle *pickle);
/* All values of kind PERSISTENT, in the order in which they came; NULL past the end. */
const attn_pickle_value *attn_pickle_persistent(const attn_pickle *pickle, size_t index);

/* Whether the value is the text, or the name of the class or function. */
bool attn_pickle_is(const attn_pickle_value *value, attn_pickle_kind kind, const char *text);
/* Item `index` of a list or tuple when it is of that kind, else NULL. */
attn_pickle_value *attn_pickle_item(const attn_pickle_value *value, size_t index,
                                    attn_pickle_kind kind);

#endif
