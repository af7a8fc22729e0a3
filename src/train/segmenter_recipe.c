/* train/segmenter_recipe.c: the table of a segmenter's knobs. A new one is a field and a row here. */
#include "train/segmenter_recipe.h"

#include <string.h>

#include "base/fail.h"
#include "models/config.h"

static const char *const best_by[] = {"loss", "miou", NULL};

#define INT(field, low, high, help)  ATTN_RECIPE_INT(attn_segmenter_recipe, field, low, high, help)
#define REAL(field, low, high, help) ATTN_RECIPE_REAL(attn_segmenter_recipe, field, low, high, help)
#define CHOICE(field, choices, help) ATTN_RECIPE_CHOICE(attn_segmenter_recipe, field, choices, help)

static const attn_key keys[] = {
    INT(width_2, 8, 1024, "channels at half the picture's size"),
    INT(width_4, 8, 1024, "channels at a quarter of the picture's size"),
    INT(d_model, 8, 4096, "channels at an eighth of the picture's size, where attention works"),
    INT(units_4, 0, 16, "residual units of convolutions at a quarter"),
    INT(units_8, 0, 16, "residual units of convolutions at an eighth"),
    INT(blocks, 0, 64, "blocks of mixer and feed-forward"),
    INT(heads, 1, 256, "attention heads; divides d_model"),
    INT(ffn, 1, 16384, "hidden channels of the feed-forward of a block with attention"),
    CHOICE(mixer, attn_mixer_names,
           "how positions exchange information: global, window, depthwise, none"),
    INT(window, 1, 31, "window side of the mixers window and depthwise"),
    INT(shrink, 1, 8, "factor by which the grid of keys and values is smaller"),
    CHOICE(activation, attn_segmenter_activation_names + 1,
           "activation of the feed-forward: relu, gelu"),
    CHOICE(norm, attn_segmenter_norm_names,
           "norm of the convolutions: picture (group norm), place (layer norm at each position)"),
    REAL(dropout, 0, 0.95, "dropout on the sublayers"),
    REAL(attention_dropout, 0, 0.95, "dropout on the attention weights"),
    REAL(stochastic_depth, 0, 0.95,
         "probability of dropping the last block for a picture; earlier blocks are dropped less "
         "often"),
    REAL(label_smoothing, 0, 0.9, "share of the target probability spread over the classes"),
    INT(reduce, 1, 16, "factor by which to shrink all pictures and masks first"),
    INT(batch_pictures, 1, 4096, "pictures per batch"),
    INT(crop_width, 8, 16384, "width of a training crop"),
    INT(crop_height, 8, 16384, "height of a training crop"),
    REAL(scale_low, 0.05, 20, "smallest factor of the random scaling"),
    REAL(scale_high, 0.05, 20, "largest factor of the random scaling"),
    REAL(flip, 0, 1, "probability of mirroring a picture"),
    REAL(brightness, 0, 1, "brightness: a random factor from 1 - x to 1 + x"),
    REAL(contrast, 0, 1, "contrast: a random factor from 1 - x to 1 + x"),
    REAL(saturation, 0, 1, "saturation: a random factor from 1 - x to 1 + x"),
    REAL(balance, 0, 2, "class weights (median frequency / frequency)^balance (0: none)"),
};

attn_recipe attn_segmenter_recipe_table(attn_segmenter_recipe *recipe) {
    attn_recipe table = {.values = recipe};
    attn_recipe_add(&table, keys, sizeof keys / sizeof *keys, 0);
    attn_recipe_add_train(&table, offsetof(attn_segmenter_recipe, train), "miou_every", best_by,
                          "what the best validation is judged by: loss, miou");
    return table;
}

void attn_segmenter_recipe_init(attn_segmenter_recipe *recipe) {
    attn_segmenter_config config;
    attn_segmenter_config_init(&config);
    memset(recipe, 0, sizeof *recipe);
    *recipe = (attn_segmenter_recipe){
        .width_2 = config.width_2,
        .width_4 = config.width_4,
        .d_model = config.d_model,
        .units_4 = config.units_4,
        .units_8 = config.units_8,
        .blocks = config.blocks,
        .heads = config.heads,
        .ffn = config.ffn,
        .window = config.window,
        .shrink = config.shrink,
        .mixer = (int)config.mixer,
        .activation = config.activation == ATTN_ACTIVATION_GELU,
        .norm = (int)config.norm,
        .dropout = config.dropout,
        .attention_dropout = config.attention_dropout,
        .label_smoothing = config.label_smoothing,
        .stochastic_depth = config.stochastic_depth,
        .reduce = 1,
        .batch_pictures = 4,
        .crop_width = 320,
        .crop_height = 256,
        .scale_low = 0.75,
        .scale_high = 1.5,
        .flip = 0.5,
        .brightness = 0.2,
        .contrast = 0.2,
        .saturation = 0.2,
    };
    attn_train_options_init(&recipe->train);
    recipe->train.max_epochs = 100;
    recipe->train.patience = 0;
    recipe->train.score_every = 1;
}

attn_status attn_segmenter_recipe_check(const attn_segmenter_recipe *recipe, attn_error *error) {
    attn_segmenter_config config;
    attn_segmenter_recipe_config(recipe, 2, &config);
    attn_status status = attn_segmenter_config_check(&config, error);
    if (status == ATTN_OK && recipe->scale_low > recipe->scale_high) {
        status =
            attn_fail(error, ATTN_ERR_ARGUMENT, "scale_low", -1, "set it to scale_high or less",
                      "%g is larger than scale_high = %g", recipe->scale_low, recipe->scale_high);
    }
    attn_segmenter_recipe copy = *recipe;
    attn_recipe table = attn_segmenter_recipe_table(&copy);
    if (status == ATTN_OK) {
        status = attn_recipe_check_texts(&table, error);
    }
    return status == ATTN_OK ? attn_train_options_check(&recipe->train, error) : status;
}

void attn_segmenter_recipe_config(const attn_segmenter_recipe *recipe, int64_t classes,
                                  attn_segmenter_config *config) {
    attn_segmenter_config_init(config);
    config->classes = classes;
    config->width_2 = recipe->width_2;
    config->width_4 = recipe->width_4;
    config->d_model = recipe->d_model;
    config->units_4 = recipe->units_4;
    config->units_8 = recipe->units_8;
    config->blocks = recipe->blocks;
    config->heads = recipe->heads;
    config->ffn = recipe->ffn;
    config->mixer = (attn_mixer)recipe->mixer;
    config->window = recipe->window;
    config->shrink = recipe->shrink;
    config->activation = recipe->activation == 0 ? ATTN_ACTIVATION_RELU : ATTN_ACTIVATION_GELU;
    config->norm = (attn_segmenter_norm)recipe->norm;
    config->dropout = recipe->dropout;
    config->attention_dropout = recipe->attention_dropout;
    config->label_smoothing = recipe->label_smoothing;
    config->stochastic_depth = recipe->stochastic_depth;
}
