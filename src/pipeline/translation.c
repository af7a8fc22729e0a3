/* pipeline/translation.c: from texts to sentences, and from hypotheses to texts. */
#include "pipeline/translation.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/sized.h"
#include "base/utf8.h"
#include "pipeline/links.h"
#include "text/buffer.h"
#include "text/passage.h"
#include "text/pieces.h"
#include "text/tags.h"
#include "text/vocabulary.h"

/* The sentences that a unit became: every `step`-th from sentences[first] on, `count` of them. */
typedef struct unit_sentences {
    size_t first, count;
    bool asked; /* it is searched, or has been */
} unit_sentences;

typedef struct one_text {
    char *raw;             /* the text itself, when it is handed over raw */
    attn_passage *passage; /* else */
    unit_sentences *units;
    size_t unit_count;
    size_t parts; /* sentences so far */
    size_t cut_tokens;
    char **translation; /* [unit_count]: the best of each unit that was searched */
    bool *used;         /* [unit_count]: whether the best translation is made of it */
    char *best;         /* once finished */
} one_text;

struct attn_translation {
    const attn_model *model;
    attn_text_format format;
    bool translate_all, attributes;
    int64_t n_best;
    /* More hypotheses than the beam is wide come from a second, wider search, which leaves the first
     * translation as it is. */
    attn_search_options search, wide;
    one_text *texts;
    size_t text_count;
    uint64_t first_text;
    /* When it widens, each sentence is followed by itself, to be searched wider. */
    attn_sentence *sentences;
    size_t count, room, step;
    size_t round;       /* where those begin that are not searched yet */
    size_t first_round; /* how many were searched at first */
    size_t *text;       /* [count]: whose each is */
    char **source;      /* [count]: what each reads; NULL of the wider ones */
    char **partial;     /* [count]: what each has become so far, or NULL */
};

void attn_translate_options_init_sized(attn_translate_options *options, size_t size) {
    const attn_translate_options defaults = {.batch = 64};
    attn_sized_init(options, size, &defaults, sizeof defaults);
}

static attn_status read_options(const attn_translate_options *given, attn_translate_options *out,
                                attn_error *error) {
    attn_translate_options_init(out);
    return given == NULL
               ? ATTN_OK
               : attn_sized_read(given, out, sizeof *out,
                                 ATTN_SIZE_UP_TO(attn_translate_options, progress_context),
                                 "attn_translate_options", error);
}

/* ---- from texts to sentences ---- */

/* Room for `more` sentences. */
static attn_status make_room(attn_translation *t, size_t more, attn_error *error) {
    if (t->count + more <= t->room) {
        return ATTN_OK;
    }
    size_t room = 2 * t->room + 16;
    attn_sentence *sentences = realloc(t->sentences, room * sizeof *sentences);
    t->sentences = sentences != NULL ? sentences : t->sentences;
    size_t *text = realloc(t->text, room * sizeof *text);
    t->text = text != NULL ? text : t->text;
    char **source = realloc(t->source, room * sizeof *source);
    t->source = source != NULL ? source : t->source;
    char **partial = realloc(t->partial, room * sizeof *partial);
    t->partial = partial != NULL ? partial : t->partial;
    if (sentences == NULL || text == NULL || source == NULL || partial == NULL) {
        return attn_fail_memory(error, room * sizeof *sentences);
    }
    t->room = room;
    return ATTN_OK;
}

static attn_status add_sentence(attn_translation *t, size_t text, const int32_t *ids,
                                int64_t length, attn_error *error) {
    attn_status status = make_room(t, t->step, error);
    /* A second part of a text must not repeat the first one's random numbers. */
    uint64_t stream = (t->first_text + text) | (uint64_t)t->texts[text].parts++ << 48;
    for (size_t i = 0; i < t->step && status == ATTN_OK; i++) {
        size_t room = (size_t)(length + attn_model_source_extra(t->model) + 1);
        int32_t *copy = malloc(room * sizeof *copy);
        if (copy == NULL) {
            return attn_fail_memory(error, (size_t)length * sizeof *copy);
        }
        int64_t whole = attn_model_write_source(t->model, ids, length, copy);
        t->text[t->count] = text;
        t->source[t->count] = t->partial[t->count] = NULL;
        t->sentences[t->count++] = (attn_sentence){.ids = copy,
                                                   .length = whole,
                                                   .search = i == 0 ? &t->search : &t->wide,
                                                   .stream = stream};
    }
    return status;
}

