/* train/options.c: the loop's defaults and checks, and recipes written and compared by their tables. */
#include "train/options.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"

const char *const attn_schedule_names[] = {"inverse_sqrt", "constant", NULL};
const char *const attn_average_names[] = {"last", "best", NULL};
const char *const attn_storage_names[] = {"f32", "bf16", "i8", NULL};

void attn_train_options_init(attn_train_options *options) {
    memset(options, 0, sizeof *options);
    *options = (attn_train_options){
        .accumulate = 1,
        .adam_beta1 = 0.9,
        .adam_beta2 = 0.98,
        .adam_epsilon = 1e-9,
        .clip_norm = 1,
        .learning_rate = 0.001,
        .warmup_init = 1e-7,
        .warmup_steps = 1000,
        .max_epochs = 20,
        .patience = 10,
        .log_every = 50,
        .checkpoint_every = 500,
        .average = 5,
        .keep_checkpoint = true,
        .seed = 1,
    };
}

attn_status attn_train_options_check(const attn_train_options *options, attn_error *error) {
    if (options->cooldown_steps > options->max_steps) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "cooldown_steps", -1,
                         "set max_steps higher than cooldown_steps",
                         "%lld steps of cooldown, but max_steps is %lld",
                         (long long)options->cooldown_steps, (long long)options->max_steps);
    }
    if (options->max_steps == 0 && options->max_epochs == 0 && options->max_minutes == 0 &&
        options->patience == 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "max_steps", -1,
                         "set max_steps, max_epochs, max_minutes or patience",
                         "nothing would ever end this training");
    }
    return ATTN_OK;
}

static attn_status check_text(const char *key, const char *value, attn_error *error) {
    for (const char *at = value; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, key, -1, "write it on one line",
                             "the value holds a control character");
        }
    }
    return ATTN_OK;
}

attn_status attn_recipe_check_texts(const attn_recipe *recipe, attn_error *error) {
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < recipe->count && status == ATTN_OK; i++) {
        const attn_key *key = &recipe->keys[i];
        if (key->type == ATTN_KEY_TEXT) {
            status = check_text(key->name, (const char *)recipe->values + key->offset, error);
        }
    }
    return status;
}

attn_status attn_recipe_write(const attn_recipe *recipe, char **text, attn_error *error) {
    enum { LINE = 256 };
    size_t used = 0;
    *text = attn_alloc(recipe->count * LINE + 1);
    if (*text == NULL) {
        return attn_fail_memory(error, recipe->count * LINE + 1);
    }
    (*text)[0] = '\0';
    for (size_t i = 0; i < recipe->count; i++) {
        const attn_key *key = &recipe->keys[i];
        char value[LINE - 64];
        attn_recipe_print(key, recipe->values, value, sizeof value);
        if (key->type == ATTN_KEY_TEXT && value[0] == '\0') {
            continue;
        }
        used += (size_t)snprintf(*text + used, LINE, "%s = %s\n", key->name, value);
    }
    return ATTN_OK;
}

/* May change when a training goes on. */
static bool free_to_change(const char *name) {
    static const char *const names[] = {
        "max_steps", "max_epochs",  "patience",         "max_minutes", "bleu_every",
        "bleu_beam", "log_every",   "checkpoint_every", "average",     "average_from",
        "storage",   "name",        "source_language",  "licence",     "target_language",
        "data",      "attribution", "keep_checkpoint",  "miou_every",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

attn_status attn_recipe_same(const attn_recipe *before, const attn_recipe *now, attn_error *error) {
    for (size_t i = 0; i < now->count; i++) {
        char was[ATTN_KEY_TEXT_SIZE], is[ATTN_KEY_TEXT_SIZE];
        attn_recipe_print(&now->keys[i], before->values, was, sizeof was);
        attn_recipe_print(&now->keys[i], now->values, is, sizeof is);
        if (strcmp(was, is) != 0 && !free_to_change(now->keys[i].name)) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, now->keys[i].name, -1,
                             "keep the old value, or start over with --force",
                             "the checkpoint was trained with %s, not %s", was, is);
        }
    }
    return ATTN_OK;
}
