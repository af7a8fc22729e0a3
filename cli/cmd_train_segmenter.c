/* cli/cmd_train_segmenter.c: `attn train segmenter`: from pictures and masks to a model.
 *
 * Next: train_command.h, src/train/segmenter_task.h. */
#include "train/segmenter_task.h"
#include "train_command.h"

typedef struct options {
    const char *images, *masks, *list, *valid_images, *valid_masks, *valid_list, *classes;
    int64_t ignore, first, max_pixels;
    bool colors;
    attn_train_common common;
} options;

static const options defaults = {.ignore = ATTN_DEFAULT_IGNORE,
                                 .common = {.out = "segmenter.safetensors", .seed = -1}};

#define OPTION(field, label, type, value, help)                                                    \
    { label, 0, type, offsetof(options, field), 0, 0, NULL, value, help }
static const attn_option table[] = {
    OPTION(images, "images", ATTN_OPTION_FILE, "DIR",
           "pictures to train on (JPEG, PNG, TIFF, WebP)"),
    OPTION(masks, "masks", ATTN_OPTION_FILE, "DIR",
           "their masks (PNG, TIFF, WebP without loss), with the same names"),
    OPTION(list, "pairs", ATTN_OPTION_FILE, "FILE",
           "instead of both: a list with one picture<TAB>mask per line"),
    OPTION(valid_images, "valid-images", ATTN_OPTION_FILE, "DIR",
           "pictures for validation (default: the last tenth by name)"),
    OPTION(valid_masks, "valid-masks", ATTN_OPTION_FILE, "DIR", "their masks"),
    OPTION(valid_list, "valid-pairs", ATTN_OPTION_FILE, "FILE", "instead of both: a list of pairs"),
    OPTION(classes, "classes", ATTN_OPTION_FILE, "FILE",
           "the classes, one `id name r g b` per line"),
    {"ignore", 0, ATTN_OPTION_INT, offsetof(options, ignore), 0, 255, NULL, "N",
     "mask value to ignore in training and scores (default 255)"},
    OPTION(colors, "mask-colors", ATTN_OPTION_FLAG, NULL,
           "masks hold the colours of the classes, not their ids"),
    {"mask-first", 0, ATTN_OPTION_INT, offsetof(options, first), 0, 255, NULL, "N",
     "mask value of class 0; smaller values are ignored too: 1 for masks that count classes from "
     "1, "
     "with 0 for none (default 0)"},
    {"max-pixels", 0, ATTN_OPTION_INT, offsetof(options, max_pixels), 1, 1e12, NULL, "N",
     "refuse larger pictures (default 100 million)"},
};

static const attn_option_group groups[] = {
    {attn_train_common_options, offsetof(options, common)},
    {NULL, 0},
};

static attn_segmenter_files files_of(const options *given) {
    return (attn_segmenter_files){
        .images = given->list != NULL ? given->list : given->images,
        .masks = given->masks,
        .valid_images = given->valid_list != NULL ? given->valid_list : given->valid_images,
        .valid_masks = given->valid_masks,
        .classes = given->classes,
        /* What is below the first class is left out anyway. */
        .ignore = (int)(given->ignore < given->first ? ATTN_DEFAULT_IGNORE : given->ignore),
        .masks_are = {.colors = given->colors,
                      .max_pixels = given->max_pixels,
                      .first = (int)given->first},
    };
}

static attn_status read_data(const options *given, const attn_train_run *r,
                             const attn_segmenter_recipe *recipe, attn_segmenter_data *data,
                             attn_error *error) {
    attn_segmenter_files files = files_of(given);
    attn_train_say(r, "reading pictures and masks\n");
    attn_status status = attn_segmenter_data_read(&files, recipe, data, error);
    if (status == ATTN_OK) {
        attn_train_say(r, "%zu pictures to train on, %zu for validation%s; %d classes\n",
                       data->train.count, data->valid.count,
                       data->held_out ? " (held out, the last by name)" : "", data->classes.count);
    }
    return status;
}

