/* serve/job_answer.c: the JSON of a translation.
 *
 * Beside LibreTranslate's fields, when asked for: "sentences", what the model read and wrote, one object
 * for each search: source (as it was sent), read (where the model read another text), translation, score,
 * log_probability, tokens, attention, hypotheses. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "io/json_write.h"
#include "serve/job_parts.h"

static json_t *tokens(const attn_tokenizer *tokenizer, const int32_t *ids, int64_t count,
                      bool end) {
    json_t *array = json_array();
    for (int64_t i = 0; i < count; i++) {
        json_array_append_new(array, json_string(attn_tokenizer_piece(tokenizer, ids[i])));
    }
    if (end) {
        json_array_append_new(array, json_string("</s>"));
    }
    return array;
}

static json_t *reals(const attn_real *values, int64_t count) {
    json_t *array = json_array();
    for (int64_t i = 0; i < count; i++) {
        json_array_append_new(array, json_real((double)values[i]));
    }
    return array;
}

static json_t *matrix(const attn_real *values, int64_t rows, int64_t columns) {
    json_t *array = json_array();
    for (int64_t r = 0; r < rows; r++) {
        json_array_append_new(array, reals(values + r * columns, columns));
    }
    return array;
}

static json_t *hypothesis_json(const attn_job *job, const attn_hypothesis *h) {
    const attn_tokenizer *tokenizer = attn_tokenizer_target(job->model->open->tokenizer);
    char *text;
    if (attn_tokenizer_decode(tokenizer, h->ids, (size_t)h->length, &text, NULL) != ATTN_OK) {
        attn_json_lost();
        return NULL;
    }
    json_t *object = json_pack("{s:s, s:f, s:f, s:b}", "translation", text, "score", h->score,
                               "log_probability", h->log_probability, "cut", (int)h->cut);
    free(text);
    if (object != NULL && job->options.attention) {
        json_object_set_new(object, "tokens", tokens(tokenizer, h->ids, h->length, true));
        json_object_set_new(object, "token_log_probabilities",
                            reals(h->token_log_probability, h->length + 1));
        json_object_set_new(object, "attention",
                            matrix(h->attention, h->length + 1, h->source_length));
    }
    return object;
}

/* NULL when memory ran out. */
static json_t *sentence_json(const attn_job *job, size_t text, size_t i,
                             const attn_translated_sentence *s) {
    json_t *object = s->best != NULL ? hypothesis_json(job, s->best) : NULL;
    if (object == NULL) {
        return NULL;
    }
    json_object_set_new(object, "source", json_string(s->sent));
    if (strcmp(s->sent, s->source) != 0) {
        json_object_set_new(object, "read", json_string(s->source));
    }
    if (job->options.attention) {
        json_object_set_new(
            object, "source_tokens",
            tokens(job->model->open->tokenizer, s->source_ids, s->source_length, false));
    }
    if (job->options.n_best > 0) {
        json_t *all = json_array();
        for (int64_t rank = 0; rank < job->options.n_best; rank++) {
            const attn_hypothesis *h = attn_translation_hypothesis(job->translation, text, i, rank);
            if (h != NULL) {
                json_array_append_new(all, hypothesis_json(job, h));
            }
        }
        json_object_set_new(object, "hypotheses", all);
    }
    return object;
}

/* The sentences that the answer is made of. */
static json_t *sentences_json(const attn_job *job, size_t text) {
    json_t *array = json_array();
    attn_translated_sentence s;
    for (size_t i = 0; attn_translation_sentence(job->translation, text, i, &s); i++) {
        json_array_append_new(array, sentence_json(job, text, i, &s));
    }
    return array;
}

