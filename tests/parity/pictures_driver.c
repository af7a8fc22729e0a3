/* Decodes pictures for pictures_compare.py.
 *
 *     pictures_driver PICTURE...
 *
 * Writes the RGB of each to PICTURE.rgb and prints a line `width height`. */
#include <stdbool.h>
#include <stdio.h>

#include "image/picture.h"

static int decode(const char *path) {
    char name[1024], message[1200];
    attn_picture picture;
    attn_error error = {0};
    if (attn_picture_read(path, 0, &picture, &error) != ATTN_OK) {
        fprintf(stderr, "pictures_driver: %s\n",
                attn_error_format(&error, message, sizeof message));
        return 1;
    }
    size_t size = (size_t)(3 * picture.width * picture.height);
    snprintf(name, sizeof name, "%s.rgb", path);
    FILE *file = fopen(name, "wb");
    bool written = file != NULL && fwrite(picture.rgb, 1, size, file) == size;
    written = file != NULL && fclose(file) == 0 && written;
    printf("%lld %lld\n", (long long)picture.width, (long long)picture.height);
    attn_picture_free(&picture);
    return written ? 0 : 1;
}

int main(int argc, char **argv) {
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        failed |= decode(argv[i]);
    }
    return failed;
}
