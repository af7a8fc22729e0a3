/* pipeline/model.c: opening a model file: its header once, then what the kind of model needs. */
#include "pipeline/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attn/safetensors.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/sized.h"
#include "base/utf8.h"
#include "text/tags.h"

void attn_model_options_init_sized(attn_model_options *options, size_t size) {
    const attn_model_options defaults = {.compute = ATTN_COMPUTE_F32};
    attn_sized_init(options, size, &defaults, sizeof defaults);
}

/* ---- names ---- */

/* "en-fr" of "models/en-fr.safetensors". */
static char *name_of_path(const char *path) {
    static const char ending[] = ".safetensors";
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    size_t length = strlen(name), cut = sizeof ending - 1;
    bool ends = length > cut && strcmp(name + length - cut, ending) == 0;
    return strndup(name, ends ? length - cut : length);
}

static attn_status find_name(attn_model *model, const attn_safetensors *file, attn_error *error) {
    const char *given = attn_safetensors_metadata(file, "name");
    char *name = given != NULL && given[0] != '\0' ? strdup(given) : name_of_path(model->path);
    char quoted[128];
    if (name != NULL) { /* it is shown on terminals */
        model->name = strdup(attn_utf8_quote(quoted, sizeof quoted, name));
        free(name);
    }
    return model->name != NULL ? ATTN_OK : attn_fail_memory(error, sizeof quoted);
}

/* ---- languages ---- */

/* A code like en, zh, pt-BR or zh_Hant: letters, digits, '-' and '_'. */
static bool is_code(const char *text, size_t length) {
    if (length < 2 || length >= ATTN_LANGUAGE_CODE) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        bool letter = (text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'z';
        bool other = (text[i] >= '0' && text[i] <= '9') || text[i] == '-' || text[i] == '_';
        if (!letter && !(i >= 2 && other)) {
            return false;
        }
    }
    return true;
}

/* "en-fr" at the start of name[0 .. length). */
static bool take_languages(attn_model *model, const char *name, size_t length) {
    const char *dash = memchr(name, '-', length);
    size_t first = dash != NULL ? (size_t)(dash - name) : 0, second = 0;
    while (dash != NULL && first + 1 + second < length && strchr(".-_", dash[1 + second]) == NULL) {
        second++;
    }
    if (first > 3 || second > 3 || !is_code(name, first) || !is_code(name + first + 1, second)) {
        return false;
    }
    snprintf(model->source, sizeof model->source, "%.*s", (int)first, name);
    snprintf(model->target, sizeof model->target, "%.*s", (int)second, dash + 1);
    return true;
}

void attn_model_languages_of_name(attn_model *model) {
    size_t length = strlen(model->path), start;
    while (length > 0 && model->path[length - 1] == '/') {
        length--;
    }
    for (start = length; start > 0 && model->path[start - 1] != '/';) {
        start--;
    }
    const char *name = model->path + start;
    length = strcspn(name, "./");
    size_t last = length, dashes = 0; /* where the last but one part begins */
    while (last > 0 && (name[last - 1] != '-' || ++dashes < 2)) {
        last--;
    }
    if (!take_languages(model, name, length)) {
        take_languages(model, name + last, length - last);
    }
}

static void find_languages(attn_model *model, const attn_safetensors *file) {
    const char *source = attn_safetensors_metadata(file, "source_language");
    const char *target = attn_safetensors_metadata(file, "target_language");
    if (source != NULL && is_code(source, strlen(source))) {
        snprintf(model->source, sizeof model->source, "%s", source);
    }
    if (target != NULL && is_code(target, strlen(target))) {
        snprintf(model->target, sizeof model->target, "%s", target);
    }
    if (model->source[0] == '\0' && model->target[0] == '\0') {
        attn_model_languages_of_name(model);
    }
}