static attn_status train(const options *given, attn_train_run *r,
                         const attn_segmenter_recipe *recipe, attn_error *error) {
    attn_segmenter_data data = {.classes_text = NULL};
    attn_segmenter_task task = {.recipe = NULL};
    const attn_train_named named[] = {
        {"images", given->images},
        {"masks", given->masks},
        {"pairs", given->list},
        {"valid-images", given->valid_images},
        {"valid-masks", given->valid_masks},
        {"valid-pairs", given->valid_list},
        {"classes", given->classes},
    };
    attn_status status = read_data(given, r, recipe, &data, error);
    if (status == ATTN_OK) {
        status = attn_segmenter_task_create(recipe, &data, &task, error);
    }
    status = attn_train_agree(r, status, error);
    if (status == ATTN_OK) {
        status = attn_train_task(r, &task.task, named, ATTN_LENGTH(named), NULL, 0, error);
    }
    attn_segmenter_task_free(&task);
    attn_segmenter_data_free(&data);
    return status;
}

static attn_status check_recipe(const void *values, attn_error *error) {
    return attn_segmenter_recipe_check(values, error);
}

/* Either two folders or a list; NULL when that is what was given. */
static const char *misuse(const options *o) {
    bool folders = o->images != NULL && o->masks != NULL;
    bool none = o->images == NULL && o->masks == NULL;
    bool valid_folders = o->valid_images != NULL && o->valid_masks != NULL;
    bool valid_none = o->valid_images == NULL && o->valid_masks == NULL;
    if (!(folders && o->list == NULL) && !(none && o->list != NULL)) {
        return "give --images DIR and --masks DIR, or --pairs FILE";
    }
    if (!(valid_none || (valid_folders && o->valid_list == NULL))) {
        return "give --valid-images DIR and --valid-masks DIR, or --valid-pairs FILE, or none";
    }
    return o->classes == NULL ? "give --classes FILE" : NULL;
}

static int train_segmenter_run(const void *values, int operand_count, char **operand) {
    (void)operand_count;
    (void)operand;
    static attn_train_run r; /* large, and zero */
    static attn_segmenter_recipe recipe;
    const options *given = values;
    attn_error error = {.status = ATTN_OK};
    if (!given->common.list && misuse(given) != NULL) {
        return attn_say_misuse("train segmenter: %s", misuse(given));
    }
    attn_segmenter_recipe_init(&recipe);
    r.kind = "segmenter";
    r.given = &given->common;
    r.recipe = attn_segmenter_recipe_table(&recipe);
    r.recipe_size = sizeof recipe;
    r.options = &recipe.train;
    r.check = check_recipe;
    attn_status status = attn_train_prepare(&r, &error);
    status = attn_train_agree(&r, status, &error);
    if (status == ATTN_OK && given->common.list) {
        attn_train_list(&r);
    } else if (status == ATTN_OK) {
        status = train(given, &r, &recipe, &error);
    }
    return attn_train_close(&r, status, &error);
}

const attn_command attn_cmd_train_segmenter = {
    .name = "train segmenter",
    .summary = "Train a segmenter from pictures and masks",
    .usage = "--images DIR --masks DIR --classes FILE [--recipe NAME|FILE] [--set KEY=VALUE]... "
             "[--out MODEL]",
    .description =
        "Trains a network of convolutions and self-attention that assigns a class to "
        "each pixel. Writes MODEL.safetensors, a log (MODEL.log.jsonl) and curves "
        "(MODEL.curves.svg). Another thread decodes and augments the pictures (scale, "
        "crop, mirror, colour) during training.\nCtrl-C writes a checkpoint and stops. "
        "--resume continues from the last checkpoint, bit for bit, even after a kill.\nStarted by "
        "mpirun, several processes divide each step: set accumulate and shards to their "
        "number or a multiple (docs/scale.md).",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .groups = groups,
    .defaults = &defaults,
    .options_size = sizeof(options),
    .max_operands = 0,
    .run = train_segmenter_run,
};
