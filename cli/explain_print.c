/* cli/explain_print.c: bars, the five steps in words and numbers, and all of it as JSON. */
#include "explain_print.h"
#include "io/json_write.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BARS = 60, MOST_ROWS = 16, LABEL = 18 };

static const char *part_name(const attn_explained *x) {
    return x->part == ATTN_PART_ENCODER ? "encoder" : "decoder";
}

static const attn_word *chosen_word(const attn_explained *x) {
    return &x->queries.word[x->word];
}

static int label_width(const attn_words *words) {
    int widest = 4;
    for (int64_t i = 0; i < words->count; i++) {
        int columns = attn_terminal_columns(words->word[i].text);
        widest = columns > widest ? columns : widest;
    }
    return widest < 24 ? widest : 24;
}

/* ---- which words ---- */

static void print_title(const attn_explained *x, const attn_terminal *t) {
    char heading[160], heads[48];
    if (x->one_head) {
        snprintf(heads, sizeof heads, "head %lld of %lld", (long long)x->head + 1,
                 (long long)x->shape.heads);
    } else {
        snprintf(heads, sizeof heads, "mean of %lld heads", (long long)x->shape.heads);
    }
    snprintf(heading, sizeof heading, "%s layer %lld of %lld, %s%s", part_name(x),
             (long long)x->layer + 1, (long long)x->shape.layers,
             x->part == ATTN_PART_CROSS ? "attention to the source, " : "", heads);
    attn_terminal_heading(t, heading);
}

static void print_matrix(const attn_explained *x, const attn_terminal *t) {
    const char **names = malloc((size_t)x->queries.count * sizeof *names);
    for (int64_t i = 0; names != NULL && i < x->queries.count; i++) {
        names[i] = x->queries.word[i].text;
    }
    if (names != NULL) {
        fprintf(t->out, "\nEach row shows how one word distributes its attention, in per cent%s.\n",
                x->part == ATTN_PART_CROSS ? ", over the source words" : "");
        attn_terminal_matrix(t, names, x->queries.count, x->keys.count, x->word_weights);
    }
    free(names);
}

static void print_bars(const attn_explained *x, const attn_terminal *t) {
    const double *row = x->word_weights + x->word * x->keys.count;
    double largest = 0;
    int64_t count = x->keys.count < MOST_BARS ? x->keys.count : MOST_BARS;
    for (int64_t k = 0; k < x->keys.count; k++) {
        largest = fmax(largest, row[k]);
    }
    fprintf(t->out,
            x->part == ATTN_PART_CROSS ? "\nWhile writing \"%s\", the model looks at\n"
                                       : "\n\"%s\" attends to\n",
            chosen_word(x)->text);
    for (int64_t k = 0; k < count; k++) {
        bool itself = x->part != ATTN_PART_CROSS && k == x->word;
        attn_terminal_bar(t, x->keys.word[k].text, label_width(&x->keys), row[k], largest,
                          row[k] == largest || itself);
    }
    if (count < x->keys.count) {
        fprintf(t->out, "  and %lld more: --json prints all\n", (long long)(x->keys.count - count));
    }
}

/* ---- the steps ---- */

/* "  name  1.234 -0.567 ... (64 numbers)", as many as fit. */
static void print_vector(const attn_terminal *t, const char *name, const double *values,
                         int64_t count) {
    char tail[40];
    snprintf(tail, sizeof tail, "... (%lld numbers)", (long long)count);
    int64_t fit = (t->width - LABEL - 4 - (int)strlen(tail)) / 8;
    fit = fit > 8 ? 8 : fit < 2 ? 2 : fit;
    fprintf(t->out, "   ");
    attn_terminal_text(t, name, LABEL, false);
    for (int64_t i = 0; i < count && i < fit; i++) {
        fprintf(t->out, "%8.3f", values[i]);
    }
    fprintf(t->out, " %s\n", count > fit ? tail : "");
}

static void print_first_step(const attn_explained *x, const attn_terminal *t) {
    const attn_explain_steps *s = &x->steps;
    attn_terminal_heading(t, "1. Embed and project");
    print_vector(t, "embedding", s->embedding, x->shape.channels);
    print_vector(t, "layer's input x", s->input, x->shape.channels);
    print_vector(t, "query = Wq x + b", s->query, x->shape.head_size);
    fputs("   Every word that may be seen has a key, Wk x + b, and a value, Wv x + b.\n", t->out);
}

