/* bench/cases.c: the table of cases. A new one is a row here; a new kind of work is a file
 * cases_KIND.c and a line in bench.h. Peers that take part in a comparison know cases by name
 * (bench/peers). */
#include "attn/cache.h"
#include "base/memory.h"
#include "base/random.h"
#include "bench/bench.h"

static const attn_bench_case cases[] = {
    {"matmul-512", "512 x 512 x 512", &attn_bench_matmul, {512, 512, 512}},
    {"matmul-1024", "1024 x 1024 x 1024", &attn_bench_matmul, {1024, 1024, 1024}},
    {"matmul-2048", "2048 x 2048 x 2048", &attn_bench_matmul, {2048, 2048, 2048}},
    {"matmul-4096", "4096 x 4096 x 4096", &attn_bench_matmul, {4096, 4096, 4096}},
    {"matmul-up", "8192 tokens, 128 to 256", &attn_bench_matmul, {8192, 256, 128}},
    {"matmul-down", "8192 tokens, 256 to 128", &attn_bench_matmul, {8192, 128, 256}},
    {"matmul-gradient", "weights of 128 to 256", &attn_bench_matmul, {256, 128, 8192, 1}},
    {"matmul-base-up", "4096 tokens, 512 to 2048", &attn_bench_matmul, {4096, 2048, 512}},
    {"matmul-base-down", "4096 tokens, 2048 to 512", &attn_bench_matmul, {4096, 512, 2048}},
    {"matmul-base-gradient", "weights of 512 to 2048", &attn_bench_matmul, {2048, 512, 4096, 1}},
    {"matmul-words", "256 tokens, 10,000 words", &attn_bench_matmul, {256, 10000, 128}},
    {"matmul-row-1", "1 row x 1024 x 16384", &attn_bench_matmul_rows, {1, 1024, 16384}},
    {"matmul-row-4", "4 rows x 1024 x 16384", &attn_bench_matmul_rows, {4, 1024, 16384}},
    {"matmul-row-16", "16 rows x 1024 x 16384", &attn_bench_matmul_rows, {16, 1024, 16384}},
    {"matmul-row-32", "32 rows x 1024 x 16384", &attn_bench_matmul_rows, {32, 1024, 16384}},
    {"matmul-row-64", "64 rows x 1024 x 16384", &attn_bench_matmul_rows, {64, 1024, 16384}},
    {"matmul-tile", "240 x 64 x 512, for one thread", &attn_bench_matmul, {240, 64, 512, 0, 1}},
    {"matmul-i8-row-1", "1 row x 1024 x 16384, int8", &attn_bench_matmul_i8_rows, {1, 1024, 16384}},
    {"matmul-i8-row-16",
     "16 rows x 1024 x 16384, int8",
     &attn_bench_matmul_i8_rows,
     {16, 1024, 16384}},
    {"matmul-i8-words", "128 rows x 256 x 16384, int8", &attn_bench_matmul_i8, {128, 256, 16384}},
    {"matmul-i8-up", "128 rows x 256 x 1024, int8", &attn_bench_matmul_i8, {128, 256, 1024}},
    {"matmul-i8-128", "128 rows x 1024 x 1024, int8", &attn_bench_matmul_i8, {128, 1024, 1024}},
#define ATTENTION(name, work, ...)                                                                 \
    {"attention-forward-" name, work, &attn_bench_attention_forward, {8, __VA_ARGS__}}, {          \
        "attention-backward-" name, work, &attn_bench_attention_backward, {                        \
            8, __VA_ARGS__                                                                         \
        }                                                                                          \
    }
    ATTENTION("d64-1024", "8 heads of 64, 1,024 tokens", 1024, 64, 0),
    ATTENTION("d64-4096", "8 heads of 64, 4,096 tokens", 4096, 64, 0),
    ATTENTION("d128-1024", "8 heads of 128, 1,024 tokens", 1024, 128, 0),
    ATTENTION("d128-4096", "8 heads of 128, 4,096 tokens", 4096, 128, 0),
    ATTENTION("causal-d64-1024", "the same, causal", 1024, 64, 1),
    ATTENTION("causal-d64-4096", "the same, causal", 4096, 64, 1),
    ATTENTION("causal-d128-1024", "the same, causal", 1024, 128, 1),
    ATTENTION("causal-d128-4096", "the same, causal", 4096, 128, 1),
#undef ATTENTION
    {"attention-forward-short",
     "64 sequences of 6 to 24",
     &attn_bench_short_forward,
     {64, 6, 24, 4, 32}},
    {"attention-backward-short",
     "64 sequences of 6 to 24",
     &attn_bench_short_backward,
     {64, 6, 24, 4, 32}},
    {"attention-both-short", "forward, then backward", &attn_bench_short_both, {64, 6, 24, 4, 32}},
#define OPTION(name, work, ...)                                                                    \
    {"attention-forward-" name "-d64-4096",                                                        \
     work,                                                                                         \
     &attn_bench_attention_forward,                                                                \
     {8, 4096, 64, __VA_ARGS__}},                                                                  \
    {                                                                                              \
        "attention-backward-" name "-d64-4096", work, &attn_bench_attention_backward, {            \
            8, 4096, 64, __VA_ARGS__                                                               \
        }                                                                                          \
    }
    OPTION("window", "8 heads of 64, causal, window 1,024", 1, 1024),
    OPTION("bias", "8 heads of 64, a bias of T x T", 0, 0, ATTN_BENCH_BIAS),
    OPTION("alibi", "8 heads of 64, ALiBi", 0, 0, ATTN_BENCH_ALIBI),
    OPTION("softcap", "8 heads of 64, softcap 50", 0, 0, ATTN_BENCH_SOFTCAP),
    OPTION("sinks", "8 heads of 64, sinks", 0, 0, ATTN_BENCH_SINKS),
#undef OPTION
#define WINDOW(tokens, work)                                                                       \
    {"attention-forward-window-" #tokens,                                                          \
     work,                                                                                         \
     &attn_bench_attention_forward,                                                                \
     {8, tokens, 64, 1, 1024}},                                                                    \
    {                                                                                              \
        "attention-backward-window-" #tokens, work, &attn_bench_attention_backward, {              \
            8, tokens, 64, 1, 1024                                                                 \
        }                                                                                          \
    }
    WINDOW(8192, "8,192 tokens, window 1,024"),
    WINDOW(65536, "65,536 tokens, window 1,024"),
    WINDOW(131072, "131,072 tokens, window 1,024"),
