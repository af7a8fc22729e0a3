/* For torch_compare.py: runs attn on tensors from a .safetensors file and writes what comes out.
 *
 *   torch_driver attention IN OUT           fused attention and its gradients
 *   torch_driver multi_head IN OUT          a multi-head attention layer, self or cross
 *   torch_driver translator MODEL IN OUT    an encoder-decoder: outputs, loss, all gradients
 *
 * What the script decides (causal, heads, ...) stands in the file's metadata. Gradients are named
 * d.NAME. Letters as in attn/attention.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attn/attention.h"
#include "attn/safetensors.h"
#include "attn/translator.h"

enum { MAX_RESULTS = 512 };

static struct results {
    attn_tensor_info tensor[MAX_RESULTS];
    char name[MAX_RESULTS][96];
    size_t count;
} results;

static attn_safetensors *input;
static attn_error error;

__attribute__((noreturn)) static void stop(const char *what) {
    char message[1200];
    fprintf(stderr, "torch_driver: %s: %s\n", what,
            attn_error_format(&error, message, sizeof message));
    exit(1);
}

static void check(attn_status status, const char *what) {
    if (status != ATTN_OK) {
        error.status = status;
        stop(what);
    }
}

static long number(const char *key) {
    const char *value = attn_safetensors_metadata(input, key);
    return value != NULL ? strtol(value, NULL, 10) : 0;
}

/* NULL when there is none. */
static const attn_tensor_info *find(const char *name) {
    return attn_safetensors_find(input, name);
}

static const attn_tensor_info *need(const char *name) {
    const attn_tensor_info *tensor = find(name);
    if (tensor == NULL) {
        stop(name);
    }
    return tensor;
}

static const void *data_of(const char *name) {
    const attn_tensor_info *tensor = find(name);
    return tensor != NULL ? tensor->data : NULL;
}

static float *zeros(size_t bytes) {
    float *memory = calloc(bytes > 0 ? bytes : 1, 1);
    if (memory == NULL) {
        stop("out of memory");
    }
    return memory;
}

/* A result whose memory lives until the end. */
__attribute__((format(printf, 4, 5))) static void put(const float *data, int64_t rows, int64_t cols,
                                                      const char *format, ...) {
    va_list arguments;
    char *name = results.name[results.count];
    va_start(arguments, format);
    vsnprintf(name, sizeof results.name[0], format, arguments);
    va_end(arguments);
    results.tensor[results.count++] = (attn_tensor_info){.name = name,
                                                         .dtype = ATTN_DTYPE_F32,
                                                         .rank = 2,
                                                         .shape = {rows, cols},
                                                         .data = data,
                                                         .size = (size_t)(rows * cols) * 4};
}

static void put_grads(const attn_params *params) {
    for (size_t i = 0; i < attn_params_count(params); i++) {
        const attn_param *p = attn_params_at(params, i);
        put(p->grad, p->rows, p->cols, "d.%s", p->name);
    }
}

/* ---- attention ---- */

static void add_bias(attn_attention *a) {
    const attn_tensor_info *bias = find("bias"); /* [B or 1, H or 1, Tq or 1, Tk] */
    if (bias == NULL) {
        return;
    }
    int64_t rows = bias->shape[2], keys = bias->shape[3];
    a->bias = bias->data;
    a->bias_query = rows > 1 ? keys : 0;
    a->bias_head = bias->shape[1] > 1 ? rows * keys : 0;
    a->bias_batch = bias->shape[0] > 1 ? bias->shape[1] * rows * keys : 0;
}

/* query [B, Tq, H, D], or [B, H, Tq, D] when the metadata says heads_first; key and value likewise. */
static void set_strides(attn_attention *a) {
    if (number("heads_first") == 0) {
        return; /* what attn_attention_init gives */
    }
    int64_t d = a->head_size, e = a->value_size;
    a->query = (attn_strides){a->heads * a->query_length * d, d, a->query_length * d};
    a->key = (attn_strides){a->kv_heads * a->key_length * d, d, a->key_length * d};
    a->value = (attn_strides){a->kv_heads * a->key_length * e, e, a->key_length * e};
    a->output = (attn_strides){a->heads * a->query_length * e, e, a->query_length * e};
}

