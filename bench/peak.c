/* bench/peak.c: loops that do nothing but fused multiply-adds, or nothing but reading. */
#include "bench/peak.h"

#include <stdbool.h>
#include <string.h>

#include "attn/threads.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* ---- fused multiply-adds ---- */

/* Independent chains: at least latency times units of any processor, and few enough for its registers.
 * They start differently, or a compiler might see that all are one. */
enum { CHAINS_16 = 12, CHAINS_32 = 24 };

/* Every processor: left to the compiler, which has a multiplication and an addition. */
static float fma_plain(int64_t rounds, float factor, float term) {
    enum { WIDTH = 4 * CHAINS_16 };
    float chain[WIDTH];
    for (int c = 0; c < WIDTH; c++) {
        chain[c] = term * (float)c;
    }
    for (int64_t i = 0; i < rounds; i++) {
        for (int c = 0; c < WIDTH; c++) {
            chain[c] = chain[c] * factor + term;
        }
    }
    float sum = 0;
    for (int c = 0; c < WIDTH; c++) {
        sum += chain[c];
    }
    return sum;
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static float fma_avx2(int64_t rounds, float factor,
                                                          float term) {
    __m256 chain[CHAINS_16], factors = _mm256_set1_ps(factor), terms = _mm256_set1_ps(term);
    for (int c = 0; c < CHAINS_16; c++) {
        chain[c] = _mm256_set1_ps(term * (float)c);
    }
    for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS_16; c++) {
            chain[c] = _mm256_fmadd_ps(chain[c], factors, terms);
        }
    }
    for (int c = 1; c < CHAINS_16; c++) {
        chain[0] = _mm256_add_ps(chain[0], chain[c]);
    }
    return _mm256_cvtss_f32(chain[0]);
}

__attribute__((target("avx512f"))) static float fma_avx512(int64_t rounds, float factor,
                                                           float term) {
    __m512 chain[CHAINS_32], factors = _mm512_set1_ps(factor), terms = _mm512_set1_ps(term);
    for (int c = 0; c < CHAINS_32; c++) {
        chain[c] = _mm512_set1_ps(term * (float)c);
    }
    for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 24
        for (int c = 0; c < CHAINS_32; c++) {
            chain[c] = _mm512_fmadd_ps(chain[c], factors, terms);
        }
    }
    for (int c = 1; c < CHAINS_32; c++) {
        chain[0] = _mm512_add_ps(chain[0], chain[c]);
    }
    return _mm512_cvtss_f32(chain[0]);
}
#elif defined(__aarch64__)
static float fma_neon(int64_t rounds, float factor, float term) {
    float32x4_t chain[CHAINS_32], factors = vdupq_n_f32(factor), terms = vdupq_n_f32(term);
    for (int c = 0; c < CHAINS_32; c++) {
        chain[c] = vdupq_n_f32(term * (float)c);
    }
    for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 24
        for (int c = 0; c < CHAINS_32; c++) {
            chain[c] = vfmaq_f32(chain[c], factors, terms);
        }
    }
    for (int c = 1; c < CHAINS_32; c++) {
        chain[0] = vaddq_f32(chain[0], chain[c]);
    }
    return vgetq_lane_f32(chain[0], 0);
}
#endif

static const attn_peak_fma loops[] = {
    {"plain", fma_plain, 2 * 4 * CHAINS_16},
#if defined(__x86_64__)
    {"avx2", fma_avx2, 2 * 8 * CHAINS_16},
    {"avx512", fma_avx512, 2 * 16 * CHAINS_32},
#elif defined(__aarch64__)
    {"neon", fma_neon, 2 * 4 * CHAINS_32},
#endif
};

static bool here(const char *isa) {
    for (int i = 0; attn_isa_at(i) != NULL; i++) {
        if (strcmp(attn_isa_at(i), isa) == 0) {
            return true;
        }
    }
    return false;
}

int attn_peak_fma_list(const attn_peak_fma *out[], int max) {
    int count = 0;
    for (size_t i = 0; i < sizeof loops / sizeof *loops && count < max; i++) {
        if (loops[i].run == fma_plain || here(loops[i].isa)) {
            out[count++] = &loops[i];
        }
    }
    return count;
}

/* Read and written where the compiler cannot see it, so that it can leave nothing out. */
static volatile float unknown_factor = 0.875F, unknown_term = 0.125F, sink;

double attn_peak_fma_measure(const attn_peak_fma *fma) {
    const int64_t flops = 200 * 1000 * 1000; /* a thread's: a few milliseconds */
    int64_t rounds = flops / fma->round_flops;
    int threads = attn_get_threads();
    float factor = unknown_factor, term = unknown_term;
    double start = attn_clock();
#pragma omp parallel num_threads(threads)
    sink = fma->run(rounds, factor, term);
    double seconds = attn_clock() - start;
    return (double)(rounds * fma->round_flops) * threads / seconds * 1e-9;
}

/* ---- reading memory ---- */

enum { MEMORY_WORDS = 64 * 1024 * 1024 }; /* 512 MB */

attn_status attn_peak_memory_create(attn_peak_memory *out, attn_error *error) {
    const size_t bytes = MEMORY_WORDS * sizeof *out->data;
    out->data = attn_alloc_large(bytes);
    if (out->data == NULL) {
        return attn_fail_memory(error, bytes);
    }
    uint64_t *data = out->data;
#pragma omp parallel for num_threads(attn_get_threads()) schedule(static)
    for (int64_t i = 0; i < MEMORY_WORDS; i++) {
        data[i] = (uint64_t)i;
    }
    return ATTN_OK;
}

void attn_peak_memory_free(attn_peak_memory *memory) {
    attn_free(memory->data);
    memory->data = NULL;
}

/* Sixteen sums side by side: one after another they would wait for each other. */
static inline __attribute__((always_inline)) uint64_t sum_lanes(const uint64_t *data,
                                                                int64_t count) {
    enum { LANES = 16 };
    uint64_t lane[LANES] = {0}, sum = 0;
    for (int64_t i = 0; i + LANES <= count; i += LANES) {
        for (int l = 0; l < LANES; l++) {
            lane[l] += data[i + l];
        }
    }
    for (int l = 0; l < LANES; l++) {
        sum += lane[l];
    }
    return sum;
}

static uint64_t sum_plain(const uint64_t *data, int64_t count) {
    return sum_lanes(data, count);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static uint64_t sum_avx2(const uint64_t *data, int64_t count) {
    return sum_lanes(data, count);
}
#endif

double attn_peak_memory_measure(const attn_peak_memory *memory) {
    enum { PARTS = 256 };
    uint64_t (*run)(const uint64_t *, int64_t) = sum_plain;
#if defined(__x86_64__)
    if (here("avx2")) {
        run = sum_avx2;
    }
#endif
    const int64_t part = MEMORY_WORDS / PARTS;
    uint64_t sum = 0;
    double start = attn_clock();
#pragma omp parallel for num_threads(attn_get_threads()) schedule(static) reduction(+ : sum)
    for (int i = 0; i < PARTS; i++) {
        sum += run(memory->data + i * part, part);
    }
    double seconds = attn_clock() - start;
    sink = (float)sum;
    return (double)MEMORY_WORDS * sizeof *memory->data / seconds * 1e-9;
}
