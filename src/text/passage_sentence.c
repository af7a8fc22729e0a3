/* text/passage_sentence.c: the ways in which a sentence is offered to the model.
 *
 * Whole, best way first, then in pieces around its protected parts, each piece with a copy behind it. Models know
 * sentences that begin with a capital and end with a sign: a text without them gets them, and passage_form.c
 * takes them away again. Next: passage_join.c. */
#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/memory.h"
#include "text/passage_parts.h"

/* How a sentence is written for the model. */
typedef enum letter_case {
    CASE_SAME,
    CASE_FIRST_LARGE,
    CASE_FIRST_SMALL,
    CASE_SMALL,
    CASE_SENTENCE
} letter_case;

typedef struct way {
    letter_case letters;
    bool stop; /* a full stop is added */
    size_t count;
    attn_stand_in stand_in[ATTN_MOST_MASKED];
} way;

/* What is common to all ways. */
typedef struct sentence {
    attn_passage *p;
    run *r;
    size_t from, to;
    const attn_spans *spans;
    passage_form form;
    bool piece; /* a part of a sentence */
} sentence;

/* ---- the text of a unit ---- */

typedef struct writer {
    const sentence *s;
    letter_case letters;
    attn_buffer out;
    bool begun;
} writer;

static bool is_wordy(UChar32 c) {
    return c > 0 && u_isalnum(c);
}

/* English "i", alone or before an apostrophe. */
static bool is_pronoun(const sentence *s, UChar32 c, size_t at) {
    const char *text = s->r->smooth;
    if (c != 'i' && c != 'I') {
        return false;
    }
    UChar32 before = 0, after = 0;
    int32_t back = (int32_t)at;
    size_t next = at + 1;
    if (at > s->from) {
        U8_PREV(text, 0, back, before);
    }
    if (next < s->to) {
        U8_NEXT(text, next, s->to, after);
    }
    return strncmp(s->p->language, "en", 2) == 0 && !is_wordy(before) && !is_wordy(after) &&
           after != '.' && before != '.' && after != '-' && before != '\'';
}

static UChar32 in_case(writer *w, UChar32 c, size_t at) {
    bool first = !w->begun && u_isalnum(c);
    w->begun = w->begun || first;
    if (is_pronoun(w->s, c, at)) {
        return 'I';
    }
    bool small = w->letters == CASE_SMALL || w->letters == CASE_SENTENCE;
    c = small || (first && w->letters == CASE_FIRST_SMALL) ? u_tolower(c) : c;
    bool large = w->letters == CASE_FIRST_LARGE || w->letters == CASE_SENTENCE;
    return first && large ? u_totitle(c) : c;
}

static void write_letter(writer *w, size_t at, size_t next) {
    const sentence *s = w->s;
    char bytes[8], buffer[8];
    size_t length = 0, start = at;
    UChar32 c;
    U8_NEXT(s->r->smooth, at, next, c);
    if (c == 0xAD) { /* a soft hyphen */
        return;
    }
    if (attn_protect_ampersand(&s->p->rules, s->r->smooth, s->to, start)) {
        attn_buffer_text(&w->out, s->p->rules.ampersand);
        return;
    }
    UChar32 cased = in_case(w, c, start);
    U8_APPEND_UNSAFE(bytes, length, cased);
    bool usual = cased == ' ' || (cased >= 'a' && cased <= 'z');
    if (!usual && !attn_vocabulary_writes(&s->p->vocabulary, bytes, length)) {
        const char *plain = attn_protect_plain(&s->p->rules, cased, buffer);
        if (plain != NULL) {
            attn_buffer_text(&w->out, plain);
            return;
        }
    }
    attn_buffer_add(&w->out, bytes, length);
}

/* A stand-in at the beginning is written as the sentence's first word. */
static void write_stand_in(writer *w, const char *word) {
    size_t at = 0, length = strlen(word), size = 0;
    UChar32 c;
    U8_NEXT(word, at, length, c);
    bool large = !w->begun && w->letters != CASE_SAME && w->letters != CASE_FIRST_SMALL;
    c = large ? u_totitle(c) : c;
    char bytes[8];
    U8_APPEND_UNSAFE(bytes, size, c);
    attn_buffer_add(&w->out, bytes, size);
    attn_buffer_add(&w->out, word + at, length - at);
    w->begun = true;
}

static const char *stop_of(const attn_passage *p) {
    return attn_form_is_wide(p->language) ? "\xe3\x80\x82"
           : strncmp(p->language, "th", 2) == 0 || !attn_vocabulary_writes(&p->vocabulary, ".", 1)
               ? ""
               : ".";
}

