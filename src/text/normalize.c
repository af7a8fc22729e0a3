/* text/normalize.c: one step after another over UTF-8; ICU knows Unicode.
 *
 * Layout in a message: each step is a field 203 with a message of 1 kind, 2 from, 3 to. */
#include "text/normalize.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>
#include <unicode/utf8.h>

#include "base/fail.h"
#include "base/utf8.h"
#include "text/icu.h"

enum { STEP = 203, KIND = 1, FROM = 2, TO = 3 };
enum { LONGEST = 1 << 24 }; /* bytes of a text: steps may make it longer */

/* ---- the list ---- */

static attn_status damaged(attn_error *error, const char *what) {
    return attn_fail(error, ATTN_ERR_FORMAT, "tokenizer", -1, "take an undamaged copy of the model",
                     "its normalization %s", what);
}

attn_status attn_normalizer_add(attn_normalizer *n, attn_normalize_kind kind, const char *from,
                                const char *to, attn_error *error) {
    if (n->count == ATTN_NORMALIZE_MOST || kind < ATTN_NORMALIZE_REPLACE ||
        kind > ATTN_NORMALIZE_LOWERCASE) {
        return damaged(error, "has too many steps, or one that is not known");
    }
    attn_normalize_step step = {.kind = kind};
    if (kind == ATTN_NORMALIZE_REPLACE) {
        if (from == NULL || to == NULL || from[0] == '\0' || strlen(to) > ATTN_NORMALIZE_BYTES) {
            return damaged(error, "replaces nothing, or by too much");
        }
        step.from = strdup(from);
        step.to = strdup(to);
    }
    n->step[n->count++] = step;
    return kind != ATTN_NORMALIZE_REPLACE || (step.from != NULL && step.to != NULL)
               ? ATTN_OK
               : attn_fail_memory(error, strlen(from) + strlen(to));
}

void attn_normalizer_free(attn_normalizer *n) {
    for (size_t i = 0; i < n->count; i++) {
        free(n->step[i].from);
        free(n->step[i].to);
    }
    n->count = 0;
}

void attn_normalizer_write(const attn_normalizer *n, attn_buffer *message) {
    for (size_t i = 0; i < n->count; i++) {
        const attn_normalize_step *step = &n->step[i];
        attn_buffer inner = {0};
        attn_protobuf_add_number(&inner, KIND, step->kind);
        if (step->from != NULL && step->to != NULL) {
            attn_protobuf_add_bytes(&inner, FROM, step->from, strlen(step->from));
            attn_protobuf_add_bytes(&inner, TO, step->to, strlen(step->to));
        }
        attn_protobuf_add_bytes(message, STEP, inner.data, inner.length);
        message->failed |= inner.failed;
        attn_buffer_free(&inner);
    }
}

/* A copy with a NUL behind it; NULL: no text, or out of memory. */
static char *text_of(attn_protobuf bytes) {
    const char *text = (const char *)bytes.data;
    bool good = bytes.size == 0 ||
                (attn_utf8_whole(text, bytes.size) && memchr(text, '\0', bytes.size) == NULL);
    return good ? strndup(bytes.size > 0 ? text : "", bytes.size) : NULL;
}

static attn_status read_step(attn_protobuf message, attn_normalizer *out, attn_error *error) {
    attn_protobuf_field f;
    uint64_t kind = 0;
    char *from = NULL, *to = NULL;
    bool whole = true;
    while (whole && message.at < message.size) {
        whole = attn_protobuf_next(&message, &f);
        if (whole && f.number == KIND) {
            kind = f.value;
        } else if (whole && f.holds_bytes && (f.number == FROM || f.number == TO)) {
            char **text = f.number == FROM ? &from : &to;
            free(*text);
            *text = text_of(f.bytes);
        }
    }
    attn_status status = whole && kind <= ATTN_NORMALIZE_LOWERCASE
                             ? attn_normalizer_add(out, (attn_normalize_kind)kind, from, to, error)
                             : damaged(error, "is damaged");
    free(from);
    free(to);
    return status;
}

attn_status attn_normalizer_read(attn_protobuf message, attn_normalizer *out, attn_error *error) {
    attn_protobuf_field f;
    attn_status status = ATTN_OK;
    *out = (attn_normalizer){.count = 0};
    while (status == ATTN_OK && message.at < message.size && attn_protobuf_next(&message, &f)) {
        if (f.number == STEP && f.holds_bytes) {
            status = read_step(f.bytes, out, error);
        }
    }
    return status;
}

/* ---- the steps ---- */

