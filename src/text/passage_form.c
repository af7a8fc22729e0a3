/* text/passage_form.c: how a sentence is written, whether a translation of it may be used, and writing the
 * translation in the same way. Next: passage_join.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/ucasemap.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "text/boundary.h"
#include "text/icu.h"
#include "text/passage_parts.h"

static bool is_ender(UChar32 c) {
    switch (c) {
    case '.':
    case '!':
    case '?':
    case 0x2026: /* ... */
    case 0x3002: /* those of Chinese and Japanese */
    case 0xFF01:
    case 0xFF1F:
    case 0xFF0E:
    case 0x061F: /* of Arabic */
    case 0x06D4:
    case 0x0964: /* of Hindi */
    case 0x1362: /* of Amharic */
        return true;
    default:
        return false;
    }
}

static bool is_closer(UChar32 c) {
    return (c > 0 && c < 0x80 && strchr("\"')]", (int)c) != NULL) || c == 0xBB || c == 0x201C ||
           c == 0x201D || c == 0x2019 || c == 0x300D || c == 0xFF09;
}

/* Where the last signs of text[0 .. length) are: [*start, *end), empty when it has none. */
static void last_signs(const char *text, size_t least, size_t length, size_t *start, size_t *end) {
    int32_t at = (int32_t)length, back;
    UChar32 c = 0;
    for (back = at; at > (int32_t)least; at = back) {
        U8_PREV(text, (int32_t)least, back, c);
        if (!is_closer(c) && !u_isUWhiteSpace(c)) {
            break;
        }
    }
    *end = (size_t)at;
    while (at > (int32_t)least) {
        back = at;
        U8_PREV(text, (int32_t)least, back, c);
        if (!is_ender(c)) {
            break;
        }
        at = back;
    }
    *start = (size_t)at;
}

/* ---- reading ---- */

bool attn_form_stands_alone(UChar32 c) {
    switch (u_getIntPropertyValue(c, UCHAR_LINE_BREAK)) {
    case U_LB_IDEOGRAPHIC:
    case U_LB_COMPLEX_CONTEXT:
    case U_LB_CONDITIONAL_JAPANESE_STARTER:
    case U_LB_H2:
    case U_LB_H3:
        return true;
    default:
        return false;
    }
}

passage_form attn_form_read(const attn_passage *p, const run *r, size_t from, size_t to,
                            const attn_spans *spans) {
    passage_form form = {0};
    size_t upper = 0, lower = 0, span = 0, at = from;
    bool open = false, first = true;
    (void)p;
    while (at < to) {
        UChar32 c;
        if (span < spans->count && spans->span[span].start <= at) {
            at = spans->span[span].start + spans->span[span].length;
            form.words++;
            span++;
            open = first = false;
            continue;
        }
        U8_NEXT(r->smooth, at, to, c);
        bool letter = u_isalpha(c);
        form.words += letter && (!open || attn_form_stands_alone(c));
        form.small = form.small || (first && u_islower(c));
        form.large = form.large || (first && letter && (u_isupper(c) || u_istitle(c)));
        upper += u_isupper(c);
        lower += u_islower(c);
        first = first && !letter;
        open = letter || (open && (c == '\'' || c == 0x2019 || c == '-' || c == 0xAD));
    }
    form.capitals = lower == 0 && upper > 1;
    size_t start, end, last = from;
    if (spans->count > 0) {
        last = spans->span[spans->count - 1].start + spans->span[spans->count - 1].length;
    }
    last_signs(r->smooth, last, to, &start, &end);
    form.ends = end > start;
    if (form.ends && end - start < sizeof form.sign) {
        memcpy(form.sign, r->smooth + start, end - start);
    }
    return form;
}

/* ---- stand-ins ---- */

static bool starts_large(const char *word) {
    return word[0] >= 'A' && word[0] <= 'Z';
}

