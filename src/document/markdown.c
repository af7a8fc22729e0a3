/* document/markdown.c: the blocks of Markdown: paragraphs, headings, items, cells; what is code or data stays.
 * Next: markdown_inline.c. */
#include "document/markdown.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/hash.h"
#include "base/memory.h"

typedef struct reading {
    attn_doc *d;
    attn_error *error;
    attn_md_names names;
    attn_md_block block; /* the paragraph under way */
    size_t at;           /* the line at hand: [at, end), behind it next */
    size_t end, next;
    size_t item; /* columns before the text of the list item under way */
    char fence;  /* of the code under way; NUL: none */
    size_t fence_length;
    bool table, page;  /* rows of a table; a block of HTML, up to an empty line */
    const char *until; /* NULL, or what ends an element whose content stays */
} reading;

/* ---- names of links ---- */

enum { LONGEST_NAME = 200 };

static size_t blanks_at(const char *text, size_t at) {
    return strspn(text + at, " \t");
}

/* "[name]:" at text[at]: the name; false when there is none. */
static bool read_definition(const char *text, size_t at, size_t end, attn_range *name) {
    at += blanks_at(text, at);
    if (at >= end || text[at] != '[') {
        return false;
    }
    const char *close = memchr(text + at, ']', end - at);
    if (close == NULL || close[1] != ':' || close == text + at + 1) {
        return false;
    }
    *name = (attn_range){at + 1, (size_t)(close - text)};
    return true;
}

static uint64_t hash_name(const char *text, size_t length) {
    char small[LONGEST_NAME];
    for (size_t i = 0; i < length; i++) {
        small[i] = text[i] == '\n' ? ' ' : (char)tolower((unsigned char)text[i]);
    }
    return attn_hash64(small, length, 0);
}

static int by_hash(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static attn_status find_names(reading *r) {
    const char *text = r->d->bytes;
    attn_md_names *n = &r->names;
    attn_range name;
    for (size_t at = 0; at < r->d->size;) {
        size_t end = at + strcspn(text + at, "\n");
        if (read_definition(text, at, end, &name) && name.end - name.start <= LONGEST_NAME) {
            if (!attn_grow(&n->hash, &n->room, n->count + 1, sizeof *n->hash)) {
                return attn_fail_memory(r->error, sizeof *n->hash);
            }
            n->hash[n->count++] = hash_name(text + name.start, name.end - name.start);
        }
        at = end + (end < r->d->size);
    }
    if (n->count > 0) {
        qsort(n->hash, n->count, sizeof *n->hash, by_hash);
    }
    return ATTN_OK;
}

bool attn_md_is_name(const attn_md_names *names, const char *text, size_t length) {
    if (length == 0 || length > LONGEST_NAME || names->count == 0) {
        return false;
    }
    uint64_t wanted = hash_name(text, length);
    return bsearch(&wanted, names->hash, names->count, sizeof wanted, by_hash) != NULL;
}

/* ---- kinds of lines ---- */

/* So many of one sign, with nothing but spaces between and behind them. */
static bool is_rule(const reading *r, size_t at) {
    char sign = at < r->end ? r->d->bytes[at] : '\0';
    size_t count = 0;
    if (sign != '*' && sign != '-' && sign != '_') {
        return false;
    }
    for (; at < r->end; at++) {
        count += r->d->bytes[at] == sign;
        if (r->d->bytes[at] != sign && strchr(" \t\r", r->d->bytes[at]) == NULL) {
            return false;
        }
    }
    return count >= 3;
}

static bool is_underline(const reading *r, size_t at) {
    size_t length = strspn(r->d->bytes + at, "=");
    length = length > 0 ? length : strspn(r->d->bytes + at, "-");
    return length > 0 && at + length + strspn(r->d->bytes + at + length, " \t\r") >= r->end;
}

static size_t fence_at(const reading *r, size_t at) {
    char sign = r->d->bytes[at];
    size_t length = 0;
    if (sign != '`' && sign != '~') {
        return sign == '$' && r->d->bytes[at + 1] == '$' ? 2 : 0;
    }
    while (r->d->bytes[at + length] == sign) {
        length++;
    }
    bool inline_code = sign == '`' && memchr(r->d->bytes + at + length, '`', r->end - at - length);
    return length >= 3 && !inline_code ? length : 0;
}

/* The length of a list's mark with the space behind it; 0: there is none. */
static size_t marker_at(const reading *r, size_t at) {
    const char *text = r->d->bytes;
    size_t length = strspn(text + at, "0123456789");
    if (length > 0) {
        length =
            length < 10 && (text[at + length] == '.' || text[at + length] == ')') ? length + 1 : 0;
    } else {
        length = text[at] == '-' || text[at] == '*' || text[at] == '+';
    }
    size_t blanks = length > 0 ? blanks_at(text, at + length) : 0;
    bool empty = length > 0 && at + length + blanks >= r->end;
    return length == 0 || (blanks == 0 && !empty) || is_rule(r, at) ? 0 : length + blanks;
}

/* A row of signs below the head of a table. */
static bool is_table_rule(const char *text, size_t at, size_t end) {
    bool pipe = false, dash = false;
    for (; at < end; at++) {
        pipe = pipe || text[at] == '|';
        dash = dash || text[at] == '-';
        if (strchr("|-: \t\r>", text[at]) == NULL) {
            return false;
        }
    }
    return pipe && dash;
}

/* What ends an element of HTML that stays as it is; NULL: it is none. */
static const char *kept_until(const char *text) {
    static const struct {
        const char *begins, *ends;
    } kept[] = {{"<!--", "-->"},
                {"<script", "</script>"},
                {"<style", "</style>"},
                {"<pre", "</pre>"},
                {"<textarea", "</textarea>"}};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        if (strncmp(text, kept[i].begins, strlen(kept[i].begins)) == 0) {
            return kept[i].ends;
        }
    }
    return NULL;
}

