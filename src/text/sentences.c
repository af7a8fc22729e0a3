/* text/sentences.c: ICU's sentence boundaries, mended where people write otherwise, and cut at line breaks. */
#include "text/sentences.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/utext.h>
#include <unicode/utf8.h>

#include "base/fail.h"
#include "base/utf8.h"
#include "text/abbreviations.h"
#include "text/icu.h"

/* ICU's u_iscntrl counts soft hyphens and joiners among control characters. */
static bool is_control(UChar32 c) {
    return u_charType(c) == U_CONTROL_CHAR;
}

static bool is_blank(UChar32 c) {
    return u_isUWhiteSpace(c) || is_control(c);
}

/* Ends a sentence wherever it stands. */
static bool is_break(UChar32 c) {
    return is_control(c) || c == 0x2028 || c == 0x2029;
}

/* A text and what it is written in. */
typedef struct reader {
    const char *text;
    size_t length;
    const char *language;
} reader;

static UChar32 after(const reader *r, size_t at, size_t *next) {
    UChar32 c = 0;
    *next = at;
    if (at < r->length) {
        U8_NEXT(r->text, *next, r->length, c);
    }
    return c;
}

static UChar32 before(const reader *r, size_t least, size_t at, size_t *back) {
    UChar32 c = 0;
    int32_t to = (int32_t)at;
    if (at > least) {
        U8_PREV(r->text, (int32_t)least, to, c);
    }
    *back = (size_t)to;
    return c;
}

/* ---- marks of lists ---- */

/* The length of a mark at text[at], with the white space behind it: "- ", "2. ", "a) ", "> "; 0 when there is none. */
static size_t list_mark(const reader *r, size_t at, size_t end) {
    size_t next, start = at, letters = 0, digits = 0;
    UChar32 c = after(r, at, &next);
    if (c == '(') {
        c = after(r, at = next, &next);
    }
    while (at < end && digits + letters < 5 && (u_isdigit(c) || (c < 0x80 && u_isalpha(c)))) {
        digits += u_isdigit(c);
        letters += u_isalpha(c);
        c = after(r, at = next, &next);
    }
    bool numbered = digits > 0 && letters == 0 && (c == '.' || c == ')');
    bool lettered = letters == 1 && digits == 0 && c == ')';
    bool sign = digits + letters == 0 && at == start &&
                (c == '-' || c == '*' || c == '+' || c == '>' || c == '#' || c == 0x2022 ||
                 c == 0x2013 || c == 0x2014 || c == 0x25E6 || c == 0x25AA || c == 0x00B7);
    if (!numbered && !lettered && !sign) {
        return 0;
    }
    size_t behind = next, space;
    while (sign && after(r, behind, &space) == c && (c == '#' || c == '>')) {
        behind = space;
    }
    for (at = behind; at < end && is_blank(after(r, at, &next)) && !is_break(after(r, at, &next));
         at = next) {
    }
    return at > behind ? at - start : 0;
}

/* Whether nothing but white space is before text[at] in its line. */
static bool begins_line(const reader *r, size_t at) {
    while (at > 0) {
        UChar32 c = before(r, 0, at, &at);
        if (is_break(c)) {
            return true;
        }
        if (!u_isUWhiteSpace(c)) {
            return false;
        }
    }
    return true;
}

static size_t skip_marks(const reader *r, size_t at, size_t end) {
    size_t mark = begins_line(r, at) ? list_mark(r, at, end) : 0;
    for (int i = 0; mark > 0 && i < 8; i++) {
        at += mark;
        mark = list_mark(r, at, end);
    }
    return at;
}

/* ---- sentences ---- */

static attn_status add_part(const reader *r, size_t first, size_t last, attn_spans *out,
                            attn_error *error) {
    first = skip_marks(r, first, last);
    return first < last
               ? attn_spans_add(out, (attn_span){.start = first, .length = last - first}, error)
               : ATTN_OK;
}

