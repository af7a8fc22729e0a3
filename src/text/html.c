/* text/html.c: a scanner of tags. It follows HTML's rules for where a tag ends, and for the rest
 * copies: nothing is repaired, so nothing of a page is changed but its text. */
#include "text/html.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "text/html_names.h"

typedef struct tag {
    size_t end; /* after its '>' */
    char name[ATTN_HTML_NAME];
    bool closing, empty; /* </name>, <name/> */
    bool keep;           /* says itself that its content is not to be translated */
    bool described;      /* <meta name=description> and its like */
    size_t read_count;   /* attributes that people read */
    attn_html_attribute read[ATTN_HTML_ATTRIBUTES];
    attn_html_attribute content; /* of <meta>, length 0: none */
} tag;

static bool is_letter(char c) {
    return ((unsigned char)c | 0x20) >= 'a' && ((unsigned char)c | 0x20) <= 'z';
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool among(const char *name, const char *const *names) {
    for (; *names != NULL; names++) {
        if (strcmp(name, *names) == 0) {
            return true;
        }
    }
    return false;
}

static bool starts(const char *text, size_t length, size_t at, const char *what) {
    size_t size = strlen(what);
    return length - at >= size && memcmp(text + at, what, size) == 0;
}

/* Where `what` next begins, or length. */
static size_t find(const char *text, size_t length, size_t at, const char *what) {
    size_t size = strlen(what);
    while (at < length && length - at >= size) {
        const char *next = memchr(text + at, what[0], length - at - size + 1);
        if (next == NULL) {
            return length;
        }
        at = (size_t)(next - text);
        if (memcmp(text + at, what, size) == 0) {
            return at;
        }
        at++;
    }
    return length;
}

/* A word of a class attribute. */
static bool has_word(const char *value, size_t length, const char *word) {
    size_t size = strlen(word);
    for (size_t at = 0; at < length;) {
        size_t end = at;
        while (end < length && !is_space(value[end])) {
            end++;
        }
        if (end - at == size && strncasecmp(value + at, word, size) == 0) {
            return true;
        }
        at = end + 1;
    }
    return false;
}

static bool says_keep(const char *name, size_t name_length, const char *value, size_t length) {
    if (name_length == 9 && strncasecmp(name, "translate", 9) == 0) {
        return length == 2 && strncasecmp(value, "no", 2) == 0;
    }
    return name_length == 5 && strncasecmp(name, "class", 5) == 0 &&
           has_word(value, length, "notranslate");
}

static const char *const readable[] = {
    "alt", "title", "placeholder", "aria-label", "aria-description", NULL};
static const char *const descriptions[] = {
    "description", "og:title", "og:description", "twitter:title", "twitter:description", NULL};

static bool is_named(const char *name, size_t length, const char *const *names) {
    for (; *names != NULL; names++) {
        if (strlen(*names) == length && strncasecmp(name, *names, length) == 0) {
            return true;
        }
    }
    return false;
}

/* One attribute from text[at], which is neither space, '/' nor '>'; returns where it ends. */
static size_t read_attribute(const char *text, size_t length, size_t at, tag *out) {
    size_t name = at;
    at++; /* HTML lets a name begin with '=' */
    while (at < length && !is_space(text[at]) && strchr("/>=", text[at]) == NULL) {
        at++;
    }
    size_t name_length = at - name;
    while (at < length && is_space(text[at])) {
        at++;
    }
    if (at >= length || text[at] != '=') {
        return at;
    }
    at++;
    while (at < length && is_space(text[at])) {
        at++;
    }
    size_t value = at, end;
    if (at < length && (text[at] == '"' || text[at] == '\'')) {
        const char *quote = memchr(text + at + 1, text[at], length - at - 1);
        value = at + 1;
        end = quote != NULL ? (size_t)(quote - text) : length;
        at = end < length ? end + 1 : length;
    } else {
        while (at < length && !is_space(text[at]) && text[at] != '>') {
            at++;
        }
        end = at;
    }
    if (says_keep(text + name, name_length, text + value, end - value)) {
        out->keep = true;
    }
    char quote =
        value > 0 && (text[value - 1] == '"' || text[value - 1] == '\'') ? text[value - 1] : '\0';
    attn_html_attribute found = {value, end - value, quote};
    if (is_named(text + name, name_length, readable) && out->read_count < ATTN_HTML_ATTRIBUTES) {
        out->read[out->read_count++] = found;
    } else if (is_named(text + name, name_length, (const char *const[]){"content", NULL})) {
        out->content = found;
    } else if (is_named(text + name, name_length,
                        (const char *const[]){"name", "property", NULL})) {
        out->described = is_named(text + value, end - value, descriptions);
    }
    return at;
}

/* Reads the tag at text[start] == '<'; false when it is no tag. An unfinished one runs to the end. */
static bool read_tag(const char *text, size_t length, size_t start, tag *out) {
    *out = (tag){0};
    size_t at = start + 1;
    if (at < length && text[at] == '/') {
        out->closing = true;
        at++;
    }
    if (at >= length || !is_letter(text[at])) {
        return false;
    }
    for (size_t n = 0; at < length && !is_space(text[at]) && strchr("/>", text[at]) == NULL; at++) {
        if (n < ATTN_HTML_NAME - 1) {
            char c = text[at];
            out->name[n++] = is_letter(c) ? (char)(c | 0x20) : c;
        }
    }
    while (at < length && text[at] != '>') {
        if (is_space(text[at])) {
            at++;
        } else if (text[at] == '/') {
            out->empty = at + 1 < length && text[at + 1] == '>';
            at++;
        } else {
            at = read_attribute(text, length, at, out);
        }
    }
    out->end = at < length ? at + 1 : length;
    return true;
}

static bool is_script_tag(const char *text, size_t length, size_t at) {
    static const char name[] = "script";
    size_t end = at + sizeof name - 1;
    return end < length && strncasecmp(text + at, name, sizeof name - 1) == 0 &&
           (is_space(text[end]) || text[end] == '/' || text[end] == '>');
}

/* The end of a script, behind its </script>. Within <!-- -->, a <script> hides the </script> that belongs to it. */
static size_t end_of_script(const char *text, size_t length, size_t at) {
    bool comment = false, hidden = false;
    while (at < length) {
        tag closing;
        if (!comment && starts(text, length, at, "<!--")) {
            comment = true;
            at += 2; /* its dashes may be those of its end */
        } else if (comment && starts(text, length, at, "-->")) {
            comment = hidden = false;
            at += 3;
        } else if (comment && !hidden && text[at] == '<' && is_script_tag(text, length, at + 1)) {
            hidden = true;
            at++;
        } else if (starts(text, length, at, "</") && is_script_tag(text, length, at + 2)) {
            if (!hidden && read_tag(text, length, at, &closing)) {
                return closing.end;
            }
            hidden = false;
            at += 2;
        } else {
            at++;
        }
    }
    return length;
}

/* The end of an element whose content is bare text: after the first </name. */
static size_t end_of_raw(const char *text, size_t length, size_t at, const char *name) {
    size_t size = strlen(name);
    if (strcmp(name, "script") == 0) {
        return end_of_script(text, length, at);
    }
    for (at = find(text, length, at, "</"); at < length; at = find(text, length, at + 2, "</")) {
        tag closing;
        if (length - at >= size + 2 && strncasecmp(text + at + 2, name, size) == 0 &&
            read_tag(text, length, at, &closing) && strcmp(closing.name, name) == 0) {
            return closing.end;
        }
    }
    return length;
}

/* A comment ends at --> or --!>; "<!-->" and "<!--->" are whole ones. */
static size_t end_of_comment(const char *text, size_t length, size_t at) {
    at += 4;
    if (at < length && text[at] == '>') {
        return at + 1;
    }
    if (starts(text, length, at, "->")) {
        return at + 2;
    }
    for (at = find(text, length, at, "--"); at < length; at = find(text, length, at + 1, "--")) {
        if (starts(text, length, at, "-->")) {
            return at + 3;
        }
        if (starts(text, length, at, "--!>")) {
            return at + 4;
        }
    }
    return length;
}

/* What is written like markup and is none to a browser, <?x>, <!x>, </ x>: a comment up to the next '>'. */
static size_t end_of_bogus(const char *text, size_t length, size_t at) {
    size_t end = find(text, length, at, ">");
    return end < length ? end + 1 : length;
}

static const char *const raw[] = {"script",  "style",    "textarea", "xmp",      "iframe",
                                  "noembed", "noscript", "noframes", "template", NULL};
static const char *const kept[] = {"pre", "code", "kbd", "samp", "var", "svg", "math", NULL};
static const char *const hollow[] = {"area",  "base",   "br",    "col",  "embed",
                                     "hr",    "img",    "input", "link", "meta",
                                     "param", "source", "track", "wbr",  NULL};
/* What ends a sentence; everything else, unknown elements too, stands within one. */
static const char *const blocks[] = {
    "address",  "article",  "aside",    "base",     "blockquote", "body",    "br",        "caption",
    "center",   "col",      "colgroup", "datalist", "dd",         "details", "dialog",    "dir",
    "div",      "dl",       "dt",       "fieldset", "figcaption", "figure",  "footer",    "form",
    "frame",    "frameset", "h1",       "h2",       "h3",         "h4",      "h5",        "h6",
    "head",     "header",   "hgroup",   "hr",       "html",       "iframe",  "legend",    "li",
    "link",     "listing",  "main",     "marquee",  "menu",       "meta",    "nav",       "noembed",
    "noframes", "noscript", "ol",       "optgroup", "option",     "p",       "plaintext", "pre",
    "script",   "search",   "section",  "select",   "style",      "summary", "table",     "tbody",
    "td",       "template", "textarea", "tfoot",    "th",         "thead",   "title",     "tr",
    "ul",       "xmp",      NULL};

/* ---- end tags that may be left out ---- */

/* What closes an open <p>. */
static const char *const ends_p[] = {
    "address", "article", "aside",   "blockquote", "center", "details",   "dialog",
    "dir",     "div",     "dl",      "dd",         "dt",     "fieldset",  "figcaption",
    "figure",  "footer",  "form",    "h1",         "h2",     "h3",        "h4",
    "h5",      "h6",      "header",  "hgroup",     "hr",     "li",        "listing",
    "main",    "menu",    "nav",     "ol",         "p",      "plaintext", "pre",
    "search",  "section", "summary", "table",      "ul",     "xmp",       NULL};
static const char *const list_item[] = {"li", NULL};
static const char *const term[] = {"dt", "dd", NULL};
static const char *const option[] = {"option", "optgroup", "select", "caption", "tbody", "thead",
                                     "tfoot",  "tr",       "td",     "th",      NULL};
static const char *const optgroup[] = {"optgroup", "select", "caption", "tbody", "thead",
                                       "tfoot",    "tr",     "td",      "th",    NULL};
static const char *const cell[] = {"td", "th", "tr", "tbody", "thead", "tfoot", NULL};
static const char *const row[] = {"tr", "tbody", "thead", "tfoot", NULL};
static const char *const row_group[] = {"tbody", "thead", "tfoot", NULL};
static const char *const caption[] = {"caption", "col",   "colgroup", "td",    "th",
                                      "tr",      "tbody", "thead",    "tfoot", NULL};
static const char *const ruby[] = {"rt", "rp", "rb", "rtc", NULL};
static const char *const ruby_group[] = {"rb", "rtc", NULL};
static const char *const headings[] = {"h1", "h2", "h3", "h4", "h5", "h6", NULL};
static const char *const link[] = {"a", NULL};
static const char *const button[] = {"button", NULL};
static const char *const body[] = {"body", "frameset", NULL};

/* What drawings and formulas do not hold: it ends them. */
static const char *const breakout[] = {
    "b",      "big",  "blockquote", "body",  "br",   "center", "code",    "dd",   "div",
    "dl",     "dt",   "em",         "embed", "h1",   "h2",     "h3",      "h4",   "h5",
    "h6",     "head", "hr",         "i",     "img",  "li",     "listing", "menu", "meta",
    "nobr",   "ol",   "p",          "pre",   "ruby", "s",      "small",   "span", "strong",
    "strike", "sub",  "sup",        "table", "tt",   "u",      "ul",      "var",  NULL};

/* What is around an element whose end tag may be left out, and ends it by an end tag of its own. */
static const char *const around_cell[] = {"table", "tbody", "thead", "tfoot", "tr", NULL};
static const char *const around_row[] = {"table", "tbody", "thead", "tfoot", NULL};
static const char *const table[] = {"table", NULL};
static const char *const anything[] = {NULL}; /* every block, and some more */

/* Which start tags, and which end tags, end an element whose end tag is not there. */
static const struct {
    const char *name;
    const char *const *ended_by;
    const char *const *around; /* or NULL */
} endings[] = {
    {"p", ends_p, anything},     {"li", list_item, anything},  {"dt", term, anything},
    {"dd", term, anything},      {"option", option, anything}, {"optgroup", optgroup, anything},
    {"td", cell, around_cell},   {"th", cell, around_cell},    {"tr", row, around_row},
    {"tbody", row_group, table}, {"thead", row_group, table},  {"tfoot", row_group, table},
    {"caption", caption, table}, {"colgroup", caption, table}, {"rt", ruby, anything},
    {"rp", ruby, anything},      {"rb", ruby, anything},       {"rtc", ruby_group, anything},
    {"h1", headings, NULL},      {"h2", headings, NULL},       {"h3", headings, NULL},
    {"h4", headings, NULL},      {"h5", headings, NULL},       {"h6", headings, NULL},
    {"a", link, NULL},           {"button", button, anything}, {"head", body, anything},
    {"svg", breakout, anything}, {"math", breakout, anything},
};

enum { ENDINGS = sizeof endings / sizeof endings[0] };

static size_t ending_of(const char *name) {
    size_t i = 0;
    while (i < ENDINGS && strcmp(endings[i].name, name) != 0) {
        i++;
    }
    return i;
}

/* In drawings and formulas, what holds a page again. */
static const char *const openings[] = {
    "foreignobject", "desc", "annotation-xml", "mi", "mo", "mn", "ms", "mtext", "title", NULL};
static const char *const lists[] = {"ul", "ol", "menu", "dl", NULL};
static const char *const drawings[] = {"svg", "math", NULL};

/* What a start tag does not look beyond for an element that it ends: a list within an item has items of its own. */
static bool hides_from_start(const char *inner, const char *name) {
    static const char *const always[] = {"table",    "td",     "th",      "caption",
                                         "template", "object", "marquee", "button",
                                         "applet",   "html",   "select",  NULL};
    static const char *const items[] = {"li", "dt", "dd", NULL};
    static const char *const notes[] = {"rt", "rp", "rb", "rtc", NULL};
    return among(inner, always) || (among(name, items) && among(inner, lists)) ||
           (among(name, drawings) && among(inner, openings)) ||
           (among(name, notes) && strcmp(inner, "ruby") == 0);
}

/* What an end tag does not look beyond. */
static bool hides_from_end(const char *inner, const char *name) {
    static const char *const always[] = {"applet", "caption", "html",   "table",    "td",
                                         "th",     "marquee", "object", "template", NULL};
    static const char *const parts[] = {"table", "tbody", "thead",   "tfoot",    "tr",
                                        "td",    "th",    "caption", "colgroup", NULL};
    if (among(name, drawings)) {
        return false;
    }
    if (among(name, parts)) {
        return strcmp(inner, "table") == 0 || strcmp(inner, "template") == 0;
    }
    return among(inner, always) || among(inner, openings) ||
           (strcmp(name, "li") == 0 && among(inner, lists)) ||
           (strcmp(name, "p") == 0 && strcmp(inner, "button") == 0);
}

/* Whether the end tag of an element that is not open within element `name` ends that: it is of what is around. */
static bool ends_from_around(const char *closing, const char *name) {
    static const char *const more[] = {"button", "object", "marquee", "applet", "ruby", NULL};
    size_t e = ending_of(name);
    if (e == ENDINGS || endings[e].around == NULL) {
        return false;
    }
    if (endings[e].around != anything) {
        return among(closing, endings[e].around);
    }
    bool paragraph = strcmp(closing, "p") == 0; /* one that is not open is an empty one */
    return paragraph ? among(name, drawings) : among(closing, blocks) || among(closing, more);
}

enum { DEEPEST_KEPT = 128 };

/* The elements that are open within one that is kept, itself the first. */
typedef struct open_elements {
    char name[DEEPEST_KEPT][ATTN_HTML_NAME];
    size_t ending[DEEPEST_KEPT]; /* of each name */
    size_t count;
} open_elements;

/* Closes what a start tag ends; false when that is the kept element. */
static bool close_implied(open_elements *open, const char *name) {
    for (size_t i = open->count; i-- > 0;) {
        size_t e = open->ending[i];
        if (e < ENDINGS && among(name, endings[e].ended_by)) {
            bool hidden = false;
            for (size_t k = i + 1; k < open->count; k++) {
                hidden = hidden || hides_from_start(open->name[k], open->name[i]);
            }
            open->count = hidden ? open->count : i;
        }
    }
    return open->count > 0;
}

/* Where the kept element ends by an end tag at text[at]: behind it, before it, or 0 when it goes on. */
static size_t close_by_tag(open_elements *open, const tag *closing, size_t at) {
    for (size_t i = open->count; i-- > 0;) {
        if (strcmp(open->name[i], closing->name) == 0) {
            open->count = i;
            return i == 0 ? closing->end : 0;
        }
        if (i > 0 && hides_from_end(open->name[i], closing->name)) {
            return 0;
        }
    }
    return ends_from_around(closing->name, open->name[0]) ? at : 0;
}

/* The end of an element that is kept with all that is in it, by HTML's rules for tags that are left out. */
static size_t end_of_element(const char *text, size_t length, size_t at, const char *name) {
    open_elements open = {.count = 1};
    memcpy(open.name[0], name, ATTN_HTML_NAME);
    open.ending[0] = ending_of(name);
    bool foreign = strcmp(name, "svg") == 0 || strcmp(name, "math") == 0;
    while (at < length) {
        const char *next = memchr(text + at, '<', length - at);
        tag inner;
        if (next == NULL) {
            return length;
        }
        at = (size_t)(next - text);
        if (starts(text, length, at, "<!--")) {
            at = end_of_comment(text, length, at);
        } else if (foreign && starts(text, length, at, "<![CDATA[")) {
            at = find(text, length, at, "]]>");
        } else if (!read_tag(text, length, at, &inner)) {
            at++;
        } else if (inner.closing) {
            size_t end = close_by_tag(&open, &inner, at);
            if (end > 0) {
                return end;
            }
            at = inner.end;
        } else if (!close_implied(&open, inner.name)) {
            return at;
        } else if (among(inner.name, raw)) {
            at = end_of_raw(text, length, inner.end, inner.name);
        } else {
            if (!inner.empty && !among(inner.name, hollow) && open.count < DEEPEST_KEPT) {
                memcpy(open.name[open.count], inner.name, ATTN_HTML_NAME);
                open.ending[open.count++] = ending_of(inner.name);
            }
            at = inner.end;
        }
    }
    return at;
}

static void set_token(attn_html_token *out, size_t end, attn_html_kind kind) {
    out->length = end - out->start;
    out->kind = kind;
}

/* A tag, or with it the whole element. */
static void classify(const char *text, size_t length, const tag *t, attn_html_token *out) {
    bool inside = !among(t->name, blocks);
    out->kept = t->keep;
    if (t->closing) {
        set_token(out, t->end, inside ? ATTN_HTML_CLOSE : ATTN_HTML_BLOCK);
    } else if (t->empty || among(t->name, hollow)) {
        set_token(out, t->end, inside ? ATTN_HTML_POINT : ATTN_HTML_BLOCK);
    } else if (among(t->name, raw)) {
        set_token(out, end_of_raw(text, length, t->end, t->name), ATTN_HTML_BLOCK);
    } else if (strcmp(t->name, "plaintext") == 0) {
        set_token(out, length, ATTN_HTML_BLOCK);
    } else if (t->keep || among(t->name, kept)) {
        set_token(out, end_of_element(text, length, t->end, t->name),
                  inside ? ATTN_HTML_KEPT : ATTN_HTML_BLOCK);
        out->kept = true;
    } else {
        set_token(out, t->end, inside ? ATTN_HTML_OPEN : ATTN_HTML_BLOCK);
    }
    memcpy(out->name, t->name, sizeof out->name);
}

/* The markup at text[out->start] == '<'; false when it is text. */
static bool read_markup(const char *text, size_t length, attn_html_token *out) {
    size_t start = out->start;
    if (starts(text, length, start, "<!--")) {
        set_token(out, end_of_comment(text, length, start), ATTN_HTML_POINT);
        return true;
    }
    bool doctype = length - start >= 9 && strncasecmp(text + start, "<!doctype", 9) == 0;
    if (doctype || starts(text, length, start, "<!") || starts(text, length, start, "<?")) {
        set_token(out, end_of_bogus(text, length, start),
                  doctype ? ATTN_HTML_BLOCK : ATTN_HTML_POINT);
        return true;
    }
    tag t;
    if (read_tag(text, length, start, &t)) {
        classify(text, length, &t, out);
        return true;
    }
    if (starts(text, length, start, "</") && length - start > 2) { /* no letter follows */
        set_token(out, end_of_bogus(text, length, start), ATTN_HTML_POINT);
        return true;
    }
    return false;
}

size_t attn_html_attributes(const char *text, size_t length, size_t start,
                            attn_html_attribute out[ATTN_HTML_ATTRIBUTES]) {
    tag t;
    if (start >= length || text[start] != '<' || !read_tag(text, length, start, &t) || t.closing) {
        return 0;
    }
    size_t count = t.read_count;
    memcpy(out, t.read, count * sizeof *out);
    if (strcmp(t.name, "meta") == 0) {
        count = 0;
        if (t.described && t.content.length > 0) {
            out[count++] = t.content;
        }
    }
    return count;
}

attn_html_token attn_html_next(const char *text, size_t length, size_t start) {
    attn_html_token token = {.start = start};
    for (size_t at = start; at < length; at++) { /* over each '<' that is text */
        const char *next = memchr(text + at, '<', length - at);
        at = next != NULL ? (size_t)(next - text) : length;
        attn_html_token markup = {.start = at};
        if (next == NULL || read_markup(text, length, &markup)) {
            if (next != NULL && at == start) {
                return markup;
            }
            token.length = at - start;
            return token;
        }
    }
    token.length = length - start;
    return token;
}

static bool is_alnum(char c) {
    return is_letter(c) || (c >= '0' && c <= '9');
}

static const attn_html_name *find_name(const char *name, size_t length) {
    size_t low = 0, high = attn_html_name_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const attn_html_name *n = &attn_html_names[middle];
        int order = strncmp(n->name, name, length);
        order = order == 0 && n->name[length] != '\0' ? 1 : order;
        if (order == 0) {
            return n;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

/* The longest name that is known: with its semicolon, or one that needs none. */
static size_t named(const char *text, size_t length, size_t name, uint32_t codes[2]) {
    enum { LONGEST = 32 };
    size_t end = name;
    while (end < length && end - name < LONGEST && is_alnum(text[end])) {
        end++;
    }
    if (end == name) {
        return 0;
    }
    bool closed = end < length && text[end] == ';';
    for (size_t size = end - name; size > 0; size--) {
        const attn_html_name *n = find_name(text + name, size);
        bool whole = closed && size == end - name;
        if (n != NULL && (whole || n->bare)) {
            codes[0] = n->code;
            codes[1] = n->second;
            return size + (whole ? 1 : 0);
        }
    }
    return closed ? end + 1 - name : 0;
}

/* What a number stands for; 0 for what no text may hold. */
static uint32_t numbered(unsigned long code) {
    /* Pages mean Windows' characters by the numbers of Unicode's control characters. */
    static const uint16_t windows[32] = {
        0x20AC, 0,      0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021, 0x2C6,  0x2030, 0x160,
        0x2039, 0x152,  0,      0x17D,  0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
        0x2013, 0x2014, 0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0,      0x17E,  0x178};
    if (code >= 0x80 && code < 0xA0) {
        return windows[code - 0x80];
    }
    bool space = code == '\t' || code == '\n' || code == '\f' || code == '\r';
    bool fits = (code >= ' ' || space) && code != 0x7f && code <= 0x10FFFF &&
                !(code >= 0xD800 && code <= 0xDFFF) && (code & 0xFFFE) != 0xFFFE;
    return fits ? (uint32_t)code : 0;
}

static size_t number(const char *text, size_t length, size_t at, uint32_t *code) {
    bool hexadecimal = at < length && (text[at] | 0x20) == 'x';
    size_t start = at + hexadecimal, end = start;
    unsigned long value = 0;
    for (; end < length && (hexadecimal ? isxdigit((unsigned char)text[end]) != 0
                                        : text[end] >= '0' && text[end] <= '9');
         end++) {
        int c = text[end] | 0x20;
        unsigned digit = (unsigned)(text[end] <= '9' ? text[end] - '0' : c - 'a' + 10);
        value = value > 0x110000 ? value : value * (hexadecimal ? 16 : 10) + digit;
    }
    if (end == start) {
        return 0;
    }
    *code = numbered(value);
    return end - at + (end < length && text[end] == ';');
}

size_t attn_html_reference(const char *text, size_t length, size_t at, uint32_t codes[2]) {
    codes[0] = codes[1] = 0;
    if (at + 1 < length && text[at + 1] == '#') {
        size_t size = number(text, length, at + 2, &codes[0]);
        return size > 0 ? size + 2 : 0;
    }
    size_t size = named(text, length, at + 1, codes);
    return size > 0 ? size + 1 : 0;
}

void attn_html_escape(attn_buffer *out, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        switch (text[i]) {
        case '&':
            attn_buffer_text(out, "&amp;");
            break;
        case '<':
            attn_buffer_text(out, "&lt;");
            break;
        case '>':
            attn_buffer_text(out, "&gt;");
            break;
        default:
            attn_buffer_add(out, text + i, 1);
        }
    }
}