/* Parts of the unit's ids, each as long as the model can read. */
static attn_status add_ids(attn_translation *t, size_t text, const int32_t *ids, int64_t count,
                           attn_error *error) {
    int64_t most = attn_model_most_words(t->model);
    bool clean = true;
    attn_status status = ATTN_OK;
    for (int64_t done = 0; done < count && status == ATTN_OK;) {
        int64_t length =
            attn_piece_length(t->model->tokenizer, ids + done, count - done, most, &clean);
        status = add_sentence(t, text, ids + done, length, error);
        done += length;
    }
    if (!clean && (size_t)count > t->texts[text].cut_tokens) {
        t->texts[text].cut_tokens = (size_t)count;
    }
    return status;
}

/* What each sentence of the unit reads: the unit's own text, unless it was cut. */
static attn_status name_sources(attn_translation *t, const unit_sentences *unit, const char *text,
                                attn_error *error) {
    if (unit->count == 1) {
        t->source[unit->first] = strdup(text);
        return t->source[unit->first] != NULL ? ATTN_OK : attn_fail_memory(error, strlen(text));
    }
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < unit->count && status == ATTN_OK; i++) {
        size_t number = unit->first + i * t->step;
        status = attn_tokenizer_decode(
            t->model->tokenizer, t->sentences[number].ids,
            (size_t)attn_source_words(t->sentences[number].ids, t->sentences[number].length),
            &t->source[number], error);
    }
    return status;
}

static attn_status add_unit(attn_translation *t, size_t text, size_t i, attn_error *error) {
    const one_text *x = &t->texts[text];
    const char *words = x->passage != NULL ? attn_passage_unit(x->passage, i) : x->raw;
    unit_sentences *unit = &x->units[i];
    int32_t *ids = NULL;
    size_t count = 0;
    attn_status status =
        attn_tokenizer_encode(t->model->tokenizer, words, strlen(words), &ids, &count, error);
    if (status != ATTN_OK) {
        return status;
    }
    unit->first = t->count;
    unit->asked = true;
    status = add_ids(t, text, ids, (int64_t)count, error);
    free(ids);
    unit->count = (t->count - unit->first) / t->step;
    return status == ATTN_OK ? name_sources(t, unit, words, error) : status;
}

/* Adds the units of a text that matter, given what is translated so far. */
static attn_status add_needed(attn_translation *t, size_t text, attn_error *error) {
    const one_text *x = &t->texts[text];
    attn_status status = ATTN_OK;
    if (x->passage == NULL) {
        bool done = x->unit_count == 0 || x->units[0].asked; /* none: a copy */
        return done ? ATTN_OK : add_unit(t, text, 0, error);
    }
    bool *needed = calloc(x->unit_count + 1, sizeof *needed);
    if (needed == NULL) {
        return attn_fail_memory(error, x->unit_count);
    }
    size_t count;
    status =
        attn_passage_needed(x->passage, (const char *const *)x->translation, needed, &count, error);
    for (size_t i = 0; i < x->unit_count && status == ATTN_OK; i++) {
        if (needed[i] && !x->units[i].asked) {
            status = add_unit(t, text, i, error);
        }
    }
    free(needed);
    return status;
}

static attn_status parse(attn_translation *t, const char *text, one_text *out, attn_error *error) {
    bool tagged = attn_translator_get_config(t->model->translator)->tagging != ATTN_TAGGING_TARGET;
    char source[ATTN_TAG_SIZE], target[ATTN_TAG_SIZE]; /* the model may write eng_Latn */
    attn_language_short(t->model->source, source);
    attn_language_short(t->model->target, target);
    attn_passage_options options = {.language = tagged ? source : t->model->source,
                                    .target = tagged ? target : t->model->target,
                                    .html = t->format == ATTN_TEXT_HTML,
                                    .glossary = t->model->glossary,
                                    .attributes = t->attributes,
                                    .keep_target = !t->translate_all,
                                    .vocabulary = attn_vocabulary_of(t->model->tokenizer)};
    attn_status status = attn_passage_parse(text, strlen(text), &options, &out->passage, error);
    out->unit_count = status == ATTN_OK ? attn_passage_unit_count(out->passage) : 0;
    for (size_t i = 0; i < out->unit_count; i++) {
        /* Where tags go is read from it. */
        t->search.attention = t->search.attention || attn_passage_unit_is_marked(out->passage, i);
    }
    return status;
}

