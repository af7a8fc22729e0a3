/* train/translator_task.c: from sentence pairs to losses and gradients. */
#include "train/translator_task.h"

#include <string.h>

#include "align/pieces.h"
#include "base/fail.h"
#include "models/translator.h"
#include "attn/threads.h"
#include "attn/tokenizer.h"
#include "text/tokenizer_dropout.h"
#include "train/bleu.h"
#include "train/patterns.h"

/* ---- batches ---- */

static int64_t length_of(const int64_t *start, int64_t pair) {
    return start[pair + 1] - start[pair];
}

static int64_t target_tokens(const attn_corpus *corpus, const attn_batches *batches, int64_t first,
                             int64_t count) {
    int64_t tokens = 0;
    for (int64_t i = batches->start[first]; i < batches->start[first + count]; i++) {
        tokens += length_of(corpus->target_start, batches->pair[i]) + 1;
    }
    return tokens;
}

static int64_t source_tokens(const attn_corpus *corpus, const attn_batches *batches,
                             int64_t index) {
    int64_t tokens = 0;
    for (int64_t i = batches->start[index]; i < batches->start[index + 1]; i++) {
        tokens += length_of(corpus->source_start, batches->pair[i]) + 1;
    }
    return tokens;
}

/* Batch `index`, its pairs `copies` times one after another; the ids lie in the learner's scratch memory until the next
 * call. */
static attn_status gather(attn_translator_task *t, const attn_corpus *corpus,
                          const attn_batches *batches, int64_t index, int copies,
                          attn_translator_batch *out, attn_error *error) {
    int64_t pairs = batches->start[index + 1] - batches->start[index], count = copies * pairs;
    size_t sources = (size_t)(copies * source_tokens(corpus, batches, index));
    size_t targets = (size_t)(copies * target_tokens(corpus, batches, index, 1));
    size_t starts = 2 * ((size_t)count + 1) * sizeof(int64_t);
    size_t bytes = starts + (sources + 2 * targets) * sizeof(int32_t);
    char *memory = attn_scratch_get(&t->ids, bytes);
    if (memory == NULL) {
        return attn_fail_memory(error, bytes);
    }
    bool bare = attn_translator_get_config(t->model)->bare_source;
    int64_t *source_starts = (int64_t *)memory, *target_starts = source_starts + count + 1;
    int32_t *source = (int32_t *)(memory + starts);
    int32_t *input = source + sources, *output = input + targets;
    source_starts[0] = target_starts[0] = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t pair = batches->pair[batches->start[index] + i % pairs];
        int64_t source_length = length_of(corpus->source_start, pair);
        int64_t target_length = length_of(corpus->target_start, pair);
        int32_t *to = source + source_starts[i];
        memcpy(to, corpus->source + corpus->source_start[pair], (size_t)source_length * sizeof *to);
        to[source_length] = ATTN_EOS; /* what follows overwrites it where sources are bare */
        const int32_t *target = corpus->target + corpus->target_start[pair];
        input[target_starts[i]] = ATTN_BOS;
        memcpy(input + target_starts[i] + 1, target, (size_t)target_length * sizeof *input);
        memcpy(output + target_starts[i], target, (size_t)target_length * sizeof *output);
        output[target_starts[i] + target_length] = ATTN_EOS;
        source_starts[i + 1] = source_starts[i] + source_length + !bare;
        target_starts[i + 1] = target_starts[i] + target_length + 1;
    }
    *out = (attn_translator_batch){count, source, source_starts, input, output, target_starts};
    return ATTN_OK;
}

/* ---- the guided head ---- */

/* What each row of the target should look at: the row that reads a token at the sources of that token; the row of <s>
 * at nothing. The arrays lie in the learner's scratch memory until the next call. */
