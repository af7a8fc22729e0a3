/* train/options.c: the table of training options. A new knob is a field and one row here. */
#include "train/options.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"

static const char *const norms[] = {"pre", "post", NULL};
static const char *const position_kinds[] = {"sinusoidal", "learned", NULL};
static const char *const activations[] = {"relu", "gelu", NULL};
static const char *const tokenizer_types[] = {"unigram", "bpe", NULL};
static const char *const schedules[] = {"inverse_sqrt", "constant", NULL};
static const char *const averages[] = {"last", "best", NULL};
static const char *const storages[] = {"f32", "bf16", "i8", NULL};

#define ROW(field, type, low, high, choices, help)                                                 \
    { #field, type, offsetof(attn_train_options, field), low, high, choices, help }
#define INT(field, low, high, help)  ROW(field, ATTN_KEY_INT, low, high, NULL, help)
#define REAL(field, low, high, help) ROW(field, ATTN_KEY_REAL, low, high, NULL, help)
#define CHOICE(field, choices, help) ROW(field, ATTN_KEY_CHOICE, 0, 0, choices, help)
#define TEXT(field, help)            ROW(field, ATTN_KEY_TEXT, 0, 0, NULL, help)

static const attn_key keys[] = {
    INT(d_model, 1, 16384, "channels of a token"),
    INT(ffn, 1, 65536, "hidden channels of the feed-forward layers"),
    INT(heads, 1, 1024, "attention heads; divides d_model"),
    INT(kv_heads, 0, 1024, "key and value heads; divides heads (0: as many as heads)"),
    INT(encoder_layers, 1, 256, "layers of the encoder"),
    INT(decoder_layers, 1, 256, "layers of the decoder"),
    INT(max_length, 4, 65536, "longest sentence in tokens; longer pairs are left out"),
    CHOICE(norm, norms, "layer norm before or after each sublayer: pre, post"),
    CHOICE(positions, position_kinds, "sinusoidal or learned"),
    CHOICE(activation, activations, "of the feed-forward layers: relu, gelu"),
    INT(vocabulary, 8, 1000000, "pieces of the joint tokenizer"),
    CHOICE(tokenizer_type, tokenizer_types, "unigram or bpe"),
    TEXT(normalization, "of the text: identity, nfkc, nmt_nfkc, nfkc_cf, nmt_nfkc_cf"),
    TEXT(elisions, "words set apart from the next one, as in French: c d j l m n qu s t"),
    REAL(character_coverage, 0.5, 1, "share of the characters that get a piece"),
    REAL(dropout, 0, 0.95, "on embeddings and sublayers"),
    REAL(attention_dropout, 0, 0.95, "on the attention weights"),
    REAL(activation_dropout, 0, 0.95, "inside the feed-forward layers"),
    REAL(label_smoothing, 0, 0.9, "share of the target spread over the vocabulary"),
    INT(batch_tokens, 1, 100000000, "tokens of a batch, on its longer side"),
    INT(accumulate, 1, 100000, "batches whose gradients are added up for one step"),
    REAL(adam_beta1, 0, 0.999999, "Adam: decay of the mean"),
    REAL(adam_beta2, 0, 0.999999999, "Adam: decay of the mean of squares"),
    REAL(adam_epsilon, 1e-30, 1, "Adam: added to the root"),
    REAL(weight_decay, 0, 1, "decoupled weight decay"),
    REAL(clip_norm, 0, 1e9, "largest norm of the gradient (0: no limit)"),
    REAL(learning_rate, 1e-12, 100, "the highest, at the end of the warm-up"),
    REAL(warmup_init, 0, 100, "learning rate at the start of the warm-up"),
    INT(warmup_steps, 0, 1000000000, "steps of linear warm-up"),
    INT(cooldown_steps, 0, 1000000000,
        "last steps, over which the rate falls to 0 (needs max_steps)"),
    CHOICE(schedule, schedules, "after the warm-up: inverse_sqrt, constant"),
    INT(max_steps, 0, 1000000000, "stop after this many steps (0: no limit)"),
    INT(max_epochs, 0, 1000000000, "stop after this many passes over the data (0: no limit)"),
    INT(patience, 0, 1000000000,
        "stop after this many validations without a better loss (0: never)"),
    REAL(max_minutes, 0, 1e9,
         "stop after this time (0: no limit); the one option whose outcome depends on the machine"),
    INT(validate_every, 0, 1000000000, "steps between validations (0: after each epoch)"),
    INT(bleu_every, 0, 1000000000, "validations between BLEU scores (0: never)"),
    INT(bleu_beam, 1, 100, "beam of the translations for that score"),
    INT(log_every, 1, 1000000000, "steps between lines of the log"),
    INT(checkpoint_every, 0, 1000000000, "steps between checkpoints (0: only after each epoch)"),
    INT(average, 1, 1000, "validated weights averaged into the model (1: no averaging)"),
    CHOICE(average_from, averages, "average up to the last or to the best validation: last, best"),
    ROW(keep_checkpoint, ATTN_KEY_BOOL, 0, 0, NULL, "keep what --resume needs after the end"),
    INT(seed, 0, 9007199254740992.0, "of all random numbers"),
    CHOICE(storage, storages, "of the finished model: f32, bf16, i8"),
    TEXT(name, "of the model"),
    TEXT(source_language, "such as en"),
    TEXT(target_language, "such as fr"),
    TEXT(licence, "of the model"),
    TEXT(data, "what it was trained on"),
    TEXT(attribution, "whom to credit"),
};
enum { KEY_COUNT = sizeof keys / sizeof *keys };

const attn_key *attn_train_keys(size_t *count) {
    *count = KEY_COUNT;
    return keys;
}

void attn_train_options_init(attn_train_options *options) {
    memset(options, 0, sizeof *options);
    *options = (attn_train_options){
        .d_model = 256,
        .ffn = 1024,
        .heads = 4,
        .encoder_layers = 4,
        .decoder_layers = 4,
        .max_length = 256,
        .vocabulary = 8000,
        .normalization = "nmt_nfkc",
        .character_coverage = 0.9995,
        .dropout = 0.1,
        .label_smoothing = 0.1,
        .batch_tokens = 4096,
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
        .bleu_beam = 1,
        .log_every = 50,
        .checkpoint_every = 500,
        .average = 5,
        .keep_checkpoint = true,
        .seed = 1,
    };
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

attn_status attn_train_options_check(const attn_train_options *options, attn_error *error) {
    int64_t kv_heads = options->kv_heads == 0 ? options->heads : options->kv_heads;
    if (options->d_model % options->heads != 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "heads", -1, "choose a divisor of d_model",
                         "%lld heads do not divide d_model = %lld", (long long)options->heads,
                         (long long)options->d_model);
    }
    if (options->heads % kv_heads != 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "kv_heads", -1, "choose a divisor of heads",
                         "%lld key and value heads do not divide %lld heads", (long long)kv_heads,
                         (long long)options->heads);
    }
    if (options->cooldown_steps > options->max_steps) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "cooldown_steps", -1,
                         "set max_steps to more than cooldown_steps",
                         "%lld steps of cooldown, but max_steps is %lld",
                         (long long)options->cooldown_steps, (long long)options->max_steps);
    }
    if (options->max_steps == 0 && options->max_epochs == 0 && options->max_minutes == 0 &&
        options->patience == 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "max_steps", -1,
                         "set max_steps, max_epochs, max_minutes or patience",
                         "nothing would ever end this training");
    }
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (keys[i].type == ATTN_KEY_TEXT) {
            attn_status status =
                check_text(keys[i].name, (const char *)options + keys[i].offset, error);
            if (status != ATTN_OK) {
                return status;
            }
        }
    }
    return ATTN_OK;
}

