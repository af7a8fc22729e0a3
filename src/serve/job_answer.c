/* serve/job_answer.c: the JSON of a translation.
 *
 * Beside LibreTranslate's fields, when asked for: "sentences", what the model read and wrote, one object
 * for each search: source, translation, score, log_probability, tokens, attention, hypotheses. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "serve/job_links.h"

/* A sentence's hypothesis of that rank, or its last one; NULL when the model gave none. */
static const attn_hypothesis *hypothesis(const attn_batch_sentence *sentence, int64_t rank) {
    int64_t count = sentence->result.count;
    return count == 0 ? NULL : &sentence->result.hypotheses[rank < count ? rank : count - 1];
}

static attn_status decode(const attn_job *job, const int32_t *ids, int64_t count, char **text) {
    attn_status status =
        attn_tokenizer_decode(job->model->tokenizer, ids, (size_t)count, text, NULL);
    for (char *c = *text; status == ATTN_OK && *c != '\0'; c++) {
        if (*c == '\n' || *c == '\r') { /* line breaks are the passage's alone */
            *c = ' ';
        }
    }
    return status;
}

/* ---- texts ---- */

/* What a sentence reads: its hypothesis, or the part of one that a stream has so far. */
static attn_status sentence_text(const attn_job *job, size_t sentence, int64_t rank, bool so_far,
                                 char **text) {
    const attn_hypothesis *h = hypothesis(&job->group.sentences[sentence], rank);
    if (so_far) {
        const char *partial = job->partial[sentence];
        *text = strdup(partial != NULL ? partial : "");
        return *text != NULL ? ATTN_OK : ATTN_ERR_MEMORY;
    }
    return decode(job, h != NULL ? h->ids : NULL, h != NULL ? h->length : 0, text);
}

static attn_status unit_text(const attn_job *job, const attn_job_unit *unit, int64_t rank,
                             bool so_far, char **text) {
    attn_buffer joined = {0};
    *text = NULL;
    for (size_t i = 0; i < unit->count; i++) {
        char *part;
        attn_status status = sentence_text(job, unit->first + i, rank, so_far, &part);
        if (status != ATTN_OK) {
            attn_buffer_free(&joined);
            return status;
        }
        attn_buffer_text(&joined, joined.length > 0 && part[0] != '\0' ? " " : "");
        attn_buffer_text(&joined, part);
        free(part);
    }
    return attn_buffer_take(&joined, text, NULL);
}

/* Links of a unit that holds tags; none where it became several sentences, or is under way. */
static void unit_links(const attn_job *job, const attn_job_text *t, size_t i, int64_t rank,
                       const char *translation, attn_links *out) {
    if (t->units[i].count == 1 && attn_passage_unit_is_marked(t->passage, i)) {
        const attn_batch_sentence *sentence = &job->group.sentences[t->units[i].first];
        (void)attn_job_links(job->model->tokenizer, sentence, hypothesis(sentence, rank),
                             attn_passage_unit(t->passage, i), translation, out);
    }
}

/* used: NULL, or [unit_count]. */
static attn_status text_of(const attn_job *job, const attn_job_text *t, int64_t rank, bool so_far,
                           bool *used, char **out) {
    char **units = calloc(t->unit_count + 1, sizeof *units);
    attn_links *links = calloc(t->unit_count + 1, sizeof *links);
    attn_status status = units != NULL && links != NULL ? ATTN_OK : ATTN_ERR_MEMORY;
    *out = NULL;
    for (size_t i = 0; i < t->unit_count && status == ATTN_OK; i++) {
        status = unit_text(job, &t->units[i], rank, so_far, &units[i]);
        if (status == ATTN_OK && !so_far) {
            unit_links(job, t, i, rank, units[i], &links[i]);
        }
    }
    if (status == ATTN_OK) {
        status = attn_passage_join(t->passage, (const char *const *)units, links, used, out, NULL);
    }
    for (size_t i = 0; units != NULL && links != NULL && i < t->unit_count; i++) {
        free(units[i]);
        attn_job_links_free(&links[i]);
    }
    free(units);
    free(links);
    return status;
}

attn_status attn_job_text_so_far(const attn_job *job, char **text) {
    return text_of(job, &job->texts[0], 0, true, NULL, text);
}

/* ---- JSON ---- */

