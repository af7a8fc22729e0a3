/* text/sentences.c: ICU's sentence boundaries, cut further at line breaks, white space left out. */
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

/* Adds text[start .. end), cut at breaks, each part without white space around it. */
static attn_status add_parts(const char *text, size_t start, size_t end, attn_spans *out,
                             attn_error *error) {
    size_t first = start, last = start; /* the part so far: [first, last), none when equal */
    bool open = false;
    for (size_t at = start; at < end;) {
        UChar32 c;
        size_t from = at;
        U8_NEXT(text, at, end, c);
        if (open && is_break(c)) {
            attn_status status =
                attn_spans_add(out, (attn_span){.start = first, .length = last - first}, error);
            if (status != ATTN_OK) {
                return status;
            }
            open = false;
        } else if (!is_blank(c)) {
            first = open ? first : from;
            last = at;
            open = true;
        }
    }
    if (!open) {
        return ATTN_OK;
    }
    return attn_spans_add(out, (attn_span){.start = first, .length = last - first}, error);
}

static attn_status fail_icu(attn_error *error, UErrorCode code) {
    return attn_fail(error, ATTN_ERR_UNSUPPORTED, "ICU", -1, "install ICU's data (libicu)",
                     "cannot find the ends of sentences: %s", u_errorName(code));
}

static attn_status split(UBreakIterator *iterator, UText *view, const char *text, size_t length,
                         attn_spans *out, attn_error *error) {
    UErrorCode code = U_ZERO_ERROR;
    ubrk_setUText(iterator, view, &code);
    if (U_FAILURE(code)) {
        return fail_icu(error, code);
    }
    attn_status status = ATTN_OK;
    size_t start = 0;
    for (int32_t end = ubrk_next(iterator); end != UBRK_DONE && status == ATTN_OK;
         end = ubrk_next(iterator)) {
        status = add_parts(text, start, (size_t)end, out, error);
        start = (size_t)end;
    }
    return status == ATTN_OK ? add_parts(text, start, length, out, error) : status;
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
    attn_status status =
        U_FAILURE(code) ? fail_icu(error, code) : split(iterator, view, text, length, out, error);
    UErrorCode ignored = U_ZERO_ERROR;
    static const UChar none[1] = {0};
    ubrk_setText(iterator, none, 0, &ignored); /* it forgets the text */
    utext_close(view);
    give_back(iterator, locale);
    return status;
}
