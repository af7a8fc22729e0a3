/* cli/cmd_scenes.c: `attn scenes`: pictures and masks drawn by rule, to train a segmenter on. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/memory.h"
#include "command.h"
#include "image/encode.h"
#include "image/scenes.h"
#include "io/file.h"

typedef struct options {
    int64_t count, seed, width, height, colors, shapes;
} options;

static const options defaults = {
    .count = 100, .seed = 1, .width = 96, .height = 96, .colors = 2, .shapes = 8};

#define ROW(label, field, low, high, help)                                                         \
    { label, 0, ATTN_OPTION_INT, offsetof(options, field), low, high, NULL, "N", help }
static const attn_option table[] = {
    ROW("count", count, 1, 1000000, "number of scenes (default 100)"),
    ROW("seed", seed, 0, 9007199254740992.0, "seed of the random numbers (default 1)"),
    ROW("width", width, 64, 4096, "pixels (default 96)"),
    ROW("height", height, 64, 4096, "pixels (default 96)"),
    ROW("colors", colors, 1, 3, "number of colours, each with its own marker (default 2)"),
    ROW("shapes", shapes, 1, 16, "shapes per scene (default 8)"),
};

static attn_status make_folder(const char *path, attn_error *error) {
    struct stat about;
    if (mkdir(path, 0777) == 0 || (stat(path, &about) == 0 && S_ISDIR(about.st_mode))) {
        return ATTN_OK;
    }
    return attn_fail(error, ATTN_ERR_IO, path, -1, "choose another name",
                     "cannot create the folder");
}

static attn_status write_scene(const options *o, const char *folder, int64_t index,
                               const attn_classes *classes, attn_error *error) {
    attn_scene_options wanted = {o->width, o->height, (int)o->colors, (int)o->shapes};
    attn_picture picture;
    attn_mask mask;
    char path[4096];
    attn_status status =
        attn_scene_draw(&wanted, (uint64_t)o->seed, (uint64_t)index, &picture, &mask, error);
    if (status == ATTN_OK) {
        snprintf(path, sizeof path, "%s/images/%06lld.png", folder, (long long)index);
        status = attn_picture_write(path, &picture, NULL, error);
    }
    if (status == ATTN_OK) {
        snprintf(path, sizeof path, "%s/masks/%06lld.png", folder, (long long)index);
        status = attn_mask_write(path, &mask, classes, NULL, error);
    }
    attn_picture_free(&picture);
    attn_mask_free(&mask);
    return status;
}

static attn_status write_classes(const char *folder, const attn_classes *classes,
                                 attn_error *error) {
    char path[4096], *text = attn_classes_print(classes);
    if (text == NULL) {
        return attn_fail_memory(error, 0);
    }
    snprintf(path, sizeof path, "%s/classes.txt", folder);
    attn_bytes bytes = {text, strlen(text)};
    attn_status status = attn_file_replace(path, &bytes, 1, error);
    attn_free(text);
    return status;
}

static int scenes_run(const void *given, int operand_count, char **operand) {
    (void)operand_count;
    const options *o = given;
    static attn_classes classes;
    attn_error error;
    char path[4096];
    attn_scene_classes(&classes);
    if (strlen(operand[0]) > 4000) {
        return attn_say_misuse("scenes: the folder's name is too long");
    }
    attn_status status = make_folder(operand[0], &error);
    static const char *const parts[] = {"images", "masks"};
    for (int i = 0; i < 2 && status == ATTN_OK; i++) {
        snprintf(path, sizeof path, "%s/%s", operand[0], parts[i]);
        status = make_folder(path, &error);
    }
    if (status == ATTN_OK) {
        status = write_classes(operand[0], &classes, &error);
    }
    for (int64_t i = 0; i < o->count && status == ATTN_OK; i++) {
        status = write_scene(o, operand[0], i, &classes, &error);
    }
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

const attn_command attn_cmd_scenes = {
    .name = "scenes",
    .summary = "Draw pictures and masks by rule, to try the segmenter on",
    .usage = "[OPTION]... FOLDER",
    .description = "Writes FOLDER/images, FOLDER/masks and FOLDER/classes.txt. Scenes hold "
                   "coloured shapes and striped markers. A shape's class depends only on the "
                   "far-away marker of the same colour: whether its stripes are white or black. "
                   "Nothing nearby tells. The same options draw the same scenes on every machine.",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .defaults = &defaults,
    .options_size = sizeof(options),
    .min_operands = 1,
    .max_operands = 1,
    .run = scenes_run,
};
