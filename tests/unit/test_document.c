/* Files as texts, and the files again: what is found, what stays byte for byte, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "document/document.h"
#include "support/shouting.h"

enum { LIMIT = 1 << 20 };

static bool attributes;

static attn_status open_document(const char *text, size_t size, const char *name, attn_doc **out,
                                 attn_error *error) {
    char *bytes = attn_alloc(size + 1);
    assert_non_null(bytes);
    memcpy(bytes, text, size);
    bytes[size] = '\0';
    return attn_doc_open(bytes, size, name, LIMIT, attributes, out, error);
}

static attn_doc *opened(const char *text, const char *name) {
    attn_doc *d = NULL;
    attn_error error = {0};
    if (open_document(text, strlen(text), name, &d, &error) != ATTN_OK) {
        fail_msg("%s is refused: %s", name, error.what);
    }
    return d;
}

/* The texts, with " | " between them. */
static void assert_texts(const char *text, const char *name, const char *wanted) {
    attn_doc *d = opened(text, name);
    size_t count;
    char found[4000] = "";
    const char *const *texts = attn_doc_texts(d, &count);
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(found);
        snprintf(found + used, sizeof found - used, "%s%s", i > 0 ? " | " : "", texts[i]);
    }
    assert_string_equal(found, wanted);
    attn_doc_free(d);
}

static void assert_written(const attn_doc *d, const char *const *translations, const char *wanted) {
    attn_buffer out = {0};
    char *text;
    assert_int_equal(attn_doc_write(d, translations, "fr", &out, NULL), ATTN_OK);
    assert_int_equal(attn_buffer_take(&out, &text, NULL), ATTN_OK);
    assert_string_equal(text, wanted);
    free(text);
}

/* As it was, when each text is its own translation; and `loud` when each is in capitals. */
static void assert_file(const char *text, const char *name, const char *loud) {
    attn_doc *d = opened(text, name);
    size_t count;
    const char *const *texts = attn_doc_texts(d, &count);
    assert_written(d, texts, text);
    char **shouted = shout(texts, count);
    assert_written(d, (const char *const *)shouted, loud);
    shout_free(shouted, count);
    attn_doc_free(d);
}

static void whole(void **state) {
    (void)state;
    assert_texts("\xEF\xBB\xBFOne & two.\n", "a.txt", "One & two.\n");
    assert_file("\xEF\xBB\xBFOne & two.\n", "a.txt", "\xEF\xBB\xBFONE & TWO.\n");
    assert_file("<p>One <b>two</b> &amp; <!-- three --></p>\n", "a.html",
                "<p>ONE <b>TWO</b> &amp; <!-- three --></p>\n");
    assert_file("", "a.txt", "");
}

static void subtitles(void **state) {
    (void)state;
    static const char srt[] =
        "1\r\n00:00:01,000 --> 00:00:02,000\r\n{\\an8}The cat <i>sees</i> the\r\n"
        "dog & me.\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,500\r\n- Is it 3 < 4?\r\n- Yes.\r\n";
    assert_texts(srt, "a.srt",
                 "<img x0>The cat <i>sees</i> the dog &amp; me. | - Is it 3 &lt; 4?<br x0>- Yes.");
    assert_file(
        srt, "a.srt",
        "1\r\n00:00:01,000 --> 00:00:02,000\r\n{\\an8}THE CAT <i>SEES</i>\r\n"
        "THE DOG & ME.\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,500\r\n- IS IT 3 < 4?\r\n- YES.\r\n");
    static const char vtt[] =
        "WEBVTT\n\nNOTE not this\n\nid\n00:01.000 --> 00:02.000 align:left\n<v Ann>One "
        "<00:01.500>two &amp; three</v>\n\nSTYLE\n::cue {}\n";
    assert_texts(vtt, "a.vtt", "<v Ann>One <img x0>two &amp; three</v>");
    assert_file(vtt, "a.vtt",
                "WEBVTT\n\nNOTE not this\n\nid\n00:01.000 --> 00:02.000 align:left\n<v Ann>ONE "
                "<00:01.500>TWO &amp; THREE</v>\n\nSTYLE\n::cue {}\n");
}

/* A translation of another length comes in as many lines, of like length. */
static void lines_of_subtitles(void **state) {
    (void)state;
    attn_doc *d = opened("1\n00:00:01,000 --> 00:00:02,000\na b\nc d\n", "a.srt");
    const char *longer = "one two three four five six seven";
    assert_written(d, &longer,
                   "1\n00:00:01,000 --> 00:00:02,000\none two three four\nfive six seven\n");
    const char *shorter = "one";
    assert_written(d, &shorter, "1\n00:00:01,000 --> 00:00:02,000\none\n");
    attn_doc_free(d);
}