/* The sentence with its stand-ins; at[i]: where tag i is in it. */
static attn_status write_unit(const sentence *s, const way *how, size_t *at, char **text,
                              attn_error *error) {
    writer w = {.s = s, .letters = how->letters};
    const run *r = s->r;
    size_t tag = 0, span = 0, from = s->from;
    for (;;) {
        size_t next = from;
        for (; tag < r->inside_count && !s->piece && r->tags[r->inside[tag]].at <= from; tag++) {
            at[tag] = w.out.length;
            next = from + r->tags[r->inside[tag]].width;
            if (next > from) {
                tag++;
                break;
            }
        }
        if (next > from) {
            from = next;
            continue;
        }
        if (from >= s->to) {
            break;
        }
        if (span < s->spans->count && s->spans->span[span].start <= from) {
            write_stand_in(&w, how->stand_in[span].given);
            from = s->spans->span[span].start + s->spans->span[span].length;
            span++;
            continue;
        }
        U8_FWD_1(r->smooth, next, s->to);
        write_letter(&w, from, next);
        from = next;
    }
    if (how->stop) {
        attn_buffer_text(&w.out, stop_of(s->p));
    }
    return attn_buffer_take(&w.out, text, error);
}

/* ---- a unit ---- */

/* Adds what a tag or a protected part gives to the literals; returns its length there. */
static size_t copy_raw(attn_passage *p, const char *text, size_t length, bool raw) {
    size_t start = p->literals.length;
    if (p->html && !raw) {
        attn_html_escape(&p->literals, text, length);
    } else {
        attn_buffer_add(&p->literals, text, length);
    }
    return p->literals.length - start;
}

static size_t copy_span(attn_passage *p, const run *r, const attn_span *span) {
    if (span->output != NULL) {
        return copy_raw(p, span->output, strlen(span->output), span->raw);
    }
    size_t end = span->start + span->length;
    return span->raw ? copy_raw(p, r->text + span->start, span->length, true)
                     : attn_passage_copy_text(p, r, span->start, end);
}

/* The sentence's tags as marks of the part that was added last. at[i]: where tag i is in its unit. */
static attn_status add_marks(attn_passage *p, const run *r, const size_t *at, attn_error *error) {
    part *owner = &p->parts[p->part_count - 1];
    owner->mark = p->mark_count;
    for (size_t i = 0; i < r->inside_count; i++) {
        const tag_at *tag = &r->tags[r->inside[i]];
        if (!attn_grow(&p->marks, &p->mark_room, p->mark_count + 1, sizeof *p->marks)) {
            return attn_fail_memory(error, sizeof *p->marks);
        }
        attn_mark *mark = &p->marks[p->mark_count++];
        *mark = (attn_mark){
            .kind = tag->kind, .at = at[i], .partner = ATTN_NO_MARK, .start = p->literals.length};
        mark->length = attn_passage_copy_tag(p, r, tag);
        if (tag->partner != ATTN_NO_MARK) {
            size_t number = r->tags[tag->partner].number;
            bool here = number < r->inside_count && r->inside[number] == tag->partner;
            mark->partner = here ? number : ATTN_NO_MARK;
        }
        owner->mark_count++;
        p->units[owner->unit].marked = true;
    }
    return ATTN_OK;
}

static attn_status add_masks(const sentence *s, const way *how, attn_error *error) {
    attn_passage *p = s->p;
    part *owner = &p->parts[p->part_count - 1];
    owner->masked = p->mask_count;
    for (size_t i = 0; i < s->spans->count; i++) {
        if (!attn_grow(&p->masks, &p->mask_room, p->mask_count + 1, sizeof *p->masks)) {
            return attn_fail_memory(error, sizeof *p->masks);
        }
        mask *m = &p->masks[p->mask_count++];
        *m = (mask){.expected = p->words.length, .start = p->literals.length};
        m->length = copy_span(p, s->r, &s->spans->span[i]);
        attn_buffer_add(&p->words, how->stand_in[i].expected,
                        strlen(how->stand_in[i].expected) + 1);
    }
    owner->masked_count = s->spans->count;
    return ATTN_OK;
}

/* How many stretches with words the tags of elements part the sentence into: each needs a word in its translation. */
static size_t count_stretches(const sentence *s) {
    size_t count = 0, from = s->from;
    for (size_t i = 0; i <= s->r->inside_count && !s->piece; i++) {
        const tag_at *tag = i < s->r->inside_count ? &s->r->tags[s->r->inside[i]] : NULL;
        if (tag != NULL && tag->kind == ATTN_MARK_POINT) {
            continue;
        }
        size_t to = tag != NULL ? tag->at : s->to;
        count += to > from && attn_has_letter(s->r->smooth + from, to - from);
        from = to;
    }
    return count;
}

