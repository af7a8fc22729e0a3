/* document/markdown_inline.c: emphasis, links, code and line ends within a text of Markdown, and back again.
 *
 * CommonMark's rules, but for two: emphasis opens and closes with the same number of signs, and a link's text holds no
 * link. What is not understood stays text, and comes out as it was. Every step is linear in the length of the text. */
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "document/markdown.h"
#include "text/html.h"

enum { MOST_SIGNS = 3, MOST_TICKS = 32, LONGEST_TARGET = 2000, DEEPEST = 32 };

/* What begins at a byte of the text. */
typedef struct spot {
    enum { SPOT_NONE, SPOT_CODE, SPOT_OPEN, SPOT_CLOSE, SPOT_BRACKET, SPOT_LINK } kind;
    size_t
        partner; /* code: its end; open and close: the other; bracket, link: the one that closes it */
    size_t length; /* signs; of a link: where it ends */
    bool named;    /* the link is found by its text */
    size_t mark;   /* of an open one, once it is made */
} spot;

typedef struct scan {
    attn_doc *d;
    const attn_md_block *block;
    const attn_md_names *names;
    const char *text; /* of the file */
    size_t start, end;
    spot *spots; /* [end - start] */
    attn_text_maker m;
    attn_slot slot;
    size_t line;       /* of the block, that is read */
    size_t last_break; /* the mark, or what is none */
    size_t text_until; /* up to there each '<' is known to be text */
    attn_status status;
    attn_error *error;
} scan;

static bool is_sign(char c) {
    return c != '\0' && strchr("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", c) != NULL;
}