/* Whether key j is among the MOST_ROWS heaviest. */
static bool is_heavy(const attn_explain_steps *s, int64_t j) {
    int64_t heavier = 0;
    for (int64_t i = 0; i < s->visible; i++) {
        heavier += s->weights[i] > s->weights[j] || (s->weights[i] == s->weights[j] && i < j);
    }
    return heavier < MOST_ROWS;
}

static void print_scores(const attn_explained *x, const attn_terminal *t) {
    const attn_explain_steps *s = &x->steps;
    double root = sqrt((double)x->shape.head_size), left = 0;
    int64_t hidden = 0;
    attn_terminal_heading(t, "2. Dot products   3. Divide by the root   4. Softmax");
    fputs("   ", t->out);
    attn_terminal_text(t, "piece", LABEL, false);
    char divided[32];
    if (s->distance_bias != NULL) {
        snprintf(divided, sizeof divided, "/ %.2f + bias", root);
    } else {
        snprintf(divided, sizeof divided, "/ sqrt(%lld)=%.2f", (long long)x->shape.head_size, root);
    }
    fprintf(t->out, "%9s  %16s  %7s   %s\n", "q . k", divided, "weight", "value (first numbers)");
    for (int64_t j = 0; j < s->visible; j++) {
        if (!is_heavy(s, j)) {
            left += s->weights[j];
            hidden++;
            continue;
        }
        const double *value = s->values + j * x->shape.head_size;
        fputs("   ", t->out);
        attn_terminal_text(t, x->keys.piece[j], LABEL, false);
        fprintf(t->out, "%9.3f  %16.3f  %7.4f  %7.3f", s->scores[j], s->scaled[j], s->weights[j],
                value[0]);
        fprintf(t->out, x->shape.head_size > 1 ? "%8.3f ...\n" : "\n",
                value[1 % x->shape.head_size]);
    }
    if (hidden > 0) {
        fprintf(t->out, "   and %lld more with %.4f together: --json prints all\n",
                (long long)hidden, left);
    }
    if (s->visible < x->shape.keys) {
        fprintf(t->out, "   later positions are masked: weight 0\n");
    }
}

static void print_last_steps(const attn_explained *x, const attn_terminal *t) {
    const attn_explain_steps *s = &x->steps;
    attn_terminal_heading(t, "5. Weighted sum of the values");
    print_vector(t, "output", s->output, x->shape.head_size);
    attn_terminal_heading(t, "Then: the heads joined by the output projection");
    char name[64];
    snprintf(name, sizeof name, "%lld heads joined", (long long)x->shape.heads);
    print_vector(t, name, s->joined, x->shape.channels);
    print_vector(t, "Wo joined + b", s->projected, x->shape.channels);
    fputs("   length of each head's part:", t->out);
    for (int64_t h = 0; h < x->shape.heads; h++) {
        fprintf(t->out, "%s %.2f%s", h == s->head ? " [" : "", s->head_norms[h],
                h == s->head ? " ]" : "");
    }
    fputc('\n', t->out);
    print_vector(t, "added to the input", s->result, x->shape.channels);
    fprintf(t->out, "The model's own numbers agree within %.0e.\n", s->difference);
}

void attn_explained_print(const attn_explained *x, const attn_terminal *t) {
    const attn_word *word = chosen_word(x);
    if (x->target != NULL) {
        fprintf(t->out, "%s\n-> %s\n\n", x->sentence, x->target);
    }
    print_title(x, t);
    if (x->whole) {
        print_matrix(x, t);
    }
    print_bars(x, t);
    fprintf(t->out, "\nThe steps for \"%s\" in head %lld", word->text,
            (long long)x->steps.head + 1);
    if (word->count > 1) {
        fprintf(t->out, " (its first piece, %s)", x->queries.piece[word->first]);
    }
    fputs(x->one_head ? "\n" : ", the most decided (--head chooses)\n", t->out);
    print_first_step(x, t);
    print_scores(x, t);
    print_last_steps(x, t);
}

/* ---- JSON ---- */

static json_t *json_doubles(const double *values, int64_t count) {
    json_t *array = json_array();
    for (int64_t i = 0; i < count; i++) {
        json_array_append_new(array, json_real(values[i]));
    }
    return array;
}

static json_t *json_matrix(const double *values, int64_t rows, int64_t columns) {
    json_t *array = json_array();
    for (int64_t r = 0; r < rows; r++) {
        json_array_append_new(array, json_doubles(values + r * columns, columns));
    }
    return array;
}

