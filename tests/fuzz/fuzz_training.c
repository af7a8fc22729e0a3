/* Any bytes as what a training left behind, which the first letter chooses: c a checkpoint, s the state in one whose hashes are
 * right, m a model, l a log. Refused with a word, or as good as any. Built with clang -fsanitize=fuzzer, or with replay.c. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "attn/model.h"
#include "base/memory.h"
#include "show/curves.h"
#include "support/fuzz_file.h"
#include "train/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile float sink;

static void use_checkpoint(const attn_checkpoint *c) {
    float sum = 0;
    for (int64_t i = 0; i < c->size; i++) {
        sum += c->weights[i] + c->adam_m[i] + c->adam_v[i] + (c->ema != NULL ? c->ema[i] : 0);
    }
    sink = sum; /* every number is there to be read */
    fuzz_require(c->state.count.step >= 0 && c->state.count.next_batch <= c->state.count.batches);
}

static void load_checkpoint(const char *path) {
    attn_checkpoint checkpoint;
    attn_error error;
    attn_status status = attn_checkpoint_load(path, &checkpoint, &error);
    fuzz_require_outcome(status, &error);
    if (status == ATTN_OK) {
        use_checkpoint(&checkpoint);
        attn_checkpoint_close(&checkpoint);
    }
}

/* The bytes as the counts and reals of a checkpoint that is sound but for them. */
static void load_state(const uint8_t *data, size_t size) {
    static const float weights[4] = {0};
    attn_checkpoint made = {.size = 4,
                            .weights = weights,
                            .adam_m = weights,
                            .adam_v = weights,
                            .options = "",
                            .layout = 1};
    const char *path = fuzz_file("", 0);
    memcpy(&made.state, data, size < sizeof made.state ? size : sizeof made.state);
    fuzz_require(attn_checkpoint_save(&made, path, NULL) == ATTN_OK);
    load_checkpoint(path);
}

static void load_model(const char *path) {
    attn_model *model = NULL;
    attn_error error;
    attn_status status = attn_model_open(path, NULL, &model, &error);
    fuzz_require(status == ATTN_ERR_MEMORY || status == ATTN_ERR_NUMERIC || status == ATTN_OK ||
                 error.what[0] != '\0');
    attn_model_close(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    attn_error error;
    if (size < 1) {
        return 0;
    }
    switch (data[0]) {
    case 'c':
        load_checkpoint(fuzz_file(data + 1, size - 1));
        break;
    case 's':
        load_state(data + 1, size - 1);
        break;
    case 'm':
        load_model(fuzz_file(data + 1, size - 1));
        break;
    default:
        (void)!attn_curves_draw(fuzz_file(data + 1, size - 1), "/dev/null", &error);
        break;
    }
    return 0;
}