attn_status attn_train_options_print(const attn_train_options *options, char **text,
                                     attn_error *error) {
    enum { LINE = 256 };
    size_t used = 0;
    *text = attn_alloc(KEY_COUNT * LINE + 1);
    if (*text == NULL) {
        return attn_fail_memory(error, KEY_COUNT * LINE + 1);
    }
    (*text)[0] = '\0';
    for (size_t i = 0; i < KEY_COUNT; i++) {
        char value[LINE - 64];
        attn_recipe_print(&keys[i], options, value, sizeof value);
        if (keys[i].type == ATTN_KEY_TEXT && value[0] == '\0') {
            continue;
        }
        used += (size_t)snprintf(*text + used, LINE, "%s = %s\n", keys[i].name, value);
    }
    return ATTN_OK;
}

/* May change when a training goes on. */
static bool free_to_change(const char *name) {
    static const char *const names[] = {
        "max_steps", "max_epochs",  "patience",         "max_minutes", "bleu_every",
        "bleu_beam", "log_every",   "checkpoint_every", "average",     "average_from",
        "storage",   "name",        "source_language",  "licence",     "target_language",
        "data",      "attribution", "keep_checkpoint",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

attn_status attn_train_options_same(const attn_train_options *before, const attn_train_options *now,
                                    attn_error *error) {
    for (size_t i = 0; i < KEY_COUNT; i++) {
        char was[ATTN_KEY_TEXT_SIZE], is[ATTN_KEY_TEXT_SIZE];
        attn_recipe_print(&keys[i], before, was, sizeof was);
        attn_recipe_print(&keys[i], now, is, sizeof is);
        if (strcmp(was, is) != 0 && !free_to_change(keys[i].name)) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, keys[i].name, -1,
                             "leave it as it was, or begin another training with --force",
                             "the checkpoint was trained with %s, not %s", was, is);
        }
    }
    return ATTN_OK;
}

void attn_train_options_config(const attn_train_options *options, int64_t vocabulary,
                               attn_translator_config *config) {
    attn_translator_config_init(config);
    config->vocabulary = vocabulary;
    config->d_model = options->d_model;
    config->ffn = options->ffn;
    config->heads = options->heads;
    config->kv_heads = options->kv_heads == 0 ? options->heads : options->kv_heads;
    config->encoder_layers = options->encoder_layers;
    config->decoder_layers = options->decoder_layers;
    config->max_length = options->max_length;
    config->pre_norm = options->norm == ATTN_NORM_PRE;
    config->learned_positions = options->positions == ATTN_POSITIONS_LEARNED;
    config->activation = options->activation == 0 ? ATTN_ACTIVATION_RELU : ATTN_ACTIVATION_GELU;
    config->dropout = options->dropout;
    config->attention_dropout = options->attention_dropout;
    config->activation_dropout = options->activation_dropout;
    config->label_smoothing = options->label_smoothing;
}

const char *attn_train_tokenizer_type(const attn_train_options *options) {
    return tokenizer_types[options->tokenizer_type];
}