static void run_attention(void) {
    const attn_tensor_info *q = need("query"), *k = need("key"), *v = need("value");
    int length = number("heads_first") != 0 ? 2 : 1, head = 3 - length;
    attn_attention a;
    attn_attention_init(&a, q->shape[0], q->shape[head], k->shape[head], q->shape[length],
                        k->shape[length], q->shape[3], v->shape[3]);
    set_strides(&a);
    a.causal = number("causal") != 0;
    a.window_left = number("window") != 0 ? number("window") : -1;
    a.query_lengths = data_of("query_lengths");
    a.key_lengths = data_of("key_lengths");
    add_bias(&a);
    int64_t rows = a.batch * a.heads * a.query_length;
    size_t out_bytes = (size_t)(rows * a.value_size) * 4;
    float *output = zeros(out_bytes), *lse = zeros((size_t)rows * 4);
    float *dq = zeros(q->size), *dk = zeros(k->size), *dv = zeros(v->size);
    float *d_bias = a.bias != NULL ? zeros(need("bias")->size) : NULL;
    check(attn_attention_forward(&a, q->data, k->data, v->data, output, lse, &error), "forward");
    attn_attention_gradients gradients = {.size = sizeof(attn_attention_gradients),
                                          .d_query = dq,
                                          .d_key = dk,
                                          .d_value = dv,
                                          .d_bias = d_bias};
    check(attn_attention_backward(&a, q->data, k->data, v->data, output, lse,
                                  need("d.output")->data, &gradients, &error),
          "backward");
    put(output, rows, a.value_size, "output");
    put(lse, a.batch * a.heads, a.query_length, "lse");
    put(dq, rows, a.head_size, "d.query");
    put(dk, a.batch * a.kv_heads * a.key_length, a.head_size, "d.key");
    put(dv, a.batch * a.kv_heads * a.key_length, a.value_size, "d.value");
    if (d_bias != NULL) {
        put(d_bias, 1, (int64_t)(need("bias")->size / 4), "d.bias");
    }
}

/* ---- multi-head attention ---- */

static attn_sequences sequences_of(const char *name) {
    const attn_tensor_info *starts = need(name);
    attn_sequences s = {starts->shape[0] - 1, starts->data, 0};
    for (int64_t i = 0; i < s.count; i++) {
        int64_t length = s.starts[i + 1] - s.starts[i];
        s.longest = length > s.longest ? length : s.longest;
    }
    return s;
}

static attn_tensor *input_tensor(attn_tape *tape, const char *name) {
    const attn_tensor_info *t = need(name);
    attn_tensor *tensor = attn_tape_tensor(tape, t->shape[0], t->shape[1]);
    if (tensor == NULL) {
        stop("out of memory");
    }
    memcpy(tensor->data, t->data, t->size);
    return tensor;
}

static void read_params(attn_params *params) {
    check(attn_params_allocate(params, true, NULL), "parameters");
    for (size_t i = 0; i < attn_params_count(params); i++) {
        attn_param *p = attn_params_at(params, i);
        if (need(p->name)->size != (size_t)(p->rows * p->cols) * 4) {
            stop(p->name);
        }
        memcpy(p->data, need(p->name)->data, need(p->name)->size);
    }
}

