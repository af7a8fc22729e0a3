/* cli/cmd_export.c: `attn export MODEL --to FORMAT`: a model of attn's as one of another program's.
 *
 * Next: src/import/export.h. */
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "command.h"
#include "import/export.h"

typedef struct options {
    int to;
    const char *output;
} options;

static const options defaults = {.to = -1};

static const attn_exporter *const exporters[] = {&attn_export_ctranslate2,
                                                 &attn_export_hugging_face, &attn_export_marian};
static const char *const names[] = {"ctranslate2", "huggingface", "marian", NULL};

static const attn_option table[] = {
    {"to", 0, ATTN_OPTION_CHOICE, offsetof(options, to), .choices = names, .value = "FORMAT",
     .help = "ctranslate2, huggingface (MarianMT) or marian"},
    {"output", 'o', ATTN_OPTION_FILE, offsetof(options, output), .value = "FOLDER",
     .help = "the folder to make (default: NAME-FORMAT)"},
};

/* "models/en-fr.safetensors" and "marian" give "en-fr-marian". */
static void name_folder(const char *model, const char *format, char *out, size_t size) {
    size_t length = strlen(model);
    while (length > 1 && model[length - 1] == '/') {
        length--;
    }
    size_t begin = length, end = length;
    while (begin > 0 && model[begin - 1] != '/') {
        begin--;
    }
    for (size_t i = begin + 1; i < length; i++) {
        end = model[i] == '.' ? i : end;
    }
    snprintf(out, size, "%.*s-%s", (int)(end - begin), model + begin, format);
}

static int export_run(const void *given, int operand_count, char **operand) {
    const options *o = given;
    char folder[4096], note[256];
    attn_imported model;
    attn_error error;
    (void)operand_count;
    if (o->to < 0) {
        return attn_say_misuse("export: say --to ctranslate2, --to huggingface or --to marian");
    }
    const attn_exporter *exporter = exporters[o->to];
    if (o->output != NULL) {
        snprintf(folder, sizeof folder, "%s", o->output);
    } else {
        name_folder(operand[0], exporter->name, folder, sizeof folder);
    }
    attn_status status = attn_import_load(operand[0], &model, &error);
    if (status == ATTN_OK) {
        status = attn_export_write(exporter, &model, folder, note, sizeof note, &error);
    }
    if (status == ATTN_OK) {
        int64_t weights = attn_params_size(attn_translator_params(model.translator));
        if (note[0] != '\0') {
            attn_say_warning("%s", note);
        }
        fprintf(stderr, "%s: a model of %s, %lld parameters\n", folder, exporter->title,
                (long long)weights);
    } else if (error.where[0] == '\0') {
        snprintf(error.where, sizeof error.where, "%s", operand[0]);
    }
    attn_imported_free(&model);
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

const attn_command attn_cmd_export = {
    .name = "export",
    .summary = "Turn a translator into a model of another program",
    .usage = "MODEL --to FORMAT [-o FOLDER]",
    .description =
        "Writes a folder that CTranslate2, Hugging Face's transformers (MarianMT) or Marian reads: "
        "weights, configuration, vocabularies and segmenters. They then compute what attn "
        "computes. "
        "What a format cannot express is an error. MODEL may also be one of another program, as "
        "`attn import` takes it. docs/import.md says what each format can express.",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .defaults = &defaults,
    .options_size = sizeof(options),
    .min_operands = 1,
    .max_operands = 1,
    .run = export_run,
};