/* "en-fr fr-en": the pairs of a model that has several. */
static attn_status read_pairs(attn_model *model, const char *list, attn_error *error) {
    model->pairs = calloc(ATTN_MODEL_PAIRS, sizeof *model->pairs);
    if (model->pairs == NULL) {
        return attn_fail_memory(error, ATTN_MODEL_PAIRS * sizeof *model->pairs);
    }
    while (*list != '\0' && model->pair_count < ATTN_MODEL_PAIRS) {
        size_t length = strcspn(list, " "), first = strcspn(list, "-");
        attn_language_pair *pair = &model->pairs[model->pair_count];
        if (first < length && is_code(list, first) &&
            is_code(list + first + 1, length - first - 1)) {
            snprintf(pair->source, sizeof pair->source, "%.*s", (int)first, list);
            snprintf(pair->target, sizeof pair->target, "%.*s", (int)(length - first - 1),
                     list + first + 1);
            model->pair_count++;
        }
        list += length;
        list += strspn(list, " ");
    }
    return ATTN_OK;
}

static bool fits(const attn_model_options *options, const char *source, const char *target) {
    return (options->source == NULL || strcmp(options->source, source) == 0) &&
           (options->target == NULL || strcmp(options->target, target) == 0);
}

/* Of a model that goes from any of its languages to any other: those asked for; its tokenizer knows which it has. */
static void choose_any(attn_model *model, const char *source, const char *target) {
    if (source != NULL) {
        snprintf(model->source, sizeof model->source, "%s", source);
    }
    if (target != NULL) {
        snprintf(model->target, sizeof model->target, "%s", target);
    }
}

/* One of several pairs: the first that fits what is asked for. */
static bool choose_pair(attn_model *model, const attn_model_options *options) {
    for (size_t i = 0; i < model->pair_count; i++) {
        const attn_language_pair *pair = &model->pairs[i];
        if (fits(options, pair->source, pair->target)) {
            snprintf(model->source, sizeof model->source, "%s", pair->source);
            snprintf(model->target, sizeof model->target, "%s", pair->target);
            return true;
        }
    }
    return model->pair_count == 0 && fits(options, model->source, model->target);
}

static attn_status find_pair(attn_model *model, const attn_safetensors *file,
                             const attn_model_options *options, attn_error *error) {
    const char *list = attn_safetensors_metadata(file, "languages");
    if (list != NULL && strchr(list, '-') == NULL) {
        choose_any(model, options->source, options->target);
        return ATTN_OK;
    }
    attn_status status = list != NULL ? read_pairs(model, list, error) : ATTN_OK;
    if (status == ATTN_OK && !choose_pair(model, options)) {
        status =
            attn_fail(error, ATTN_ERR_ARGUMENT, model->path, -1, "`attn info` lists its languages",
                      "it does not translate from %.15s to %.15s",
                      options->source != NULL ? options->source : model->source,
                      options->target != NULL ? options->target : model->target);
    }
    return status;
}

/* ---- the pieces that tell languages ---- */

/* A few codes of languages that the tokenizer has, for messages. */
static void list_languages(const attn_tokenizer *tokenizer, char *out, size_t size) {
    enum { FEW = 5 };
    size_t at = 0, found = 0;
    out[0] = '\0';
    for (int32_t id = 0; id < attn_tokenizer_size(tokenizer) && found < FEW; id++) {
        char code[ATTN_TAG_SIZE];
        if (attn_language_of_piece(tokenizer, id, code) && at < size) {
            at += (size_t)snprintf(out + at, size - at, "%s%s", found++ > 0 ? ", " : "", code);
        }
    }
}

static attn_status find_language(const attn_model *model, const attn_tokenizer *tokenizer,
                                 const char *code, int32_t *out, attn_error *error) {
    char some[128], hint[192];
    *out = attn_tokenizer_language(tokenizer, code);
    if (*out >= 0) {
        return ATTN_OK;
    }
    list_languages(tokenizer, some, sizeof some);
    snprintf(hint, sizeof hint, "among its languages are %s", some);
    return attn_fail(error, ATTN_ERR_ARGUMENT, model->path, -1, hint,
                     "the model does not know the language \"%.15s\"", code);
}

