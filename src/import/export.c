/* import/export.c: the parts that all formats share, and the folder that is there whole or not at all. */
#include "import/export.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/memory.h"
#include "io/file.h"
#include "io/json_write.h"
#include "models/translator.h"
#include "text/buffer.h"
#include "text/piece_table.h"
#include "text/protobuf.h"

/* ---- the network ---- */

attn_status attn_export_positions(const attn_imported *model, float **table, attn_error *error) {
    const attn_translator_config *c = attn_translator_get_config(model->translator);
    size_t bytes = (size_t)(c->max_length * c->d_model) * sizeof **table;
    *table = attn_alloc(bytes);
    if (*table == NULL) {
        return attn_fail_memory(error, bytes);
    }
    if (c->learned_positions) {
        const attn_params *params = attn_translator_params(model->translator);
        memcpy(*table, attn_params_find(params, "positions")->data, bytes);
    } else {
        attn_sinusoid_table(c->sinusoids, c->first_position, c->max_length, c->d_model, *table);
    }
    return ATTN_OK;
}

bool attn_export_starts_with_zeros(const attn_imported *model) {
    static const char *const tables[] = {"embedding", "target_embedding", "output"};
    const attn_params *params = attn_translator_params(model->translator);
    const attn_param *table = NULL;
    for (size_t i = 0; i < sizeof tables / sizeof *tables && table == NULL; i++) {
        table = attn_params_find(params, tables[i]);
    }
    for (int64_t c = 0; c < table->cols; c++) {
        if (table->data[ATTN_BOS * table->cols + c] != 0) {
            return false;
        }
    }
    return true;
}

double attn_export_epsilon(const attn_imported *model) {
    double epsilon = attn_translator_get_config(model->translator)->norm_epsilon;
    return epsilon > 0 ? epsilon : 1e-5;
}

attn_status attn_export_limits(const char *format, const attn_export_limit *limits, size_t count,
                               attn_error *error) {
    for (size_t i = 0; i < count; i++) {
        if (limits[i].set) {
            return attn_fail(error, ATTN_ERR_UNSUPPORTED, NULL, -1,
                             "see docs/import.md for what each format can express",
                             "%s cannot express %s", format, limits[i].what);
        }
    }
    return ATTN_OK;
}

/* ---- words ---- */

/* What SentencePiece leaves to others begins here; the first is attn's list of elisions (text/tokenizer.cpp). */
enum { OF_OTHERS = 200, ELISIONS = 200 };

static attn_status copy_fields(attn_protobuf message, attn_buffer *out, attn_error *error) {
    while (message.at < message.size) {
        size_t begin = message.at;
        attn_protobuf_field f;
        if (!attn_protobuf_next(&message, &f)) {
            return attn_fail(error, ATTN_ERR_FORMAT, "tokenizer", -1, NULL,
                             "the bytes are not a SentencePiece model");
        }
        if (f.number == ELISIONS && f.holds_bytes && f.bytes.size > 0) {
            return attn_fail(error, ATTN_ERR_UNSUPPORTED, NULL, -1, NULL,
                             "the tokenizer splits elisions off, which is attn's own way and no "
                             "other program's");
        }
        if (f.number < OF_OTHERS) {
            attn_buffer_add(out, message.data + begin, message.at - begin);
        }
    }
    return ATTN_OK;
}

attn_status attn_export_segmenter(const attn_imported *model, bool target, char **bytes,
                                  size_t *size, attn_error *error) {
    const attn_tokenizer *side =
        target ? attn_tokenizer_target(model->tokenizer) : model->tokenizer;
    size_t whole;
    const void *data = attn_tokenizer_bytes(side, &whole);
    attn_buffer out = {0};
    attn_piece_table pieces = {0};
    *bytes = NULL;
    attn_status status = copy_fields((attn_protobuf){data, whole, 0}, &out, error);
    *size = out.length;
    if (status == ATTN_OK) {
        status = attn_buffer_take(&out, bytes, error);
    }
    if (status == ATTN_OK) {
        status = attn_piece_table_of_model(*bytes, *size, &pieces, error);
    }
    if (status == ATTN_OK && pieces.count == 0) {
        status = attn_fail(error, ATTN_ERR_UNSUPPORTED, NULL, -1, NULL,
                           "the tokenizer is not one of SentencePiece");
    }
    attn_piece_table_free(&pieces);
    attn_buffer_free(&out);
    if (status != ATTN_OK) {
        free(*bytes);
        *bytes = NULL;
    }
    return status;
}

const char *attn_export_piece(const attn_tokenizer *side, int32_t id, char room[32]) {
    const char *piece = attn_tokenizer_piece(side, id);
    if (piece[0] != '\0') {
        return piece;
    }
    snprintf(room, 32, "<unused %d>", (int)id);
    return room;
}

bool attn_export_has_tags(const attn_imported *model) {
    for (int32_t id = 0; id < attn_tokenizer_size(model->tokenizer); id++) {
        const char *piece = attn_tokenizer_piece(model->tokenizer, id);
        size_t length = strlen(piece);
        if (length > 3 && strncmp(piece, "<2", 2) == 0 && piece[length - 1] == '>') {
            return true;
        }
    }
    return false;
}

