/* io/pickle_parts.h: what the machine (pickle.c) and the table of functions (pickle_call.c) share. */
#ifndef ATTN_IO_PICKLE_PARTS_H
#define ATTN_IO_PICKLE_PARTS_H

#include "base/memory.h"
#include "io/pickle.h"

enum { ATTN_PICKLE_SLAB = 256 };

typedef struct attn_pickle_slab {
    struct attn_pickle_slab *next;
    size_t used;
    attn_pickle_value values[ATTN_PICKLE_SLAB];
} attn_pickle_slab;

struct attn_pickle {
    attn_pickle_slab *slabs; /* all values; newest slab first */
    size_t count;            /* of values */
    attn_pickle_value *root;
    attn_pickle_value **persistent;
    size_t persistent_count, persistent_room;
    attn_arena strings; /* names of functions and classes */
};

/* What an instruction works on. */
typedef struct attn_pickle_machine {
    attn_pickle *pickle;
    attn_cursor *at;
    attn_error *error;
} attn_pickle_machine;

/* A new value, all zero but its kind. */
ATTN_MUST_CHECK attn_status attn_pickle_new(attn_pickle_machine *m, attn_pickle_kind kind,
                                            attn_pickle_value **out);
ATTN_MUST_CHECK attn_status attn_pickle_add(attn_pickle_machine *m, attn_pickle_value *container,
                                            attn_pickle_value *key, attn_pickle_value *value);
/* Adds all entries of another container. */
ATTN_MUST_CHECK attn_status attn_pickle_add_all(attn_pickle_machine *m,
                                                attn_pickle_value *container,
                                                const attn_pickle_value *from);
attn_status attn_pickle_damaged(attn_pickle_machine *m, const char *what);

/* What `function` (any value) gives for `arguments` (any value). */
ATTN_MUST_CHECK attn_status attn_pickle_call(attn_pickle_machine *m,
                                             const attn_pickle_value *function,
                                             attn_pickle_value *arguments,
                                             attn_pickle_value **result);
/* An object of a class, without attributes. */
ATTN_MUST_CHECK attn_status attn_pickle_object(attn_pickle_machine *m,
                                               const attn_pickle_value *class,
                                               attn_pickle_value **result);
/* Gives an object its attributes. */
ATTN_MUST_CHECK attn_status attn_pickle_build(attn_pickle_machine *m, attn_pickle_value *object,
                                              const attn_pickle_value *state);

#endif