/* The other translations of a text, each once. */
static attn_status alternatives_json(const attn_job *job, size_t i, json_t *first, json_t **out) {
    json_t *array = json_array();
    int64_t ranks = attn_translation_ranks(job->translation, i);
    attn_status status = ATTN_OK;
    for (int64_t rank = 1; rank <= job->options.alternatives && rank < ranks; rank++) {
        char *text;
        status = attn_translation_text(job->translation, i, rank, &text, NULL);
        if (status != ATTN_OK) {
            break;
        }
        json_t *string = json_string(text);
        bool known = json_equal(string, first);
        for (size_t k = 0; k < json_array_size(array) && !known; k++) {
            known = json_equal(string, json_array_get(array, k));
        }
        if (!known) {
            json_array_append(array, string);
        }
        json_decref(string);
        attn_translate_free(text);
    }
    *out = array;
    return status;
}

typedef struct fields {
    json_t *text, *alternatives, *sentences, *detected; /* lists, one entry a text */
} fields;

static attn_status add_fields(const attn_job *job, size_t i, fields *f) {
    char *text = NULL;
    attn_status status = attn_translation_text(job->translation, i, 0, &text, NULL);
    if (status != ATTN_OK) {
        return status;
    }
    json_t *string = json_string(text), *others;
    json_array_append_new(f->text, string);
    attn_translate_free(text);
    if (job->options.alternatives > 0) {
        status = alternatives_json(job, i, string, &others);
        json_array_append_new(f->alternatives, others);
    }
    if (job->options.scores || job->options.attention || job->options.n_best > 0) {
        json_array_append_new(f->sentences, sentences_json(job, i));
    }
    if (job->options.detected != NULL) {
        json_array_append_new(f->detected,
                              json_pack("{s:f, s:s}", "confidence", job->options.confidence,
                                        "language", job->options.detected));
    }
    return status;
}

/* Moves a list, or its only entry, into the object; leaves out what nobody asked for. */
static void set_field(const attn_job *job, json_t *object, const char *name, json_t *list) {
    if (json_array_size(list) > 0) {
        json_object_set(object, name, job->options.list ? list : json_array_get(list, 0));
    }
    json_decref(list);
}

void attn_job_answer(attn_job *job, attn_http_answer *answer) {
    if (atomic_load(&job->group.given_up)) {
        attn_http_error(answer, 503,
                        "The server is stopping"); /* a client that left reads nothing */
        return;
    }
    if (job->work != NULL) {
        *answer = job->answer;
        job->answer = (attn_http_answer){0};
        return;
    }
    if (job->group.status != ATTN_OK) {
        attn_http_error(answer, 500, "Cannot translate text: %s", job->group.error.what);
        return;
    }
    if (job->document != NULL) {
        job->ending.finish(job->ending.context, &job->written, answer);
        return;
    }
    fields f = {json_array(), json_array(), json_array(), json_array()};
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < attn_translation_count(job->translation) && status == ATTN_OK; i++) {
        status = add_fields(job, i, &f);
    }
    json_t *object = json_object();
    set_field(job, object, "translatedText", f.text);
    set_field(job, object, "alternatives", f.alternatives);
    set_field(job, object, "detectedLanguage", f.detected);
    set_field(job, object, "sentences", f.sentences);
    char *dump = attn_json_dump(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (status != ATTN_OK || dump == NULL) {
        attn_http_error(answer, 500, "Cannot translate text: %s",
                        attn_status_name(status != ATTN_OK ? status : ATTN_ERR_MEMORY));
    } else {
        answer->status = 200;
        answer->content_type = "application/json";
        attn_buffer_text(&answer->body, dump);
        attn_buffer_text(&answer->body, "\n");
        if (job->cache != NULL && !job->key.failed && !answer->body.failed) {
            attn_answers_put(job->cache, job->key.data, job->key.length, answer->body.data,
                             answer->body.length);
        }
    }
    free(dump);
}

void attn_job_write_partial(const attn_job *job, size_t sentence, const char *text,
                            attn_buffer *out) {
    json_t *object = json_pack("{s:s, s:I, s:I}", "translatedText", text, "sentence",
                               (json_int_t)sentence, "of", (json_int_t)job->group.count);
    char *dump = attn_json_dump(object, JSON_COMPACT);
    if (dump != NULL) {
        attn_buffer_format(out, "event: partial\ndata: %s\n\n", dump);
    }
    free(dump);
}