/* Adds text[start .. end), cut at breaks, each part without white space around it. */
static attn_status add_parts(const reader *r, size_t start, size_t end, attn_spans *out,
                             attn_error *error) {
    size_t first = start, last = start; /* the part so far: [first, last), none when equal */
    bool open = false;
    for (size_t at = start, next; at < end; at = next) {
        UChar32 c = after(r, at, &next);
        if (open && is_break(c)) {
            attn_status status = add_part(r, first, last, out, error);
            if (status != ATTN_OK) {
                return status;
            }
            open = false;
        } else if (!is_blank(c)) {
            first = open ? first : at;
            last = next;
            open = true;
        }
    }
    return open ? add_part(r, first, last, out, error) : ATTN_OK;
}

/* The word that ends before `at`: letters, points and hyphens. */
static size_t word_before(const reader *r, size_t least, size_t at) {
    enum { LONGEST = 40 };
    for (size_t back, from = at; at > least && from - at < LONGEST; at = back) {
        UChar32 c = before(r, least, at, &back);
        if (!u_isalpha(c) && c != '.' && c != '-' && c != 0xB0 && c != 0xBA) {
            break;
        }
    }
    return at;
}

/* Whether the point at `at` ends an abbreviation, with text[next] the next word. */
static bool abbreviates(const reader *r, size_t start, size_t at, size_t next) {
    size_t ignored, word = word_before(r, start, at);
    return attn_is_abbreviation(r->language, r->text + word, at - word, after(r, next, &ignored));
}

/* Whether ICU's end of a sentence is none: it is behind an abbreviation, in the middle of a line. */
static bool continues(const reader *r, size_t start, size_t end) {
    size_t at = end, back, next;
    bool space = false;
    UChar32 c = before(r, start, at, &back);
    for (; at > start && u_isUWhiteSpace(c); c = before(r, start, at, &back)) {
        if (is_break(c)) {
            return false;
        }
        space = true;
        at = back;
    }
    UChar32 follows = after(r, end, &next);
    return c == '.' && space && (u_isalpha(follows) || u_isdigit(follows)) &&
           abbreviates(r, start, back, end);
}

static bool is_quote(UChar32 c) {
    return c == '"' || c == 0xAB || c == 0x201C || c == 0x201E;
}

/* Whether the run of letters that ends before `at` begins small, and is a word. */
static bool small_word_before(const reader *r, size_t least, size_t at) {
    size_t letters = 0, back;
    UChar32 first = 0;
    for (; at > least; at = back) {
        UChar32 c = before(r, least, at, &back);
        if (!u_isalpha(c)) {
            return letters > 1 && u_islower(first) &&
                   (u_isUWhiteSpace(c) || c == '\'' || c == 0x2019 || c == ',');
        }
        first = c;
        letters++;
    }
    return letters > 1 && u_islower(first);
}

/* "tired.She is": the next word begins with a capital, goes on in small letters and is no part of a name with points. */
static bool large_word_at(const reader *r, size_t at) {
    size_t next, letters = 0;
    UChar32 c = after(r, at, &next);
    if (!u_isupper(c)) {
        return false;
    }
    bool one = true; /* "I", "A" */
    for (at = next; u_isalpha(c = after(r, at, &next)); at = next) {
        one = false;
        letters += u_islower(c);
        if (!u_islower(c)) {
            return false;
        }
    }
    return (one || letters > 0) &&
           (c == 0 || u_isUWhiteSpace(c) || c == '\'' || c == 0x2019 || c == ',');
}

/* Where the sentence that begins at `start` ends within what ICU takes for one; `end` when it does not. small: it
 * begins with a small letter. */
static size_t inner_end(const reader *r, size_t start, size_t end, bool small) {
    for (size_t at = start, next; at < end; at = next) {
        size_t space, word, ignored;
        UChar32 c = after(r, at, &next), follows = after(r, next, &space);
        if (c == ':' && u_isUWhiteSpace(follows) && is_quote(after(r, space, &ignored))) {
            return space;
        }
        if (c != '.' || next >= end) {
            continue;
        }
        if (large_word_at(r, next) && small_word_before(r, start, at)) {
            return next;
        }
        word = space;
        if (small && follows == ' ' && u_islower(after(r, word, &ignored)) &&
            small_word_before(r, start, at) && !abbreviates(r, start, at, word)) {
            return word;
        }
    }
    return end;
}