static bool is_blank(char c) {
    return c == '\0' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static spot *at_spot(const scan *s, size_t at) {
    return &s->spots[at - s->start];
}

static size_t run_of(const scan *s, size_t at) {
    size_t length = 1;
    while (at + length < s->end && s->text[at + length] == s->text[at]) {
        length++;
    }
    return length;
}

static bool is_escape(const scan *s, size_t at) {
    return s->text[at] == '\\' && at + 1 < s->end && is_sign(s->text[at + 1]);
}

/* ---- what belongs together ---- */

/* Runs of backticks with the next run of the same length, from the right. */
static void pair_code(const scan *s) {
    size_t next[MOST_TICKS + 1] = {0};
    for (size_t at = s->end; at > s->start;) {
        size_t stop = at--;
        if (s->text[at] != '`') {
            continue;
        }
        while (at > s->start && s->text[at - 1] == '`') {
            at--;
        }
        size_t length = stop - at;
        if (length > MOST_TICKS) {
            continue;
        }
        if (next[length] != 0) {
            *at_spot(s, at) = (spot){.kind = SPOT_CODE, .partner = next[length] + length};
        }
        next[length] = at;
    }
}

/* Brackets that are balanced, outside of code. Those that are open are a list through their partners. */
static void pair_brackets(const scan *s) {
    size_t open = (size_t)-1;
    for (size_t at = s->start; at < s->end; at++) {
        if (at_spot(s, at)->kind == SPOT_CODE) {
            at = at_spot(s, at)->partner - 1;
        } else if (s->text[at] == '`') {
            at += run_of(s, at) - 1;
        } else if (is_escape(s, at)) {
            at++;
        } else if (s->text[at] == '[') {
            at_spot(s, at)->partner = open;
            open = at;
        } else if (s->text[at] == ']' && open != (size_t)-1) {
            size_t outer = at_spot(s, open)->partner;
            *at_spot(s, open) = (spot){.kind = SPOT_BRACKET, .partner = at};
            open = outer;
        }
    }
}

static bool can_open(const scan *s, size_t at, size_t length) {
    char before = at > s->start ? s->text[at - 1] : ' ';
    char after = at + length < s->end ? s->text[at + length] : ' ';
    bool left = !is_blank(after) && (!is_sign(after) || is_blank(before) || is_sign(before));
    return left && (s->text[at] != '_' || is_blank(before) || is_sign(before));
}

static bool can_close(const scan *s, size_t at, size_t length) {
    char before = at > s->start ? s->text[at - 1] : ' ';
    char after = at + length < s->end ? s->text[at + length] : ' ';
    bool right = !is_blank(before) && (!is_sign(before) || is_blank(after) || is_sign(after));
    return right && (s->text[at] != '_' || is_blank(after) || is_sign(after));
}

/* Emphasis that is open: the last of each kind, and through `partner` those before it. */
typedef struct open_emphasis {
    size_t last[3][MOST_SIGNS + 1];
} open_emphasis;

static const char emphasis[] = "*_~";

static void close_emphasis(const scan *s, open_emphasis *open, size_t kind, size_t length,
                           size_t at) {
    size_t from = open->last[kind][length];
    for (size_t k = 0; k < 3; k++) { /* what opened within is no emphasis */
        for (size_t l = 1; l <= MOST_SIGNS; l++) {
            while (open->last[k][l] != (size_t)-1 && open->last[k][l] >= from) {
                size_t gone = open->last[k][l];
                open->last[k][l] = at_spot(s, gone)->partner;
                at_spot(s, gone)->kind = SPOT_NONE;
            }
        }
    }
    *at_spot(s, from) = (spot){.kind = SPOT_OPEN, .partner = at, .length = length};
    *at_spot(s, at) = (spot){.kind = SPOT_CLOSE, .partner = from, .length = length};
}

/* Pairs the emphasis of [start, end), which ends within it. */
static void pair_emphasis(const scan *s, size_t start, size_t end) {
    open_emphasis open;
    memset(&open, 0xFF, sizeof open);
    for (size_t at = start; at < end; at++) {
        const spot *here = at_spot(s, at);
        const char *found = strchr(emphasis, s->text[at]);
        if (here->kind == SPOT_CODE || here->kind == SPOT_LINK) {
            at = (here->kind == SPOT_CODE ? here->partner : here->length) -
                 1; /* its text has its own */
            continue;
        }
        if (is_escape(s, at)) {
            at++;
            continue;
        }
        if (found == NULL || s->text[at] == '\0') {
            continue;
        }
        size_t length = run_of(s, at), kind = (size_t)(found - emphasis);
        if (length <= MOST_SIGNS && (s->text[at] != '~' || length == 2)) {
            if (open.last[kind][length] != (size_t)-1 && can_close(s, at, length)) {
                close_emphasis(s, &open, kind, length, at);
            } else if (can_open(s, at, length)) {
                at_spot(s, at)->partner = open.last[kind][length];
                open.last[kind][length] = at;
            }
        }
        at += length - 1;
    }
}

/* ---- links ---- */

/* Behind the (...) at `at`, or 0. */
static size_t end_of_target(const scan *s, size_t at) {
    size_t depth = 0, most = at + LONGEST_TARGET < s->end ? at + LONGEST_TARGET : s->end;
    char quote = '\0';
    for (; at < most; at++) {
        char c = s->text[at];
        if (at_spot(s, at)->kind == SPOT_CODE) {
            at = at_spot(s, at)->partner - 1;
        } else if (is_escape(s, at)) {
            at++;
        } else if (quote != '\0') {
            quote = c == quote ? '\0' : quote;
        } else if ((c == '"' || c == '\'') && is_blank(s->text[at - 1])) {
            quote = c;
        } else if (c == '(') {
            if (++depth > DEEPEST) {
                return 0;
            }
        } else if (c == ')' && --depth == 0) {
            return at + 1;
        }
    }
    return 0;
}

/* Where the link ends whose text is the bracket at `at`; 0: it is none. *named: its text is its name too. */
static size_t end_of_link(const scan *s, size_t at, bool *named) {
    size_t close = at_spot(s, at)->partner, behind = close + 1;
    *named = false;
    if (behind < s->end && s->text[behind] == '(') {
        size_t end = end_of_target(s, behind);
        if (end > 0) {
            return end;
        }
    }
    if (behind + 1 < s->end && s->text[behind] == '[' && s->text[behind + 1] == ']') {
        *named = attn_md_is_name(s->names, s->text + at + 1, close - at - 1);
        return *named ? behind + 2 : 0;
    }
    if (behind < s->end && s->text[behind] == '[' && at_spot(s, behind)->kind == SPOT_BRACKET) {
        size_t end = at_spot(s, behind)->partner;
        return attn_md_is_name(s->names, s->text + behind + 1, end - behind - 1) ? end + 1 : 0;
    }
    *named = attn_md_is_name(s->names, s->text + at + 1, close - at - 1);
    return *named ? behind : 0;
}

/* Of the brackets, those of links stay; within a link there are images alone. */
static void find_links(const scan *s) {
    size_t inside = s->start;
    for (size_t at = s->start; at < s->end; at++) {
        spot *here = at_spot(s, at);
        bool image = at > s->start && s->text[at - 1] == '!';
        if (here->kind == SPOT_CODE) {
            at = here->partner - 1;
        } else if (here->kind == SPOT_BRACKET) {
            size_t end = at >= inside || image ? end_of_link(s, at, &here->named) : 0;
            bool note = here->partner > at + 1 && s->text[at + 1] == '^';
            end = note && end == 0 ? here->partner + 1 : end;
            here->kind = end > 0 ? SPOT_LINK : SPOT_NONE;
            here->length = end;
            if (end > 0 && !image) {
                inside = end;
            } else if (end > 0) {
                at = end - 1;
            }
        }
    }
}

/* <http://...> and <a@b.c>: its end, or 0. */
static size_t end_of_address(const scan *s, size_t at) {
    bool address = false;
    for (size_t i = at + 1; i < s->end && i < at + LONGEST_TARGET && !is_blank(s->text[i]); i++) {
        address = address || s->text[i] == ':' || s->text[i] == '@';
        if (s->text[i] == '>') {
            return address ? i + 1 : 0;
        }
        if (s->text[i] == '<') {
            break;
        }
    }
    return 0;
}

/* ---- the text with its marks ---- */

static uint32_t bit_of(char c) {
    static const char signs[] = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    const char *found = c != '\0' ? strchr(signs, c) : NULL;
    return found != NULL ? (uint32_t)1 << (found - signs) : 0;
}

/* A line's end is a space, or a break where it says so. Returns where the next line begins. */
static size_t add_line_end(scan *s, size_t at, bool hard) {
    size_t next = s->block->line[++s->line].start;
    if (hard) {
        s->last_break = attn_make_mark(&s->m, ATTN_SLOT_BREAK, at, next);
        return next;
    }
    ++*(s->last_break < s->m.count ? &s->m.marks[s->last_break].lines : &s->slot.lines);
    s->slot.aid = s->slot.aid.end == 0 ? (attn_range){at, next} : s->slot.aid;
    attn_make_html(&s->m, " ", 1);
    return next;
}

static void add_words(scan *s, size_t at, size_t length) {
    for (size_t i = at; i < at + length; i++) {
        s->slot.seen |= bit_of(s->text[i]);
    }
    attn_make_words(&s->m, s->text + at, length);
}

static size_t add_markup(scan *s, size_t at, size_t end) {
    size_t address = end_of_address(s, at);
    if (address > 0) {
        attn_make_mark(&s->m, ATTN_SLOT_KEPT, at, address);
        return address;
    }
    if (at < s->text_until) {
        add_words(s, at, 1);
        return at + 1;
    }
    attn_html_token token = attn_html_next(s->text + at, end - at, 0);
    s->text_until = at + token.length;
    if (token.kind == ATTN_HTML_TEXT) {
        add_words(s, at, 1);
        return at + 1;
    }
    attn_make_markup(&s->m, s->text + at, token.length);
    return at + token.length;
}

static size_t add_reference(scan *s, size_t at, size_t end) {
    uint32_t codes[2];
    size_t size = attn_html_reference(s->text, end, at, codes);
    if (size == 0) {
        add_words(s, at, 1);
        return at + 1;
    }
    s->slot.escaped |= codes[1] == 0 && codes[0] < 0x80 ? bit_of((char)codes[0]) : 0;
    attn_make_html(&s->m, s->text + at, size);
    return at + size;
}

/* Bytes from `at` on in which nothing can begin. */
static size_t plain_length(const scan *s, size_t at, size_t end) {
    size_t line_end = s->block->line[s->line].end, stop = line_end < end ? line_end : end;
    size_t length = 1;
    while (at + length < stop && strchr("\\`*_~[]!<&", s->text[at + length]) == NULL) {
        length++;
    }
    return length;
}

static void add_inline(scan *s, size_t start, size_t end);

/* ---- texts within a mark ---- */

/* A text of its own, for which that under way waits. */
static scan begin_own(scan *s, size_t start, size_t end) {
    scan outer = *s;
    s->m = (attn_text_maker){0};
    s->slot = (attn_slot){.at = {start, end}, .lines = 1};
    s->last_break = (size_t)-1;
    return outer;
}

static void end_own(scan *s, const scan *outer) {
    attn_status status = attn_make_end(&s->m, s->d, &s->slot, s->error);
    s->status = s->status == ATTN_OK ? status : s->status;
    s->m = outer->m;
    s->slot = outer->slot;
    s->last_break = outer->last_break;
}

/* The title in the target (ADDRESS "TITLE") at [start, end), without its quotes; none, or one over lines: empty. */
static attn_range find_title(const scan *s, size_t start, size_t end) {
    size_t stop = end - 1;
    while (stop > start && is_blank(s->text[stop - 1])) {
        stop--;
    }
    char quote = stop > start ? s->text[stop - 1] : '\0';
    if (s->text[start] != '(' || (quote != '"' && quote != '\'')) {
        return (attn_range){0, 0};
    }
    for (size_t at = start + 1; at + 1 < stop; at++) {
        if (s->text[at] == quote && is_blank(s->text[at - 1])) {
            bool one_line = memchr(s->text + at, '\n', stop - at) == NULL;
            return one_line ? (attn_range){at + 1, stop - 1} : (attn_range){0, 0};
        }
    }
    return (attn_range){0, 0};
}

/* In a title signs stand for themselves, but for escapes and references. */
static void add_title(scan *s, size_t start, size_t end) {
    attn_range title = find_title(s, start, end);
    if (!s->d->attributes || title.start >= title.end) {
        return;
    }
    scan outer = begin_own(s, title.start, title.end);
    s->slot.escaped = bit_of(s->text[title.end]);
    for (size_t at = title.start; at < title.end;) {
        size_t length = 1;
        if (is_escape(s, at)) {
            s->slot.escaped |= bit_of(s->text[at + 1]);
            attn_make_words(&s->m, s->text + at + 1, 1);
            at += 2;
        } else if (s->text[at] == '&') {
            at = add_reference(s, at, title.end);
        } else {
            while (at + length < title.end && strchr("\\&", s->text[at + length]) == NULL) {
                length++;
            }
            add_words(s, at, length);
            at += length;
        }
    }
    end_own(s, &outer);
}

/* A link that is found by its text is no longer found when that is another. */
static void add_alternative(scan *s, size_t bracket) {
    const spot *here = at_spot(s, bracket);
    if (s->d->attributes && !here->named) {
        scan outer = begin_own(s, bracket + 1, here->partner);
        add_inline(s, bracket + 1, here->partner);
        end_own(s, &outer);
        add_title(s, here->partner + 1, here->length);
    }
}

/* A link, an image or a note's number. */
static size_t add_link(scan *s, size_t at) {
    bool image = s->text[at] == '!';
    size_t bracket = at + image;
    const spot *here = at_spot(s, bracket);
    size_t close = here->partner, end = here->length;
    if (image || s->text[bracket + 1] == '^') {
        attn_make_mark(&s->m, ATTN_SLOT_POINT, at, end);
        if (image) {
            add_alternative(s, bracket);
        }
        return end;
    }
    size_t mark = attn_make_mark(&s->m, ATTN_SLOT_PAIR, at, at + 1);
    if (mark < s->m.count) {
        s->m.marks[mark].is_run = here->named;
    }
    add_inline(s, at + 1, close);
    attn_make_close(&s->m, mark, here->named ? at + 1 : close, here->named ? close : end);
    if (!here->named) {
        add_title(s, close + 1, end);
    }
    return end;
}

static size_t add_next(scan *s, size_t at, size_t end) {
    const spot *here = at_spot(s, at);
    char c = s->text[at];
    bool image = c == '!' && at + 1 < end && s->text[at + 1] == '[';
    if (here->kind == SPOT_CODE && here->partner <= end) {
        attn_make_mark(&s->m, ATTN_SLOT_KEPT, at, here->partner);
        return here->partner;
    }
    if (here->kind == SPOT_OPEN) {
        s->spots[at - s->start].mark = attn_make_mark(&s->m, ATTN_SLOT_PAIR, at, at + here->length);
        return at + here->length;
    }
    if (here->kind == SPOT_CLOSE) {
        attn_make_close(&s->m, at_spot(s, here->partner)->mark, at, at + here->length);
        return at + here->length;
    }
    if (here->kind == SPOT_LINK || (image && at_spot(s, at + 1)->kind == SPOT_LINK)) {
        return add_link(s, at);
    }
    if (is_escape(s, at) && at + 1 < end) {
        s->slot.escaped |= bit_of(s->text[at + 1]);
        attn_make_words(&s->m, s->text + at + 1, 1);
        return at + 2;
    }
    if (c == '<') {
        return add_markup(s, at, end);
    }
    if (c == '&') {
        return add_reference(s, at, end);
    }
    size_t length = plain_length(s, at, end);
    add_words(s, at, length);
    return at + length;
}

static void add_inline(scan *s, size_t start, size_t end) {
    const attn_md_block *b = s->block;
    pair_emphasis(s, start, end);
    for (size_t at = start; at < end;) {
        while (s->line + 1 < b->count && at >= b->line[s->line + 1].start) {
            s->line++; /* code or a link went over lines */
        }
        size_t line_end = b->line[s->line].end;
        bool last = s->line + 1 == b->count;
        if (at >= line_end && !last) {
            size_t spaces = strspn(s->text + line_end, " ");
            at = add_line_end(s, line_end, spaces >= 2);
        } else if (s->text[at] == '\\' && at + 1 == line_end && !last) {
            at = add_line_end(s, at, true);
        } else {
            at = add_next(s, at, end);
        }
    }
}

attn_status attn_md_add(attn_doc *d, const attn_md_block *block, const attn_md_names *names,
                        attn_error *error) {
    if (block->count == 0 || block->line[0].start >= block->line[block->count - 1].end) {
        return ATTN_OK;
    }
    scan s = {.d = d,
              .error = error,
              .block = block,
              .names = names,
              .text = d->bytes,
              .start = block->line[0].start,
              .end = block->line[block->count - 1].end,
              .last_break = (size_t)-1};
    s.slot = (attn_slot){.at = {s.start, s.end}, .lines = 1};
    s.spots = attn_alloc_zero(s.end - s.start + 1, sizeof *s.spots);
    if (s.spots == NULL) {
        return attn_fail_memory(error, (s.end - s.start) * sizeof *s.spots);
    }
    pair_code(&s);
    pair_brackets(&s);
    find_links(&s);
    add_inline(&s, s.start, s.end);
    attn_free(s.spots);
    attn_status status = attn_make_end(&s.m, d, s.status == ATTN_OK ? &s.slot : NULL, error);
    return s.status == ATTN_OK ? status : s.status;
}

/* ---- writing ---- */

typedef struct output {
    attn_writing *w;
    const attn_slot *slot;
    attn_buffer segment; /* up to the next break */
    size_t lines;
    size_t opened; /* where in the segment the text of the link under way begins */
} output;

/* A sign as the text had it; one that it had not, and that would mean something, behind a backslash. */
static void write_sign(output *o, char c) {
    uint32_t bit = bit_of(c);
    bool known = (o->slot->seen & bit) != 0;
    if (bit != 0 && !known && ((o->slot->escaped & bit) != 0 || strchr("\\`*_[]<|#>", c) != NULL)) {
        attn_buffer_add(&o->segment, "\\", 1);
    }
    attn_buffer_add(&o->segment, &c, 1);
}

static void write_words(output *o, const attn_step *step) {
    bool reference = step->raw[0] == '&' && step->words == step->sign;
    bool basic = step->length == 1 && strchr("&<>", step->words[0]) != NULL;
    bool ours = basic && (o->slot->seen & bit_of(step->words[0])) != 0;
    if (reference && !ours) {
        attn_buffer_add(&o->segment, step->raw, step->raw_length);
        return;
    }
    for (size_t i = 0; i < step->length; i++) {
        if (reference) {
            attn_buffer_add(&o->segment, step->words + i, 1);
        } else {
            write_sign(o, step->words[i]);
        }
    }
}

static void write_bytes(output *o, attn_range range) {
    attn_buffer_add(&o->segment, o->w->part->bytes + range.start, range.end - range.start);
}

static void flush_segment(output *o) {
    const attn_slot *slot = o->slot;
    attn_write_lines(o->w->out, o->segment.data != NULL ? o->segment.data : "", o->segment.length,
                     o->lines, o->w->part->bytes + slot->aid.start,
                     slot->aid.end - slot->aid.start);
    o->segment.length = 0;
}

/* A link that is found by its text gets that as its name, once the text is another. */
static void close_named(output *o, attn_range name) {
    const char *text = o->w->part->bytes + name.start, *behind = o->w->part->bytes + name.end;
    size_t length = name.end - name.start, start = o->opened;
    bool same = o->segment.length >= start && o->segment.length - start == length &&
                memcmp(o->segment.data + start, text, length) == 0;
    if (same) {
        attn_buffer_text(&o->segment, strncmp(behind, "][]", 3) == 0 ? "][]" : "]");
        return;
    }
    attn_buffer_text(&o->segment, "][");
    write_bytes(o, name);
    attn_buffer_text(&o->segment, "]");
}

static void write_step(output *o, const attn_step *step) {
    const attn_slot_mark *mark = step->kind == ATTN_STEP_MARK || step->kind == ATTN_STEP_CLOSE
                                     ? attn_slot_mark_at(o->w, o->slot, step->mark)
                                     : NULL;
    if (step->kind == ATTN_STEP_WORDS) {
        write_words(o, step);
    } else if (mark == NULL) {
        attn_buffer_add(&o->segment, step->raw, step->raw_length);
    } else if (mark->kind == ATTN_SLOT_BREAK) {
        flush_segment(o);
        attn_buffer_add(o->w->out, o->w->part->bytes + mark->open.start,
                        mark->open.end - mark->open.start);
        o->lines = mark->lines;
    } else if (step->kind == ATTN_STEP_CLOSE && mark->is_run) {
        close_named(o, mark->close);
    } else {
        attn_writing inner = *o->w; /* a title in it may have a translation */
        inner.out = &o->segment;
        attn_write_range(&inner, step->kind == ATTN_STEP_CLOSE ? mark->close : mark->open);
        o->opened = o->segment.length;
    }
}

void attn_md_write(attn_writing *w, const attn_slot *slot, const char *translation) {
    const char *at = translation, *end = at + strlen(at);
    output o = {.w = w, .slot = slot, .lines = slot->lines};
    attn_step step = {0};
    for (attn_mark_next(w, slot, &at, end, &step); step.kind != ATTN_STEP_END;
         attn_mark_next(w, slot, &at, end, &step)) {
        write_step(&o, &step);
    }
    flush_segment(&o);
    w->out->failed = w->out->failed || o.segment.failed;
    attn_buffer_free(&o.segment);
}
