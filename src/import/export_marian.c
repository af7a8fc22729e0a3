/* import/export_marian.c: model.npz, decoder.yml and the vocabularies, as Marian reads them.
 *
 * Marian numbers words by its vocabulary: a SentencePiece file numbers its own, a list in YAML gives any piece any number. The file
 * serves when it has all the words that the model can write; else, as with OPUS-MT's models, a list does, and the segmenters stand
 * beside it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "import/export.h"
#include "io/json_write.h"
#include "io/npz.h"
#include "kernels/loss/loss.h"
#include "text/buffer.h"
#include "text/piece_table.h"

/* The epsilon of its norms is fixed. */
static const double EPSILON = 1e-6;

static attn_status check(const attn_imported *model, char *note, size_t size, attn_error *error) {
    const attn_translator_config *c = attn_translator_get_config(model->translator);
    bool known = c->activation == ATTN_ACTIVATION_SWISH || c->activation == ATTN_ACTIVATION_RELU ||
                 c->activation == ATTN_ACTIVATION_GELU;
    const attn_export_limit limits[] = {
        {c->pre_norm, "norms before the layers (norm = pre) as attn and its own training do"},
        {c->rms_norm, "RMSNorm"},
        {c->gated, "gated feed-forward layers"},
        {c->kv_heads != c->heads, "heads that share keys and values (kv_heads)"},
        {c->learned_positions, "learned positions"},
        {c->rotary != ATTN_ROTARY_NONE, "rotary positions"},
        {c->relative, "relative positions"},
        {c->sinusoids != ATTN_SINUSOIDS_TENSOR2TENSOR || c->first_position != 0,
         "other sinusoids than its own (sinusoids = tensor2tensor, first_position = 0)"},
        {fabs(attn_export_epsilon(model) - EPSILON) > 1e-12,
         "norms of another epsilon than 1e-6 (norm_epsilon)"},
        {c->plain_embeddings, "embeddings that are not multiplied by the root of d_model"},
        {!known, "another activation than swish, relu and gelu"},
        {c->bare_source, "sources without </s>"},
        {attn_export_has_tags(model), "tags of languages in front of sources"},
        {!attn_export_starts_with_zeros(model),
         "a translation that begins with the embedding of <s>; its own begin with zeros"},
    };
    (void)note;
    (void)size;
    return attn_export_limits("Marian", limits, sizeof limits / sizeof *limits, error);
}

/* ---- words ---- */

/* One side: a SentencePiece file, or a list. */
typedef struct marian_side {
    attn_export_words words;
    bool listed;
    char name[24];
} marian_side;

/* Our words by their pieces. */
static attn_status our_pieces(const attn_tokenizer *side, attn_piece_table *out,
                              attn_error *error) {
    attn_status status = ATTN_OK;
    *out = (attn_piece_table){.special = {-1, ATTN_UNK, -1, -1}};
    for (int32_t id = 0; id < attn_tokenizer_size(side) && status == ATTN_OK; id++) {
        const char *piece = attn_tokenizer_piece(side, id);
        status = attn_piece_table_set(out, id, piece, strlen(piece), false, error);
    }
    return status == ATTN_OK ? attn_piece_table_finish(out, error) : status;
}

/* Whether the model can write our word. */
static bool can_write(const attn_imported *model, int32_t id) {
    const attn_param *bias =
        attn_params_find(attn_translator_params(model->translator), "output.bias");
    return bias == NULL || bias->data[id] > ATTN_NEVER / 2;
}