static attn_status gather_aims(attn_translator_task *t, const attn_batches *batches, int64_t index,
                               const attn_translator_batch *batch, attn_guide *out,
                               attn_error *error) {
    int64_t pairs = batches->start[index + 1] - batches->start[index], links = 0;
    size_t rows = (size_t)batch->target_starts[batch->count];
    for (int64_t i = 0; i < batch->count; i++) {
        links += length_of(t->links.start, batches->pair[batches->start[index] + i % pairs]);
    }
    size_t bytes = (rows + 2) * sizeof(int64_t) + (size_t)links * sizeof(int32_t);
    int64_t *start = attn_scratch_get(&t->aims, bytes);
    if (start == NULL) {
        return attn_fail_memory(error, bytes);
    }
    int32_t *token = (int32_t *)(start + rows + 2);
    memset(start, 0, (rows + 2) * sizeof *start);
    /* Count into the place after next, sum up, and fill: then start[row] is where the row begins. */
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < batch->count; i++) {
            int64_t pair = batches->pair[batches->start[index] + i % pairs];
            for (int64_t l = t->links.start[pair]; l < t->links.start[pair + 1]; l++) {
                int64_t row = batch->target_starts[i] + 1 + t->links.link[l].target;
                if (pass == 0) {
                    start[row + 2]++;
                } else {
                    token[start[row + 1]++] = t->links.link[l].source;
                }
            }
        }
        for (size_t row = 0; pass == 0 && row < rows; row++) {
            start[row + 2] += start[row + 1];
        }
    }
    *out = (attn_guide){
        .head = attn_translator_get_config(t->model)->alignment_head - 1,
        .start = start,
        .token = token,
    };
    return ATTN_OK;
}

/* ---- what the loop asks for ---- */

/* The pairs of the epoch under way. */
static const attn_corpus *pairs_of(const attn_translator_task *t) {
    return attn_corpus_varies(&t->variation) ? &t->varied : &t->data->train;
}

static attn_status vary(attn_translator_task *t, uint64_t seed, int64_t epoch, attn_error *error) {
    if (!attn_corpus_varies(&t->variation)) {
        return ATTN_OK;
    }
    attn_corpus_free(&t->varied);
    return attn_corpus_vary(&t->data->train, t->data->tokenizer, &t->variation,
                            t->recipe->max_length - 1, seed, (uint64_t)epoch, attn_get_threads(),
                            &t->varied, error);
}

/* Pairs that vary are aligned anew: their tokens are others. */
static attn_status link(attn_translator_task *t, attn_error *error) {
    bool stays = t->links.start != NULL && !attn_corpus_varies(&t->variation);
    if (t->recipe->guided_alignment <= 0 || stays) {
        return ATTN_OK;
    }
    attn_link_set_free(&t->links);
    return attn_align_pieces(pairs_of(t), t->data->tokenizer,
                             attn_translator_get_config(t->model)->vocabulary, attn_get_threads(),
                             &t->links, error);
}

static attn_status begin_epoch(void *self, uint64_t seed, int64_t epoch, int64_t *batches,
                               attn_error *error) {
    attn_translator_task *t = self;
    attn_status status = ATTN_OK;
    if (t->train.pair == NULL || t->epoch != epoch) {
        attn_batches_free(&t->train);
        status = vary(t, seed, epoch, error);
        status = status == ATTN_OK ? link(t, error) : status;
        status = status == ATTN_OK ? attn_batches_make(pairs_of(t), t->recipe->batch_tokens, true,
                                                       seed, (uint64_t)epoch, &t->train, error)
                                   : status;
        t->epoch = epoch;
    }
    *batches = t->train.count;
    return status;
}

static int64_t units(void *self, int64_t first_batch, int64_t count) {
    const attn_translator_task *t = self;
    return target_tokens(pairs_of(t), &t->train, first_batch, count);
}

/* What to do about it is said in the recipe's terms. */
static attn_status pass_failed(attn_status status, attn_error *error) {
    return status != ATTN_ERR_MEMORY
               ? status
               : attn_fail(error, status, "training", -1, "lower batch_tokens and raise accumulate",
                           "out of memory while computing the loss");
}

/* A model whose translations begin with zeros, as Marian's do, keeps doing so: the row of <s> has no gradient. It is predicted by none
 * of them. */
static void keep_zero_start(const attn_translator *model) {
    const attn_param *table = model->target_embedding;
    size_t row = (size_t)(ATTN_BOS * table->cols);
    bool zero = true;
    for (int64_t c = 0; c < table->cols && zero; c++) {
        zero = table->data[row + (size_t)c] == 0;
    }
    if (zero && table->grad != NULL) {
        memset(table->grad + row, 0, (size_t)table->cols * sizeof *table->grad);
    }
}

static void conclude(void *self, int64_t all_units, attn_task_loss *out) {
    (void)all_units;
    (void)out;
    keep_zero_start(((const attn_translator_task *)self)->model);
}

