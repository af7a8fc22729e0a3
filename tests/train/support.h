/* tests/train/support.h: a training on a generated corpus that takes a second, in a folder of its
 * own. No tokenizer: the ids are made directly. */
#ifndef TESTS_TRAIN_SUPPORT_H
#define TESTS_TRAIN_SUPPORT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "train/trainer.h"
#include "train/translator_task.h"

enum { TOY_VOCABULARY = 40 };

static inline void toy_options(attn_translator_recipe *recipe) {
    attn_translator_recipe_init(recipe);
    recipe->d_model = 16;
    recipe->ffn = 24;
    recipe->heads = 2;
    recipe->encoder_layers = recipe->decoder_layers = 1;
    recipe->max_length = 16;
    recipe->batch_tokens = 60;
    recipe->train.accumulate = 2;
    recipe->train.learning_rate = 0.01;
    recipe->train.warmup_steps = 5;
    recipe->train.max_steps = 30;
    recipe->train.max_epochs = 0;
    recipe->train.log_every = 4;
    recipe->train.checkpoint_every = 3;
    recipe->train.average = 2;
    recipe->train.keep = ATTN_KEEP_AVERAGE;
}

/* Targets are the sources backward. */
static inline void toy_corpus(int64_t count, uint64_t seed, attn_corpus *out) {
    enum { LONGEST = 9 };
    attn_random random = attn_random_start(attn_random_key(seed, 0, 0));
    *out = (attn_corpus){.count = count};
    out->source = attn_alloc_zero((size_t)count * LONGEST, sizeof *out->source);
    out->target = attn_alloc_zero((size_t)count * LONGEST, sizeof *out->target);
    out->source_start = attn_alloc_zero((size_t)count + 1, sizeof *out->source_start);
    out->target_start = attn_alloc_zero((size_t)count + 1, sizeof *out->target_start);
    for (int64_t p = 0; p < count; p++) {
        int64_t length = 2 + (int64_t)attn_random_below(&random, LONGEST - 1);
        int64_t start = out->source_start[p];
        for (int64_t i = 0; i < length; i++) {
            int32_t id = 4 + (int32_t)attn_random_below(&random, TOY_VOCABULARY - 4);
            out->source[start + i] = out->target[start + length - 1 - i] = id;
        }
        out->source_start[p + 1] = out->target_start[p + 1] = start + length;
    }
}

/* Trains the recipe on the data; the rest of the training is the caller's. */
static inline attn_status toy_train(attn_translator_recipe *recipe,
                                    const attn_translator_data *data, attn_training training,
                                    attn_train_summary *summary, attn_error *error) {
    attn_translator_task task;
    attn_recipe table = attn_translator_recipe_table(recipe);
    attn_status status = attn_translator_task_create(recipe, data, TOY_VOCABULARY, &task, error);
    if (status == ATTN_OK) {
        training.options = &recipe->train;
        training.recipe = &table;
        training.task = &task.task;
        status = attn_training_run(&training, summary, error);
        attn_translator_task_free(&task);
    }
    return status;
}

/* A new folder; its name is kept until the process ends. */
static inline const char *toy_folder(void) {
    static char names[16][64];
    static int used;
    char *name = names[used++ % 16];
    snprintf(name, sizeof names[0], "/tmp/attn-train-XXXXXX");
    return mkdtemp(name);
}

static inline void toy_remove(const char *folder) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) {
        fprintf(stderr, "%s stays behind\n", folder);
    }
}

typedef struct toy_paths {
    char model[128], best[128], checkpoint[128], log[128];
} toy_paths;

static inline toy_paths toy_paths_in(const char *folder) {
    toy_paths p;
    snprintf(p.model, sizeof p.model, "%s/m.safetensors", folder);
    snprintf(p.best, sizeof p.best, "%s/m.best.safetensors", folder);
    snprintf(p.checkpoint, sizeof p.checkpoint, "%s/m.checkpoint", folder);
    snprintf(p.log, sizeof p.log, "%s/m.log.jsonl", folder);
    return p;
}

static inline bool toy_files_equal(const char *a, const char *b) {
    FILE *x = fopen(a, "rb"), *y = fopen(b, "rb");
    bool equal = x != NULL && y != NULL;
    for (int c = 0; equal && c != EOF;) {
        c = fgetc(x);
        equal = c == fgetc(y);
    }
    if (x != NULL) {
        fclose(x);
    }
    if (y != NULL) {
        fclose(y);
    }
    return equal;
}

#endif
