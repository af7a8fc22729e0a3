/* train/options.c: the loop's defaults and checks, and recipes written and compared by their tables. */
#include "train/options.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"

const char *const attn_schedule_names[] = {"inverse_sqrt", "constant", NULL};
const char *const attn_average_names[] = {"last", "best", NULL};
static const char *const optimizer_names[] = {"adam", "muon", NULL};
static const char *const keep_names[] = {"better", "average", "ema", NULL};
const char *const attn_storage_names[] = {"f32", "bf16", "i8", NULL};

#define INT(field, low, high, help)  ATTN_RECIPE_INT(attn_train_options, field, low, high, help)
#define REAL(field, low, high, help) ATTN_RECIPE_REAL(attn_train_options, field, low, high, help)
#define CHOICE(field, choices, help) ATTN_RECIPE_CHOICE(attn_train_options, field, choices, help)
#define TEXT(field, help)            ATTN_RECIPE_TEXT(attn_train_options, field, help)

static const attn_key train_keys[] = {
    INT(accumulate, 1, 100000, "batches whose gradients are summed for one step"),
    INT(shards, 1, 4096,
        "parts that the batches of a step are divided into; gradients are summed part by part, in "
        "an order "
        "of their own, so that up to as many processes share a step (mpirun) and get equal "
        "results"),
    CHOICE(optimizer, optimizer_names,
           "adam, or muon for the matrices of the layers and adam for the rest: adam, muon"),
    REAL(muon_momentum, 0, 0.999999, "Muon: decay of the momentum"),
    REAL(adam_beta1, 0, 0.999999, "Adam: decay of the mean"),
    REAL(adam_beta2, 0, 0.999999999, "Adam: decay of the mean of squares"),
    REAL(adam_epsilon, 1e-30, 1, "Adam: added to the root"),
    REAL(weight_decay, 0, 1, "decoupled weight decay"),
    REAL(clip_norm, 0, 1e9, "largest norm of the gradient (0: no limit)"),
    REAL(learning_rate, 1e-12, 100, "peak learning rate, reached at the end of the warm-up"),
    REAL(warmup_init, 0, 100, "learning rate at the start of the warm-up"),
    INT(warmup_steps, 0, 1000000000, "steps of linear warm-up"),
    INT(cooldown_steps, 0, 1000000000,
        "last steps, over which the learning rate falls to 0 (before max_steps or max_minutes)"),
    CHOICE(schedule, attn_schedule_names,
           "learning rate after the warm-up: inverse_sqrt, constant"),
    INT(max_steps, 0, 1000000000, "stop after this many steps (0: no limit)"),
    INT(max_epochs, 0, 1000000000, "stop after this many passes over the data (0: no limit)"),
    INT(patience, 0, 1000000000,
        "stop after this many validations without a better one (0: never)"),
    REAL(max_minutes, 0, 1e9,
         "stop after this time (0: no limit); the only option whose outcome depends "
         "on the machine"),
    INT(validate_every, 0, 1000000000, "steps between validations (0: after each epoch)"),
    /* the recipe says what its score is called */
    {NULL, ATTN_KEY_INT, offsetof(attn_train_options, score_every), 0, 1000000000, NULL,
     "validations between scores (0: never)"},
    INT(log_every, 1, 1000000000, "steps between lines of the log"),
    INT(checkpoint_every, 0, 1000000000, "steps between checkpoints (0: only after each epoch)"),
    INT(average, 1, 1000, "validated weights averaged into the model (1: no averaging)"),
    REAL(ema, 0, 0.999999999,
         "decay of a moving average of the weights, taken at every step (0: none; 0.999 is usual)"),
    CHOICE(average_from, attn_average_names,
           "average up to the last or the best validation: last, best"),
    /* the recipe says what there is */
    {NULL, ATTN_KEY_CHOICE, offsetof(attn_train_options, best), 0, 0, NULL, NULL},
    CHOICE(
        keep, keep_names,
        "the model: the best of average, best validation and moving average (ema), or always one "
        "of the averages: better, average, ema"),
    {"keep_checkpoint", ATTN_KEY_BOOL, offsetof(attn_train_options, keep_checkpoint), 0, 0, NULL,
     "keep the checkpoint for --resume after the end"},
    TEXT(freeze, "parameters that stay as they are: names or patterns such as encoder.*, parted by "
                 "spaces; attn info --parameters lists them"),
    INT(seed, 0, 9007199254740992.0, "seed of all random numbers"),
    CHOICE(storage, attn_storage_names, "element type of the finished model: f32, bf16, i8"),
    TEXT(name, "name of the model"),
    TEXT(licence, "licence of the model"),
    TEXT(data, "what it was trained on"),
    TEXT(attribution, "people or projects to credit"),
};

void attn_train_options_init(attn_train_options *options) {
    memset(options, 0, sizeof *options);
    *options = (attn_train_options){
        .accumulate = 1,
        .shards = 1,
        .muon_momentum = 0.95,
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
    bool timed = options->max_steps == 0 && options->max_minutes > 0;
    if (options->cooldown_steps > options->max_steps && !timed) {
        return attn_fail(
            error, ATTN_ERR_ARGUMENT, "cooldown_steps", -1,
            "set max_steps higher than cooldown_steps, or max_minutes without max_steps",
            "%lld steps of cooldown, but max_steps is %lld", (long long)options->cooldown_steps,
            (long long)options->max_steps);
    }
    if (options->shards > options->accumulate) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "shards", -1,
                         "raise accumulate (and lower the size of a batch), or lower shards",
                         "%lld shards, but only %lld batches (accumulate) to divide into them",
                         (long long)options->shards, (long long)options->accumulate);
    }
    if (options->best != ATTN_BEST_LOSS && options->score_every == 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "best", -1,
                         "set bleu_every (of a segmenter, miou_every) to 1, or best = loss",
                         "the best validation is one of the best score, but none is computed");
    }
    if (options->keep == ATTN_KEEP_EMA && options->ema <= 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "keep", -1, "set ema, to 0.999 for example",
                         "there is no moving average to keep");
    }
    if (options->max_steps == 0 && options->max_epochs == 0 && options->max_minutes == 0 &&
        options->patience == 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "max_steps", -1,
                         "set max_steps, max_epochs, max_minutes or patience",
                         "nothing would ever end this training");
    }
    return ATTN_OK;
}

void attn_recipe_add_train(attn_recipe *recipe, size_t base, const char *score_every,
                           const char *const *best, const char *best_help) {
    size_t first = recipe->count;
    attn_recipe_add(recipe, train_keys, sizeof train_keys / sizeof *train_keys, base);
    for (size_t i = first; i < recipe->count; i++) {
        attn_key *key = &recipe->keys[i];
        if (key->name == NULL && key->type == ATTN_KEY_CHOICE) {
            key->name = "best";
            key->choices = best;
            key->help = best_help;
        } else if (key->name == NULL) {
            key->name = score_every;
        }
    }
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
        "max_steps",       "cooldown_steps",
        "max_epochs",      "patience",
        "max_minutes",     "bleu_every",
        "bleu_beam",       "bleu_raw",
        "log_every",       "checkpoint_every",
        "average",         "average_from",
        "storage",         "name",
        "source_language", "licence",
        "target_language", "data",
        "attribution",     "keep_checkpoint",
        "miou_every",      "keep",
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