/* Adds one way of the sentence as a unit, with its tags as marks. */
static attn_status add_try(const sentence *s, const way *how, attn_error *error) {
    attn_passage *p = s->p;
    size_t at[ATTN_MOST_MARKS];
    char *text;
    attn_status status = write_unit(s, how, at, &text, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (!attn_grow(&p->parts, &p->part_room, p->part_count + 1, sizeof *p->parts) ||
        !attn_grow(&p->units, &p->unit_room, p->unit_count + 1, sizeof *p->units)) {
        free(text);
        return attn_fail_memory(error, s->to - s->from);
    }
    p->parts[p->part_count++] = (part){
        .kind = PART_TRY, .unit = p->unit_count, .form = s->form, .stretches = count_stretches(s)};
    unit *added = &p->units[p->unit_count++];
    *added = (unit){.start = p->unit_text.length};
    attn_buffer_add(&p->unit_text, text, strlen(text) + 1);
    added->sent = p->unit_text.length;
    attn_buffer_add(&p->unit_text, s->r->text + s->from, s->to - s->from);
    attn_buffer_add(&p->unit_text, "", 1);
    free(text);
    status = add_masks(s, how, error);
    return status == ATTN_OK && !s->piece ? add_marks(p, s->r, at, error) : status;
}

/* ---- ways ---- */

typedef enum scheme { SCHEME_SAME, SCHEME_WORDS, SCHEME_NAMES, SCHEME_OTHER_NAMES, SCHEMES } scheme;

static bool is_number(const attn_span *span) {
    return span->kind == ATTN_SPAN_NUMBER || span->kind == ATTN_SPAN_COUNT;
}

static bool goes_through(const attn_span *span) {
    return is_number(span) || span->kind == ATTN_SPAN_UNKNOWN;
}

/* Words of the target's own letters, mostly, and identifiers: models leave them as they are more often than not. */
static bool may_go_through(const attn_span *span) {
    return span->kind == ATTN_SPAN_FOREIGN || span->kind == ATTN_SPAN_CODE;
}

/* A part that goes through the model as it is. */
static bool same_part(const sentence *s, const attn_span *span, attn_stand_in *out) {
    const char *text = s->r->smooth + span->start;
    if (span->length >= ATTN_STAND_IN_SIZE || span->raw || span->output != NULL ||
        !attn_vocabulary_writes(&s->p->vocabulary, text, span->length)) {
        return false;
    }
    memcpy(out->given, text, span->length);
    out->given[span->length] = '\0';
    memcpy(out->expected, out->given, span->length + 1);
    return true;
}

static bool number_word(const sentence *s, const attn_span *span, bool *taken, attn_stand_in *out) {
    attn_passage *p = s->p;
    size_t value = 0;
    if (!p->numbers.asked) {
        bool loaded = attn_number_words_load(&p->numbers, p->language, p->target, &p->vocabulary);
        p->out_of_memory = p->out_of_memory || !loaded;
    }
    for (size_t i = 0; i < span->length && value < 100; i++) {
        unsigned char byte = (unsigned char)s->r->smooth[span->start + i];
        value = byte >= '0' && byte <= '9' ? 10 * value + (byte - '0') : 100;
    }
    return p->numbers.known && attn_stand_in_number(&p->numbers, s->r->smooth + s->from,
                                                    s->to - s->from, value, taken, out);
}

/* Chooses the stand-ins; false when the scheme does not suit the sentence, or gives what another one gives. */
static bool choose(const sentence *s, scheme which, way *how) {
    bool taken[ATTN_NUMBER_WORDS] = {false}, used = false;
    size_t name = 0, turn = which == SCHEME_OTHER_NAMES ? 2 : 0;
    how->count = s->spans->count;
    for (size_t i = 0; i < s->spans->count; i++) {
        const attn_span *span = &s->spans->span[i];
        attn_stand_in *out = &how->stand_in[i];
        bool as_it_is = which == SCHEME_SAME && (goes_through(span) || may_go_through(span)) &&
                        same_part(s, span, out);
        bool as_word = which == SCHEME_WORDS && span->kind == ATTN_SPAN_COUNT &&
                       number_word(s, span, taken, out);
        if (as_it_is || as_word) {
            used = true;
        } else if ((which == SCHEME_SAME && goes_through(span)) ||
                   !attn_stand_in_name(&s->p->vocabulary, s->r->smooth + s->from, s->to - s->from,
                                       turn, &name, out)) {
            return false;
        }
    }
    return used || which >= SCHEME_NAMES;
}

static size_t pieces_of(const sentence *s, const way *how) {
    const attn_vocabulary *v = &s->p->vocabulary;
    char *text;
    size_t at[ATTN_MOST_MARKS], pieces = 0;
    if (v->pieces == NULL) {
        return 0;
    }
    if (write_unit(s, how, at, &text, NULL) != ATTN_OK) {
        s->p->out_of_memory = true;
    } else {
        pieces = attn_vocabulary_pieces(v, text, strlen(text));
        free(text);
    }
    return pieces;
}

/* A word or two are known by the case in which they take fewer pieces; models know more words in small letters.
 * Returns how many cases there are, best first. */
static size_t choose_cases(const sentence *s, way *how, letter_case cases[2]) {
    const passage_form *form = &s->form;
    enum { FEW = 2 };
    if (s->piece) {
        cases[0] = form->capitals ? CASE_SMALL : CASE_SAME;
        return 1;
    }
    if (form->ends || form->words > FEW || s->spans->count > 0) {
        cases[0] = form->capitals ? CASE_SENTENCE : CASE_FIRST_LARGE;
        return 1;
    }
    cases[0] = form->capitals ? CASE_SMALL : CASE_FIRST_SMALL;
    cases[1] = form->capitals ? CASE_SAME : CASE_FIRST_LARGE;
    how->letters = cases[0];
    size_t small = pieces_of(s, how);
    how->letters = cases[1];
    size_t large = pieces_of(s, how);
    if (large > 0 && (small == 0 || large < small)) {
        letter_case first = cases[1];
        cases[1] = cases[0];
        cases[0] = first;
    }
    return 2;
}

static attn_status add_ways(const sentence *s, attn_error *error) {
    attn_status status = ATTN_OK;
    size_t last = s->spans->count > 0 ? SCHEMES : 1;
    for (size_t which = 0; which < last && status == ATTN_OK; which++) {
        way how = {.stop = !s->form.ends};
        letter_case cases[2];
        if (s->spans->count > 0 && !choose(s, (scheme)which, &how)) {
            continue;
        }
        size_t count = choose_cases(s, &how, cases);
        count = s->spans->count > 0 ? 1 : count;
        for (size_t i = 0; i < count && status == ATTN_OK; i++) {
            how.letters = cases[i];
            status = add_try(s, &how, error);
        }
    }
    return status;
}

/* ---- pieces ---- */

static bool blank_at(const char *text, size_t length, size_t at, size_t *next) {
    UChar32 c;
    *next = at;
    U8_NEXT(text, *next, length, c);
    return !u_isalpha(c) && (U_GET_GC_MASK(c) & U_GC_M_MASK) == 0;
}

/* A part of a sentence between protected ones: from its first letter to its last it is a unit, unless it is too
 * short to mean anything alone ("'s"). Behind it comes a copy, for when that fails. */
static attn_status add_piece(const sentence *whole, size_t from, size_t to, attn_error *error) {
    attn_passage *p = whole->p;
    const run *r = whole->r;
    size_t first = to, last = from, letters = 0;
    for (size_t at = from, next; at < to; at = next) {
        if (!blank_at(r->text, to, at, &next)) {
            first = first == to ? at : first;
            last = next;
            letters++;
        }
    }
    const attn_spans none = {0};
    if (letters == 0 || (letters == 1 && last - first < 3)) {
        return attn_passage_add_signs(p, r, from, to, error);
    }
    sentence piece = {
        .p = p, .r = whole->r, .from = first, .to = last, .spans = &none, .piece = true};
    piece.form = attn_form_read(p, r, first, last, &none);
    piece.form.capitals = whole->form.capitals;
    /* Within a sentence, also where letters have no case. */
    piece.form.small = !piece.form.large && (piece.form.small || first > whole->from);
    attn_status status = attn_passage_add_signs(p, r, from, first, error);
    size_t tried = p->part_count;
    if (status == ATTN_OK) {
        status = add_ways(&piece, error);
    }
    if (status == ATTN_OK) {
        status = attn_passage_add_text(p, r, first, last, error);
    }
    if (status == ATTN_OK) {
        p->parts[tried].skip = p->part_count - tried - 1;
        status = attn_passage_add_signs(p, r, last, to, error);
    }
    return status;
}

/* text[from .. to), cut at the sentence's tags, translated or copied. *tag: the first that is not in the passage yet. */
static attn_status add_cut(const sentence *s, size_t from, size_t to, bool copy, size_t *tag,
                           attn_error *error) {
    attn_passage *p = s->p;
    const run *r = s->r;
    attn_status status = ATTN_OK;
    for (bool done = false; !done && status == ATTN_OK;) {
        const tag_at *next = *tag < r->inside_count ? &r->tags[r->inside[*tag]] : NULL;
        done = next == NULL || next->at > to;
        size_t end = done ? to : next->at;
        if (end > from) {
            status = copy ? attn_passage_add_text(p, r, from, end, error)
                          : add_piece(s, from, end, error);
        }
        from = end > from ? end : from;
        if (!done && status == ATTN_OK) {
            status = attn_passage_add_tag(p, r, next, error);
            from += next->width;
            ++*tag;
        }
    }
    return status;
}

static attn_status add_span(const sentence *s, const attn_span *span, attn_error *error) {
    if (span->output == NULL && !span->raw) {
        return attn_passage_add_text(s->p, s->r, span->start, span->start + span->length, error);
    }
    const char *output = span->output != NULL ? span->output : s->r->text + span->start;
    size_t length = span->output != NULL ? strlen(output) : span->length;
    return attn_passage_add_literal(s->p, output, length, span->raw, error);
}

static attn_status add_pieces(const sentence *s, bool copy, attn_error *error) {
    attn_status status = ATTN_OK;
    size_t tag = 0, from = s->from;
    for (size_t i = 0; i < s->spans->count && status == ATTN_OK; i++) {
        const attn_span *span = &s->spans->span[i];
        status = add_cut(s, from, span->start, copy, &tag, error);
        if (status == ATTN_OK) {
            status = add_span(s, span, error);
        }
        from = span->start + span->length;
    }
    return status == ATTN_OK ? add_cut(s, from, s->to, copy, &tag, error) : status;
}

/* ---- the sentence ---- */

/* Letters outside the protected parts count against those in parts of foreign script: a sentence in such a script may well
 * hold a word that is not. A character that is a word by itself counts as a short word's. */
bool attn_passage_has_words(const run *r, size_t from, size_t to, const attn_spans *spans) {
    enum { OF_A_WORD = 4 };
    size_t span = 0, own = 0, foreign = 0;
    for (size_t at = from, start; at < to;) {
        UChar32 c;
        start = at;
        U8_NEXT(r->smooth, at, to, c);
        while (span < spans->count && spans->span[span].start + spans->span[span].length <= start) {
            span++;
        }
        bool inside = span < spans->count && spans->span[span].start <= start;
        size_t letters = attn_form_stands_alone(c) ? OF_A_WORD : u_isalpha(c) ? 1 : 0;
        own += inside ? 0 : letters;
        foreign += inside && spans->span[span].kind == ATTN_SPAN_FOREIGN ? letters : 0;
    }
    return own > 0 && foreign <= 2 * own;
}

/* No tag stays within a protected part. */
static void move_tags(run *r, const attn_spans *spans) {
    size_t last = 0;
    for (size_t i = 0; i < r->inside_count; i++) {
        tag_at *tag = &r->tags[r->inside[i]];
        for (size_t s = 0; s < spans->count; s++) {
            size_t start = spans->span[s].start, end = start + spans->span[s].length;
            if (tag->at > start && tag->at < end) {
                tag->at = tag->kind == ATTN_MARK_OPEN ? start : end;
            }
        }
        tag->at = tag->at > last ? tag->at : last;
        last = tag->at;
    }
}

attn_status attn_passage_add_sentence(attn_passage *p, run *r, size_t from, size_t to,
                                      const attn_spans *spans, bool copy, attn_error *error) {
    sentence s = {.p = p, .r = r, .from = from, .to = to, .spans = spans};
    size_t before = p->part_count;
    attn_status status = ATTN_OK;
    move_tags(r, spans);
    s.form = attn_form_read(p, r, from, to, spans);
    if (!copy && spans->count <= ATTN_MOST_MASKED && r->inside_count <= ATTN_MOST_MARKS) {
        status = add_ways(&s, error);
    }
    size_t tries = p->part_count;
    if (status == ATTN_OK) {
        bool cut = spans->count > 0 || r->inside_count > 0 || tries == before;
        status = add_pieces(&s, copy || !cut, error);
    }
    for (size_t i = before; i < tries; i++) {
        p->parts[i].skip = p->part_count - i - 1;
    }
    return status;
}
