/* align/words.c: see words.h. Parts get numbers in the order in which the text first shows them. */
#include "align/words.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/hash.h"
#include "base/memory.h"

/* ---- code points ---- */

typedef enum point_kind { SPACE, GAP, LETTER, DIGIT, MARK } point_kind;

static point_kind kind_of(UChar32 c) {
    if (c == ' ' || (c >= '\t' && c <= '\r')) {
        return SPACE;
    }
    uint32_t mask = U_MASK(u_charType(c));
    return (mask & (U_GC_L_MASK | U_GC_M_MASK)) != 0   ? LETTER
           : (mask & U_GC_N_MASK) != 0                 ? DIGIT
           : (mask & (U_GC_Z_MASK | U_GC_C_MASK)) != 0 ? GAP
                                                       : MARK;
}

/* ---- numbers of parts ---- */

/* The parts of one side that differ, by the hash of their code points: 64 bits, so that two parts are
 * taken for one in one text of a billion. */
typedef struct vocabulary {
    uint64_t *key;
    int32_t *slot; /* number + 1; 0: free */
    size_t slot_count, key_room;
    int32_t count;
} vocabulary;

static size_t slot_of(const vocabulary *v, uint64_t key) {
    size_t slot = (size_t)key & (v->slot_count - 1);
    while (v->slot[slot] != 0 && v->key[v->slot[slot] - 1] != key) {
        slot = (slot + 1) & (v->slot_count - 1);
    }
    return slot;
}

static bool grow_slots(vocabulary *v) {
    size_t slots = v->slot_count > 0 ? 2 * v->slot_count : 1 << 12;
    int32_t *slot = attn_alloc_zero(slots, sizeof *slot);
    if (slot == NULL) {
        return false;
    }
    attn_free(v->slot);
    v->slot = slot;
    v->slot_count = slots;
    for (int32_t i = 0; i < v->count; i++) {
        slot[slot_of(v, v->key[i])] = i + 1;
    }
    return true;
}

/* -1 when out of memory. */
static int32_t number_of(vocabulary *v, uint64_t key) {
    if (2 * ((size_t)v->count + 1) > v->slot_count && !grow_slots(v)) {
        return -1;
    }
    size_t slot = slot_of(v, key);
    if (v->slot[slot] == 0) {
        if (v->count == INT32_MAX ||
            !attn_grow(&v->key, &v->key_room, (size_t)v->count + 1, sizeof *v->key)) {
            return -1;
        }
        v->key[v->count++] = key;
        v->slot[slot] = v->count;
    }
    return v->slot[slot] - 1;
}

/* ---- cutting ---- */

/* A line's code points and what they are. */
typedef struct points {
    UChar32 *code;
    point_kind *kind;
    int32_t *end; /* the byte of the line behind it */
    size_t count, code_room, kind_room, end_room;
} points;

typedef struct side {
    vocabulary vocabulary;
    points points;
    int32_t *unit;
    attn_part *part;
    size_t unit_room, part_room, count;
    int64_t *start;
    int64_t stem;
} side;

static bool read_points(const char *text, size_t length, points *out) {
    if (!attn_grow(&out->code, &out->code_room, length + 1, sizeof *out->code) ||
        !attn_grow(&out->kind, &out->kind_room, length + 1, sizeof *out->kind) ||
        !attn_grow(&out->end, &out->end_room, length + 1, sizeof *out->end)) {
        return false;
    }
    out->count = 0;
    for (size_t at = 0; at < length;) {
        UChar32 code;
        U8_NEXT(text, at, length, code);
        out->kind[out->count] = kind_of(code);
        out->end[out->count] = (int32_t)at;
        out->code[out->count++] = code == 0x2019 ? '\'' : u_tolower(code);
    }
    out->kind[out->count] = SPACE; /* ends the last word */
    out->code[out->count] = ' ';
    return true;
}

static size_t run_end(const points *p, size_t at, point_kind kind) {
    while (at < p->count && p->kind[at] == kind) { /* not past what ends the last word */
        at++;
    }
    return at;
}