static attn_status take_raw(const char *text, one_text *out, attn_error *error) {
    if (!attn_utf8_whole(text, strlen(text))) {
        return attn_fail(error, ATTN_ERR_FORMAT, NULL, -1, NULL, "the text is not UTF-8");
    }
    out->unit_count = 1;
    out->raw = strdup(text);
    return out->raw != NULL ? ATTN_OK : attn_fail_memory(error, strlen(text));
}

static attn_status add_text(attn_translation *t, const char *text, attn_error *error) {
    one_text *added = &t->texts[t->text_count++];
    attn_status status =
        t->format == ATTN_TEXT_RAW ? take_raw(text, added, error) : parse(t, text, added, error);
    if (status != ATTN_OK) {
        return status;
    }
    added->units = calloc(added->unit_count + 1, sizeof *added->units);
    added->used = calloc(added->unit_count + 1, sizeof *added->used);
    added->translation = calloc(added->unit_count + 1, sizeof *added->translation);
    return added->units != NULL && added->used != NULL && added->translation != NULL
               ? ATTN_OK
               : attn_fail_memory(error, added->unit_count * sizeof *added->units);
}

static attn_status set_search(attn_translation *t, const attn_search_options *given,
                              attn_error *error) {
    attn_search_options_init(&t->search);
    if (given != NULL) {
        attn_status status = attn_sized_read(given, &t->search, sizeof t->search,
                                             ATTN_SIZE_UP_TO(attn_search_options, shortlist),
                                             "attn_search_options", error);
        if (status != ATTN_OK) {
            return status;
        }
    }
    t->search.progress = NULL;
    t->search.progress_context = NULL;
    t->search.shortlist = NULL;
    attn_model_set_search(t->model, &t->search);
    t->n_best = t->search.n_best;
    return ATTN_OK;
}

static attn_status fill_translation(attn_translation *t, const char *const *texts, size_t count,
                                    attn_error *error) {
    t->texts = calloc(count + 1, sizeof *t->texts);
    if (t->texts == NULL) {
        return attn_fail_memory(error, count * sizeof *t->texts);
    }
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        status = add_text(t, texts[i], error);
    }
    t->step = 1;
    if (!t->search.sample && t->n_best > t->search.beam) {
        t->wide = t->search;
        t->wide.beam = t->wide.n_best;
        t->search.n_best = 1;
        t->step = 2;
    }
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        status = add_needed(t, i, error);
    }
    t->first_round = t->count;
    return status;
}

attn_status attn_translation_create(const attn_model *model, const char *const *texts, size_t count,
                                    const attn_translate_options *options, attn_translation **out,
                                    attn_error *error) {
    attn_translate_options chosen;
    *out = NULL;
    attn_status status = read_options(options, &chosen, error);
    status =
        status == ATTN_OK ? attn_model_check_kind(model, ATTN_MODEL_TRANSLATOR, error) : status;
    status = status == ATTN_OK ? attn_model_check_languages(model, error) : status;
    if (status != ATTN_OK) {
        return status;
    }
    attn_translation *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return attn_fail_memory(error, sizeof *t);
    }
    t->model = model;
    t->format = chosen.format;
    t->translate_all = chosen.translate_all;
    t->attributes = chosen.attributes;
    t->first_text = chosen.first_text;
    status = set_search(t, chosen.search, error);
    status = status == ATTN_OK ? fill_translation(t, texts, count, error) : status;
    if (status != ATTN_OK) {
        attn_translation_free(t);
        return status;
    }
    *out = t;
    return ATTN_OK;
}

static attn_status copy_texts(attn_translation *t, const char *const *texts, size_t count,
                              attn_error *error) {
    t->texts = calloc(count + 1, sizeof *t->texts);
    attn_status status =
        t->texts != NULL ? ATTN_OK : attn_fail_memory(error, count * sizeof *t->texts);
    for (size_t i = 0; i < count && status == ATTN_OK; i++) {
        if (!attn_utf8_whole(texts[i], strlen(texts[i]))) {
            return attn_fail(error, ATTN_ERR_FORMAT, NULL, -1, NULL, "the text is not UTF-8");
        }
        t->texts[t->text_count].best = strdup(texts[i]);
        status = t->texts[t->text_count++].best != NULL ? ATTN_OK
                                                        : attn_fail_memory(error, strlen(texts[i]));
    }
    return status;
}

