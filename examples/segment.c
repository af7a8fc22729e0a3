/* examples/segment.c: what a picture shows, and how much of it is what. The picture is a binary PPM (P6).
 *
 *     cc segment.c -o segment $(pkg-config --cflags --libs attn-pipeline)
 *     ./segment street.safetensors picture.ppm */
#include <attn/segment.h>
#include <stdio.h>
#include <stdlib.h>

/* The pixels of a P6 file with 8 bits a channel, malloc'ed; NULL when it is none. */
static unsigned char *read_ppm(const char *path, int *width, int *height) {
    FILE *file = fopen(path, "rb");
    unsigned char *rgb = NULL;
    if (file != NULL && fscanf(file, "P6 %d %d 255", width, height) == 2 && fgetc(file) != EOF &&
        *width > 0 && *height > 0 && *width < 32768 && *height < 32768) {
        size_t size = (size_t)*width * (size_t)*height * 3;
        rgb = malloc(size);
        if (rgb != NULL && fread(rgb, 1, size, file) != size) {
            free(rgb);
            rgb = NULL;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return rgb;
}

int main(int argc, char **argv) {
    attn_model *model = NULL;
    attn_error error = {0};
    int width, height;
    unsigned char *rgb = argc == 3 ? read_ppm(argv[2], &width, &height) : NULL;
    if (rgb == NULL) {
        fprintf(stderr, "usage: segment MODEL PICTURE.ppm\n");
        return 2;
    }
    attn_pixels picture = {width, height, rgb};
    size_t pixels = (size_t)width * (size_t)height, count[256] = {0};
    unsigned char *classes = malloc(pixels);
    attn_status status = attn_model_open(argv[1], NULL, &model, &error);
    if (status == ATTN_OK && classes != NULL) {
        status = attn_segment(model, &picture, NULL, classes, &error);
    }
    if (status != ATTN_OK) {
        fprintf(stderr, "segment: %s\n", error.what);
    }
    for (size_t i = 0; i < pixels && status == ATTN_OK && classes != NULL; i++) {
        count[classes[i]]++;
    }
    for (int c = 0; status == ATTN_OK && c < attn_model_classes(model); c++) {
        const unsigned char *color = attn_model_class_color(model, c);
        printf("%5.1f %%  #%02x%02x%02x  %s\n", 100.0 * (double)count[c] / (double)pixels, color[0],
               color[1], color[2], attn_model_class_name(model, c));
    }
    attn_model_close(model);
    free(classes);
    free(rgb);
    return status == ATTN_OK ? 0 : 1;
}
