/* cli/cmd_import.c: `attn import`: a model made elsewhere becomes a file of attn's. */
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "command.h"
#include "import/import.h"
#include "train/options.h"

typedef struct options {
    const char *output, *from, *to, *name, *licence;
    int storage;
} options;

static const options defaults = {.storage = ATTN_STORE_F32};

/* clang-format off */
static const attn_option table[] = {
    {"output", 'o', ATTN_OPTION_FILE, offsetof(options, output), .value = "FILE",
     .help = "the model (default: NAME.safetensors)"},
    {"storage", 0, ATTN_OPTION_CHOICE, offsetof(options, storage), .choices = attn_storage_names,
     .value = "TYPE", .help = "how to store weights: f32 (default), bf16, i8"},
    {"from", 0, ATTN_OPTION_TEXT, offsetof(options, from), .value = "CODE",
     .help = "the source language, such as en, where the model's files do not say"},
    {"to", 0, ATTN_OPTION_TEXT, offsetof(options, to), .value = "CODE",
     .help = "the target language"},
    {"name", 0, ATTN_OPTION_TEXT, offsetof(options, name), .value = "NAME",
     .help = "what the model is called (default: after its file or folder)"},
    {"licence", 0, ATTN_OPTION_TEXT, offsetof(options, licence), .value = "TEXT",
     .help = "its licence, where the model's files do not say"},
};
/* clang-format on */

static void overrule(char *field, size_t size, const char *given) {
    if (given != NULL) {
        snprintf(field, size, "%s", given);
    }
}

static const char *what_it_is(const attn_imported *m) {
    if (m->vision == NULL) {
        return m->encoder != NULL   ? "an encoder"
               : m->decoder != NULL ? "a decoder"
                                    : "a translator";
    }
    attn_vision_head head = attn_vision_get_config(m->vision)->head;
    return head == ATTN_VISION_SEGMENT    ? "a segmenter"
           : head == ATTN_VISION_CLASSIFY ? "a classifier of pictures"
                                          : "an encoder of pictures";
}

static int import_run(const void *given, int operand_count, char **operand) {
    const options *o = given;
    attn_imported m;
    attn_error error;
    char path[4096];
    (void)operand_count;
    attn_status status = attn_import_read(operand[0], &m, &error);
    if (status == ATTN_OK) {
        overrule(m.name, sizeof m.name, o->name);
        overrule(m.source, sizeof m.source, o->from);
        overrule(m.target, sizeof m.target, o->to);
        overrule(m.licence, sizeof m.licence, o->licence);
        int length = o->output != NULL ? snprintf(path, sizeof path, "%s", o->output)
                                       : snprintf(path, sizeof path, "%s.safetensors", m.name);
        status = length < (int)sizeof path
                     ? attn_import_save(&m, (attn_storage)o->storage, path, &error)
                     : attn_fail(&error, ATTN_ERR_ARGUMENT, NULL, -1, NULL, "the path is too long");
    }
    if (status == ATTN_OK) {
        const attn_params *params = m.vision != NULL    ? attn_vision_params(m.vision)
                                    : m.encoder != NULL ? attn_encoder_params(m.encoder)
                                    : m.decoder != NULL ? attn_decoder_params(m.decoder)
                                                        : attn_translator_params(m.translator);
        fprintf(stderr, "%s: %s from %s, %lld parameters\n", path, what_it_is(&m), m.kind,
                (long long)attn_params_size(params));
    }
    attn_imported_free(&m);
    return status == ATTN_OK ? ATTN_EXIT_OK : attn_say_error(&error);
}

const attn_command attn_cmd_import = {
    .name = "import",
    .summary = "Turn a model made elsewhere into one of attn's",
    .usage = "PATH [OPTION]...",
    .description =
        "Reads a translator of Marian (OPUS-MT), of Hugging Face's MarianMT, M2M-100, NLLB and "
        "mBART, "
        "of CTranslate2, fairseq or OpenNMT-py, an Argos package, or any Transformer with an "
        "attn.ini that names its tensors; an encoder such as BERT, for attn embed; a decoder of "
        "CTranslate2 such as GPT-2 or Llama, for attn generate; or a network of "
        "pictures, SegFormer for attn segment and ViT for attn classify: a file "
        "with the others of the model beside it, or the folder or zip file that holds them. "
        "docs/import.md says what is supported. Writes one safetensors file with the "
        "tokenizer in it. "
        "The other commands take such a PATH as --model too, and import it each time.",
    .options = table,
    .option_count = ATTN_LENGTH(table),
    .defaults = &defaults,
    .options_size = sizeof(options),
    .min_operands = 1,
    .max_operands = 1,
    .run = import_run,
};
