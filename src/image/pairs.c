/* image/pairs.c: pairs of files from two folders or from a list. */
#include "image/pairs.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "io/file.h"
#include "io/lines.h"

enum { LIST_LIMIT = 1 << 28, QUOTED = 200 };

static const char *const picture_extensions[] = {".jpg",  ".jpeg", ".png", ".tif",
                                                 ".tiff", ".webp", NULL};
static const char *const mask_extensions[] = {".png", ".tif", ".tiff", ".webp", NULL};

/* ---- names ---- */

typedef struct names {
    char **name;
    size_t count, room;
} names;

static void names_free(names *list) {
    for (size_t i = 0; i < list->count; i++) {
        attn_free(list->name[i]);
    }
    attn_free(list->name);
    *list = (names){NULL, 0, 0};
}

/* Keeps a copy of a, with a slash and b behind it when b is not NULL. */
static attn_status names_add(names *list, const char *a, size_t a_length, const char *b,
                             attn_error *error) {
    if (!attn_grow(&list->name, &list->room, list->count + 1, sizeof *list->name)) {
        return attn_fail_memory(error, list->count * sizeof *list->name);
    }
    size_t size = a_length + (b != NULL ? strlen(b) + 1 : 0) + 1;
    char *copy = attn_alloc(size);
    if (copy == NULL) {
        return attn_fail_memory(error, size);
    }
    snprintf(copy, size, "%.*s%s%s", (int)a_length, a, b != NULL ? "/" : "", b != NULL ? b : "");
    list->name[list->count++] = copy;
    return ATTN_OK;
}

static size_t base_length(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot != NULL ? (size_t)(dot - name) : strlen(name);
}

/* By the name up to the extension, as bytes: the same order in every locale. */
static int compare_base(const char *a, const char *b) {
    size_t a_length = base_length(a), b_length = base_length(b);
    int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

static int compare_names(const void *a, const void *b) {
    const char *left = *(const char *const *)a, *right = *(const char *const *)b;
    int order = compare_base(left, right);
    return order != 0 ? order : strcmp(left, right);
}

/* ---- folders ---- */

static bool has_extension(const char *name, const char *const *extensions) {
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && dot != name && extensions[i] != NULL; i++) {
        if (strcasecmp(dot, extensions[i]) == 0) {
            return true;
        }
    }
    return false;
}

static attn_status check_doubles(const char *folder, const names *list, attn_error *error) {
    char first[QUOTED], second[QUOTED];
    for (size_t i = 1; i < list->count; i++) {
        if (compare_base(list->name[i - 1], list->name[i]) == 0) {
            return attn_fail(error, ATTN_ERR_FORMAT, folder, -1,
                             "keep one of them: a mask is found by the name before the extension",
                             "two files share a name: %s and %s",
                             attn_utf8_quote(first, sizeof first, list->name[i - 1]),
                             attn_utf8_quote(second, sizeof second, list->name[i]));
        }
    }
    return ATTN_OK;
}

/* The files of a folder with one of these extensions, sorted. */
static attn_status list_folder(const char *folder, const char *const *extensions, const char *kind,
                               names *out, attn_error *error) {
    attn_status status = ATTN_OK;
    DIR *stream = opendir(folder);
    if (stream == NULL) {
        return attn_fail(error, ATTN_ERR_IO, folder, -1, "check the name of the folder",
                         "cannot open the folder: %s", strerror(errno));
    }
    for (struct dirent *e = readdir(stream); e != NULL && status == ATTN_OK; e = readdir(stream)) {
        if (e->d_name[0] != '.' && has_extension(e->d_name, extensions)) {
            status = names_add(out, e->d_name, strlen(e->d_name), NULL, error);
        }
    }
    closedir(stream);
    if (status == ATTN_OK && out->count == 0) {
        status = attn_fail(error, ATTN_ERR_FORMAT, folder, -1, kind, "the folder has no pictures");
    }
    if (status == ATTN_OK) {
        qsort(out->name, out->count, sizeof *out->name, compare_names);
        status = check_doubles(folder, out, error);
    }
    return status;
}

static attn_status fail_partner(const char *folder, const char *name, const char *other,
                                const char *kind, attn_error *error) {
    char shown[QUOTED];
    attn_utf8_quote(shown, sizeof shown, name);
    return attn_fail(error, ATTN_ERR_FORMAT, folder, -1, "add it, or name the pairs in a list file",
                     "%s has no %s in %s", shown, kind, other);
}

/* Both lists are sorted and without doubles. */
static attn_status check_partners(const char *pictures, const names *picture, const char *masks,
                                  const names *mask, attn_error *error) {
    size_t i = 0, j = 0;
    while (i < picture->count || j < mask->count) {
        int order = i == picture->count ? 1
                    : j == mask->count  ? -1
                                        : compare_base(picture->name[i], mask->name[j]);
        if (order < 0) {
            return fail_partner(pictures, picture->name[i], masks, "mask", error);
        }
        if (order > 0) {
            return fail_partner(masks, mask->name[j], pictures, "picture", error);
        }
        i++;
        j++;
    }
    return ATTN_OK;
}

/* FOLDER/NAME for each name. */
static attn_status to_paths(const char *folder, const names *from, names *to, attn_error *error) {
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/') {
        length--;
    }
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < from->count && status == ATTN_OK; i++) {
        /* The root folder already ends in the slash. */
        bool root = length == 1 && folder[0] == '/';
        status = names_add(to, folder, root ? 0 : length, from->name[i], error);
    }
    return status;
}