/* Both languages as the model's tagging has them; nothing while they are not known. */
static attn_status find_both(attn_model *model, attn_tagging tagging, attn_error *error) {
    int32_t source, target;
    if (model->source[0] == '\0' || model->target[0] == '\0') {
        return ATTN_OK;
    }
    attn_status status = find_language(model, model->tokenizer, model->source, &source, error);
    if (status == ATTN_OK) {
        const attn_tokenizer *tokenizer = attn_tokenizer_target(model->tokenizer);
        status = find_language(model, tokenizer, model->target, &target, error);
    }
    if (status == ATTN_OK) {
        *(tagging == ATTN_TAGGING_BOTH ? &model->tags.before : &model->tags.after) = source;
        *(tagging == ATTN_TAGGING_START ? &model->tags.start : &model->tags.first) = target;
    }
    return status;
}

static attn_status find_tags(attn_model *model, attn_error *error) {
    attn_tagging tagging = attn_translator_get_config(model->translator)->tagging;
    char piece[ATTN_TAG_SIZE];
    model->tags = (attn_language_tags){.start = ATTN_BOS};
    if (tagging != ATTN_TAGGING_TARGET) {
        return find_both(model, tagging, error);
    }
    attn_tag_of_language(model->target, piece);
    model->tags.before = attn_tokenizer_tag(model->tokenizer, piece);
    return ATTN_OK;
}

attn_status attn_model_check_languages(const attn_model *model, attn_error *error) {
    char some[128], hint[192];
    if (model->kind != ATTN_MODEL_TRANSLATOR ||
        attn_translator_get_config(model->translator)->tagging == ATTN_TAGGING_TARGET ||
        (model->source[0] != '\0' && model->target[0] != '\0')) {
        return ATTN_OK;
    }
    list_languages(model->tokenizer, some, sizeof some);
    snprintf(hint, sizeof hint, "give both, with --from and --to: %s ...", some);
    return attn_fail(error, ATTN_ERR_ARGUMENT, model->path, -1, hint,
                     "the model has several languages and was not told which are meant");
}

/* ---- a translator ---- */

static attn_status check_size(const attn_model *model, const attn_tokenizer *tokenizer,
                              int64_t vocabulary, attn_error *error) {
    int32_t pieces = attn_tokenizer_size(tokenizer);
    return pieces == vocabulary ? ATTN_OK
                                : attn_fail(error, ATTN_ERR_FORMAT, model->path, -1,
                                            "re-export it: tokenizer and weights differ",
                                            "the tokenizer has %d pieces, but the model has %lld",
                                            (int)pieces, (long long)vocabulary);
}

/* What search, training and pictures of attention count on. */
static bool has_usual_ids(const attn_tokenizer *tokenizer) {
    attn_special_ids s = attn_tokenizer_special(tokenizer);
    return s.pad == ATTN_PAD && s.unk == ATTN_UNK && s.bos == ATTN_BOS && s.eos == ATTN_EOS;
}

static attn_status read_tokenizer(attn_model *model, const void *bytes, size_t size,
                                  const char *hint, attn_error *error) {
    return bytes != NULL ? attn_tokenizer_from_bytes(bytes, size, &model->tokenizer, error)
                         : attn_fail(error, ATTN_ERR_FORMAT, model->path, -1, hint,
                                     "the model has no tokenizer");
}

static attn_status read_sides(attn_model *model, const void *bytes, size_t size,
                              attn_error *error) {
    attn_status status =
        read_tokenizer(model, bytes, size, "save it with `attn train translator`", error);
    if (status != ATTN_OK) {
        return status;
    }
    const attn_translator_config *config = attn_translator_get_config(model->translator);
    int64_t sources = config->source_vocabulary;
    status =
        check_size(model, model->tokenizer, sources != 0 ? sources : config->vocabulary, error);
    if (status == ATTN_OK) {
        status =
            check_size(model, attn_tokenizer_target(model->tokenizer), config->vocabulary, error);
    }
    if (status == ATTN_OK && (!has_usual_ids(model->tokenizer) ||
                              !has_usual_ids(attn_tokenizer_target(model->tokenizer)))) {
        status = attn_fail(error, ATTN_ERR_FORMAT, model->path, -1, "import the model again",
                           "its tokenizer does not number <pad>, <unk>, <s>, </s> as 0, 1, 2, 3");
    }
    return status == ATTN_OK ? find_tags(model, error) : status;
}