static bool begins_page(const char *text) {
    static const char *const blocks[] = {"div",   "p",     "table", "tr",      "td",      "th",
                                         "ul",    "ol",    "li",    "dl",      "details", "h1",
                                         "h2",    "h3",    "h4",    "h5",      "h6",      "center",
                                         "thead", "tbody", "hr",    "summary", NULL};
    size_t start = text[0] == '<' ? 1 + (text[1] == '/') : 0;
    size_t length = start > 0 ? strspn(text + start, "abcdefghijklmnopqrstuvwxyz0123456789") : 0;
    for (size_t i = 0; blocks[i] != NULL && length > 0; i++) {
        if (strlen(blocks[i]) == length && strncmp(text + start, blocks[i], length) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- blocks ---- */

static attn_status end_block(reading *r) {
    attn_status status = attn_md_add(r->d, &r->block, &r->names, r->error);
    r->block.count = 0;
    r->table = false;
    return status;
}

static attn_status add_line(reading *r, size_t start, size_t end) {
    attn_md_block *b = &r->block;
    while (end > start && strchr(" \t\r", r->d->bytes[end - 1]) != NULL) {
        end--;
    }
    if (start >= end) {
        return ATTN_OK;
    }
    if (!attn_grow(&b->line, &b->room, b->count + 1, sizeof *b->line)) {
        return attn_fail_memory(r->error, sizeof *b->line);
    }
    b->line[b->count++] = (attn_range){start, end};
    return ATTN_OK;
}

/* A text of one line. */
static attn_status add_alone(reading *r, size_t start, size_t end) {
    attn_status status = add_line(r, start, end);
    return status == ATTN_OK ? end_block(r) : status;
}

static attn_status add_heading(reading *r, size_t at) {
    const char *text = r->d->bytes;
    size_t end = r->end;
    while (end > at && strchr(" \t\r", text[end - 1]) != NULL) {
        end--;
    }
    size_t closing = end;
    while (closing > at && text[closing - 1] == '#') {
        closing--;
    }
    end = closing < end && closing > at && strchr(" \t", text[closing - 1]) != NULL ? closing : end;
    return add_alone(r, at, end);
}

/* The cells of a row, each a text. */
static attn_status add_row(reading *r, size_t at) {
    attn_status status = ATTN_OK;
    const char *text = r->d->bytes;
    bool code = false;
    size_t start = at + blanks_at(text, at);
    for (size_t i = start; i <= r->end && status == ATTN_OK; i++) {
        if (i < r->end && text[i] == '\\' && i + 1 < r->end) {
            i++;
        } else if (i < r->end && text[i] == '`') {
            code = !code;
        } else if (i == r->end || (text[i] == '|' && !code)) {
            start += blanks_at(text, start);
            status = start < i ? add_alone(r, start, i) : ATTN_OK;
            start = i + 1;
        }
    }
    r->table = true;
    return status;
}

/* HTML between empty lines is a text as it is. */
static attn_status end_page(reading *r, size_t end) {
    attn_text_maker m = {0};
    attn_slot slot = {.at = {r->block.line[0].start, end}, .lines = 0};
    r->page = false;
    r->block.count = 0;
    attn_make_html(&m, r->d->bytes + slot.at.start, end - slot.at.start);
    return attn_make_end(&m, r->d, &slot, r->error);
}

static bool next_is_table_rule(const reading *r) {
    const char *text = r->d->bytes;
    return r->next < r->d->size && memchr(text + r->at, '|', r->end - r->at) != NULL &&
           is_table_rule(text, r->next, r->next + strcspn(text + r->next, "\n"));
}

/* A line whose quote signs and list marks are behind us. */
static attn_status read_text(reading *r, size_t at) {
    const char *text = r->d->bytes;
    size_t hashes = strspn(text + at, "#");
    attn_range name;
    if (r->block.count > 0 && is_underline(r, at)) {
        return end_block(r);
    }
    if (is_rule(r, at)) {
        return end_block(r);
    }
    if (hashes > 0 && hashes <= 6 && strchr(" \t", text[at + hashes]) != NULL) {
        attn_status status = end_block(r);
        at += hashes;
        return status == ATTN_OK ? add_heading(r, at + blanks_at(text, at)) : status;
    }
    if (r->table && memchr(text + at, '|', r->end - at) != NULL) {
        return is_table_rule(text, at, r->end) ? ATTN_OK : add_row(r, at);
    }
    if (r->block.count == 0 && next_is_table_rule(r)) {
        return add_row(r, at);
    }
    if (r->block.count == 0 && read_definition(text, at, r->end, &name)) {
        if (text[name.start] != '^') {
            return ATTN_OK;
        }
        at = name.end + 2;
        at += blanks_at(text, at);
    }
    if (r->block.count == 0 && begins_page(text + at)) {
        r->page = true;
    }
    return add_line(r, at, r->end);
}

/* Quote signs and list marks; *fresh: a new item begins. Returns what is behind them. */
static size_t skip_containers(reading *r, bool *fresh) {
    enum { MOST = 64 }; /* of them in a line */
    const char *text = r->d->bytes;
    size_t at = r->at;
    *fresh = false;
    for (int i = 0; at < r->end && i < MOST; i++) {
        size_t blanks = blanks_at(text, at);
        size_t marker = marker_at(r, at + blanks);
        if (text[at + blanks] == '>') {
            at += blanks + 1;
        } else if (marker > 0 && (blanks < 4 + r->item)) {
            at += blanks + marker;
            r->item = at - r->at;
            *fresh = true;
            if (text[at] == '[' && text[at + 1] != '\0' && strchr(" xX", text[at + 1]) != NULL &&
                text[at + 2] == ']' && text[at + 3] == ' ') {
                at += 4;
            }
        } else {
            break;
        }
    }
    return at;
}

static bool is_indented_code(const reading *r, size_t at) {
    size_t tab = r->d->bytes[at] == '\t' ? 4 : 0;
    size_t blanks = blanks_at(r->d->bytes, at) + tab;
    return r->block.count == 0 && blanks >= 4 + (at == r->at ? r->item : 0);
}

static attn_status read_fence(reading *r, size_t at) {
    size_t length = fence_at(r, at);
    if (r->fence == '\0' && length > 0) {
        attn_status status = end_block(r);
        bool whole = r->d->bytes[at] == '$' && r->end >= at + 4 &&
                     attn_find_bytes(r->d->bytes + at + 2, r->end - at - 2, "$$") != NULL;
        r->fence = whole ? '\0' : r->d->bytes[at];
        r->fence_length = length;
        return status;
    }
    if (r->d->bytes[at] == r->fence && length >= r->fence_length) {
        r->fence = '\0';
    }
    return ATTN_OK;
}

static attn_status read_line(reading *r) {
    const char *text = r->d->bytes;
    bool fresh;
    size_t at = r->at + blanks_at(text, r->at);
    if (r->until != NULL) {
        r->until =
            attn_find_bytes(text + r->at, r->end - r->at, r->until) != NULL ? NULL : r->until;
        return ATTN_OK;
    }
    if (r->fence != '\0') {
        at += strspn(text + at, "> ");
        return at < r->end ? read_fence(r, at) : ATTN_OK;
    }
    bool empty = at + strspn(text + at, "\r") >= r->end;
    if (r->page) {
        return empty ? end_page(r, r->at) : ATTN_OK;
    }
    if (empty) {
        return end_block(r);
    }
    at = skip_containers(r, &fresh);
    if (fresh) {
        attn_status status = end_block(r);
        if (status != ATTN_OK) {
            return status;
        }
    }
    size_t blanks = blanks_at(text, at);
    if (is_indented_code(r, at)) {
        return ATTN_OK;
    }
    r->item = !fresh && blanks == 0 && r->block.count == 0 && at == r->at ? 0 : r->item;
    at += blanks;
    if (at + strspn(text + at, "\r") >= r->end) {
        return end_block(r);
    }
    if (fence_at(r, at) > 0) {
        return read_fence(r, at);
    }
    const char *until = r->block.count == 0 ? kept_until(text + at) : NULL;
    if (until != NULL) {
        r->until = attn_find_bytes(text + at, r->end - at, until) != NULL ? NULL : until;
        return ATTN_OK;
    }
    return read_text(r, at);
}

/* Settings between two lines of dashes at the start of the file stay. */
static size_t end_of_settings(const char *text) {
    static const char *const ends[] = {"\n---\n", "\n---\r\n", "\n...\n"};
    if (strncmp(text, "---\n", 4) != 0 && strncmp(text, "---\r\n", 5) != 0) {
        return 0;
    }
    const char *first = NULL;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        const char *found = strstr(text + 3, ends[i]);
        first = found != NULL && (first == NULL || found < first) ? found : first;
    }
    return first != NULL ? (size_t)(first - text) + 5 : 0;
}

static attn_status read_markdown(attn_doc *d, attn_error *error) {
    reading r = {.d = d, .error = error};
    attn_status status = find_names(&r);
    size_t mark = d->size >= 3 && memcmp(d->bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    for (r.at = mark + end_of_settings(d->bytes + mark); r.at < d->size && status == ATTN_OK;
         r.at = r.next) {
        r.end = r.at + strcspn(d->bytes + r.at, "\n");
        r.next = r.end + (r.end < d->size);
        status = read_line(&r);
    }
    if (status == ATTN_OK) {
        status = r.page ? end_page(&r, d->size) : end_block(&r);
    }
    attn_free(r.block.line);
    attn_free(r.names.hash);
    return status;
}

static void write_block(attn_writing *w, const attn_slot *slot, const char *translation) {
    if (slot->lines == 0) {
        attn_buffer_text(w->out, translation);
    } else {
        attn_md_write(w, slot, translation);
    }
}

const attn_format attn_format_markdown = {
    .name = "Markdown", .endings = " .md .markdown ", .read = read_markdown, .write = write_block};