attn_status attn_translation_copy(const attn_model *model, const char *const *texts, size_t count,
                                  attn_translation **out, attn_error *error) {
    *out = NULL;
    attn_translation *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return attn_fail_memory(error, sizeof *t);
    }
    t->model = model;
    t->step = 1;
    attn_status status = copy_texts(t, texts, count, error);
    if (status != ATTN_OK) {
        attn_translation_free(t);
        return status;
    }
    *out = t;
    return ATTN_OK;
}

static void free_text(one_text *text) {
    for (size_t i = 0; i < text->unit_count && text->translation != NULL; i++) {
        free(text->translation[i]);
    }
    attn_passage_free(text->passage);
    free(text->raw);
    free(text->units);
    free(text->translation);
    free(text->used);
    free(text->best);
}

void attn_translation_free(attn_translation *t) {
    if (t == NULL) {
        return;
    }
    for (size_t i = 0; i < t->count; i++) {
        free(t->sentences[i].ids);
        attn_search_results_free(&t->sentences[i].result, 1);
        free(t->source[i]);
        free(t->partial[i]);
    }
    for (size_t i = 0; i < t->text_count; i++) {
        free_text(&t->texts[i]);
    }
    free(t->texts);
    free(t->sentences);
    free(t->text);
    free(t->source);
    free(t->partial);
    free(t);
}

attn_sentence *attn_translation_to_search(attn_translation *t, size_t *count) {
    *count = t->count - t->round;
    return *count > 0 ? t->sentences + t->round : NULL;
}

size_t attn_translation_count(const attn_translation *t) {
    return t->text_count;
}

const attn_model *attn_translation_model(const attn_translation *t) {
    return t->model;
}

const char *attn_translation_source(const attn_translation *t, size_t i,
                                    const attn_sentence **sentence) {
    size_t number = i * t->step;
    if (number >= t->count) {
        return NULL;
    }
    if (sentence != NULL) {
        *sentence = &t->sentences[number];
    }
    return t->source[number];
}

size_t attn_translation_cut(const attn_translation *t, size_t text) {
    return t->texts[text].cut_tokens;
}

/* ---- hypotheses ---- */

static bool same_ids(const attn_hypothesis *a, const attn_hypothesis *b) {
    return a->length == b->length &&
           (a->length == 0 || memcmp(a->ids, b->ids, (size_t)a->length * sizeof *a->ids) == 0);
}

/* Hypothesis `rank` of a sentence; NULL past the last. */
static const attn_hypothesis *hypothesis(const attn_translation *t, size_t sentence, int64_t rank) {
    const attn_search_result *found = &t->sentences[sentence].result;
    if (t->step == 1 || rank == 0) {
        return rank < found->count ? &found->hypotheses[rank] : NULL;
    }
    /* Of the wider search, without the one that is the first already. */
    const attn_search_result *wide = &t->sentences[sentence + 1].result;
    for (int64_t i = 0, left = rank; i < wide->count; i++) {
        bool first = found->count > 0 && same_ids(&wide->hypotheses[i], &found->hypotheses[0]);
        if (!first && --left == 0) {
            return rank < t->n_best ? &wide->hypotheses[i] : NULL;
        }
    }
    return NULL;
}

/* The same, or its last one where it has fewer; NULL when the model gave none. */
static const attn_hypothesis *hypothesis_at_most(const attn_translation *t, size_t sentence,
                                                 int64_t rank) {
    const attn_hypothesis *h = hypothesis(t, sentence, rank);
    while (h == NULL && rank > 0) {
        h = hypothesis(t, sentence, --rank);
    }
    return h;
}

/* ---- from hypotheses to texts ---- */

/* Line breaks are the passage's alone. */
static void join_lines(char *text) {
    for (; *text != '\0'; text++) {
        *text = *text == '\n' || *text == '\r' ? ' ' : *text;
    }
}