attn_status attn_pairs_from_folders(const char *pictures, const char *masks, attn_pairs *out,
                                    attn_error *error) {
    names picture = {0}, mask = {0}, picture_path = {0}, mask_path = {0};
    *out = (attn_pairs){NULL, NULL, 0};
    attn_status status =
        list_folder(pictures, picture_extensions,
                    "pictures end in .jpg, .jpeg, .png, .tif, .tiff or .webp", &picture, error);
    if (status == ATTN_OK) {
        status = list_folder(masks, mask_extensions, "masks end in .png, .tif, .tiff or .webp",
                             &mask, error);
    }
    if (status == ATTN_OK) {
        status = check_partners(pictures, &picture, masks, &mask, error);
    }
    if (status == ATTN_OK) {
        status = to_paths(pictures, &picture, &picture_path, error);
    }
    if (status == ATTN_OK) {
        status = to_paths(masks, &mask, &mask_path, error);
    }
    if (status == ATTN_OK) {
        *out = (attn_pairs){picture_path.name, mask_path.name, picture_path.count};
        picture_path = mask_path = (names){NULL, 0, 0};
    }
    names_free(&picture);
    names_free(&mask);
    names_free(&picture_path);
    names_free(&mask_path);
    return status;
}

attn_status attn_pairs_from_folder(const char *pictures, attn_pairs *out, attn_error *error) {
    names picture = {0}, path = {0};
    *out = (attn_pairs){NULL, NULL, 0};
    attn_status status =
        list_folder(pictures, picture_extensions,
                    "pictures end in .jpg, .jpeg, .png, .tif, .tiff or .webp", &picture, error);
    if (status == ATTN_OK) {
        status = to_paths(pictures, &picture, &path, error);
    }
    if (status == ATTN_OK) {
        *out = (attn_pairs){path.name, NULL, path.count};
    } else {
        names_free(&path);
    }
    names_free(&picture);
    return status;
}

/* ---- lists ---- */

/* Adds the path that stands in the list, made relative to the list's folder. */
static attn_status add_listed(const char *list, size_t folder_length, const attn_line *line,
                              const char *text, size_t length, names *out, attn_error *error) {
    char part[ATTN_LIST_LINE_BYTES + 1];
    char shown[QUOTED];
    snprintf(part, sizeof part, "%.*s", (int)length, text);
    if (length == 0) {
        return attn_fail(error, ATTN_ERR_FORMAT, list, line->number,
                         "write each line as: picture, one TAB, mask", "a path is empty");
    }
    bool alone = part[0] == '/' || folder_length == 0;
    attn_status status = alone ? names_add(out, part, length, NULL, error)
                               : names_add(out, list, folder_length - 1, part, error);
    if (status == ATTN_OK && access(out->name[out->count - 1], R_OK) != 0) {
        int cause = errno;
        status = attn_fail(error, ATTN_ERR_FORMAT, list, line->number,
                           "paths are relative to the folder of the list", "%s: %s",
                           attn_utf8_quote(shown, sizeof shown, out->name[out->count - 1]),
                           strerror(cause));
    }
    return status;
}

static attn_status parse_list(const char *path, const char *text, size_t size, names *picture,
                              names *mask, attn_error *error) {
    const char *slash = strrchr(path, '/');
    size_t folder = slash != NULL ? (size_t)(slash - path) + 1 : 0; /* with the slash */
    attn_line_walk walk = attn_line_walk_start(text, size, path, ATTN_LIST_LINE_BYTES);
    attn_line line;
    bool more;
    for (;;) {
        attn_status status = attn_line_walk_next(&walk, &line, &more, error);
        if (status != ATTN_OK || !more) {
            return status;
        }
        if (line.length == 0) {
            continue;
        }
        const char *tab = memchr(line.text, '\t', line.length);
        size_t first = tab != NULL ? (size_t)(tab - line.text) : line.length;
        if (tab == NULL || memchr(tab + 1, '\t', line.length - first - 1) != NULL) {
            return attn_fail(error, ATTN_ERR_FORMAT, path, line.number,
                             "write each line as: picture, one TAB, mask", "the line has %s",
                             tab == NULL ? "no TAB" : "more than one TAB");
        }
        status = add_listed(path, folder, &line, line.text, first, picture, error);
        if (status == ATTN_OK) {
            status = add_listed(path, folder, &line, tab + 1, line.length - first - 1, mask, error);
        }
        if (status != ATTN_OK) {
            return status;
        }
    }
}

attn_status attn_pairs_from_list(const char *path, attn_pairs *out, attn_error *error) {
    char *text;
    size_t size;
    names picture = {0}, mask = {0};
    *out = (attn_pairs){NULL, NULL, 0};
    attn_status status = attn_file_read(path, LIST_LIMIT, &text, &size, error);
    if (status != ATTN_OK) {
        return status;
    }
    status = parse_list(path, text, size, &picture, &mask, error);
    if (status == ATTN_OK && picture.count == 0) {
        status =
            attn_fail(error, ATTN_ERR_FORMAT, path, -1,
                      "write each line as: picture, one TAB, mask", "the list names no pictures");
    }
    if (status == ATTN_OK) {
        *out = (attn_pairs){picture.name, mask.name, picture.count};
    } else {
        names_free(&picture);
        names_free(&mask);
    }
    attn_free(text);
    return status;
}

void attn_pairs_free(attn_pairs *pairs) {
    names picture = {pairs->picture, pairs->count, pairs->count};
    names mask = {pairs->mask, pairs->mask != NULL ? pairs->count : 0, pairs->count};
    names_free(&picture);
    names_free(&mask);
    *pairs = (attn_pairs){NULL, NULL, 0};
}
