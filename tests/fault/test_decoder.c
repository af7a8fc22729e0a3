/* tests/fault/test_decoder.c: every allocation of a decoder's life fails once: made, scored, gone on with, saved, loaded, run again.
 * Next: support/faulty_life.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "attn/generate.h"
#include "support/faulty_life.h"
#include "support/tiny_decoder.h"

enum { TOKENS = 12 };
static const int32_t ids[TOKENS] = {2, 5, 6, 7, 3, 2, 13, 14, 9, 8, 15, 3};
static const int64_t starts[] = {0, 5, TOKENS};

typedef struct results {
    attn_real log_p[TOKENS];
    int32_t ids[2][4];
} results;

static attn_status run(const attn_decoder *model, results *out) {
    const attn_decoder_batch batch = {2, ids, starts};
    attn_continuation continuations[2];
    attn_generate_options options;
    attn_generate_options_init(&options);
    options.max_tokens = 4;
    options.sample = true;
    attn_status status = attn_decoder_score(model, &batch, out->log_p, NULL);
    if (status != ATTN_OK) {
        return status;
    }
    status = attn_generate(model, 2, ids, starts, NULL, &options, continuations, NULL);
    for (int i = 0; i < 2 && status == ATTN_OK; i++) {
        memcpy(out->ids[i], continuations[i].ids, sizeof out->ids[i]);
    }
    attn_continuations_free(continuations, 2);
    return status;
}

static attn_status life(const void *what, const char *path, void *out) {
    const attn_decoder_config *config = what;
    attn_decoder *model = NULL;
    void *bytes = NULL;
    size_t size = 0;
    attn_status status = attn_decoder_create(config, &model, NULL);
    assert_true((model == NULL) == (status != ATTN_OK));
    if (status == ATTN_OK) {
        tiny_decoder_fill(model);
        status = attn_decoder_pack(model, ATTN_COMPUTE_F32, NULL);
    }
    status = status == ATTN_OK ? run(model, out) : status;
    if (status == ATTN_OK) {
        status = attn_decoder_save(model, ATTN_STORE_F32, "words", 5, NULL, 0, path, NULL);
    }
    attn_decoder_free(model);
    if (status == ATTN_OK) {
        status = attn_decoder_load(path, ATTN_COMPUTE_F32, &model, &bytes, &size, NULL);
        assert_true((model == NULL) == (status != ATTN_OK));
        assert_true((bytes == NULL) == (status != ATTN_OK));
        if (status == ATTN_OK) {
            status = run(model, out);
            attn_decoder_free(model);
        }
    }
    attn_decoder_free_bytes(bytes);
    return status;
}

static void test_every_allocation_fails_once(void **unused) {
    (void)unused;
    static results expected, got;
    attn_decoder_config config = tiny_decoder_config(1);
    check_faulty_life(life, &config, &expected, &got, sizeof got, 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation_fails_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