static void replace(const attn_normalize_step *step, const attn_buffer *from, attn_buffer *to) {
    size_t length = strlen(step->from), at = 0;
    while (at < from->length) {
        bool here = from->length - at >= length && memcmp(from->data + at, step->from, length) == 0;
        if (here) {
            attn_buffer_text(to, step->to);
        } else {
            attn_buffer_add(to, from->data + at, 1);
        }
        at += here ? length : 1;
    }
}

static void add_character(attn_buffer *to, UChar32 c) {
    char bytes[U8_MAX_LENGTH];
    int32_t length = 0;
    U8_APPEND_UNSAFE(bytes, length, c);
    attn_buffer_add(to, bytes, (size_t)length);
}

/* One capital becomes two characters. */
static void lower(const attn_buffer *from, attn_buffer *to) {
    for (int32_t at = 0; at < (int32_t)from->length;) {
        UChar32 c;
        U8_NEXT_OR_FFFD(from->data, at, (int32_t)from->length, c);
        add_character(to, u_tolower(c));
        if (c == 0x130) {
            add_character(to, 0x307);
        }
    }
}

static void take_off_accents(const attn_buffer *from, attn_buffer *to) {
    for (int32_t at = 0; at < (int32_t)from->length;) {
        UChar32 c;
        U8_NEXT_OR_FFFD(from->data, at, (int32_t)from->length, c);
        if ((U_GET_GC_MASK(c) & U_GC_M_MASK) == 0) {
            add_character(to, c);
        }
    }
}

static const UNormalizer2 *form_of(attn_normalize_kind kind, UErrorCode *code) {
    switch (kind) {
    case ATTN_NORMALIZE_NFC:
        return unorm2_getNFCInstance(code);
    case ATTN_NORMALIZE_NFD:
        return unorm2_getNFDInstance(code);
    case ATTN_NORMALIZE_NFKC:
        return unorm2_getNFKCInstance(code);
    default:
        return unorm2_getNFKDInstance(code);
    }
}

/* Into a form of Unicode's, by way of ICU's UTF-16. No character becomes more than 18 units. */
static attn_status normalize(attn_normalize_kind kind, const attn_buffer *from, attn_buffer *to,
                             attn_error *error) {
    UErrorCode code = U_ZERO_ERROR;
    const UNormalizer2 *form = form_of(kind, &code);
    int32_t room = 18 * (int32_t)from->length + 1, length = 0, bytes = 0;
    UChar *before = malloc((from->length + 1) * sizeof *before);
    UChar *after = malloc((size_t)room * sizeof *after);
    char *text = malloc(3 * (size_t)room);
    if (before != NULL && after != NULL && text != NULL) {
        u_strFromUTF8WithSub(before, (int32_t)from->length + 1, &length, from->data,
                             (int32_t)from->length, 0xFFFD, NULL, &code);
        length = unorm2_normalize(form, before, length, after, room, &code);
        u_strToUTF8WithSub(text, 3 * room, &bytes, after, length, 0xFFFD, NULL, &code);
        if (U_SUCCESS(code)) {
            attn_buffer_add(to, text, (size_t)bytes);
        }
    }
    bool memory = before != NULL && after != NULL && text != NULL;
    free(before);
    free(after);
    free(text);
    if (!memory) {
        return attn_fail_memory(error, (size_t)room * 5);
    }
    return U_SUCCESS(code) ? ATTN_OK : attn_icu_fail(error, code, "normalize a text");
}

static attn_status apply(const attn_normalize_step *step, const attn_buffer *from, attn_buffer *to,
                         attn_error *error) {
    if (from->length > LONGEST) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "tokenizer", -1, "cut the text into sentences",
                         "a text of %zu bytes", from->length);
    }
    switch (step->kind) {
    case ATTN_NORMALIZE_REPLACE:
        replace(step, from, to);
        break;
    case ATTN_NORMALIZE_ACCENTS:
        take_off_accents(from, to);
        break;
    case ATTN_NORMALIZE_LOWERCASE:
        lower(from, to);
        break;
    default:
        return from->length > 0 ? normalize(step->kind, from, to, error) : ATTN_OK;
    }
    return to->failed ? attn_fail_memory(error, from->length) : ATTN_OK;
}

attn_status attn_normalizer_apply(const attn_normalizer *n, const char *text, size_t length,
                                  char **out, size_t *out_length, attn_error *error) {
    attn_buffer now = {0};
    attn_status status = ATTN_OK;
    *out = NULL;
    attn_buffer_add(&now, text, length);
    for (size_t i = 0; i < n->count && status == ATTN_OK && !now.failed; i++) {
        attn_buffer next = {0};
        status = apply(&n->step[i], &now, &next, error);
        attn_buffer_free(&now);
        now = next;
    }
    *out_length = now.length;
    if (status == ATTN_OK) {
        return attn_buffer_take(&now, out, error);
    }
    attn_buffer_free(&now);
    return status;
}