/* The length of the word at text[at ..), in any case; 0 when it is not there. */
static size_t match(const char *text, size_t length, size_t at, const char *word) {
    size_t start = at, w = 0, size = strlen(word);
    while (w < size) {
        UChar32 a, b;
        if (at >= length) {
            return 0;
        }
        U8_NEXT(text, at, length, a);
        U8_NEXT(word, w, size, b);
        if (a != b && u_tolower(a) != u_tolower(b)) {
            return 0;
        }
    }
    if (attn_inside_word(text, length, start)) {
        return 0;
    }
    /* Languages put endings to names; a number word that is part of another is another number. */
    size_t ending = at, letters = 0;
    while (attn_inside_word(text, length, ending)) {
        U8_FWD_1(text, ending, length);
        letters++;
    }
    bool joined = (start > 0 && text[start - 1] == '-') || (at < length && text[at] == '-');
    return letters > (starts_large(word) ? 2 : 0) || (!starts_large(word) && joined) ? 0
                                                                                     : at - start;
}

static const char *expected(const attn_passage *p, const part *tried, size_t number) {
    return p->words.data + p->masks[tried->masked + number].expected;
}

const char *attn_form_find(const attn_passage *p, const part *tried, const char *text,
                           const char *at, size_t *number, size_t *length) {
    size_t size = strlen(text);
    for (size_t i = (size_t)(at - text); i < size && tried->masked_count > 0;) {
        size_t best = 0;
        for (size_t m = 0; m < tried->masked_count; m++) {
            size_t found = match(text, size, i, expected(p, tried, m));
            if (found > best) {
                best = found;
                *number = m;
            }
        }
        if (best > 0) {
            *length = best;
            return text + i;
        }
        U8_FWD_1(text, i, size);
    }
    return NULL;
}

/* ---- passing ---- */

static bool has_digit(const char *text, size_t length) {
    for (size_t at = 0; at < length;) {
        UChar32 c;
        U8_NEXT(text, at, length, c);
        if (attn_is_digit(c)) {
            return true;
        }
    }
    return false;
}

/* How often the run of digits text[0 .. length) is there. */
static size_t count_run(const char *translation, const char *wanted, size_t length) {
    size_t count = 0;
    while (*translation != '\0') {
        translation += strcspn(translation, "0123456789");
        size_t digits = strspn(translation, "0123456789");
        count += digits == length && memcmp(translation, wanted, length) == 0;
        translation += digits;
    }
    return count;
}

/* Whether each number of the translation, if it has any, is one that the unit says in words: "seven" may become 7. */
static bool digits_are_said(const attn_passage *p, const part *tried, const char *translation,
                            bool *out_of_memory) {
    const char *source = attn_passage_unit(p, tried->unit), *at = translation;
    while (has_digit(at, strlen(at))) {
        size_t ahead = strcspn(at, "0123456789");
        if (has_digit(at, ahead)) { /* of another script */
            return false;
        }
        at += ahead;
        size_t digits = strspn(at, "0123456789");
        size_t said = 0;
        if (digits == 0 || digits >= 16) {
            return false;
        }
        if (!attn_number_said(p->language, source, strtoll(at, NULL, 10), &said)) {
            *out_of_memory = true;
            return false;
        }
        if (said < count_run(translation, at, digits)) {
            return false;
        }
        at += digits;
    }
    return true;
}

/* Each stand-in is there as often as it was given, and what is around them has no digit. */
static bool stand_ins_pass(const attn_passage *p, const part *tried, const char *translation,
                           bool *out_of_memory) {
    size_t found[ATTN_MOST_MASKED] = {0}, number, length;
    const char *done = translation;
    if (tried->masked_count == 0) {
        return digits_are_said(p, tried, translation, out_of_memory);
    }
    for (const char *at = attn_form_find(p, tried, translation, done, &number, &length); at != NULL;
         at = attn_form_find(p, tried, translation, done, &number, &length)) {
        if (has_digit(done, (size_t)(at - done))) {
            return false;
        }
        found[number]++;
        done = at + length;
    }
    for (size_t i = 0; i < tried->masked_count; i++) {
        size_t wanted = 0, seen = 0;
        for (size_t j = 0; j < tried->masked_count; j++) {
            bool same = strcmp(expected(p, tried, i), expected(p, tried, j)) == 0;
            wanted += same;
            seen += same ? found[j] : 0;
        }
        if (seen != wanted) {
            return false;
        }
    }
    return !has_digit(done, strlen(done));
}