/* [H][Q][K] */
static json_t *json_weights(const attn_explained *x) {
    json_t *heads = json_array();
    const attn_real *at = x->weights;
    for (int64_t h = 0; h < x->shape.heads; h++) {
        json_t *rows = json_array();
        for (int64_t q = 0; q < x->shape.queries; q++) {
            json_t *row = json_array();
            for (int64_t k = 0; k < x->shape.keys; k++) {
                json_array_append_new(row, json_real((double)*at++));
            }
            json_array_append_new(rows, row);
        }
        json_array_append_new(heads, rows);
    }
    return heads;
}

static json_t *json_pieces(const attn_words *words) {
    json_t *array = json_array();
    for (int64_t i = 0; i < words->pieces; i++) {
        json_array_append_new(array, json_string(words->piece[i]));
    }
    return array;
}

static json_t *json_words(const attn_words *words) {
    json_t *array = json_array();
    for (int64_t i = 0; i < words->count; i++) {
        const attn_word *word = &words->word[i];
        json_array_append_new(array, json_pack("{s:s, s:I, s:I}", "word", word->text, "first_piece",
                                               (json_int_t)word->first, "pieces",
                                               (json_int_t)word->count));
    }
    return array;
}

static json_t *json_steps(const attn_explained *x) {
    const attn_explain_steps *s = &x->steps;
    const attn_explain_shape *n = &x->shape;
    json_t *steps = json_object();
    const struct {
        const char *name;
        const double *values;
        int64_t count;
    } vectors[] = {
        {"embedding", s->embedding, n->channels}, {"input", s->input, n->channels},
        {"query", s->query, n->head_size},        {"scores", s->scores, s->visible},
        {"scaled", s->scaled, s->visible},        {"weights", s->weights, n->keys},
        {"output", s->output, n->head_size},      {"joined", s->joined, n->channels},
        {"projected", s->projected, n->channels}, {"result", s->result, n->channels},
        {"head_norms", s->head_norms, n->heads},
    };
    json_object_set_new(steps, "piece", json_integer(s->token));
    json_object_set_new(steps, "head", json_integer(s->head + 1));
    json_object_set_new(steps, "head_size", json_integer(n->head_size));
    json_object_set_new(steps, "visible", json_integer(s->visible));
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        json_object_set_new(steps, vectors[i].name,
                            json_doubles(vectors[i].values, vectors[i].count));
    }
    if (s->distance_bias != NULL) {
        json_object_set_new(steps, "distance_bias", json_doubles(s->distance_bias, s->visible));
    }
    json_object_set_new(steps, "keys", json_matrix(s->keys, n->keys, n->head_size));
    json_object_set_new(steps, "values", json_matrix(s->values, n->keys, n->head_size));
    json_object_set_new(steps, "difference", json_real(s->difference));
    return steps;
}

attn_status attn_explained_print_json(const attn_explained *x, FILE *out, attn_error *error) {
    static const char *const parts[] = {"encoder", "decoder", "cross"};
    json_t *all = json_pack(
        "{s:s, s:s?, s:s, s:I, s:I, s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "sentence",
        x->sentence, "target", x->target, "part", parts[x->part], "layer", (json_int_t)x->layer + 1,
        "layers", (json_int_t)x->shape.layers, "heads", (json_int_t)x->shape.heads, "word",
        chosen_word(x)->text, "query_pieces", json_pieces(&x->queries), "query_words",
        json_words(&x->queries), "key_pieces", json_pieces(&x->keys), "key_words",
        json_words(&x->keys), "weights", json_weights(x), "word_weights",
        json_matrix(x->word_weights, x->queries.count, x->keys.count), "steps", json_steps(x));
    return attn_json_print(all, JSON_REAL_PRECISION(9), out, error);
}

/* ---- interventions ---- */

static void print_text(const char *label, const attn_intervened_text *t, const attn_terminal *to) {
    fprintf(to->out, "%s  %s\n", label, t->text);
    fprintf(to->out, "        log p %.2f as the model is, %.2f with the intervention\n", t->plain,
            t->edited);
}

void attn_intervened_print(const attn_intervened *i, const attn_terminal *t) {
    print_text("before", &i->before, t);
    print_text("after ", &i->after, t);
    if (strcmp(i->before.text, i->after.text) == 0) {
        fputs("The translation stays the same.\n", t->out);
    }
}

attn_status attn_intervened_print_json(const attn_intervened *i, FILE *out, attn_error *error) {
    return attn_json_print(attn_intervened_json(i), JSON_REAL_PRECISION(9), out, error);
}