/* Whether the letters [at, end) are those that English writes behind an apostrophe: it's, we're, don't. */
static bool is_clitic(const points *p, size_t at, size_t end) {
    static const char *const clitics[] = {"s", "t", "d", "m", "re", "ve", "ll"};
    for (size_t i = 0; i < sizeof clitics / sizeof *clitics; i++) {
        size_t length = strlen(clitics[i]), same = 0;
        while (same < length && end - at == length &&
               p->code[at + same] == (unsigned char)clitics[i][same]) {
            same++;
        }
        if (same == length) {
            return true;
        }
    }
    return false;
}

/* The end of the part that begins at `at` with letters. */
static size_t letters_end(const points *p, size_t at) {
    enum { LONGEST_ELIDED = 3 }; /* such as qu' where it stands before a space */
    size_t end = run_end(p, at, LETTER);
    if (p->code[end] != '\'') {
        return end;
    }
    size_t after = run_end(p, end + 1, LETTER);
    if (after == end + 1) {
        return p->kind[after] == SPACE && end - at <= LONGEST_ELIDED ? after : end;
    }
    if (!is_clitic(p, end + 1, after)) {
        return end + 1; /* l' animal */
    }
    bool negation =
        after - end == 2 && p->code[end + 1] == 't' && end - at > 1 && p->code[end - 1] == 'n';
    return negation ? end - 1 : end;
}

/* Digits, and what stands between digits in a number: 3.14, 250,000. */
static size_t digits_end(const points *p, size_t at) {
    size_t end = run_end(p, at, DIGIT);
    while ((p->code[end] == '.' || p->code[end] == ',') && p->kind[end + 1] == DIGIT) {
        end = run_end(p, end + 1, DIGIT);
    }
    return end;
}

/* The end of the part that begins at `at`, which is no space. */
static size_t part_end(const points *p, size_t at) {
    size_t end = at + 1;
    if (p->kind[at] == DIGIT) {
        return digits_end(p, at);
    }
    if (p->kind[at] == LETTER) {
        bool negation = p->code[at] == 'n' && p->code[at + 1] == '\'' && p->code[at + 2] == 't' &&
                        p->kind[at + 3] != LETTER;
        return negation && at > 0 && p->kind[at - 1] == LETTER ? at + 3 : letters_end(p, at);
    }
    if (p->code[at] == '\'' && p->kind[end] == LETTER && at > 0 && p->kind[at - 1] == LETTER) {
        return run_end(p, end, LETTER); /* 's */
    }
    while (p->code[end] == p->code[at] && p->kind[end] == MARK) {
        end++;
    }
    return end;
}

/* The code points [at, end), at least one, as they count. */
static uint64_t key_of(const points *p, size_t at, size_t end, int64_t stem) {
    size_t counted = end - at;
    if (p->kind[at] == MARK && p->code[at] == p->code[end - 1]) {
        return attn_hash64(p->code + at, sizeof *p->code, counted > 1);
    }
    if (p->kind[at] == LETTER && stem > 0 && counted > (size_t)stem) {
        counted = (size_t)stem;
    }
    return attn_hash64(p->code + at, counted * sizeof *p->code, counted > 1);
}

static bool add_part(side *s, size_t at, size_t end, int32_t word) {
    const points *p = &s->points;
    bool run = p->kind[at] == MARK && p->code[at] == p->code[end - 1];
    int32_t unit = number_of(&s->vocabulary, key_of(p, at, end, s->stem));
    if (unit < 0 || !attn_grow(&s->unit, &s->unit_room, s->count + 1, sizeof *s->unit) ||
        !attn_grow(&s->part, &s->part_room, s->count + 1, sizeof *s->part)) {
        return false;
    }
    s->unit[s->count] = unit;
    s->part[s->count++] = (attn_part){.word = word, .end = p->end[end - 1], .mark = run};
    return true;
}

/* Marks are what a word consists of when it has nothing else. */
static void keep_marks(side *s, size_t first) {
    for (size_t i = first; i < s->count; i++) {
        if (!s->part[i].mark) {
            return;
        }
    }
    for (size_t i = first; i < s->count; i++) {
        s->part[i].mark = false;
    }
}

attn_status attn_word_key(const char *text, size_t length, int64_t stem, uint64_t *out,
                          attn_error *error) {
    points p = {.count = 0};
    bool good = read_points(text, length, &p);
    *out = good && p.count > 0 ? key_of(&p, 0, p.count, stem) : 0;
    attn_free(p.code);
    attn_free(p.kind);
    attn_free(p.end);
    return good ? ATTN_OK : attn_fail_memory(error, length * sizeof *p.code);
}