/* Numbers as the SentencePiece file does. *whole: whether it has all words that can be written, and all of its pieces are words. */
static attn_status number_by_file(const attn_imported *model, bool target,
                                  const attn_piece_table *ours, const attn_piece_table *pieces,
                                  marian_side *out, bool *whole, attn_error *error) {
    size_t bytes = (size_t)pieces->count * sizeof *out->words.ours;
    bool *used = attn_alloc_zero((size_t)ours->count, sizeof *used);
    out->words = (attn_export_words){pieces->count, attn_alloc(bytes)};
    attn_status status =
        used != NULL && out->words.ours != NULL ? ATTN_OK : attn_fail_memory(error, bytes);
    *whole = true;
    for (int32_t i = 0; i < pieces->count && status == ATTN_OK; i++) {
        const char *text = attn_piece_table_text(pieces, i);
        int32_t id = attn_piece_table_find(ours, text, strlen(text));
        out->words.ours[i] = id >= 0 ? id : ATTN_UNK;
        *whole = *whole && id >= 0;
        used[out->words.ours[i]] = true;
    }
    for (int32_t id = 0; id < ours->count && status == ATTN_OK && target; id++) {
        *whole = *whole && (used[id] || !can_write(model, id));
    }
    attn_free(used);
    return status;
}

/* </s> and <unk>, then all others that have a piece and can be written. */
static attn_status number_by_list(const attn_imported *model, const attn_piece_table *ours,
                                  marian_side *out, attn_error *error) {
    size_t bytes = ((size_t)ours->count + 2) * sizeof *out->words.ours;
    attn_free(out->words.ours);
    out->words = (attn_export_words){2, attn_alloc(bytes)};
    if (out->words.ours == NULL) {
        return attn_fail_memory(error, bytes);
    }
    out->words.ours[0] = ATTN_EOS;
    out->words.ours[1] = ATTN_UNK;
    for (int32_t id = 0; id < ours->count; id++) {
        bool first = id == ATTN_EOS || id == ATTN_UNK;
        if (!first && ours->piece[id].text != NULL && can_write(model, id)) {
            out->words.ours[out->words.count++] = id;
        }
    }
    out->listed = true;
    return ATTN_OK;
}

static attn_status read_side(const attn_imported *model, bool target, bool listed, marian_side *out,
                             bool *whole, attn_error *error) {
    const attn_tokenizer *side =
        target ? attn_tokenizer_target(model->tokenizer) : model->tokenizer;
    attn_piece_table ours = {0}, pieces = {0};
    char *bytes = NULL;
    size_t size;
    attn_status status = attn_export_segmenter(model, target, &bytes, &size, error);
    status = status == ATTN_OK ? attn_piece_table_of_model(bytes, size, &pieces, error) : status;
    status = status == ATTN_OK ? our_pieces(side, &ours, error) : status;
    if (status == ATTN_OK && !listed) {
        status = number_by_file(model, target, &ours, &pieces, out, whole, error);
    } else if (status == ATTN_OK) {
        status = number_by_list(model, &ours, out, error);
    }
    attn_piece_table_free(&ours);
    attn_piece_table_free(&pieces);
    free(bytes);
    return status;
}

/* Both sides by their files if those do, and the same file where the tables are one; else both by lists. */
static attn_status number(const attn_imported *model, marian_side side[2], attn_error *error) {
    const attn_translator_config *c = attn_translator_get_config(model->translator);
    bool two = attn_tokenizer_target(model->tokenizer) != model->tokenizer;
    bool listed = two && c->source_vocabulary == 0, whole = true;
    attn_status status = ATTN_OK;
    for (int pass = 0; pass < 2 && status == ATTN_OK; pass++) {
        for (int s = 0; s < 2 && status == ATTN_OK; s++) {
            bool good = true;
            attn_free(side[s].words.ours);
            side[s] = (marian_side){.listed = false};
            status = read_side(model, s == 1, listed, &side[s], &good, error);
            whole = whole && good;
            snprintf(side[s].name, sizeof side[s].name, listed ? "vocab.%s.yml" : "%s.spm",
                     s == 0 ? "source" : "target");
        }
        if (listed || whole) {
            break;
        }
        listed = true;
    }
    return status;
}