static void catalogues(void **state) {
    (void)state;
    static const char po[] =
        "# note\nmsgid \"\"\nmsgstr \"Content-Type: text/plain; charset=UTF-8\\n\"\n\n"
        "#: a.c:1\nmsgctxt \"menu\"\nmsgid \"Open \\\"%s\\\" & close\"\nmsgstr \"\"\n\n"
        "msgid \"\"\n\"One\\n\"\n\"two.\\n\"\nmsgstr \"\"\n\n"
        "msgid \"done\"\nmsgstr \"fini\"\n\n"
        "msgid \"a <b>cat</b>&nbsp;!\"\nmsgid_plural \"cats\"\nmsgstr[0] \"\"\nmsgstr[1] \"\"\n"
        "#~ msgid \"old\"\n#~ msgstr \"\"\n";
    assert_texts(po, "a.po",
                 "Open \"%s\" &amp; close | One<br x0>two.<br x1> | a <b>cat</b>&nbsp;! | cats");
    attn_doc *d = opened(po, "a.po");
    size_t count;
    const char *const *texts = attn_doc_texts(d, &count);
    char **shouted = shout(texts, count);
    assert_written(d, (const char *const *)shouted,
                   "# note\nmsgid \"\"\nmsgstr \"Content-Type: text/plain; charset=UTF-8\\n\"\n\n"
                   "#: a.c:1\nmsgctxt \"menu\"\nmsgid \"Open \\\"%s\\\" & close\"\nmsgstr \"OPEN "
                   "\\\"%S\\\" & CLOSE\"\n\n"
                   "msgid \"\"\n\"One\\n\"\n\"two.\\n\"\nmsgstr \"\"\n\"ONE\\n\"\n\"TWO.\\n\"\n\n"
                   "msgid \"done\"\nmsgstr \"fini\"\n\n"
                   "msgid \"a <b>cat</b>&nbsp;!\"\nmsgid_plural \"cats\"\nmsgstr[0] \"A "
                   "<b>CAT</b>&nbsp;!\"\nmsgstr[1] \"CATS\"\n"
                   "#~ msgid \"old\"\n#~ msgstr \"\"\n");
    shout_free(shouted, count);
    attn_doc_free(d);
}

static void markdown(void **state) {
    (void)state;
    static const char md[] =
        "---\ntitle: kept\n---\n# The *first* one #\n\nA line of text with a [link](http://a.b/c "
        "\"t\")\n"
        "and `code x`, **bold _both_** 2 \\* 3\nsnake_case & <b>html</b>.  \nNew line "
        "![pic](p.png)[^1]\n\n"
        "> quoted text\n> goes on\n\n- item [ref]\n- [x] done\n  1. inner\n\nInner\n\n    code "
        "stays\n\n"
        "```c\nint x;\n```\n\n| head | other |\n|---|:-:|\n| cell `a|b` | 12 |\n\n"
        "Under\n=====\n\n[ref]: http://x.y \"title\"\n[^1]: A note.\n\n<div>\n<p>In "
        "html</p>\n</div>\n\n<!-- not\nthis -->\nEnd.\n";
    assert_texts(
        md, "a.md",
        "The <x0>first</x0> one | A line of text with a <x0>link</x0> and <kbd>x1</kbd>, "
        "<x2>bold <x3>both</x3></x2> 2 * 3 snake_case &amp; <b>html</b>.<br x4>New line "
        "<img x5><img x6> | quoted text goes on | item <x0>ref</x0> | done | inner | Inner | head "
        "| other | cell <kbd>x0</kbd> | Under | A note. | <div>\n<p>In html</p>\n</div>\n "
        "| End.");
    assert_file(md, "a.md",
                "---\ntitle: kept\n---\n# THE *FIRST* ONE #\n\nA LINE OF TEXT WITH A "
                "[LINK](http://a.b/c\n\"t\") "
                "AND `code x`, **BOLD _BOTH_**\n2 \\* 3 SNAKE_CASE & <b>HTML</b>.  \nNEW LINE "
                "![pic](p.png)[^1]\n\n"
                "> QUOTED TEXT\n> GOES ON\n\n- ITEM [REF][ref]\n- [x] DONE\n  1. "
                "INNER\n\nINNER\n\n    code stays\n\n"
                "```c\nint x;\n```\n\n| HEAD | OTHER |\n|---|:-:|\n| CELL `a|b` | 12 |\n\n"
                "UNDER\n=====\n\n[ref]: http://x.y \"title\"\n[^1]: A NOTE.\n\n<div>\n<p>IN "
                "HTML</p>\n</div>\n\n<!-- not\nthis -->\nEND.\n");
    assert_texts("*a **b* c** [d [e](f) `g ] h` \\[i\\]\n", "a.md",
                 "<x0>a **b</x0> c** [d <x1>e</x1> <kbd>x2</kbd> [i]");
}