/* What a unit has become: the hypotheses of its sentences, decoded as one. */
static attn_status unit_text(const attn_translation *t, const unit_sentences *unit, int64_t rank,
                             char **out, attn_error *error) {
    size_t length = 0;
    for (size_t i = 0; i < unit->count; i++) {
        const attn_hypothesis *h = hypothesis_at_most(t, unit->first + i * t->step, rank);
        length += h != NULL ? (size_t)h->length : 0;
    }
    int32_t *ids = malloc((length + 1) * sizeof *ids);
    if (ids == NULL) {
        return attn_fail_memory(error, length * sizeof *ids);
    }
    length = 0;
    for (size_t i = 0; i < unit->count; i++) {
        const attn_hypothesis *h = hypothesis_at_most(t, unit->first + i * t->step, rank);
        if (h != NULL && h->length > 0) {
            memcpy(ids + length, h->ids, (size_t)h->length * sizeof *ids);
            length += (size_t)h->length;
        }
    }
    attn_status status =
        attn_tokenizer_decode(attn_tokenizer_target(t->model->tokenizer), ids, length, out, error);
    free(ids);
    if (status == ATTN_OK) {
        join_lines(*out);
    }
    return status;
}

/* What a unit reads so far: that of its sentences that have begun. */
static attn_status partial_text(const attn_translation *t, const unit_sentences *unit, char **out,
                                attn_error *error) {
    attn_buffer joined = {0};
    for (size_t i = 0; i < unit->count; i++) {
        const char *part = t->partial[unit->first + i * t->step];
        if (part != NULL && part[0] != '\0') {
            attn_buffer_text(&joined, joined.length > 0 ? " " : "");
            attn_buffer_text(&joined, part);
        }
    }
    return attn_buffer_take(&joined, out, error);
}

/* Links of a unit that holds tags; none where it became several sentences. */
static attn_status find_links(const attn_translation *t, const one_text *text, size_t i,
                              int64_t rank, const char *translation, attn_links *out,
                              attn_error *error) {
    const unit_sentences *unit = &text->units[i];
    if (unit->count != 1 || !attn_passage_unit_is_marked(text->passage, i)) {
        return ATTN_OK;
    }
    return attn_links_find(t->model->tokenizer, &t->sentences[unit->first],
                           hypothesis_at_most(t, unit->first, rank),
                           attn_passage_unit(text->passage, i), translation, out, error);
}

static void free_units(char **units, attn_links *links, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (units != NULL) {
            free(units[i]);
        }
        if (links != NULL) {
            attn_links_free(&links[i]);
        }
    }
    free(units);
    free(links);
}

/* The text of hypotheses of that rank. used: NULL, or [unit_count]. *out stays NULL where one of them does not
 * pass, and nothing else was searched in its place. */
static attn_status join_rank(const attn_translation *t, const one_text *text, int64_t rank,
                             bool *used, char **out, attn_error *error) {
    char **units = calloc(text->unit_count + 1, sizeof *units);
    attn_links *links = calloc(text->unit_count + 1, sizeof *links);
    bool *needed = calloc(text->unit_count + 1, sizeof *needed);
    attn_status status = units != NULL && links != NULL && needed != NULL
                             ? ATTN_OK
                             : attn_fail_memory(error, text->unit_count * sizeof *links);
    *out = NULL;
    for (size_t i = 0; i < text->unit_count && status == ATTN_OK; i++) {
        if (text->units[i].asked) {
            status = unit_text(t, &text->units[i], rank, &units[i], error);
        }
        if (status == ATTN_OK && units[i] != NULL && text->passage != NULL) {
            status = find_links(t, text, i, rank, units[i], &links[i], error);
        }
    }
    if (status == ATTN_OK && text->passage == NULL) { /* raw: its only unit */
        *out = units[0];
        units[0] = NULL;
        if (used != NULL) {
            used[0] = true;
        }
    } else if (status == ATTN_OK) {
        size_t missing = 0;
        if (rank > 0) {
            status = attn_passage_needed(text->passage, (const char *const *)units, needed,
                                         &missing, error);
        }
        if (status == ATTN_OK && missing == 0) {
            status = attn_passage_join(text->passage, (const char *const *)units, links, used, out,
                                       error);
        }
    }
    free_units(units, links, text->unit_count);
    free(needed);
    return status;
}

/* What the units of a text became that were searched last. */
static attn_status note_translations(attn_translation *t, one_text *text, attn_error *error) {
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < text->unit_count && status == ATTN_OK; i++) {
        if (text->units[i].asked && text->translation[i] == NULL) {
            status = unit_text(t, &text->units[i], 0, &text->translation[i], error);
        }
    }
    return status;
}