static attn_status accumulate(void *self, int64_t batch_index, int64_t next, uint64_t seed,
                              uint64_t key, int64_t all_units, attn_task_loss *out,
                              attn_error *error) {
    (void)next;
    attn_translator_task *t = self;
    attn_translator_batch batch;
    double agreement = t->recipe->r_drop;
    bool twice = agreement > 0;
    attn_status status =
        gather(t, pairs_of(t), &t->train, batch_index, twice ? 2 : 1, &batch, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_guide aims, *guide = NULL;
    double astray = 0, weight = t->recipe->guided_alignment / (twice ? 2 : 1);
    if (weight > 0) {
        status = gather_aims(t, &t->train, batch_index, &batch, &aims, error);
        if (status != ATTN_OK) {
            return status;
        }
        aims.gradient_scale = (attn_real)(weight / (double)all_units);
        aims.loss = &astray;
        guide = &aims;
    }
    attn_tape_begin(t->task.tape, true, seed, key);
    attn_real scale = (attn_real)(1.0 / (double)all_units);
    status = twice ? attn_translator_loss_twice(t->model, t->task.tape, &batch, guide, agreement,
                                                scale, &out->loss, &out->nll, error)
                   : attn_translator_loss_guided(t->model, t->task.tape, &batch, guide, scale,
                                                 &out->loss, &out->nll, error);
    out->loss += weight * astray;
    status = status == ATTN_OK ? attn_tape_backward(t->task.tape, error) : status;
    return pass_failed(status, error);
}

static attn_status validate(void *self, attn_task_loss *out, attn_error *error) {
    attn_translator_task *t = self;
    const attn_corpus *corpus = &t->data->valid;
    *out = (attn_task_loss){.units = target_tokens(corpus, &t->valid, 0, t->valid.count)};
    attn_status status =
        attn_translator_pack(t->model, ATTN_COMPUTE_F32, error); /* once for all the batches */
    if (status != ATTN_OK) {
        return status;
    }
    for (int64_t i = 0; i < t->valid.count; i++) {
        attn_translator_batch batch;
        status = gather(t, corpus, &t->valid, i, 1, &batch, error);
        if (status != ATTN_OK) {
            return status;
        }
        attn_tape_begin(t->task.tape, false, 0, 0);
        status =
            attn_translator_loss(t->model, t->task.tape, &batch, 0, &out->loss, &out->nll, error);
        if (status != ATTN_OK) {
            return status;
        }
    }
    return ATTN_OK;
}

static attn_status measure(void *self, double *score, attn_error *error) {
    const attn_translator_task *t = self;
    if (t->data->line_count == 0) {
        return ATTN_OK;
    }
    return attn_train_bleu(t->model, t->recipe, t->data, score, error);
}

static attn_status save(void *self, attn_storage storage, const attn_metadata *facts, size_t count,
                        const char *path, attn_error *error) {
    const attn_translator_task *t = self;
    return attn_translator_save(t->model, storage, t->task.tokenizer, t->task.tokenizer_size, facts,
                                count, path, error);
}

/* ---- creation ---- */

/* The matrices that may have adapters, by name. */
typedef struct matrix_names {
    const attn_translator *model;
    const char **name;
    size_t count;
} matrix_names;

static attn_status add_names(attn_linear *linear, void *context) {
    matrix_names *list = context;
    int64_t rows = 0;
    for (const attn_param *part = linear->weight;
         linear != &list->model->output && rows < linear->out; part = part->next) {
        list->name[list->count++] = part->name;
        rows += part->rows;
    }
    return ATTN_OK;
}

static bool is_target(const char *name, void *context) {
    return attn_patterns_match(context, name);
}

static attn_status adapt(attn_translator_task *t, attn_error *error) {
    char targets[ATTN_KEY_TEXT_SIZE];
    size_t most = attn_params_count(attn_translator_params(t->model));
    matrix_names list = {.model = t->model, .name = attn_alloc_zero(most, sizeof *list.name)};
    memcpy(targets, t->recipe->lora_targets, sizeof targets);
    attn_adaptation how = {.rank = t->recipe->lora_rank,
                           .alpha = t->recipe->lora_alpha,
                           .dropout = t->recipe->lora_dropout,
                           .targets = is_target,
                           .context = targets};
    if (list.name == NULL) {
        return attn_fail_memory(error, most * sizeof *list.name);
    }
    attn_status status = attn_translator_visit_linears(t->model, add_names, &list);
    if (status == ATTN_OK) {
        status = attn_patterns_check("lora_targets", targets, list.name, list.count, error);
    }
    status = status == ATTN_OK ? attn_translator_adapt(t->model, &how, error) : status;
    if (status == ATTN_OK && t->model->adapter_count == 0) {
        status = attn_fail(error, ATTN_ERR_ARGUMENT, "lora_targets", -1, "name some",
                           "there is no matrix to adapt");
    }
    attn_free(list.name);
    return status;
}

/* All parameters, the adapters alone, or those that are not frozen. */
static attn_status choose_trained(attn_translator_task *t, attn_error *error) {
    attn_status status = t->recipe->lora_rank > 0 ? adapt(t, error) : ATTN_OK;
    return status == ATTN_OK ? attn_patterns_freeze(t->recipe->train.freeze,
                                                    attn_translator_params(t->model), error)
                             : status;
}

static attn_status create_model(attn_translator_task *t, int64_t vocabulary,
                                int64_t source_vocabulary, attn_error *error) {
    attn_translator_config config;
    attn_translator_recipe_config(t->recipe, vocabulary, source_vocabulary, &config);
    attn_status status = attn_translator_declare(&config, &t->model, error);
    status = status == ATTN_OK ? choose_trained(t, error) : status;
    if (status == ATTN_OK) {
        status = attn_translator_allocate(t->model, true, false, error);
    }
    if (status != ATTN_OK) {
        return status;
    }
    t->task.params = attn_translator_params(t->model);
    attn_params_init(t->task.params, (uint64_t)t->recipe->train.seed);
    return attn_tape_create(&t->task.tape, error);
}

static attn_status check_merges(const attn_translator_recipe *recipe,
                                const attn_translator_data *data, attn_error *error) {
    if (recipe->bpe_dropout <= 0 ||
        (attn_tokenizer_merges(data->tokenizer) &&
         attn_tokenizer_merges(attn_tokenizer_target(data->tokenizer)))) {
        return ATTN_OK;
    }
    return attn_fail(error, ATTN_ERR_ARGUMENT, "bpe_dropout", -1, "use tokenizer_type = bpe",
                     "the tokenizer is not one of BPE: it has no merges to leave out");
}

attn_status attn_translator_task_create(const attn_translator_recipe *recipe,
                                        const attn_translator_data *data, int64_t vocabulary,
                                        attn_translator_task *out, attn_error *error) {
    bool chrf = recipe->train.best == ATTN_BEST_CHRF;
    *out = (attn_translator_task){
        .task = {.self = out,
                 .unit = "tokens",
                 .example = "pairs",
                 .score = chrf ? "chrf" : "bleu",
                 .score_name = chrf ? "chrF" : "BLEU",
                 .perplexity = true,
                 .data_hash = attn_corpus_hash(&data->train),
                 .examples = data->train.count,
                 .begin_epoch = begin_epoch,
                 .units = units,
                 .accumulate = accumulate,
                 .conclude = conclude,
                 .validate = validate,
                 .measure = measure,
                 .save = save},
        .recipe = recipe,
        .data = data,
    };
    if (data->tokenizer != NULL) {
        out->task.tokenizer = attn_tokenizer_bytes(data->tokenizer, &out->task.tokenizer_size);
    }
    int64_t source_vocabulary = 0;
    if (vocabulary == 0) {
        const attn_tokenizer *target = attn_tokenizer_target(data->tokenizer);
        vocabulary = attn_tokenizer_size(target);
        source_vocabulary = target != data->tokenizer ? attn_tokenizer_size(data->tokenizer) : 0;
    }
    attn_translator_recipe_variation(recipe, &out->variation);
    attn_status status = check_merges(recipe, data, error);
    if (status == ATTN_OK && recipe->tied == ATTN_TIED_ALL && source_vocabulary > 0 &&
        source_vocabulary != vocabulary) {
        status = attn_fail(error, ATTN_ERR_ARGUMENT, "tied", -1, "set tied = true",
                           "the two languages have %lld and %lld words: they cannot share a table",
                           (long long)source_vocabulary, (long long)vocabulary);
    }
    status = status == ATTN_OK ? create_model(out, vocabulary, source_vocabulary, error) : status;
    if (status == ATTN_OK && data->valid.count > 0) {
        status =
            attn_batches_make(&data->valid, recipe->batch_tokens, false, 0, 0, &out->valid, error);
    }
    if (status != ATTN_OK) {
        attn_translator_task_free(out);
    }
    return status;
}

void attn_translator_task_free(attn_translator_task *task) {
    attn_batches_free(&task->train);
    attn_corpus_free(&task->varied);
    attn_link_set_free(&task->links);
    attn_scratch_free(&task->aims);
    attn_batches_free(&task->valid);
    attn_scratch_free(&task->ids);
    attn_tape_free(task->task.tape);
    attn_translator_free(task->model);
    *task = (attn_translator_task){.recipe = NULL};
}