static void run_multi_head(void) {
    attn_params *params;
    attn_tape *tape;
    bool cross = find("memory") != NULL;
    check(attn_params_create(&params, NULL), "parameters");
    attn_multi_head heads = attn_multi_head_declare(params, "attention", need("x")->shape[1],
                                                    number("heads"), number("kv_heads"));
    read_params(params);
    check(attn_tape_create(&tape, NULL), "tape");
    attn_tape_begin(tape, true, 0, 0);
    attn_sequences sequences = sequences_of("starts"), memory_sequences = sequences;
    attn_tensor *x = input_tensor(tape, "x"), *memory = NULL;
    if (cross) {
        memory_sequences = sequences_of("memory_starts");
        memory = input_tensor(tape, "memory");
    }
    attn_tensor *y = attn_layer_attention(tape, x, &sequences, memory, &memory_sequences, &heads,
                                          number("causal") != 0, 0.0);
    y = attn_layer_linear(tape, y, &heads.output, ATTN_ACTIVATION_NONE);
    check(attn_tape_status(tape), "forward");
    memcpy(attn_tape_grad(tape, y), need("d.y")->data, need("d.y")->size);
    check(attn_tape_backward(tape, NULL), "backward");
    put(y->data, y->rows, y->cols, "y");
    put(x->grad, x->rows, x->cols, "d.x");
    if (cross) {
        put(memory->grad, memory->rows, memory->cols, "d.memory");
    }
    put_grads(params);
}

/* ---- the encoder-decoder ---- */

static float *copy_of(const attn_tensor *tensor) {
    if (tensor == NULL) {
        stop("forward");
    }
    float *copy = zeros((size_t)(tensor->rows * tensor->cols) * 4);
    memcpy(copy, tensor->data, (size_t)(tensor->rows * tensor->cols) * 4);
    return copy;
}

static void run_translator(const char *path) {
    static double loss, nll;
    static float losses[2];
    attn_translator *model;
    attn_tape *tape;
    check(attn_translator_load(path, true, ATTN_COMPUTE_F32, &model, NULL, NULL, &error), "load");
    check(attn_tape_create(&tape, NULL), "tape");
    attn_translator_batch batch = {need("source_starts")->shape[0] - 1,
                                   data_of("source"),
                                   data_of("source_starts"),
                                   data_of("target_input"),
                                   data_of("target_output"),
                                   data_of("target_starts")};
    int64_t channels = attn_translator_get_config(model)->d_model;
    int64_t source = batch.source_starts[batch.count], target = batch.target_starts[batch.count];
    attn_tape_begin(tape, false, 0, 0);
    put(copy_of(attn_translator_forward(model, tape, &batch)), target, channels, "decoder");
    attn_translator_batch sources = batch;
    sources.target_input = NULL;
    attn_tape_begin(tape, false, 0, 0);
    put(copy_of(attn_translator_forward(model, tape, &sources)), source, channels, "encoder");
    attn_tape_begin(tape, true, 0, 0);
    check(attn_translator_loss(model, tape, &batch, 1.0F / (float)target, &loss, &nll, NULL),
          "loss");
    check(attn_tape_backward(tape, NULL), "backward");
    losses[0] = (float)(loss / (double)target);
    losses[1] = (float)(nll / (double)target);
    put(losses, 1, 2, "losses");
    put_grads(attn_translator_params(model));
}

int main(int argc, char **argv) {
    bool translator = argc == 5 && strcmp(argv[1], "translator") == 0;
    bool attention = argc == 4 && strcmp(argv[1], "attention") == 0;
    if (!translator && !attention && !(argc == 4 && strcmp(argv[1], "multi_head") == 0)) {
        fprintf(stderr, "usage: torch_driver attention|multi_head IN OUT\n"
                        "       torch_driver translator MODEL IN OUT\n");
        return 2;
    }
    check(attn_safetensors_open(argv[argc - 2], &input, &error), "input");
    if (translator) {
        run_translator(argv[2]);
    } else if (attention) {
        run_attention();
    } else {
        run_multi_head();
    }
    check(attn_safetensors_write(argv[argc - 1], results.tensor, results.count, NULL, 0, &error),
          "output");
    attn_safetensors_close(input);
    return 0;
}