enum { MOST_WORDS = 64, FEW_WORDS = 3 };

/* The words of a text, the first of them by their ranges. */
typedef struct word_list {
    size_t count, kept;
    size_t start[MOST_WORDS], length[MOST_WORDS];
} word_list;

static void list_words(const char *text, word_list *out) {
    size_t length = strlen(text);
    bool open = false;
    *out = (word_list){0};
    for (size_t at = 0, from; at < length;) {
        UChar32 c;
        from = at;
        U8_NEXT(text, at, length, c);
        bool letter = u_isalnum(c) || (U_GET_GC_MASK(c) & U_GC_M_MASK) != 0;
        bool alone = letter && attn_form_stands_alone(c);
        if (letter && (!open || alone)) {
            out->count++;
            if (!alone && out->kept < MOST_WORDS) {
                out->start[out->kept] = from;
                out->length[out->kept++] = 0;
            }
        }
        if (letter && !alone && out->count > 0 && out->kept > 0 && out->kept <= MOST_WORDS) {
            out->length[out->kept - 1] = at - out->start[out->kept - 1];
        }
        open = letter && !alone;
    }
}

static bool same_word(const char *text, const word_list *w, size_t a, size_t b) {
    size_t x = w->start[a], y = w->start[b], end = x + w->length[a], stop = y + w->length[b];
    while (x < end && y < stop) {
        UChar32 c, d;
        U8_NEXT(text, x, end, c);
        U8_NEXT(text, y, stop, d);
        if (u_tolower(c) != u_tolower(d)) {
            return false;
        }
    }
    return x == end && y == stop;
}

/* The most times that a word of at least `letters` bytes is there; with `in_row`, one after the other. */
static size_t repeats(const char *text, const word_list *w, size_t letters, bool in_row) {
    size_t most = 0;
    for (size_t i = 0; i < w->kept; i++) {
        size_t count = 1;
        for (size_t j = i + 1; j < w->kept && w->length[i] >= letters; j++) {
            bool same = same_word(text, w, i, j);
            if (!same && in_row) {
                break;
            }
            count += same;
        }
        most = count > most ? count : most;
    }
    return most;
}

/* Whether up to 8 characters that are words by themselves are there three times in a row. */
static bool loops(const char *text) {
    size_t length = strlen(text);
    for (size_t at = 0; at < length;) {
        size_t end = at;
        for (int count = 1; count <= 8 && end < length; count++) {
            UChar32 c;
            U8_NEXT(text, end, length, c);
            size_t group = end - at;
            if (!attn_form_stands_alone(c) || length - end < 2 * group) {
                break;
            }
            if (memcmp(text + at, text + end, group) == 0 &&
                memcmp(text + at, text + end + group, group) == 0) {
                return true;
            }
        }
        U8_FWD_1(text, at, length);
    }
    return false;
}

/* A model that does not know what it reads repeats words, goes on and on, or says less than `least` words. */
static bool stammers(const char *source, const char *translation, size_t least) {
    word_list given, got;
    list_words(source, &given);
    list_words(translation, &got);
    if (got.count < least) {
        return true;
    }
    bool few = given.count <= FEW_WORDS;
    if (got.count > 3 * given.count + (few ? 2 : 12)) {
        return true;
    }
    if (repeats(translation, &got, 1, true) > 2 && repeats(source, &given, 1, true) < 2) {
        return true;
    }
    if (loops(translation) && !loops(source)) {
        return true;
    }
    size_t letters = given.count == 1 ? 2 : 4;
    return few && repeats(translation, &got, letters, false) > 1 &&
           repeats(source, &given, letters, false) < 2;
}