/* ---- files ---- */

attn_status attn_export_file(const char *folder, const char *name, const void *data, size_t size,
                             attn_error *error) {
    char path[4352];
    const attn_bytes bytes = {data, size};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return attn_file_replace(path, &bytes, 1, error);
}

attn_status attn_export_json(const char *folder, const char *name, json_t *json,
                             attn_error *error) {
    char *text = attn_json_dump(json_incref(json), JSON_INDENT(2) | JSON_SORT_KEYS);
    if (text == NULL) {
        return attn_fail_memory(error, 0);
    }
    attn_status status = attn_export_file(folder, name, text, strlen(text), error);
    free(text);
    return status;
}

attn_status attn_export_segmenters(const attn_imported *model, const char *folder,
                                   attn_error *error) {
    static const char *const names[] = {"source.spm", "target.spm"};
    attn_status status = ATTN_OK;
    for (int side = 0; side < 2 && status == ATTN_OK; side++) {
        char *bytes;
        size_t size;
        status = attn_export_segmenter(model, side == 1, &bytes, &size, error);
        if (status == ATTN_OK) {
            status = attn_export_file(folder, names[side], bytes, size, error);
        }
        free(bytes);
    }
    return status;
}

/* Removes a folder and the files in it. */
static void remove_folder(const char *path) {
    DIR *folder = opendir(path);
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        char file[4700];
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.') {
            unlink(file);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    rmdir(path);
}

/* The exporters know this much of a network, each some of it. */
static attn_status check_known(const attn_imported *model, attn_error *error) {
    const attn_translator_config *c = attn_translator_get_config(model->translator);
    attn_translator_config known;
    attn_translator_config_init(&known);
    known.vocabulary = c->vocabulary;
    known.source_vocabulary = c->source_vocabulary;
    known.d_model = c->d_model;
    known.ffn = c->ffn;
    known.heads = c->heads;
    known.kv_heads = c->kv_heads;
    known.encoder_layers = c->encoder_layers;
    known.decoder_layers = c->decoder_layers;
    known.max_length = c->max_length;
    known.pre_norm = c->pre_norm;
    known.learned_positions = c->learned_positions;
    known.activation = c->activation;
    known.alignment_layer = c->alignment_layer;
    known.alignment_head = c->alignment_head;
    known.embeddings = c->embeddings;
    known.output_bias = c->output_bias;
    known.plain_embeddings = c->plain_embeddings;
    known.embedding_norm = c->embedding_norm;
    known.sinusoids = c->sinusoids;
    known.first_position = c->first_position;
    known.norm_epsilon = c->norm_epsilon;
    known.rms_norm = c->rms_norm;
    known.gated = c->gated;
    known.bare_source = c->bare_source;
    known.rotary = c->rotary;
    known.rotary_base = c->rotary_base;
    known.rotary_dim = c->rotary_dim;
    known.relative = c->relative;
    known.relative_buckets = c->relative_buckets;
    known.relative_distance = c->relative_distance;
    const char *key = attn_translator_config_difference(c, &known);
    return key == NULL ? ATTN_OK
                       : attn_fail(error, ATTN_ERR_UNSUPPORTED, NULL, -1, NULL,
                                   "no format has the %s of this model", key);
}

/* What no format has, and what this one lacks, before anything is written. */
static attn_status check(const attn_exporter *exporter, const attn_imported *model, char *note,
                         size_t note_size, attn_error *error) {
    if (model->tokenizer == NULL) {
        return attn_fail(error, ATTN_ERR_FORMAT, NULL, -1, NULL, "the model has no tokenizer");
    }
    attn_status status = check_known(model, error);
    status = status == ATTN_OK ? exporter->check(model, note, note_size, error) : status;
    for (int side = 0; side < 2 && status == ATTN_OK; side++) {
        char *bytes;
        size_t size;
        status = attn_export_segmenter(model, side == 1, &bytes, &size, error);
        free(bytes);
    }
    return status;
}

attn_status attn_export_write(const attn_exporter *exporter, const attn_imported *model,
                              const char *folder, char *note, size_t note_size, attn_error *error) {
    char partial[4200];
    note[0] = '\0';
    if (snprintf(partial, sizeof partial, "%s.partial", folder) >= (int)sizeof partial - 128) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL, "the path is too long");
    }
    if (access(folder, F_OK) == 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, folder, -1, "name another folder with -o",
                         "it exists");
    }
    attn_status status = check(exporter, model, note, note_size, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (mkdir(partial, 0777) != 0 && errno != EEXIST) {
        return attn_fail_errno(error, partial, "cannot make the folder");
    }
    status = exporter->write(model, partial, error);
    if (status == ATTN_OK && model->licence[0] != '\0') {
        status =
            attn_export_file(partial, "LICENCE", model->licence, strlen(model->licence), error);
    }
    if (status == ATTN_OK && rename(partial, folder) != 0) {
        status = attn_fail_errno(error, folder, "cannot make the folder");
    }
    if (status != ATTN_OK) {
        remove_folder(partial);
    }
    return status;
}