/* {"piece": id}, where YAML reads JSON's strings. */
static attn_status write_list(const attn_tokenizer *tokenizer, const marian_side *side,
                              const char *folder, attn_error *error) {
    attn_buffer text = {0};
    for (int64_t i = 0; i < side->words.count; i++) {
        json_t *piece = json_string(attn_tokenizer_piece(tokenizer, side->words.ours[i]));
        char *quoted = attn_json_dump(piece, JSON_ENCODE_ANY);
        attn_buffer_format(&text, "%s: %lld\n", quoted != NULL ? quoted : "", (long long)i);
        text.failed = text.failed || quoted == NULL;
        free(quoted);
    }
    attn_status status = text.failed
                             ? attn_fail_memory(error, text.length)
                             : attn_export_file(folder, side->name, text.data, text.length, error);
    attn_buffer_free(&text);
    return status;
}

/* ---- options ---- */

static const char *activation_of(attn_activation activation) {
    return activation == ATTN_ACTIVATION_SWISH  ? "swish"
           : activation == ATTN_ACTIVATION_GELU ? "gelu"
                                                : "relu";
}

static attn_status write_options(const attn_translator_config *c, const marian_side side[2],
                                 attn_export_tensors *list, attn_error *error) {
    attn_buffer text = {0};
    attn_buffer_text(&text, "bert-train-type-embeddings: true\nbert-type-vocab-size: 2\n"
                            "dec-cell: gru\ndec-cell-base-depth: 2\ndec-cell-high-depth: 1\n");
    attn_buffer_format(&text, "dec-depth: %lld\ndim-emb: %lld\n", (long long)c->decoder_layers,
                       (long long)c->d_model);
    attn_buffer_format(&text, "dim-rnn: 1024\ndim-vocabs:\n  - %lld\n  - %lld\n",
                       (long long)side[0].words.count, (long long)side[1].words.count);
    attn_buffer_format(&text, "enc-cell: gru\nenc-cell-depth: 1\nenc-depth: %lld\n",
                       (long long)c->encoder_layers);
    attn_buffer_text(&text,
                     "enc-type: bidirectional\nfactors-combine: sum\nfactors-dim-emb: 0\n"
                     "input-types:\n  []\nlayer-normalization: false\nlemma-dependency: \"\"\n"
                     "lemma-dim-emb: 0\noutput-omit-bias: false\nright-left: false\n"
                     "skip: false\n");
    attn_buffer_format(&text, "tied-embeddings: %s\ntied-embeddings-all: %s\n",
                       c->embeddings == ATTN_EMBEDDINGS_TARGET ? "true" : "false",
                       c->embeddings == ATTN_EMBEDDINGS_TIED ? "true" : "false");
    attn_buffer_text(&text, "tied-embeddings-src: false\ntransformer-aan-activation: swish\n"
                            "transformer-aan-depth: 2\ntransformer-aan-nogate: false\n"
                            "transformer-decoder-autoreg: self-attention\n"
                            "transformer-decoder-dim-ffn: 0\ntransformer-decoder-ffn-depth: 0\n"
                            "transformer-dim-aan: 2048\n");
    attn_buffer_format(&text, "transformer-dim-ffn: %lld\ntransformer-ffn-activation: %s\n",
                       (long long)c->ffn, activation_of(c->activation));
    attn_buffer_format(&text, "transformer-ffn-depth: 2\ntransformer-heads: %lld\n",
                       (long long)c->heads);
    attn_buffer_format(&text, "transformer-postprocess-emb: %s\n", c->embedding_norm ? "nd" : "d");
    attn_buffer_text(&text,
                     "transformer-guided-alignment-layer: last\ntransformer-no-affine: false\n"
                     "transformer-no-bias: false\ntransformer-no-projection: false\n"
                     "transformer-pool: false\ntransformer-postprocess: dan\n"
                     "transformer-postprocess-top: \"\"\ntransformer-preprocess: \"\"\n"
                     "transformer-rnn-projection: false\ntransformer-tied-layers:\n  []\n"
                     "transformer-train-position-embeddings: false\ntype: transformer\n"
                     "ulr: false\nulr-dim-emb: 0\nulr-trainable-transformation: false\n"
                     "version: v1.12.42 by attn\n");
    if (text.failed) {
        attn_buffer_free(&text);
        return attn_fail_memory(error, text.length);
    }
    const int64_t size = (int64_t)text.length + 1;
    attn_status status =
        attn_export_add(list, "special:model.yml", ATTN_DTYPE_I8, 1, &size, text.data, error);
    attn_buffer_free(&text);
    return status;
}

