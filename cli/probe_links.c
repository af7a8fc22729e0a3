/* cli/probe_links.c: every head as `attn align --model --head` links words, beside links made by hand. */
#include "probe_links.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "align_model.h"
#include "base/fail.h"
#include "io/word_links.h"

bool attn_probe_is_links(const char *path) {
    attn_lines lines;
    if (attn_lines_read(path, &lines, NULL) != ATTN_OK) {
        return false;
    }
    bool found = false;
    for (size_t i = 0; i < lines.count; i++) {
        const char *first = strchr(lines.line[i], '\t');
        const char *second = first != NULL ? strchr(first + 1, '\t') : NULL;
        if (lines.line[i][0] != '\0' && lines.line[i][0] != '#') {
            found = second != NULL && isdigit((unsigned char)second[1]) &&
                    strchr(second + 1, '\t') == NULL;
            break;
        }
    }
    attn_lines_free(&lines);
    return found;
}

typedef struct links_set {
    attn_parallel text;
    attn_word_parts parts;
    attn_gold_links gold;
} links_set;

static void free_set(links_set *s) {
    attn_parallel_free(&s->text);
    attn_word_parts_free(&s->parts);
    attn_gold_links_free(&s->gold);
}

/* Two columns of the table. */
static attn_status read_columns(const char *path, const char *columns, attn_parallel *out,
                                attn_error *error) {
    char name[4200];
    snprintf(name, sizeof name, "%s:%s", path, columns);
    return attn_parallel_read(&(attn_parallel_source){.pairs = name}, 1, out, error);
}

/* The third column as one text, a line a sentence. */
static attn_status parse_gold(const attn_parallel *third, const char *path, attn_gold_links *out,
                              attn_error *error) {
    size_t size = 0, used = 0;
    for (size_t i = 0; i < third->target.count; i++) {
        size += third->target.length[i] + 1;
    }
    char *text = malloc(size + 1);
    if (text == NULL) {
        return attn_fail_memory(error, size + 1);
    }
    for (size_t i = 0; i < third->target.count; i++) {
        memcpy(text + used, third->target.line[i], third->target.length[i]);
        used += third->target.length[i];
        text[used++] = '\n';
    }
    attn_status status = attn_gold_links_parse(text, size, path, out, error);
    free(text);
    return status;
}

static attn_status read_set(const char *path, links_set *s, attn_error *error) {
    attn_parallel third = {.file_count = 0};
    attn_status status = read_columns(path, "1,2", &s->text, error);
    status = status == ATTN_OK ? read_columns(path, "1,3", &third, error) : status;
    if (status == ATTN_OK && third.source.count != s->text.source.count) {
        status = attn_fail(error, ATTN_ERR_FORMAT, path, -1,
                           "write SENTENCE, TRANSLATION and LINKS with tabs between them",
                           "%zu lines have a translation, %zu have links", s->text.source.count,
                           third.source.count);
    }
    status = status == ATTN_OK ? parse_gold(&third, path, &s->gold, error) : status;
    status = status == ATTN_OK ? attn_word_parts_create(&s->text, 1, 0, &s->parts, error) : status;
    attn_parallel_free(&third);
    return status;
}

/* How many words a line of the source has. */
static int64_t source_words(const links_set *s, int64_t line) {
    int64_t last = s->parts.text.start[0][line + 1] - 1;
    return last >= s->parts.text.start[0][line] ? s->parts.part[0][last].word + 1 : 0;
}

/* One link of a head, held to the gold links of its target word; *at: where the gold of its line begins. */
static void count_link(const links_set *s, int64_t line, const attn_link *link, size_t at,
                       attn_probe_count *count) {
    int64_t good = 0;
    bool right = false;
    for (size_t i = at; i < s->gold.count && s->gold.link[i].sentence == line; i++) {
        bool same = s->gold.link[i].target == link->target;
        good += same;
        right = right || (same && s->gold.link[i].source == link->source);
    }
    if (good > 0) {
        count->right += right;
        count->count++;
        count->chance += (double)good / (double)source_words(s, line);
    }
}

static attn_status count_head(const attn_model *model, const links_set *s, int64_t layer,
                              int64_t head, attn_probe_count *count, attn_error *error) {
    const attn_model_links how = {.layer = layer, .head = head};
    attn_link_set links;
    int64_t left_out;
    attn_status status =
        attn_align_by_model(model, &s->text, &s->parts, &how, &links, &left_out, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_word_parts_join(&s->parts, &links);
    size_t at = 0;
    for (int64_t line = 0; line < links.count; line++) {
        while (at < s->gold.count && s->gold.link[at].sentence < line) {
            at++;
        }
        for (int64_t i = links.start[line]; i < links.start[line + 1]; i++) {
            count_link(s, line, &links.link[i], at, count);
        }
    }
    attn_link_set_free(&links);
    return ATTN_OK;
}

attn_status attn_probe_links(const attn_model *model, const char *path, attn_probe *out,
                             attn_error *error) {
    const attn_translator_config *c = attn_translator_get_config(model->translator);
    links_set s = {.gold = {.count = 0}};
    attn_status status = attn_probe_create(out, "weights", c->decoder_layers, c->heads, error);
    status = status == ATTN_OK ? read_set(path, &s, error) : status;
    for (int64_t layer = 1; layer <= c->decoder_layers && status == ATTN_OK; layer++) {
        attn_probe_count *row = out->head + (layer - 1) * (c->heads + 1);
        for (int64_t head = 1; head <= c->heads && status == ATTN_OK; head++) {
            status = count_head(model, &s, layer, head, &row[head - 1], error);
        }
        status =
            status == ATTN_OK ? count_head(model, &s, layer, 0, &row[c->heads], error) : status;
    }
    if (status == ATTN_OK && out->head[0].count == 0) {
        status = attn_fail(error, ATTN_ERR_FORMAT, path, -1, NULL, "the set links no words");
    }
    free_set(&s);
    return status;
}