static bool cut_line(side *s, const char *text, size_t length) {
    const points *p = &s->points;
    if (!read_points(text, length, &s->points)) {
        return false;
    }
    int32_t word = 0;
    for (size_t at = run_end(p, 0, SPACE); at < p->count; at = run_end(p, at, SPACE), word++) {
        size_t first = s->count;
        while (p->kind[at] != SPACE) {
            size_t end = p->kind[at] == GAP ? at + 1 : part_end(p, at);
            if (p->kind[at] != GAP && !add_part(s, at, end, word)) {
                return false;
            }
            at = end;
        }
        keep_marks(s, first);
    }
    return true;
}

static bool cut_texts(side *s, const attn_parallel *texts, size_t count, bool target,
                      size_t lines) {
    size_t line = 0;
    s->start = attn_alloc_zero(lines + 1, sizeof *s->start);
    bool good = s->start != NULL;
    for (size_t t = 0; t < count; t++) {
        const attn_lines *text = target ? &texts[t].target : &texts[t].source;
        for (size_t i = 0; i < text->count && good; i++) {
            good = cut_line(s, text->line[i], text->length[i]);
            s->start[++line] = (int64_t)s->count;
        }
    }
    attn_free(s->vocabulary.key);
    attn_free(s->vocabulary.slot);
    attn_free(s->points.code);
    attn_free(s->points.kind);
    attn_free(s->points.end);
    return good;
}

attn_status attn_word_parts_create(const attn_parallel *texts, size_t count, int64_t stem,
                                   attn_word_parts *out, attn_error *error) {
    size_t lines = 0;
    for (size_t t = 0; t < count; t++) {
        lines += texts[t].source.count;
    }
    *out = (attn_word_parts){.text = {.count = (int64_t)lines}};
    for (int i = 0; i < 2; i++) {
        side s = {.stem = stem};
        bool good = cut_texts(&s, texts, count, i == 1, lines);
        out->text.unit[i] = s.unit;
        out->text.start[i] = s.start;
        out->text.kinds[i] = s.vocabulary.count;
        out->part[i] = s.part;
        if (!good) {
            attn_word_parts_free(out);
            return attn_fail_memory(error, s.count * (sizeof *s.unit + sizeof *s.part));
        }
    }
    return ATTN_OK;
}

void attn_word_parts_free(attn_word_parts *parts) {
    for (int i = 0; i < 2; i++) {
        attn_free((void *)(uintptr_t)parts->text.unit[i]);
        attn_free((void *)(uintptr_t)parts->text.start[i]);
        attn_free(parts->part[i]);
    }
    *parts = (attn_word_parts){.text = {.count = 0}};
}

/* ---- back to words ---- */

static int by_place(const void *a, const void *b) {
    const attn_link *x = a, *y = b;
    return x->source != y->source ? (x->source > y->source) - (x->source < y->source)
                                  : (x->target > y->target) - (x->target < y->target);
}

void attn_word_parts_join(const attn_word_parts *parts, attn_link_set *links) {
    int64_t kept = 0;
    for (int64_t line = 0; line < links->count; line++) {
        const attn_part *source = parts->part[0] + parts->text.start[0][line];
        const attn_part *target = parts->part[1] + parts->text.start[1][line];
        int64_t first = kept, end = links->start[line + 1];
        for (int64_t i = links->start[line]; i < end; i++) {
            attn_link link = links->link[i];
            if (!source[link.source].mark && !target[link.target].mark) {
                links->link[kept++] =
                    (attn_link){source[link.source].word, target[link.target].word};
            }
        }
        links->start[line] = first;
        if (kept - first > 1) {
            qsort(links->link + first, (size_t)(kept - first), sizeof *links->link, by_place);
            int64_t unique = first + 1;
            for (int64_t i = first + 1; i < kept; i++) {
                if (by_place(&links->link[i], &links->link[i - 1]) != 0) {
                    links->link[unique++] = links->link[i];
                }
            }
            kept = unique;
        }
    }
    links->start[links->count] = kept;
}