/* ---- the whole ---- */

static attn_status add_zero_bias(const attn_translator_config *c, int64_t words,
                                 attn_export_tensors *list, attn_error *error) {
    const int64_t shape[2] = {1, words};
    if (c->output_bias) {
        return ATTN_OK;
    }
    float *zeros = attn_alloc_zero((size_t)words, sizeof *zeros);
    attn_status status = zeros != NULL ? attn_export_add(list, "decoder_ff_logit_out_b",
                                                         ATTN_DTYPE_F32, 2, shape, zeros, error)
                                       : attn_fail_memory(error, (size_t)words * sizeof *zeros);
    attn_free(zeros);
    return status;
}

static attn_status write_model(const attn_imported *model, const marian_side side[2],
                               const char *folder, attn_error *error) {
    static const char *const of_target[][2] = {{"output", "decoder_Wemb"}, {NULL, NULL}};
    const attn_translator_config *c = attn_translator_get_config(model->translator);
    const attn_export_words words[2] = {side[0].words, side[1].words};
    const attn_export_shapes shapes = {.vectors_are_rows = true,
                                       .names = c->embeddings == ATTN_EMBEDDINGS_TARGET ? of_target
                                                                                        : NULL};
    attn_export_tensors list = {.tensor = NULL};
    char path[4352];
    snprintf(path, sizeof path, "%s/model.npz", folder);
    attn_status status =
        attn_export_weights(&attn_weights_marian, &shapes, words,
                            attn_translator_params(model->translator), &list, error);
    status = status == ATTN_OK ? add_zero_bias(c, words[1].count, &list, error) : status;
    status = status == ATTN_OK ? write_options(c, side, &list, error) : status;
    status = status == ATTN_OK ? attn_npz_write(path, list.tensor, list.count, error) : status;
    attn_export_tensors_free(&list);
    return status;
}

static attn_status write_sides(const attn_imported *model, const marian_side side[2],
                               const char *folder, attn_error *error) {
    char text[256];
    int length = snprintf(text, sizeof text,
                          "relative-paths: true\nmodels:\n  - model.npz\nvocabs:\n  - %s\n  - %s\n"
                          "beam-size: 6\nnormalize: 1\n",
                          side[0].name, side[1].name);
    attn_status status = attn_export_segmenters(model, folder, error);
    for (int s = 0; s < 2 && status == ATTN_OK; s++) {
        if (side[s].listed) {
            const attn_tokenizer *of =
                s == 1 ? attn_tokenizer_target(model->tokenizer) : model->tokenizer;
            status = write_list(of, &side[s], folder, error);
        }
    }
    return status == ATTN_OK ? attn_export_file(folder, "decoder.yml", text, (size_t)length, error)
                             : status;
}

static attn_status write(const attn_imported *model, const char *folder, attn_error *error) {
    marian_side side[2] = {{.listed = false}, {.listed = false}};
    attn_status status = number(model, side, error);
    status = status == ATTN_OK ? write_model(model, side, folder, error) : status;
    status = status == ATTN_OK ? write_sides(model, side, folder, error) : status;
    attn_free(side[0].words.ours);
    attn_free(side[1].words.ours);
    return status;
}

const attn_exporter attn_export_marian = {
    .name = "marian",
    .title = "Marian",
    .check = check,
    .write = write,
};