attn_status attn_model_set_shortlist(attn_model *model, const char *path, attn_error *error) {
    attn_shortlist_free(model->shortlist);
    model->shortlist = NULL;
    attn_status status = attn_shortlist_load(path, &model->shortlist, error);
    const attn_translator_config *config = attn_translator_get_config(model->translator);
    int64_t words = config->vocabulary;
    if (status == ATTN_OK &&
        (attn_shortlist_vocabulary(model->shortlist) != words ||
         attn_shortlist_source_vocabulary(model->shortlist) != config->source_vocabulary)) {
        status =
            attn_fail(error, ATTN_ERR_FORMAT, path, -1, "make it with this model: `attn shortlist`",
                      "the shortlist covers %lld words, but the model has %lld",
                      (long long)attn_shortlist_vocabulary(model->shortlist), (long long)words);
    }
    return status;
}

attn_status attn_model_set_glossary(attn_model *model, const char *path, attn_error *error) {
    attn_glossary_free(model->glossary);
    model->glossary = NULL;
    return attn_glossary_read(path, &model->glossary, error);
}

static attn_status read_translator(attn_model *model, const attn_safetensors *file,
                                   const attn_model_options *options, attn_error *error) {
    void *bytes = NULL;
    size_t size = 0;
    find_languages(model, file);
    attn_status status = find_pair(model, file, options, error);
    if (status == ATTN_OK) {
        status = attn_translator_read(file, model->path,
                                      options->whole ? ATTN_LOAD_TO_RUN : ATTN_LOAD_TO_DECODE,
                                      options->compute, &model->translator, &bytes, &size, error);
    }
    if (status == ATTN_OK) {
        status = read_sides(model, bytes, size, error);
    }
    attn_translator_free_bytes(bytes);
    if (status == ATTN_OK && options->shortlist != NULL) {
        status = attn_model_set_shortlist(model, options->shortlist, error);
    }
    if (status == ATTN_OK && options->glossary != NULL) {
        status = attn_model_set_glossary(model, options->glossary, error);
    }
    return status;
}

/* ---- a segmenter ---- */

static attn_status read_classes(attn_model *model, const void *text, size_t size, int64_t classes,
                                attn_error *error) {
    if (text == NULL) {
        return attn_fail(error, ATTN_ERR_FORMAT, model->path, -1,
                         "save it with `attn train segmenter`", "the model names no classes");
    }
    attn_status status =
        attn_classes_parse(text, size, model->path, ATTN_IGNORE_LABEL, &model->classes, error);
    if (status == ATTN_OK && model->classes.count != classes) {
        status = attn_fail(error, ATTN_ERR_FORMAT, model->path, -1,
                           "take an undamaged copy of the model",
                           "it names %d classes, but the model has %lld", model->classes.count,
                           (long long)classes);
    }
    return status;
}

static attn_status read_segmenter(attn_model *model, const attn_safetensors *file,
                                  attn_error *error) {
    void *text = NULL;
    size_t size = 0;
    attn_status status =
        attn_segmenter_read(file, model->path, false, &model->segmenter, &text, &size, error);
    if (status == ATTN_OK) {
        status = read_classes(model, text, size,
                              attn_segmenter_get_config(model->segmenter)->classes, error);
    }
    attn_segmenter_free_bytes(text);
    return status;
}

/* ---- an encoder ---- */

/* A table of words may have more rows than the tokenizer has pieces. */
static attn_status check_pieces(const attn_model *model, int64_t rows, attn_error *error) {
    int32_t pieces = attn_tokenizer_size(model->tokenizer);
    return pieces <= rows ? ATTN_OK
                          : attn_fail(error, ATTN_ERR_FORMAT, model->path, -1,
                                      "give the tokenizer that the model was trained with",
                                      "the tokenizer has %d pieces, but the model has %lld",
                                      (int)pieces, (long long)rows);
}