attn_status attn_translation_go_on(attn_translation *t, bool *more, attn_error *error) {
    attn_status status = ATTN_OK;
    t->round = t->count;
    for (size_t i = 0; i < t->text_count && status == ATTN_OK; i++) {
        status = note_translations(t, &t->texts[i], error);
        status = status == ATTN_OK ? add_needed(t, i, error) : status;
    }
    *more = t->count > t->round;
    for (size_t i = 0; i < t->text_count && status == ATTN_OK && !*more; i++) {
        one_text *text = &t->texts[i];
        if (text->best == NULL) {
            status = join_rank(t, text, 0, text->used, &text->best, error);
        }
    }
    return status;
}

bool attn_translation_note(attn_translation *t, size_t sentence, const int32_t *ids, int64_t count,
                           size_t *text) {
    char *so_far;
    size_t number = t->round + sentence;
    if (t->sentences[number].search != &t->search ||
        attn_tokenizer_decode(attn_tokenizer_target(t->model->tokenizer), ids, (size_t)count,
                              &so_far, NULL) != ATTN_OK) {
        return false;
    }
    join_lines(so_far);
    free(t->partial[number]);
    t->partial[number] = so_far;
    *text = t->text[number];
    return true;
}

attn_status attn_translation_so_far(const attn_translation *t, size_t text, char **out,
                                    attn_error *error) {
    const one_text *x = &t->texts[text];
    char **units = calloc(x->unit_count + 1, sizeof *units);
    attn_status status =
        units != NULL ? ATTN_OK : attn_fail_memory(error, x->unit_count * sizeof *units);
    *out = NULL;
    for (size_t i = 0; i < x->unit_count && status == ATTN_OK; i++) {
        if (x->translation[i] != NULL) {
            units[i] = strdup(x->translation[i]);
            status =
                units[i] != NULL ? ATTN_OK : attn_fail_memory(error, strlen(x->translation[i]));
        } else if (x->units[i].asked) {
            status = partial_text(t, &x->units[i], &units[i], error);
        }
    }
    if (status == ATTN_OK && x->unit_count == 0 && x->best != NULL) { /* a copy */
        *out = strdup(x->best);
        status = *out != NULL ? ATTN_OK : attn_fail_memory(error, strlen(x->best));
    } else if (status == ATTN_OK && x->passage != NULL) {
        status = attn_passage_preview(x->passage, (const char *const *)units, out, error);
    } else if (status == ATTN_OK) {
        *out = units[0];
        units[0] = NULL;
    }
    free_units(units, NULL, x->unit_count);
    return status;
}

/* ---- what is read of it ---- */

attn_status attn_translation_text(const attn_translation *t, size_t text, int64_t rank, char **out,
                                  attn_error *error) {
    const one_text *x = &t->texts[text];
    attn_status status = ATTN_OK;
    *out = NULL;
    if (rank > 0) {
        status = join_rank(t, x, rank, NULL, out, error);
    }
    if (status == ATTN_OK && *out == NULL) {
        *out = strdup(x->best);
        status = *out != NULL ? ATTN_OK : attn_fail_memory(error, strlen(x->best));
    }
    return status;
}

/* The number of sentence i of those that the text's best translation is made of; false past the end. */
static bool find_sentence(const attn_translation *t, size_t text, size_t i, size_t *out) {
    const one_text *x = &t->texts[text];
    for (size_t u = 0; u < x->unit_count; u++) {
        if (!x->used[u]) {
            continue;
        }
        if (i < x->units[u].count) {
            *out = x->units[u].first + i * t->step;
            return true;
        }
        i -= x->units[u].count;
    }
    return false;
}

/* What was sent that sentence `number` of all is. */
static const char *sent(const attn_translation *t, size_t number) {
    const one_text *x = &t->texts[t->text[number]];
    for (size_t u = 0; u < x->unit_count && x->passage != NULL; u++) {
        if (x->units[u].asked && x->units[u].first == number && x->units[u].count == 1) {
            return attn_passage_unit_sent(x->passage, u);
        }
    }
    return t->source[number];
}