/* Alternative texts and titles, on request. */
static void readable_attributes(void **state) {
    (void)state;
    static const char md[] = "![A *red* car](a.png \"Its \\\"title\\\" here\") and [a link](b.c "
                             "'Where to') or ![named]\n\n"
                             "> ![two\n> lines](p.png)\n\n[named]: n.png\n";
    assert_texts(md, "a.md", "<img x0> and <x1>a link</x1> or <img x2>");
    attributes = true;
    assert_texts(md, "a.md",
                 "<img x0> and <x1>a link</x1> or <img x2> | A <x0>red</x0> car | Its \"title\" "
                 "here | Where to | two lines");
    assert_file(md, "a.md",
                "![A *RED* CAR](a.png \"ITS \\\"TITLE\\\" HERE\") AND [A LINK](b.c 'WHERE TO') OR "
                "![named]\n\n> ![TWO\n> LINES](p.png)\n\n[named]: n.png\n");
    attn_doc *d = opened("![a](b 'c')\n", "a.md");
    static const char *const quoted[] = {"[x] \"", "l'eau \"y\""};
    assert_written(d, quoted, "![\\[x\\] \"](b 'l\\'eau \"y\"')\n");
    attn_doc_free(d);
    attributes = false;
}

/* Marks may change places, and may not be lost. */
static void marks(void **state) {
    (void)state;
    attn_doc *d = opened("One *two* [three](u).\n", "a.md");
    const char *moved = "<x1>Trois</x1> un_ <x0>deux</x0>.";
    assert_written(d, &moved, "[Trois](u) un\\_ *deux*.\n");
    static const char *const wrong[] = {"un <x0>deux</x0> trois.", "<x0>un <x1>deux</x0></x1>.",
                                        "<x0>un</x0> <x0>deux</x0> <x1>trois</x1>.", "<x0><x1>un",
                                        "</x0>un<x0> <x1>trois</x1>"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_written(d, &wrong[i], "One *two* [three](u).\n");
    }
    attn_doc_free(d);
}

static void told_apart(void **state) {
    (void)state;
    assert_texts("WEBVTT\n\n00:01.000 --> 00:02.000\nOne\n", "file", "One");
    assert_texts("1\n00:00:01,000 --> 00:00:02,000\nOne\n", "-", "One");
    assert_texts("# a\nmsgid \"One\"\nmsgstr \"\"\n", "dir.d/file", "One");
    assert_texts("One\n", "file", "One\n");
    assert_texts("msgid \"One\"\nmsgstr \"\"\n", "a.TXT", "msgid \"One\"\nmsgstr \"\"\n");
}

static void assert_refused(const char *text, size_t size, const char *name, const char *says,
                           int line) {
    attn_doc *d = NULL;
    attn_error error = {0};
    if (open_document(text, size, name, &d, &error) == ATTN_OK ||
        strstr(error.what, says) == NULL || error.position != line) {
        fail_msg("%s: \"%s\" in line %d instead of \"%s\" in line %d", name, error.what,
                 (int)error.position, says, line);
    }
    assert_null(d);
}

static void refused(void **state) {
    (void)state;
    char *large = calloc(1, LIMIT + 1);
    assert_non_null(large);
    assert_refused("a\nb\xFF", 4, "a.txt", "not UTF-8", 2);
    assert_refused("a\n\0b", 4, "a.md", "a NUL byte", 2);
    assert_refused("a,b\n", 4, "a.csv", "no kind of file", -1);
    assert_refused("PK\3\4....", 8, "a.txt", "it is no TXT file", -1);
    assert_refused("PK\3\4....", 8, "a", "no kind of file", -1);
    assert_refused("msgid \"a\nmsgstr \"\"\n", strlen("msgid \"a\nmsgstr \"\"\n"), "a.po",
                   "not closed", 1);
    assert_refused("msgid \"a\"\nmsgstr\n", strlen("msgid \"a\"\nmsgstr\n"), "a.po",
                   "has no string", 2);
    assert_refused("msgid \"a\"\nhello\n", strlen("msgid \"a\"\nhello\n"), "a.po",
                   "begins with none", 2);
    assert_refused("One\n", 4, "a.vtt", "begins with WEBVTT", 1);
    assert_refused(large, LIMIT + 1, "a.txt", "more than 1048576 bytes", -1);
    free(large);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(subtitles),
        cmocka_unit_test(lines_of_subtitles),
        cmocka_unit_test(catalogues),
        cmocka_unit_test(markdown),
        cmocka_unit_test(readable_attributes),
        cmocka_unit_test(marks),
        cmocka_unit_test(told_apart),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
