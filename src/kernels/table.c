/* kernels/table.c: fills the tables of kernels and chooses the one in use. */
#include "kernels/table.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/utf8.h"
#include "cpu/cpu.h"

static attn_kernels tables[ATTN_KERNELS_MAX];
static int table_count;
static _Atomic(const attn_kernels *) current;

#define ATTN_ISA(name, ...) extern const attn_isa_kernels attn_isa_##name;
#include "kernels/isa/list.h"

/* A new table: the one below, and over it what this instruction set provides. */
static void overlay(const char *isa, const attn_isa_kernels *own) {
    attn_kernels *table = &tables[table_count];
    if (table_count > 0) {
        *table = table[-1];
    }
    table->isa = isa;
#define TAKE(operation)                                                                            \
    if (own->operation != NULL) {                                                                  \
        table->operation = *own->operation;                                                        \
    }
    ATTN_OPERATIONS(TAKE)
#undef TAKE
    table_count++;
}

/* The build defines ATTN_HAVE_name as 1 for each row of the list that it compiled, as 0 for others. */
#define ROW_0(name, here)
#define ROW_1(name, here)                                                                          \
    if (!(here)) {                                                                                 \
        return;                                                                                    \
    }                                                                                              \
    overlay(#name, &attn_isa_##name);
#define ROW(have, name, here)             ROW_IF(have, name, here)
#define ROW_IF(have, name, here)          ROW_##have(name, here)
#define ATTN_ISA(name, arch, flags, here) ROW(ATTN_HAVE_##name, name, here)

static void fill_tables(void) {
#include "kernels/isa/list.h"
}

/* Fills on the first call; whoever comes meanwhile waits the microsecond that it takes. */
static void ensure_filled(void) {
    enum { EMPTY, FILLING, FILLED };
    static atomic_int state = EMPTY;
    if (atomic_load_explicit(&state, memory_order_acquire) == FILLED) {
        return;
    }
    int expected = EMPTY;
    if (atomic_compare_exchange_strong(&state, &expected, FILLING)) {
        fill_tables();
        atomic_store_explicit(&state, FILLED, memory_order_release);
    }
    while (atomic_load_explicit(&state, memory_order_acquire) != FILLED) {
    }
}

const attn_kernels *attn_kernels_for(const char *isa) {
    ensure_filled();
    for (int i = 0; i < table_count; i++) {
        if (strcmp(tables[i].isa, isa) == 0) {
            return &tables[i];
        }
    }
    return NULL;
}

int attn_kernels_list(const attn_kernels *out[], int max) {
    ensure_filled();
    int count = table_count < max ? table_count : max;
    for (int i = 0; i < count; i++) {
        out[i] = &tables[i];
    }
    return count;
}

/* "" or NULL: the best there is. NULL when there is none of that name. */
static const attn_kernels *find(const char *name) {
    ensure_filled();
    return name == NULL || name[0] == '\0' ? &tables[table_count - 1] : attn_kernels_for(name);
}

const attn_kernels *attn_kernels_current(void) {
    const attn_kernels *chosen = atomic_load_explicit(&current, memory_order_acquire);
    if (chosen == NULL) {
        chosen = find(getenv("ATTN_ISA"));
        if (chosen == NULL) {
            chosen = &tables[0]; /* attn/threads.h says why */
        }
        /* Unless attn_set_isa came first. */
        const attn_kernels *none = NULL;
        if (!atomic_compare_exchange_strong(&current, &none, chosen)) {
            chosen = none;
        }
    }
    return chosen;
}

const char *attn_isa_name(void) {
    return attn_kernels_current()->isa;
}

const char *attn_isa_at(int i) {
    ensure_filled();
    return i >= 0 && i < table_count ? tables[i].isa : NULL;
}

static attn_status fail_unknown(const char *where, const char *name, attn_error *error) {
    char quoted[64], hint[sizeof error->hint] = "choose one of";
    for (int i = 0; i < table_count; i++) {
        size_t length = strlen(hint);
        snprintf(hint + length, sizeof hint - length, "%s %s", i > 0 ? "," : "", tables[i].isa);
    }
    return attn_fail(error, ATTN_ERR_UNSUPPORTED, where, -1, hint,
                     "no instruction set '%s' in this build or this processor",
                     attn_utf8_quote(quoted, sizeof quoted, name));
}

attn_status attn_set_isa(const char *name, attn_error *error) {
    const attn_kernels *chosen = find(name);
    if (chosen == NULL) {
        return fail_unknown(NULL, name, error);
    }
    atomic_store(&current, chosen);
    return ATTN_OK;
}

attn_status attn_isa_check(attn_error *error) {
    const char *name = getenv("ATTN_ISA");
    return find(name) != NULL ? ATTN_OK : fail_unknown("ATTN_ISA", name, error);
}
