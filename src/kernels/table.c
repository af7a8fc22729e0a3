/* kernels/table.c: fills the tables of kernels and chooses the one in use. */
#include "kernels/table.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu.h"

static attn_kernels tables[ATTN_KERNELS_MAX];
static int table_count;
static _Atomic(const attn_kernels *) current;

#define FILL(table, isa)                                                                           \
    do {                                                                                           \
        attn_matmul_fill_##isa(&(table)->matmul);                                                  \
        attn_matmul_i8_fill_##isa(&(table)->matmul_i8);                                            \
        attn_matmul_bf16_fill_##isa(&(table)->matmul_bf16);                                        \
        attn_attention_fill_##isa(&(table)->attention);                                            \
        attn_norm_fill_##isa(&(table)->norm);                                                      \
        attn_elementwise_fill_##isa(&(table)->elementwise);                                        \
        attn_loss_fill_##isa(&(table)->loss);                                                      \
        attn_optimizer_fill_##isa(&(table)->optimizer);                                            \
        attn_depthwise_fill_##isa(&(table)->depthwise);                                            \
        attn_group_norm_fill_##isa(&(table)->group_norm);                                          \
        attn_resize_fill_##isa(&(table)->resize);                                                  \
        attn_pixel_loss_fill_##isa(&(table)->pixel_loss);                                          \
    } while (0)

/* A new table that starts as a copy of the one below. */
static attn_kernels *overlay(const char *isa) {
    attn_kernels *table = &tables[table_count];
    if (table_count > 0) {
        *table = table[-1];
    }
    table->isa = isa;
    table_count++;
    return table;
}

static void fill_tables(void) {
    unsigned features = attn_cpu_features();
    attn_kernels *table = overlay("ref");
    FILL(table, ref);
#ifdef ATTN_HAVE_AVX2
    if (features & ATTN_CPU_AVX2) {
        table = overlay("avx2");
        FILL(table, avx2);
    }
#endif
#ifdef ATTN_HAVE_AVX512
    if (features & ATTN_CPU_AVX512) {
        table = overlay("avx512");
        FILL(table, avx512);
    }
#endif
#ifdef ATTN_HAVE_AVX512VNNI
    if (features & ATTN_CPU_AVX512VNNI) {
        table = overlay("avx512vnni");
        attn_matmul_i8_fill_avx512vnni(&table->matmul_i8);
    }
#endif
#ifdef ATTN_HAVE_AMX
    if (features & ATTN_CPU_AMX) {
        table = overlay("amx");
        attn_matmul_i8_fill_amx(&table->matmul_i8);
    }
#endif
#ifdef ATTN_HAVE_NEON
    if (features & ATTN_CPU_NEON) {
        table = overlay("neon");
        FILL(table, neon);
    }
#endif
#ifdef ATTN_HAVE_NEONDOT
    if (features & ATTN_CPU_NEONDOT) {
        table = overlay("neondot");
        attn_matmul_i8_fill_neondot(&table->matmul_i8);
    }
#endif
    (void)features;
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

static const attn_kernels *best(void) {
    ensure_filled();
    return &tables[table_count - 1];
}

const attn_kernels *attn_kernels_current(void) {
    const attn_kernels *chosen = atomic_load_explicit(&current, memory_order_acquire);
    if (chosen == NULL) {
        const char *forced = getenv("ATTN_ISA");
        chosen = forced != NULL ? attn_kernels_for(forced) : NULL;
        if (chosen == NULL) {
            chosen = best();
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

attn_status attn_set_isa(const char *name) {
    const attn_kernels *chosen = name == NULL || name[0] == '\0' ? best() : attn_kernels_for(name);
    if (chosen == NULL) {
        return ATTN_ERR_UNSUPPORTED;
    }
    atomic_store(&current, chosen);
    return ATTN_OK;
}
