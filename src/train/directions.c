/* train/directions.c: see directions.h. */
#include "train/directions.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"

typedef struct parsed {
    char source[ATTN_DIRECTION_CODE], target[ATTN_DIRECTION_CODE];
    char tag[ATTN_TAGS][ATTN_TAG_SIZE]; /* that of the language first */
    int tag_count;
} parsed;

/* Letters, digits and '_'; at least `least` of them. */
static bool take_word(const char **at, size_t least, size_t size, char *out) {
    size_t length = 0;
    while (isalnum((unsigned char)(*at)[length]) || (*at)[length] == '_') {
        length++;
    }
    if (length < least || length >= size) {
        return false;
    }
    memcpy(out, *at, length);
    out[length] = '\0';
    *at += length;
    return true;
}

static bool parse(const char *text, parsed *out) {
    char word[ATTN_DIRECTION_CODE];
    if (!take_word(&text, 2, sizeof out->source, out->source) || *text++ != '-' ||
        !take_word(&text, 2, sizeof out->target, out->target)) {
        return false;
    }
    attn_tag_of_language(out->target, out->tag[0]);
    out->tag_count = 1;
    if (*text == '+') {
        text++;
        if (!take_word(&text, 1, sizeof word, word)) {
            return false;
        }
        snprintf(out->tag[out->tag_count++], ATTN_TAG_SIZE, "<%s>", word);
    }
    return *text == '\0';
}

static attn_status fail_text(const char *text, attn_error *error) {
    return attn_fail(error, ATTN_ERR_ARGUMENT, "--languages", -1,
                     "write SOURCE-TARGET, as in en-fr, or SOURCE-TARGET+WORD",
                     "'%.60s' is not a pair of languages", text);
}

static bool has_tag(const char *list, const char *tag) {
    const char *found = strstr(list, tag);
    return found != NULL; /* no tag is part of another: '<' begins it and '>' ends it */
}

static void add_tag(attn_directions *d, const char *tag) {
    size_t length = strlen(d->tags);
    if (!has_tag(d->tags, tag)) {
        snprintf(d->tags + length, sizeof d->tags - length, "%s%s", length > 0 ? "," : "", tag);
    }
}

static size_t find(const attn_directions *d, const parsed *p) {
    size_t i = 0;
    while (i < d->count && (strcmp(d->item[i].source, p->source) != 0 ||
                            strcmp(d->item[i].target, p->target) != 0)) {
        i++;
    }
    return i;
}

attn_status attn_directions_add(attn_directions *d, const char *text, attn_error *error) {
    parsed p;
    if (!parse(text, &p)) {
        return fail_text(text, error);
    }
    size_t at = find(d, &p);
    if (at == ATTN_DIRECTIONS || strlen(d->tags) + ATTN_TAGS * ATTN_TAG_SIZE > sizeof d->tags) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "--languages", -1, "train several models",
                         "there are more than %d pairs of languages or too many words",
                         ATTN_DIRECTIONS);
    }
    if (at == d->count) {
        attn_direction *added = &d->item[d->count++];
        snprintf(added->source, sizeof added->source, "%s", p.source);
        snprintf(added->target, sizeof added->target, "%s", p.target);
        added->tag = -1;
    }
    for (int i = 0; i < p.tag_count; i++) {
        add_tag(d, p.tag[i]);
    }
    return ATTN_OK;
}

static attn_status find_tag(const char *piece, const attn_tokenizer *tokenizer, int32_t *out,
                            attn_error *error) {
    *out = attn_tokenizer_tag(tokenizer, piece);
    return *out >= 0 ? ATTN_OK
                     : attn_fail(error, ATTN_ERR_ARGUMENT, "tokenizer", -1,
                                 "train one with the same --languages, or with "
                                 "--control_symbols of SentencePiece",
                                 "it has no piece %s", piece);
}

attn_status attn_directions_tags(const char *text, const attn_tokenizer *tokenizer, attn_tags *out,
                                 attn_error *error) {
    parsed p;
    *out = (attn_tags){.count = 0};
    if (!parse(text, &p)) {
        return fail_text(text, error);
    }
    attn_status status = ATTN_OK;
    for (int i = 0; i < p.tag_count && status == ATTN_OK; i++) {
        status = find_tag(p.tag[i], tokenizer, &out->id[out->count++], error);
    }
    return status;
}

attn_status attn_directions_find_tags(attn_directions *d, const attn_tokenizer *tokenizer,
                                      attn_error *error) {
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < d->count && status == ATTN_OK; i++) {
        char piece[ATTN_TAG_SIZE];
        attn_tag_of_language(d->item[i].target, piece);
        status = find_tag(piece, tokenizer, &d->item[i].tag, error);
    }
    return status;
}

size_t attn_directions_of_id(const attn_directions *d, int32_t id) {
    for (size_t i = 0; i < d->count; i++) {
        if (d->item[i].tag == id) {
            return i;
        }
    }
    return 0;
}

size_t attn_directions_of_text(const attn_directions *d, const char *text) {
    parsed p;
    size_t at = parse(text, &p) ? find(d, &p) : 0;
    return at < d->count ? at : 0;
}