static attn_status read_encoder(attn_model *model, const attn_safetensors *file,
                                const attn_model_options *options, attn_error *error) {
    void *bytes = NULL;
    size_t size = 0;
    attn_status status = attn_encoder_read(file, model->path, false, options->compute,
                                           &model->encoder, &bytes, &size, error);
    if (status == ATTN_OK) {
        status = read_tokenizer(model, bytes, size, "import the model again", error);
    }
    if (status == ATTN_OK) {
        status = check_pieces(model, attn_encoder_get_config(model->encoder)->vocabulary, error);
    }
    attn_encoder_free_bytes(bytes);
    return status;
}

/* ---- a decoder ---- */

static attn_status read_decoder(attn_model *model, const attn_safetensors *file,
                                const attn_model_options *options, attn_error *error) {
    void *bytes = NULL;
    size_t size = 0;
    attn_status status = attn_decoder_read(file, model->path, options->compute, &model->decoder,
                                           &bytes, &size, error);
    if (status == ATTN_OK) {
        status = read_tokenizer(model, bytes, size, "import the model again", error);
    }
    if (status == ATTN_OK) {
        status = check_pieces(model, attn_decoder_get_config(model->decoder)->vocabulary, error);
    }
    attn_decoder_free_bytes(bytes);
    return status;
}

/* ---- a network of pictures ---- */

static attn_status read_labels(attn_model *model, const char *text, size_t size,
                               attn_error *error) {
    const attn_vision_config *config = attn_vision_get_config(model->vision);
    bool segments = config->head == ATTN_VISION_SEGMENT;
    model->kind = segments ? ATTN_MODEL_SEGMENTER : ATTN_MODEL_PICTURES;
    if (segments) {
        return read_classes(model, text, size, config->classes, error);
    }
    return config->head == ATTN_VISION_CLASSIFY
               ? attn_labels_parse(text, size, model->path, config->classes, &model->labels, error)
               : ATTN_OK;
}

static attn_status read_vision(attn_model *model, const attn_safetensors *file, attn_error *error) {
    void *text = NULL;
    size_t size = 0;
    attn_status status = attn_vision_read(file, model->path, &model->vision, &text, &size, error);
    status = status == ATTN_OK ? read_labels(model, text, size, error) : status;
    attn_free(text);
    return status;
}

/* ---- all of them ---- */

static attn_model *make_model(const char *path) {
    attn_model *model = calloc(1, sizeof *model);
    if (model != NULL) {
        model->path = strdup(path);
    }
    if (model != NULL && model->path == NULL) {
        free(model);
        return NULL;
    }
    return model;
}

/* A file that does not say what it is is taken for a translator, whose reader says what is wrong. */
static attn_model_kind kind_of(const attn_safetensors *file) {
    const char *kind = attn_safetensors_metadata(file, "attn.model");
    return kind != NULL && strcmp(kind, "segmenter") == 0 ? ATTN_MODEL_SEGMENTER
           : kind != NULL && strcmp(kind, "encoder") == 0 ? ATTN_MODEL_ENCODER
           : kind != NULL && strcmp(kind, "decoder") == 0 ? ATTN_MODEL_DECODER
           : kind != NULL && strcmp(kind, "vision") == 0  ? ATTN_MODEL_PICTURES
                                                          : ATTN_MODEL_TRANSLATOR;
}

static attn_status read_model(attn_model *model, const attn_model_options *options,
                              attn_error *error) {
    attn_safetensors *file = NULL;
    attn_status status = attn_safetensors_open_header(model->path, &file, error);
    if (status != ATTN_OK) {
        return status;
    }
    model->kind = kind_of(file);
    status = find_name(model, file, error);
    if (status == ATTN_OK) {
        status = model->kind == ATTN_MODEL_SEGMENTER  ? read_segmenter(model, file, error)
                 : model->kind == ATTN_MODEL_PICTURES ? read_vision(model, file, error)
                 : model->kind == ATTN_MODEL_ENCODER  ? read_encoder(model, file, options, error)
                 : model->kind == ATTN_MODEL_DECODER  ? read_decoder(model, file, options, error)
                                                     : read_translator(model, file, options, error);
    }
    attn_safetensors_close(file);
    return status;
}