static attn_translated_sentence sentence_of(const attn_translation *t, size_t number) {
    const attn_sentence *s = &t->sentences[number];
    return (attn_translated_sentence){sent(t, number), t->source[number], s->ids, s->length,
                                      hypothesis(t, number, 0)};
}

size_t attn_translation_sentences(const attn_translation *t, size_t text) {
    const one_text *x = &t->texts[text];
    size_t count = 0;
    for (size_t u = 0; u < x->unit_count; u++) {
        count += x->used[u] ? x->units[u].count : 0;
    }
    return count;
}

bool attn_translation_sentence(const attn_translation *t, size_t text, size_t i,
                               attn_translated_sentence *out) {
    size_t number;
    if (!find_sentence(t, text, i, &number)) {
        return false;
    }
    *out = sentence_of(t, number);
    return true;
}

bool attn_translation_searched(const attn_translation *t, size_t text, size_t i,
                               attn_translated_sentence *out) {
    for (size_t number = 0; number < t->first_round; number += t->step) {
        if (t->text[number] == text && i-- == 0) {
            *out = sentence_of(t, number);
            return true;
        }
    }
    return false;
}

const attn_hypothesis *attn_translation_hypothesis(const attn_translation *t, size_t text, size_t i,
                                                   int64_t rank) {
    size_t number;
    return find_sentence(t, text, i, &number) ? hypothesis(t, number, rank) : NULL;
}

int64_t attn_translation_ranks(const attn_translation *t, size_t text) {
    int64_t ranks = 1;
    for (size_t i = 0, number; find_sentence(t, text, i, &number); i++) {
        while (hypothesis(t, number, ranks) != NULL) {
            ranks++;
        }
    }
    return ranks;
}

double attn_translation_score(const attn_translation *t, size_t text, int64_t rank) {
    double sum = 0, weights = 0;
    for (size_t i = 0, number; find_sentence(t, text, i, &number); i++) {
        const attn_hypothesis *h = hypothesis_at_most(t, number, rank);
        double weight = (double)t->sentences[number].length;
        sum += h != NULL ? weight * h->score : 0;
        weights += weight;
    }
    return weights > 0 ? sum / weights : 0;
}

/* ---- all at once ---- */

typedef struct noting {
    attn_translation *translation;
    const attn_translate_options *options;
} noting;

static void note_progress(void *context, size_t sentence, const int32_t *ids, int64_t count) {
    const noting *c = context;
    size_t text;
    char *so_far;
    if (attn_translation_note(c->translation, sentence, ids, count, &text) &&
        attn_translation_so_far(c->translation, text, &so_far, NULL) == ATTN_OK) {
        c->options->progress(c->options->progress_context, text, so_far);
        free(so_far);
    }
}

attn_status attn_translate_texts(const attn_model *model, const char *const *texts, size_t count,
                                 const attn_translate_options *options, attn_translation **out,
                                 attn_error *error) {
    attn_translate_options chosen;
    attn_translation *t = NULL;
    *out = NULL;
    attn_status status = read_options(options, &chosen, error);
    status = status == ATTN_OK ? attn_translation_create(model, texts, count, &chosen, &t, error)
                               : status;
    if (status != ATTN_OK) {
        return status;
    }
    noting context = {t, &chosen};
    attn_batch_options batch = {chosen.batch, chosen.progress != NULL ? note_progress : NULL,
                                &context};
    for (bool more = true; more && status == ATTN_OK;) {
        size_t sentence_count;
        attn_sentence *sentences = attn_translation_to_search(t, &sentence_count);
        status = attn_batch_search_all(model, sentences, sentence_count, &batch, error);
        status = status == ATTN_OK ? attn_translation_go_on(t, &more, error) : status;
    }
    if (status != ATTN_OK) {
        attn_translation_free(t);
        return status;
    }
    *out = t;
    return ATTN_OK;
}

attn_status attn_translate(const attn_model *model, const char *text,
                           const attn_translate_options *options, char **translation,
                           attn_error *error) {
    attn_translation *t = NULL;
    *translation = NULL;
    attn_status status = attn_translate_texts(model, &text, 1, options, &t, error);
    if (status == ATTN_OK) {
        *translation = t->texts[0].best; /* malloc'ed, as all texts here */
        t->texts[0].best = NULL;
    }
    attn_translation_free(t);
    return status;
}

void attn_translate_free(char *text) {
    free(text);
}