#undef WINDOW
    {"attention-decode-d64", "1 query, 16,384 keys", &attn_bench_attention_decode, {8, 16384, 64}},
    {"attention-decode-d128",
     "1 query, 16,384 keys",
     &attn_bench_attention_decode,
     {8, 16384, 128}},
#define CACHE(name, work, size, type)                                                              \
    {                                                                                              \
        "cache-decode-" name, work, &attn_bench_cache_decode, {                                    \
            8, 16384, size, type                                                                   \
        }                                                                                          \
    }
    CACHE("d64-f32", "the same from a cache, float32", 64, ATTN_CACHE_F32),
    CACHE("d128-f32", "the same from a cache, float32", 128, ATTN_CACHE_F32),
    CACHE("d64-bf16", "from a cache of bfloat16", 64, ATTN_CACHE_BF16),
    CACHE("d128-bf16", "from a cache of bfloat16", 128, ATTN_CACHE_BF16),
    CACHE("d64-i8", "from a cache of int8", 64, ATTN_CACHE_I8),
    CACHE("d128-i8", "from a cache of int8", 128, ATTN_CACHE_I8),
#undef CACHE
    {"train-multi30k", "a step of Transformer-Tiny", &attn_bench_train_multi30k, {0}},
    {"train-base", "a step of the base model", &attn_bench_train_base, {0}},
    {"translate-greedy-1", "1 sentence, d 256, 4+4 layers", &attn_bench_translate, {1, 24, 1}},
    {"translate-greedy-32", "32 sentences at once", &attn_bench_translate, {32, 24, 1}},
    {"translate-beam-32", "32 sentences, beam 4", &attn_bench_translate, {32, 24, 4}},
    {"translate-i8-greedy-1", "1 sentence, int8", &attn_bench_translate, {1, 24, 1, 1}},
    {"translate-i8-greedy-32", "32 sentences at once, int8", &attn_bench_translate, {32, 24, 1, 1}},
    {"translate-i8-beam-32", "32 sentences, beam 4, int8", &attn_bench_translate, {32, 24, 4, 1}},
};

const attn_bench_case *attn_bench_cases(size_t *count) {
    *count = sizeof cases / sizeof *cases;
    return cases;
}

int64_t attn_bench_copies(double bytes) {
    const double enough = 256e6;
    return bytes < enough ? (int64_t)(enough / bytes) + 1 : 1;
}

float *attn_bench_random(int64_t count, float scale, uint64_t stream) {
    float *values = attn_alloc((size_t)count * sizeof *values);
    if (values == NULL) {
        return NULL;
    }
    attn_random random = attn_random_start(attn_random_key(1, 0, stream));
    for (int64_t i = 0; i < count; i++) {
        values[i] = scale * (float)(attn_random_uniform(&random) * 2.0 - 1.0);
    }
    return values;
}