static bool begins_small(const reader *r, size_t at, size_t end) {
    for (size_t next; at < end; at = next) {
        UChar32 c = after(r, at, &next);
        if (u_isalpha(c)) {
            return u_islower(c);
        }
    }
    return false;
}

/* Adds text[start .. end), which ICU takes for a sentence. */
static attn_status add_sentence(const reader *r, size_t start, size_t end, attn_spans *out,
                                attn_error *error) {
    bool small = begins_small(r, skip_marks(r, start, end), end);
    attn_status status = ATTN_OK;
    while (start < end && status == ATTN_OK) {
        size_t stop = inner_end(r, start, end, small);
        status = add_parts(r, start, stop, out, error);
        start = stop;
    }
    return status;
}

static attn_status fail_icu(attn_error *error, UErrorCode code) {
    return attn_icu_fail(error, code, "find the ends of sentences");
}

static attn_status split(UBreakIterator *iterator, UText *view, const reader *r, attn_spans *out,
                         attn_error *error) {
    UErrorCode code = U_ZERO_ERROR;
    ubrk_setUText(iterator, view, &code);
    if (U_FAILURE(code)) {
        return fail_icu(error, code);
    }
    attn_status status = ATTN_OK;
    size_t start = 0;
    for (int32_t end = ubrk_next(iterator); end != UBRK_DONE && status == ATTN_OK;
         end = ubrk_next(iterator)) {
        if (!continues(r, start, (size_t)end)) {
            status = add_sentence(r, start, (size_t)end, out, error);
            start = (size_t)end;
        }
    }
    return status == ATTN_OK ? add_sentence(r, start, r->length, out, error) : status;
}

/* Opening an iterator takes a millisecond, so those that nobody uses wait here for the next text. */
enum { WAITING = 16, LOCALE_SIZE = 32 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    UBreakIterator *iterator;
    char locale[LOCALE_SIZE];
} waiting[WAITING];

static UBreakIterator *take(const char *locale, UErrorCode *code) {
    UBreakIterator *found = NULL;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < WAITING && found == NULL; i++) {
        if (waiting[i].iterator != NULL && strcmp(waiting[i].locale, locale) == 0) {
            found = waiting[i].iterator;
            waiting[i].iterator = NULL;
        }
    }
    pthread_mutex_unlock(&lock);
    return found != NULL ? found : ubrk_open(UBRK_SENTENCE, locale, NULL, 0, code);
}

static void give_back(UBreakIterator *iterator, const char *locale) {
    pthread_mutex_lock(&lock);
    for (int i = 0; i < WAITING && iterator != NULL; i++) {
        if (waiting[i].iterator == NULL) {
            waiting[i].iterator = iterator;
            snprintf(waiting[i].locale, LOCALE_SIZE, "%s", locale);
            iterator = NULL;
        }
    }
    pthread_mutex_unlock(&lock);
    ubrk_close(iterator);
}

attn_status attn_sentences_split(const char *text, size_t length, const char *language,
                                 attn_spans *out, attn_error *error) {
    if (length > INT32_MAX || !attn_utf8_whole(text, length)) {
        return attn_fail(error, ATTN_ERR_FORMAT, NULL, -1, NULL, "the text is not UTF-8");
    }
    char locale[LOCALE_SIZE];
    snprintf(locale, sizeof locale, "%.12s@ss=standard", language);
    UErrorCode code = U_ZERO_ERROR;
    UBreakIterator *iterator = take(locale, &code);
    if (U_FAILURE(code)) {
        return fail_icu(error, code);
    }
    UText *view = utext_openUTF8(NULL, text, (int64_t)length, &code);
    const reader r = {text, length, language};
    attn_status status =
        U_FAILURE(code) ? fail_icu(error, code) : split(iterator, view, &r, out, error);
    UErrorCode ignored = U_ZERO_ERROR;
    static const UChar none[1] = {0};
    ubrk_setText(iterator, none, 0, &ignored); /* it forgets the text */
    utext_close(view);
    give_back(iterator, locale);
    return status;
}