attn_status attn_model_open(const char *path, const attn_model_options *options, attn_model **out,
                            attn_error *error) {
    attn_model_options chosen;
    attn_model_options_init(&chosen);
    *out = NULL;
    attn_status status = options == NULL
                             ? ATTN_OK
                             : attn_sized_read(options, &chosen, sizeof chosen,
                                               ATTN_SIZE_UP_TO(attn_model_options, glossary),
                                               "attn_model_options", error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_model *model = make_model(path);
    if (model == NULL) {
        return attn_fail_memory(error, sizeof *model);
    }
    status = read_model(model, &chosen, error);
    if (status != ATTN_OK) {
        attn_model_close(model);
        return status;
    }
    *out = model;
    return ATTN_OK;
}

int64_t attn_model_source_extra(const attn_model *model) {
    return (model->tags.before > 0) + !attn_translator_get_config(model->translator)->bare_source +
           (model->tags.after > 0);
}

int64_t attn_model_write_source(const attn_model *model, const int32_t *words, int64_t count,
                                int32_t *out) {
    bool bare = attn_translator_get_config(model->translator)->bare_source;
    int64_t length = 0;
    if (model->tags.before > 0) {
        out[length++] = model->tags.before;
    }
    if (count > 0) {
        memcpy(out + length, words, (size_t)count * sizeof *out);
    }
    length += count;
    out[length] = ATTN_EOS; /* beyond the end of a source without it */
    length += !bare;
    if (model->tags.after > 0) {
        out[length++] = model->tags.after;
    }
    return length;
}

int64_t attn_model_most_words(const attn_model *model) {
    const attn_translator_config *config = attn_translator_get_config(model->translator);
    return config->max_length - attn_model_source_extra(model) - config->bare_source;
}

int64_t attn_model_target_begin(const attn_model *model, int32_t ids[2]) {
    ids[0] = model->tags.start;
    ids[1] = model->tags.first;
    return model->tags.first > 0 ? 2 : 1;
}

void attn_model_set_search(const attn_model *model, attn_search_options *search) {
    if (model->tags.start != ATTN_BOS) {
        search->start_token = model->tags.start;
    }
    if (model->tags.first > 0) {
        search->first_token = model->tags.first;
    }
}

int64_t attn_source_words(const int32_t *ids, int64_t length) {
    return length > 0 && ids[length - 1] == ATTN_EOS ? length - 1 : length;
}

attn_status attn_model_wrap(attn_translator *translator, attn_tokenizer *tokenizer,
                            const char *source, const char *target, attn_model **out,
                            attn_error *error) {
    attn_model *model = make_model("");
    *out = model;
    if (model == NULL) {
        attn_translator_free(translator);
        attn_tokenizer_free(tokenizer);
        return attn_fail_memory(error, sizeof *model);
    }
    choose_any(model, source, target);
    model->translator = translator;
    model->tokenizer = tokenizer;
    attn_status status = find_tags(model, error);
    if (status != ATTN_OK) {
        attn_model_close(model);
        *out = NULL;
    }
    return status;
}

attn_status attn_model_wrap_encoder(attn_encoder *encoder, attn_tokenizer *tokenizer,
                                    attn_model **out, attn_error *error) {
    attn_model *model = make_model("");
    *out = model;
    if (model == NULL) {
        attn_encoder_free(encoder);
        attn_tokenizer_free(tokenizer);
        return attn_fail_memory(error, sizeof *model);
    }
    model->kind = ATTN_MODEL_ENCODER;
    model->encoder = encoder;
    model->tokenizer = tokenizer;
    return check_pieces(model, attn_encoder_get_config(encoder)->vocabulary, error);
}

attn_status attn_model_wrap_decoder(attn_decoder *decoder, attn_tokenizer *tokenizer,
                                    attn_model **out, attn_error *error) {
    attn_model *model = make_model("");
    *out = model;
    if (model == NULL) {
        attn_decoder_free(decoder);
        attn_tokenizer_free(tokenizer);
        return attn_fail_memory(error, sizeof *model);
    }
    model->kind = ATTN_MODEL_DECODER;
    model->decoder = decoder;
    model->tokenizer = tokenizer;
    return check_pieces(model, attn_decoder_get_config(decoder)->vocabulary, error);
}

attn_status attn_model_wrap_vision(attn_vision *vision, const void *labels, size_t labels_size,
                                   attn_model **out, attn_error *error) {
    attn_model *model = make_model("");
    *out = model;
    if (model == NULL) {
        attn_vision_free(vision);
        return attn_fail_memory(error, sizeof *model);
    }
    model->vision = vision;
    return read_labels(model, labels, labels_size, error);
}

void attn_model_close(attn_model *model) {
    if (model == NULL) {
        return;
    }
    attn_translator_free(model->translator);
    attn_tokenizer_free(model->tokenizer);
    attn_shortlist_free(model->shortlist);
    attn_glossary_free(model->glossary);
    attn_segmenter_free(model->segmenter);
    attn_encoder_free(model->encoder);
    attn_decoder_free(model->decoder);
    attn_vision_free(model->vision);
    attn_labels_free(&model->labels);
    free(model->pairs);
    free(model->path);
    free(model->name);
    free(model);
}

attn_status attn_model_check_kind(const attn_model *model, attn_model_kind kind,
                                  attn_error *error) {
    static const char *const is[] = {
        [ATTN_MODEL_TRANSLATOR] = "it is a translator, for text",
        [ATTN_MODEL_SEGMENTER] = "it is a segmenter, for pictures",
        [ATTN_MODEL_ENCODER] = "it is an encoder, for vectors of text",
        [ATTN_MODEL_DECODER] = "it is a decoder, which goes on with texts, for `attn generate`",
        [ATTN_MODEL_PICTURES] = "it sees whole pictures, for `attn classify` and `attn embed`",
    };
    static const char *const wanted[] = {
        [ATTN_MODEL_TRANSLATOR] = "name a model for text",
        [ATTN_MODEL_SEGMENTER] = "name a model for pictures",
        [ATTN_MODEL_ENCODER] = "name an encoder, such as `attn import` makes of a BERT",
        [ATTN_MODEL_DECODER] = "name a decoder, such as `attn import` makes of a GPT-2",
        [ATTN_MODEL_PICTURES] = "name a network of pictures, such as `attn import` makes of a ViT",
    };
    return model->kind == kind ? ATTN_OK
                               : attn_fail(error, ATTN_ERR_ARGUMENT, model->path, -1, wanted[kind],
                                           "%s", is[model->kind]);
}

attn_model_kind attn_model_get_kind(const attn_model *model) {
    return model->kind;
}

const char *attn_model_name(const attn_model *model) {
    return model->name != NULL ? model->name : "";
}

const char *attn_model_path(const attn_model *model) {
    return model->path;
}

const char *attn_model_source_language(const attn_model *model) {
    return model->source;
}

const char *attn_model_target_language(const attn_model *model) {
    return model->target;
}

size_t attn_model_pair_count(const attn_model *model) {
    return model->pair_count > 0 ? model->pair_count : model->kind == ATTN_MODEL_TRANSLATOR;
}

bool attn_model_pair(const attn_model *model, size_t i, const char **source, const char **target) {
    if (i >= attn_model_pair_count(model)) {
        return false;
    }
    *source = model->pair_count > 0 ? model->pairs[i].source : model->source;
    *target = model->pair_count > 0 ? model->pairs[i].target : model->target;
    return true;
}

const attn_tokenizer *attn_model_tokenizer(const attn_model *model) {
    return model->tokenizer;
}