static bool same_script_within(const char *text, UChar32 wanted) {
    UErrorCode code = U_ZERO_ERROR;
    UScriptCode script = uscript_getScript(wanted, &code);
    size_t length = strlen(text);
    for (size_t at = 0; at < length;) {
        UChar32 c;
        U8_NEXT(text, at, length, c);
        if (u_isalpha(c) && uscript_getScript(c, &code) == script) {
            return true;
        }
    }
    return false;
}

/* A model that writes bytes can write anything: what is no character, pictographs and letters of other scripts have
 * to come from the source. */
static bool is_made_up(const attn_passage *p, const char *source, const char *translation) {
    size_t length = strlen(translation);
    for (size_t at = 0, from; at < length;) {
        UChar32 c;
        from = at;
        U8_NEXT(translation, at, length, c);
        if (c == 0xFFFD || u_iscntrl(c) || attn_is_emoji(c)) {
            char bytes[8];
            snprintf(bytes, sizeof bytes, "%.*s", (int)(at - from), translation + from);
            if (strstr(source, bytes) == NULL) {
                return true;
            }
        } else if (attn_protect_is_foreign(&p->target_rules, c) && !same_script_within(source, c)) {
            return true;
        }
    }
    return false;
}

bool attn_form_passes(const attn_passage *p, const part *tried, const char *translation,
                      bool *out_of_memory) {
    return attn_has_letter(translation, strlen(translation)) &&
           stand_ins_pass(p, tried, translation, out_of_memory) &&
           !is_made_up(p, attn_passage_unit(p, tried->unit), translation) &&
           !stammers(attn_passage_unit(p, tried->unit), translation, tried->stretches);
}

/* ---- writing ---- */

static bool is_language(const char *code, const char *language) {
    return strncmp(code, language, strlen(language)) == 0;
}

bool attn_form_ends(const char *text, size_t from, size_t to) {
    size_t start, end;
    last_signs(text, from, to, &start, &end);
    return end > start;
}

bool attn_form_is_wide(const char *language) {
    return is_language(language, "zh") || is_language(language, "ja");
}

/* A last sign as another language writes it; nothing else than one sign is changed. */
static const char *sign_in(const char *language, const char *sign) {
    static const struct {
        const char *narrow, *wide;
    } signs[] = {{".", "\xe3\x80\x82"}, {"!", "\xef\xbc\x81"}, {"?", "\xef\xbc\x9f"}};
    bool wide = attn_form_is_wide(language);
    for (size_t i = 0; i < sizeof signs / sizeof signs[0] && language[0] != '\0'; i++) {
        if (strcmp(sign, wide ? signs[i].narrow : signs[i].wide) == 0) {
            return wide ? signs[i].wide : signs[i].narrow;
        }
    }
    return sign;
}

passage_ending attn_form_ending(const attn_passage *p, const passage_form *form,
                                const char *translation) {
    size_t length = strlen(translation), start, end;
    passage_ending out = {length, length, "", ""};
    last_signs(translation, 0, length, &start, &end);
    if (form->ends && end == start) {
        out.end = out.tail = end;
        out.sign = sign_in(p->target, form->sign);
        out.space = is_language(p->target, "fr") && out.sign[1] == '\0' && strchr("!?", out.sign[0])
                        ? " "
                        : "";
    } else if (!form->ends && end > start) {
        out.tail = end;
        while (start > 0) {
            UChar32 c;
            int32_t back = (int32_t)start;
            U8_PREV(translation, 0, back, c);
            if (!u_isUWhiteSpace(c)) {
                break;
            }
            start = (size_t)back;
        }
        out.end = start;
    }
    return out;
}

static const char *written_as(const attn_passage *p, UChar32 c) {
    for (size_t i = 0; i < p->reference_count; i++) {
        if (p->references[i].c == c) {
            return p->words.data + p->references[i].start;
        }
    }
    return NULL;
}