static json_t *tokens(const attn_job *job, const int32_t *ids, int64_t count, bool end) {
    json_t *array = json_array();
    for (int64_t i = 0; i < count; i++) {
        json_array_append_new(array,
                              json_string(attn_tokenizer_piece(job->model->tokenizer, ids[i])));
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
    char *text;
    if (decode(job, h->ids, h->length, &text) != ATTN_OK) {
        return NULL;
    }
    json_t *object = json_pack("{s:s, s:f, s:f, s:b}", "translation", text, "score", h->score,
                               "log_probability", h->log_probability, "cut", (int)h->cut);
    free(text);
    if (object != NULL && job->options.attention) {
        json_object_set_new(object, "tokens", tokens(job, h->ids, h->length, true));
        json_object_set_new(object, "token_log_probabilities",
                            reals(h->token_log_probability, h->length + 1));
        json_object_set_new(object, "attention",
                            matrix(h->attention, h->length + 1, h->source_length));
    }
    return object;
}

/* NULL when memory ran out. */
static json_t *sentence_json(const attn_job *job, const attn_batch_sentence *sentence) {
    const attn_hypothesis *best = hypothesis(sentence, 0);
    char *source;
    if (best == NULL || decode(job, sentence->ids, sentence->length - 1, &source) != ATTN_OK) {
        return NULL;
    }
    json_t *object = hypothesis_json(job, best);
    json_object_set_new(object, "source", json_string(source));
    free(source);
    if (job->options.attention) {
        json_object_set_new(object, "source_tokens",
                            tokens(job, sentence->ids, sentence->length, false));
    }
    if (job->options.n_best > 0) {
        json_t *all = json_array();
        for (int64_t i = 0; i < sentence->result.count && i < job->options.n_best; i++) {
            json_array_append_new(all, hypothesis_json(job, &sentence->result.hypotheses[i]));
        }
        json_object_set_new(object, "hypotheses", all);
    }
    return object;
}

/* The sentences that the answer is made of. */
static json_t *sentences_json(const attn_job *job, const attn_job_text *t, const bool *used) {
    json_t *array = json_array();
    for (size_t u = 0; u < t->unit_count; u++) {
        for (size_t i = 0; used[u] && i < t->units[u].count; i++) {
            json_array_append_new(array,
                                  sentence_json(job, &job->group.sentences[t->units[u].first + i]));
        }
    }
    return array;
}

/* The other translations of a text: those of rank 1, 2 ... of all its sentences, each text once. */
static attn_status alternatives_json(const attn_job *job, const attn_job_text *t, json_t *first,
                                     json_t **out) {
    json_t *array = json_array();
    attn_status status = ATTN_OK;
    for (int64_t rank = 1; rank <= job->options.alternatives && status == ATTN_OK; rank++) {
        char *text;
        status = text_of(job, t, rank, false, NULL, &text);
        if (status != ATTN_OK) {
            break;
        }
        json_t *string = json_string(text);
        bool known = json_equal(string, first);
        for (size_t i = 0; i < json_array_size(array) && !known; i++) {
            known = json_equal(string, json_array_get(array, i));
        }
        if (!known) {
            json_array_append(array, string);
        }
        json_decref(string);
        free(text);
    }
    *out = array;
    return status;
}

typedef struct fields {
    json_t *text, *alternatives, *sentences, *detected; /* lists, one entry a text */
} fields;

static attn_status add_fields(const attn_job *job, const attn_job_text *t, fields *f) {
    bool *used = calloc(t->unit_count + 1, sizeof *used);
    char *text = NULL;
    attn_status status = used == NULL ? ATTN_ERR_MEMORY : text_of(job, t, 0, false, used, &text);
    if (status == ATTN_OK) {
        json_t *string = json_string(text), *others;
        json_array_append_new(f->text, string);
        if (job->options.alternatives > 0) {
            status = alternatives_json(job, t, string, &others);
            json_array_append_new(f->alternatives, others);
        }
        if (job->options.scores || job->options.attention || job->options.n_best > 0) {
            json_array_append_new(f->sentences, sentences_json(job, t, used));
        }
        if (job->options.detected != NULL) {
            json_array_append_new(f->detected,
                                  json_pack("{s:f, s:s}", "confidence", job->options.confidence,
                                            "language", job->options.detected));
        }
    }
    free(text);
    free(used);
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
    if (job->work != NULL) {
        *answer = job->answer;
        job->answer = (attn_http_answer){0};
        return;
    }
    if (job->group.status != ATTN_OK) {
        attn_http_error(answer, 500, "Cannot translate text: %s", job->group.error.what);
        return;
    }
    fields f = {json_array(), json_array(), json_array(), json_array()};
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < job->text_count && status == ATTN_OK; i++) {
        status = add_fields(job, &job->texts[i], &f);
    }
    json_t *object = json_object();
    set_field(job, object, "translatedText", f.text);
    set_field(job, object, "alternatives", f.alternatives);
    set_field(job, object, "detectedLanguage", f.detected);
    set_field(job, object, "sentences", f.sentences);
    char *dump = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(object);
    if (status != ATTN_OK || dump == NULL) {
        attn_http_error(answer, 500, "Cannot translate text: %s",
                        attn_status_name(status != ATTN_OK ? status : ATTN_ERR_MEMORY));
    } else {
        answer->status = 200;
        answer->content_type = "application/json";
        attn_buffer_text(&answer->body, dump);
        attn_buffer_text(&answer->body, "\n");
    }
    free(dump);
}

void attn_job_write_partial(const attn_job *job, size_t sentence, const char *text,
                            attn_buffer *out) {
    json_t *object = json_pack("{s:s, s:I, s:I}", "translatedText", text, "sentence",
                               (json_int_t)sentence, "of", (json_int_t)job->group.count);
    char *dump = json_dumps(object, JSON_COMPACT);
    if (dump != NULL) {
        attn_buffer_format(out, "event: partial\ndata: %s\n\n", dump);
    }
    free(dump);
    json_decref(object);
}
