/* examples/translate.c: translates the lines of standard input.
 *
 *     cc translate.c -o translate $(pkg-config --cflags --libs attn-pipeline)
 *     echo "How are you?" | ./translate en-fr.safetensors */
#include <attn/translate.h>
#include <stdio.h>

int main(int argc, char **argv) {
    attn_model *model = NULL;
    attn_error error = {0};
    char line[65536], message[1200], *translation;
    attn_status status =
        attn_model_open(argc > 1 ? argv[1] : "en-fr.safetensors", NULL, &model, &error);
    while (status == ATTN_OK && fgets(line, sizeof line, stdin) != NULL) {
        status = attn_translate(model, line, NULL, &translation, &error);
        if (status == ATTN_OK) {
            fputs(translation, stdout);
            attn_translate_free(translation);
        }
    }
    attn_model_close(model);
    if (status != ATTN_OK) {
        fprintf(stderr, "translate: %s\n", attn_error_format(&error, message, sizeof message));
    }
    return status == ATTN_OK ? 0 : 1;
}
