/* text/score_tokenize.c: sacreBLEU's tokenizers 13a, none, zh and char.
 *
 * 13a is what the script mteval-v13a.pl does; zh sets Chinese characters apart first. The rules are
 * applied one after another over the whole line, as in the original, because a later rule sees the
 * spaces that an earlier one put in. They look only at ASCII, so they work on bytes. */
#include <string.h>

#include "text/score_parts.h"

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_stop(char c) {
    return c == '.' || c == ',';
}

/* ASCII punctuation, without the apostrophe, hyphen, full stop and comma; the space, too. */
static bool is_set_apart(char c) {
    return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') ||
           (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}

/* ---- rules: each reads one text and writes another ---- */

static void add_apart(attn_buffer *out, char c) {
    char bytes[3] = {' ', c, ' '};
    attn_buffer_add(out, bytes, 3);
}

static void set_symbols_apart(const attn_buffer *in, attn_buffer *out) {
    for (size_t i = 0; i < in->length; i++) {
        char c = in->data[i];
        if (is_set_apart(c)) {
            add_apart(out, c);
        } else {
            attn_buffer_add(out, &c, 1);
        }
    }
}

/* A stop is set apart unless a digit is before it. Both characters are used up by a match: the
 * second of two stops in a row is not "before" a third. */
static void set_stop_apart_after_nondigit(const attn_buffer *in, attn_buffer *out) {
    for (size_t i = 0; i < in->length; i++) {
        attn_buffer_add(out, &in->data[i], 1);
        if (!is_digit(in->data[i]) && i + 1 < in->length && is_stop(in->data[i + 1])) {
            add_apart(out, in->data[++i]);
        }
    }
}

/* A stop is set apart unless a digit is behind it. */
static void set_stop_apart_before_nondigit(const attn_buffer *in, attn_buffer *out) {
    for (size_t i = 0; i < in->length; i++) {
        char c = in->data[i];
        if (is_stop(c) && i + 1 < in->length && !is_digit(in->data[i + 1])) {
            add_apart(out, c);
            attn_buffer_add(out, &in->data[++i], 1);
        } else {
            attn_buffer_add(out, &c, 1);
        }
    }
}

static void set_dash_apart_after_digit(const attn_buffer *in, attn_buffer *out) {
    for (size_t i = 0; i < in->length; i++) {
        attn_buffer_add(out, &in->data[i], 1);
        if (is_digit(in->data[i]) && i + 1 < in->length && in->data[i + 1] == '-') {
            add_apart(out, in->data[++i]);
        }
    }
}

static void replace_all(const attn_buffer *in, const char *from, const char *to, attn_buffer *out) {
    size_t length = strlen(from);
    for (size_t i = 0; i < in->length;) {
        if (in->length - i >= length && memcmp(in->data + i, from, length) == 0) {
            attn_buffer_text(out, to);
            i += length;
        } else {
            attn_buffer_add(out, &in->data[i++], 1);
        }
    }
}

/* Ranges of the zh tokenizer. U+2001..U+2A6D is what the original makes of a range meant to be
 * U+20000..U+2A6D6; likewise U+2F81..U+2FA1. Scores are comparable only with the same slip. */
static bool is_chinese(uint32_t c) {
    static const struct {
        uint16_t first, last;
    } ranges[] = {
        {0x2001, 0x2A6D}, {0x2E80, 0x2FDF}, {0x2FF0, 0x303F}, {0x3100, 0x312F}, {0x31A0, 0x31BF},
        {0x31C0, 0x31EF}, {0x3200, 0x4DB5}, {0x4E00, 0x9FBB}, {0xF900, 0xFA2D}, {0xFA30, 0xFA6A},
        {0xFA70, 0xFAD9}, {0xFE10, 0xFE1F}, {0xFE30, 0xFE4F}, {0xFF00, 0xFFEF}, {0x2600, 0x27BF},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (c >= ranges[i].first && c <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

/* Spaces around each code point that is Chinese, or around every one. */
static void set_characters_apart(const attn_buffer *in, bool all, attn_buffer *out) {
    size_t step;
    for (size_t i = 0; i < in->length; i += step) {
        uint32_t c = attn_code_point(in->data + i, in->length - i, &step);
        bool apart = all || is_chinese(c);
        attn_buffer_text(out, apart ? " " : "");
        attn_buffer_add(out, in->data + i, step);
        attn_buffer_text(out, apart ? " " : "");
    }
}

/* ---- tokenizers ---- */

/* What a rule wrote becomes what the next one reads. */
static void advance(attn_bleu_lines *lines) {
    attn_buffer written = lines->next;
    lines->next = lines->now;
    lines->now = written;
    lines->next.length = 0;
}

static void apply(attn_bleu_lines *lines, void (*rule)(const attn_buffer *, attn_buffer *)) {
    rule(&lines->now, &lines->next);
    advance(lines);
}

static void replace(attn_bleu_lines *lines, const char *from, const char *to) {
    replace_all(&lines->now, from, to, &lines->next);
    advance(lines);
}

static void apply_western_rules(attn_bleu_lines *lines) {
    apply(lines, set_symbols_apart);
    apply(lines, set_stop_apart_after_nondigit);
    apply(lines, set_stop_apart_before_nondigit);
    apply(lines, set_dash_apart_after_digit);
}

static void tokenize_13a(attn_bleu_lines *lines) {
    static const char *const replaced[][2] = {{"<skipped>", ""}, {"-\n", ""},   {"&quot;", "\""},
                                              {"&amp;", "&"},    {"&lt;", "<"}, {"&gt;", ">"}};
    for (size_t i = 0; i < sizeof replaced / sizeof *replaced; i++) {
        replace(lines, replaced[i][0], replaced[i][1]);
    }
    attn_buffer_text(&lines->next, " ");
    attn_buffer_add(&lines->next, lines->now.data, lines->now.length);
    attn_buffer_text(&lines->next, " ");
    advance(lines);
    apply_western_rules(lines);
}

static void tokenize_zh(attn_bleu_lines *lines) {
    /* Leading white space goes: a stop at the very start of the line has nothing before it. */
    size_t start = 0, step;
    while (
        start < lines->now.length &&
        attn_is_space(attn_code_point(lines->now.data + start, lines->now.length - start, &step))) {
        start += step;
    }
    attn_buffer_add(&lines->next, lines->now.data + start, lines->now.length - start);
    advance(lines);
    set_characters_apart(&lines->now, false, &lines->next);
    advance(lines);
    apply_western_rules(lines);
}

static void tokenize_char(attn_bleu_lines *lines) {
    set_characters_apart(&lines->now, true, &lines->next);
    advance(lines);
}

bool attn_bleu_tokenize(attn_bleu_lines *lines, const char *line, const attn_buffer **out) {
    lines->next.length = 0;
    if (lines->lowercase) {
        attn_text_lower(line, strlen(line), &lines->next);
    } else {
        attn_buffer_text(&lines->next, line);
    }
    advance(lines);
    lines->now.length = attn_text_rstrip(lines->now.data, lines->now.length);
    switch (lines->tokenizer) {
    case ATTN_BLEU_13A:
        tokenize_13a(lines);
        break;
    case ATTN_BLEU_ZH:
        tokenize_zh(lines);
        break;
    case ATTN_BLEU_CHAR:
        tokenize_char(lines);
        break;
    case ATTN_BLEU_NONE:
        break;
    }
    *out = &lines->now;
    return !lines->now.failed && !lines->next.failed;
}

void attn_bleu_lines_free(attn_bleu_lines *lines) {
    attn_buffer_free(&lines->now);
    attn_buffer_free(&lines->next);
}
