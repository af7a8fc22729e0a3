/* Any bytes as the attn.ini beside a small model's tensors and words: refused with words, or a translator that is whole. Built with
 * clang -fsanitize=fuzzer, or with replay.c to run over the kept corpus. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "import/import.h"
#include "pipeline/model.h"
#include "support/fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WIDTH = 8, WORDS = 7, NUMBERS = 512 };
static const char words[] = "<pad>\n<unk>\n<s>\n</s>\nhouse\nriver\nhill\n";
static const char *const names[] = {"attn.ini", "words.txt", "model.safetensors"};
static char folder[64];

static const char *path_of(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void remove_all(void) {
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unlink(path_of(names[i]));
    }
    rmdir(folder);
}

static void write_file(const char *name, const void *bytes, size_t size) {
    FILE *file = fopen(path_of(name), "wb");
    fuzz_require(file != NULL && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

/* The tensors of PyTorch's nn.Transformer of one layer a side: names and shapes. */
static void write_tensors(void) {
    static const struct {
        const char *name;
        int64_t rows, cols;
    } all[] = {
        {"embed.weight", WORDS, WIDTH},
        {"net.encoder.layers.0.self_attn.in_proj_weight", 3 * WIDTH, WIDTH},
        {"net.encoder.layers.0.self_attn.in_proj_bias", 0, 3 * WIDTH},
        {"net.encoder.layers.0.self_attn.out_proj.weight", WIDTH, WIDTH},
        {"net.encoder.layers.0.self_attn.out_proj.bias", 0, WIDTH},
        {"net.encoder.layers.0.linear1.weight", 12, WIDTH},
        {"net.encoder.layers.0.linear1.bias", 0, 12},
        {"net.encoder.layers.0.linear2.weight", WIDTH, 12},
        {"net.encoder.layers.0.linear2.bias", 0, WIDTH},
        {"net.encoder.layers.0.norm1.weight", 0, WIDTH},
        {"net.encoder.layers.0.norm1.bias", 0, WIDTH},
        {"net.encoder.layers.0.norm2.weight", 0, WIDTH},
        {"net.encoder.layers.0.norm2.bias", 0, WIDTH},
        {"net.decoder.layers.0.self_attn.in_proj_weight", 3 * WIDTH, WIDTH},
        {"net.decoder.layers.0.self_attn.in_proj_bias", 0, 3 * WIDTH},
        {"net.decoder.layers.0.self_attn.out_proj.weight", WIDTH, WIDTH},
        {"net.decoder.layers.0.self_attn.out_proj.bias", 0, WIDTH},
        {"net.decoder.layers.0.multihead_attn.in_proj_weight", 3 * WIDTH, WIDTH},
        {"net.decoder.layers.0.multihead_attn.in_proj_bias", 0, 3 * WIDTH},
        {"net.decoder.layers.0.multihead_attn.out_proj.weight", WIDTH, WIDTH},
        {"net.decoder.layers.0.multihead_attn.out_proj.bias", 0, WIDTH},
        {"net.decoder.layers.0.linear1.weight", 12, WIDTH},
        {"net.decoder.layers.0.linear1.bias", 0, 12},
        {"net.decoder.layers.0.linear2.weight", WIDTH, 12},
        {"net.decoder.layers.0.linear2.bias", 0, WIDTH},
        {"net.decoder.layers.0.norm1.weight", 0, WIDTH},
        {"net.decoder.layers.0.norm1.bias", 0, WIDTH},
        {"net.decoder.layers.0.norm2.weight", 0, WIDTH},
        {"net.decoder.layers.0.norm2.bias", 0, WIDTH},
        {"net.decoder.layers.0.norm3.weight", 0, WIDTH},
        {"net.decoder.layers.0.norm3.bias", 0, WIDTH},
    };
    enum { COUNT = sizeof all / sizeof all[0] };
    static float numbers[NUMBERS];
    attn_tensor_info tensors[COUNT];
    for (int i = 0; i < NUMBERS; i++) {
        numbers[i] = (float)(i % 13 - 6) / 8;
    }
    for (size_t i = 0; i < COUNT; i++) {
        bool vector = all[i].rows == 0;
        int64_t count = (vector ? 1 : all[i].rows) * all[i].cols;
        tensors[i] = (attn_tensor_info){.name = all[i].name,
                                        .dtype = ATTN_DTYPE_F32,
                                        .rank = vector ? 1 : 2,
                                        .shape = {vector ? all[i].cols : all[i].rows, all[i].cols},
                                        .data = numbers,
                                        .size = (size_t)count * sizeof *numbers};
        fuzz_require(count <= NUMBERS);
    }
    fuzz_require(attn_safetensors_write(path_of("model.safetensors"), tensors, COUNT, NULL, 0,
                                        NULL) == ATTN_OK);
}

static void prepare(void) {
    snprintf(folder, sizeof folder, "%s/attn-fuzz-%ld",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (long)getpid());
    fuzz_require(mkdir(folder, 0700) == 0);
    atexit(remove_all);
    write_file("words.txt", words, sizeof words - 1);
    write_tensors();
}

/* Every number is there to be read, and a text becomes ids that the table of words has. */
static void use(const attn_imported *m) {
    static volatile float sink;
    const attn_params *params = attn_translator_params(m->translator);
    const attn_translator_config *config = attn_translator_get_config(m->translator);
    int64_t sources =
        config->source_vocabulary > 0 ? config->source_vocabulary : config->vocabulary;
    int32_t *ids;
    size_t count;
    for (int64_t i = 0; i < attn_params_size(params); i++) {
        sink = attn_params_data(params)[i];
    }
    (void)sink;
    if (attn_tokenizer_encode(m->tokenizer, "house x", 7, &ids, &count, NULL) == ATTN_OK) {
        for (size_t i = 0; i < count; i++) {
            fuzz_require(ids[i] >= 0 && ids[i] < sources);
        }
        attn_tokenizer_release(ids);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    attn_imported m;
    attn_error error = {.position = -2};
    if (folder[0] == '\0') {
        prepare();
    }
    write_file("attn.ini", data, size);
    attn_status status = attn_import_read(folder, &m, &error);
    fuzz_require_outcome(status, &error);
    if (status == ATTN_OK) {
        use(&m);
    }
    attn_imported_free(&m);
    return 0;
}