/* Signs that the page writes as references are written so. */
static void write_text(const attn_passage *p, attn_buffer *out, const char *text, size_t length) {
    if (!p->html) {
        attn_buffer_add(out, text, length);
        return;
    }
    size_t done = 0;
    for (size_t at = 0, from; p->reference_count > 0 && at < length;) {
        UChar32 c;
        from = at;
        U8_NEXT(text, at, length, c);
        const char *raw = c >= 0x80 ? written_as(p, c) : NULL;
        if (raw != NULL) {
            attn_html_escape(out, text + done, from - done);
            attn_buffer_text(out, raw);
            done = at;
        }
    }
    attn_html_escape(out, text + done, length - done);
}

static void write_capitals(const attn_passage *p, const char *text, size_t length,
                           attn_buffer *out) {
    UErrorCode code = U_ZERO_ERROR;
    size_t room = 3 * length + 8;
    char *large = malloc(room);
    UCaseMap *map = ucasemap_open(p->target, 0, &code);
    int32_t count = 0;
    if (large != NULL && U_SUCCESS(code)) {
        count = ucasemap_utf8ToUpper(map, large, (int32_t)room, text, (int32_t)length, &code);
    }
    bool done = large != NULL && U_SUCCESS(code);
    out->failed = out->failed || large == NULL || attn_icu_out_of_memory(code);
    write_text(p, out, done ? large : text, done ? (size_t)count : length);
    ucasemap_close(map);
    free(large);
}

/* Whether the translation's first word, text[at ..), may be written small: it is no name and no noun of German. */
static bool may_be_small(const attn_passage *p, const part *tried, const char *text, size_t at,
                         size_t length) {
    char word[64];
    const char *source = attn_passage_unit(p, tried->unit);
    size_t end = at, next = at, size = strlen(source);
    UChar32 second;
    do {
        U8_FWD_1(text, end, length);
    } while (end < length && attn_inside_word(text, length, end));
    U8_FWD_1(text, next, length);
    if (is_language(p->target, "de") || is_language(p->target, "lb") || end - at >= sizeof word ||
        (is_language(p->target, "en") && text[at] == 'I' && end == at + 1)) {
        return false;
    }
    if (next < end) {
        U8_NEXT(text, next, length, second);
        if (u_isupper(second)) {
            return false;
        }
    }
    memcpy(word, text + at, end - at);
    word[end - at] = '\0';
    size_t first = 0; /* behind the unit's first letter, which was made a capital */
    for (UChar32 c = 0; first < size && !u_isalpha(c);) {
        U8_NEXT(source, first, size, c);
    }
    for (const char *found = strstr(source + first, word); found != NULL;
         found = strstr(found + 1, word)) {
        size_t place = (size_t)(found - source);
        if (!attn_inside_word(source, size, place) &&
            !attn_inside_word(source, size, place + (end - at))) {
            return false;
        }
    }
    return true;
}

void attn_form_write(const attn_passage *p, const part *tried, const char *text, size_t from,
                     size_t length, attn_buffer *out) {
    const passage_form *form = &tried->form;
    size_t at = from, end = from + length, next = from;
    UChar32 c = 0;
    if (form->capitals) {
        write_capitals(p, text + from, length, out);
        return;
    }
    bool first = !attn_has_letter(text, from);
    for (bool letter = false; first && at < end && !letter;) {
        next = at;
        U8_NEXT(text, next, end, c);
        letter = u_isalpha(c);
        first = !attn_is_digit(c); /* "200 cats" begins with its number */
        at = letter ? at : next;
    }
    UChar32 other = c;
    if (first && at < end) {
        other = form->large                                            ? u_totitle(c)
                : form->small && may_be_small(p, tried, text, at, end) ? u_tolower(c)
                                                                       : c;
    }
    if (other == c) {
        write_text(p, out, text + from, length);
        return;
    }
    char bytes[8];
    size_t size = 0;
    U8_APPEND_UNSAFE(bytes, size, other);
    write_text(p, out, text + from, at - from);
    write_text(p, out, bytes, size);
    write_text(p, out, text + next, end - next);
}
