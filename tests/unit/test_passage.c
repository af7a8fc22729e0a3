/* Cutting texts into units and joining them: what must stay stays byte for byte, whatever the
 * translator answers. The translator here writes each unit between angle quotes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "text/html.h"
#include "text/passage.h"
#include "text/placeholder.h"

enum { MAX_UNITS = 512 };

/* How a translator may treat a unit. */
typedef enum habit { QUOTES, SAME, DROPS, DOUBLES } habit;

static char *answer(const char *unit, habit how) {
    size_t size = 2 * strlen(unit) + 8;
    char *out = malloc(size);
    assert_non_null(out);
    snprintf(out, size,
             how == DROPS     ? "<>"
             : how == DOUBLES ? "%s %s"
             : how == SAME    ? "%s"
                              : "«%s»",
             unit, unit);
    return out;
}

static char *translate(const char *text, size_t length, bool html, const attn_glossary *glossary,
                       habit how) {
    attn_passage_options options = {.language = "en", .html = html, .glossary = glossary};
    attn_passage *passage;
    char *answers[MAX_UNITS], *out;
    assert_int_equal(attn_passage_parse(text, length, &options, &passage, NULL), ATTN_OK);
    size_t count = attn_passage_unit_count(passage);
    assert_true(count <= MAX_UNITS);
    for (size_t i = 0; i < count; i++) {
        assert_true(attn_passage_unit(passage, i)[0] != '\0');
        answers[i] = answer(attn_passage_unit(passage, i), how);
    }
    assert_int_equal(
        attn_passage_join(passage, (const char *const *)answers, NULL, NULL, &out, NULL), ATTN_OK);
    for (size_t i = 0; i < count; i++) {
        free(answers[i]);
    }
    attn_passage_free(passage);
    return out;
}

static void expect(const char *text, bool html, const attn_glossary *glossary, habit how,
                   const char *wanted) {
    char *out = translate(text, strlen(text), html, glossary, how);
    assert_string_equal(out, wanted);
    free(out);
}

static void sentences_and_spacing(void **unused) {
    (void)unused;
    expect("", false, NULL, QUOTES, "");
    expect(" \r\n\t ", false, NULL, QUOTES, " \r\n\t ");
    expect("One. Two!  Three?\n\n  Four\r\nFive \xe2\x80\x94 six.\t7\n", false, NULL, QUOTES,
           "«One.» «Two!»  «Three?»\n\n  «Four»\r\n«Five \xe2\x80\x94 six.»\t7\n");
    expect("Mr. Smith met Mrs. Jones. They left.", false, NULL, QUOTES,
           "«Mr. Smith met Mrs. Jones.» «They left.»");
    expect("\xe4\xbd\xa0\xe5\xa5\xbd\xe3\x80\x82\xe5\x86\x8d\xe8\xa7\x81\xe3\x80\x82", false, NULL,
           QUOTES, "«\xe4\xbd\xa0\xe5\xa5\xbd\xe3\x80\x82»«\xe5\x86\x8d\xe8\xa7\x81\xe3\x80\x82»");
    expect("42 -- 17 %\n* * *", false, NULL, QUOTES, "42 -- 17 %\n* * *");
}

static void placeholders_come_through(void **unused) {
    (void)unused;
    /* Whole, with the placeholder in the name's place ... */
    expect("Hello {name}, welcome.", false, NULL, QUOTES, "«Hello {name}, welcome.»");
    expect("Copy %s to ${x} on %1$d.", false, NULL, QUOTES, "«Copy %s to ${x} on %1$d.»");
    /* ... in pieces when the translator loses or repeats it, or when there are too many. */
    expect("Hello {name}, welcome.", false, NULL, DROPS, "<> {name}<>");
    expect("Hello {name}, welcome.", false, NULL, DOUBLES,
           "Hello Hello {name}, welcome. , welcome.");
    expect("Use {a}, {b}, {c} and {d} now.", false, NULL, QUOTES,
           "«Use» {a}, {b}, {c} «and» {d} «now.»");
    expect("Tom, Mary, John of Boston saw {x}.", false, NULL, QUOTES,
           "«Tom, Mary, John of Boston saw» {x}.");
    expect("See http://a.org/b?Cd=e. Bye (www.x.org)!", false, NULL, QUOTES,
           "«See http://a.org/b?Cd=e.» «Bye (www.x.org)!»");
    expect("{a}{b}%s", false, NULL, QUOTES, "{a}{b}%s");
}

static void placeholder_shapes(void **unused) {
    (void)unused;
    static const struct {
        const char *text;
        size_t at, length;
    } cases[] = {
        {"{name}", 0, 6},
        {"{}", 0, 2},
        {"{0:.2f}", 0, 7},
        {"{{ x }}", 0, 7},
        {"{{x}", 0, 0},
        {"{a b}", 0, 0},
        {"${x}", 0, 4},
        {"%{count}", 0, 8},
        {"#{y}", 0, 4},
        {"%(name)s", 0, 8},
        {"%s", 0, 2},
        {"%dpx", 0, 2},
        {"%-5.2f", 0, 6},
        {"%1$s", 0, 4},
        {"%%", 0, 2},
        {"%of", 0, 0},
        {"50%s", 2, 0},
        {"% s", 0, 0},
        {"%", 0, 0},
        {"%@", 0, 2},
        {"a@b.org,", 0, 7},
        {"a@b", 0, 0},
        {"xa@b.org", 1, 0},
        {"me+x@a-b.co.uk.", 0, 14},
        {"http://x.y)", 0, 10},
        {"http://x.y/a_(b)", 0, 16},
        {"www.a.b?", 0, 7},
        {"http://", 0, 0},
        {"mailto:a@b.c", 0, 12},
        {"xhttp://a", 1, 0},
        {"{", 0, 0},
        {"%(", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t found = attn_placeholder_at(cases[i].text, strlen(cases[i].text), cases[i].at);
        if (found != cases[i].length) {
            fail_msg("%s at %zu: %zu", cases[i].text, cases[i].at, found);
        }
    }
}

static void html_keeps_its_markup(void **unused) {
    (void)unused;
    expect("<p class=\"a>b\">Hello <b>big</b> world.</p><!-- no <b> -->", true, NULL, QUOTES,
           "<p class=\"a>b\">«Hello <b>big</b> world.»</p><!-- no <b> -->");
    expect("<script>var a = '<p>x</p>';</script><style>p{}</style><pre>a <b>c</b></pre>End", true,
           NULL, QUOTES,
           "<script>var a = '<p>x</p>';</script><style>p{}</style><pre>a <b>c</b></pre>«End»");
    expect("<p translate=no>Keep <p>this</p> too</p><i class='x notranslate'>y</i>But", true, NULL,
           QUOTES, "<p translate=no>Keep <p>this</p> too</p>«<i class='x notranslate'>y</i>But»");
    expect("Caf&eacute; &amp; bar &lt;3&gt;", true, NULL, QUOTES,
           "«Caf\xc3\xa9 &amp; bar &lt;3&gt;»");
    expect("Made in&nbsp;France &copy; us", true, NULL, QUOTES, "«Made in&nbsp;France &copy; us»");
    expect("Made in&nbsp;France &copy; us", true, NULL, DROPS,
           "&lt;&gt;&nbsp;&lt;&gt; &copy; &lt;&gt;");
    expect("a < b & c", true, NULL, SAME, "a &lt; b &amp; c");
    expect("&#233;t&#xe9; &#0; &bogus; &;", true, NULL, SAME,
           "\xc3\xa9t\xc3\xa9 &#0; &bogus; &amp;;");
    expect("x <b", true, NULL, QUOTES, "«x» <b");
    expect("x <a href='y>z", true, NULL, QUOTES, "«x» <a href='y>z");
    expect("<!-- open", true, NULL, QUOTES, "<!-- open");
    expect("<script>open", true, NULL, QUOTES, "<script>open");
    expect("<br/><img src=x>Text<!DOCTYPE html><?php x?>", true, NULL, QUOTES,
           "<br/><img src=x>«Text»<!DOCTYPE html><?php x?>");
}

/* A translator that changes nothing gives the page back. */
static void tags_within_sentences(void **unused) {
    (void)unused;
    static const char *const pages[] = {
        "<p>One <b>two</b> three.</p>",
        "<p><b>All of it.</b></p><p><i>One.</i> <i>Two.</i></p>",
        "<b>One <i>two</i> three. Four</b> five.",
        "One <b>two. Three</b> four.",
        "One<br>two <img src=x> three <!-- c --> four <a href='x'><img></a> end.",
        "<a name=x></a>One <sup>1</sup>, <em><b>two</b> three</em>.",
        "One <b></b> two <i> three</i> <u>four </u>.",
        "Line\n  one <b>and\n more</b>.\n\n<p>\n Next\t</p>\n",
        "Press <kbd>Enter</kbd> to <b>go on</b>.",
        "12 <b>34</b> 56",
        "<b><i><u>x</u></i></b>",
        "One </i> two <b> three",
        "a <b>b</b> c {x} <i>d</i> e {y}",
        "The <b>{name}</b> and &nbsp; <i>more</i>.",
        "\xe4\xbd\xa0<b>\xe5\xa5\xbd</b>\xe3\x80\x82\xe5\x86\x8d<b>\xe8\xa7\x81</b>\xe3\x80\x82",
    };
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        char same[400] = "";
        /* but that a line break within a sentence is a space, and a tag goes close to its word */
        snprintf(same, sizeof same, "%s", pages[i]);
        char *out = translate(pages[i], strlen(pages[i]), true, NULL, SAME);
        if (i == 6) {
            strcpy(same, "One <b></b> two  <i>three</i> <u>four</u> .");
        } else if (i == 7) {
            strcpy(same, "Line   one <b>and  more</b>.\n\n<p>\n Next\t</p>\n");
        } else if (i == 11) {
            strcpy(same, "One</i>  two  <b>three");
        }
        if (strcmp(out, same) != 0) {
            fail_msg("%s became %s", pages[i], out);
        }
        free(out);
    }
    expect("<p>Hello, <b>big {x}</b> world: <i>now</i>!</p>", true, NULL, DROPS,
           "<p>&lt;&gt; <b>&lt;&gt; {x}</b> &lt;&gt; <i>&lt;&gt;</i>!</p>");
    static const char file[] = "big apple\tGrosse Pomme\n";
    attn_glossary *g;
    assert_int_equal(attn_glossary_parse(file, sizeof file - 1, "g", &g, NULL), ATTN_OK);
    expect("I like the big <b>apple</b> much.", true, g, SAME,
           "I like the <b>Grosse Pomme</b> much.");
    attn_glossary_free(g);
}

/* Tags follow the words that they were around, by what each word looks at. */
static void tags_follow_their_words(void **unused) {
    (void)unused;
    static const char unit[] = "The red car is fast", translation[] = "La voiture rouge va vite";
    static const size_t source_end[] = {3, 7, 11, 14, 19}, target_end[] = {2, 10, 16, 19, 24};
    static const float weight[] = {.8f, .1f, .1f, 0,   0,   0,   .2f, .8f, 0, 0, .1f, .9f, 0,
                                   0,   0,   0,   .1f, .1f, .6f, .2f, 0,   0, 0, .1f, .9f};
    const attn_links links = {5, 5, target_end, source_end, weight};
    struct {
        size_t from, to; /* of the element in the unit */
        size_t first, last;
    } cases[] = {{4, 7, 11, 16}, {8, 11, 3, 10},   {4, 11, 3, 16},
                 {0, 3, 0, 2},   {12, 19, 17, 24}, {0, 19, 0, 24}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        attn_mark marks[2] = {{.kind = ATTN_MARK_OPEN, .at = cases[i].from, .partner = 1},
                              {.kind = ATTN_MARK_CLOSE, .at = cases[i].to, .partner = 0}};
        assert_int_equal(attn_markup_place(marks, 2, unit, translation, &links, NULL), ATTN_OK);
        assert_int_equal(marks[0].to, cases[i].first);
        assert_int_equal(marks[1].to, cases[i].last);
    }
    /* two beside each other change places, and one in another stays in it */
    attn_mark both[] = {{.kind = ATTN_MARK_OPEN, .at = 4, .partner = 1, .start = 0},
                        {.kind = ATTN_MARK_CLOSE, .at = 7, .partner = 0, .start = 1},
                        {.kind = ATTN_MARK_OPEN, .at = 8, .partner = 5, .start = 2},
                        {.kind = ATTN_MARK_OPEN, .at = 8, .partner = 4, .start = 3},
                        {.kind = ATTN_MARK_CLOSE, .at = 11, .partner = 3, .start = 4},
                        {.kind = ATTN_MARK_CLOSE, .at = 14, .partner = 2, .start = 5}};
    static const size_t order[] = {2, 3, 4, 5, 0, 1};
    assert_int_equal(attn_markup_place(both, 6, unit, translation, &links, NULL), ATTN_OK);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(both[i].start, order[i]);
    }
}

/* Random tags over random words with random links: all of them come out, well nested if they were. */
static void random_tags(void **unused) {
    (void)unused;
    attn_random random = attn_random_start(3);
    for (int round = 0; round < 500; round++) {
        attn_mark marks[64];
        size_t stack[64], depth = 0, count = 0, at = 0;
        static const char unit[] = "aa bb cc dd ee ff gg hh", translation[] = "mm n, oo'p q-rr s.";
        static const size_t source_end[] = {2, 5, 8, 11, 14, 17, 20, 23};
        static const size_t target_end[] = {2, 4, 5, 8, 9, 10, 12, 13, 15, 17, 18};
        float weight[11 * 8];
        for (size_t i = 0; i < 88; i++) {
            weight[i] = (float)attn_random_uniform(&random);
            weight[i] *= weight[i] * weight[i];
        }
        const attn_links links = {11, 8, target_end, source_end, weight};
        while (count < 30) {
            double dice = (double)attn_random_uniform(&random);
            at += attn_random_below(&random, 3);
            at = at < 23 ? at : 23;
            attn_mark *m = &marks[count];
            *m = (attn_mark){.at = at, .partner = ATTN_NO_MARK, .start = count};
            if (dice < 0.45) {
                m->kind = ATTN_MARK_OPEN;
                stack[depth++] = count;
            } else if (dice < 0.9 && depth > 0) {
                m->kind = ATTN_MARK_CLOSE;
                m->partner = stack[--depth];
                marks[m->partner].partner = count;
            } else {
                m->kind = ATTN_MARK_POINT;
            }
            count++;
        }
        while (depth > 0) {
            marks[count] = (attn_mark){
                .kind = ATTN_MARK_CLOSE, .at = at, .partner = stack[--depth], .start = count};
            marks[stack[depth]].partner = count;
            count++;
        }
        assert_int_equal(
            attn_markup_place(marks, count, unit, translation, round % 3 > 0 ? &links : NULL, NULL),
            ATTN_OK);
        size_t seen = 0, last = 0;
        depth = 0;
        for (size_t i = 0; i < count; i++) {
            seen += marks[i].start;
            assert_true(marks[i].to >= last && marks[i].to <= strlen(translation));
            last = marks[i].to;
            if (marks[i].kind == ATTN_MARK_OPEN) {
                stack[depth++] = marks[i].start;
            } else if (marks[i].kind == ATTN_MARK_CLOSE) {
                assert_true(depth > 0 && stack[--depth] == marks[i].partner);
            }
        }
        assert_int_equal(seen, count * (count - 1) / 2);
        assert_int_equal(depth, 0);
    }
}

static void glossary_fixes_terms(void **unused) {
    (void)unused;
    static const char file[] =
        "# terms\n\nbig apple\tGrosse "
        "Pomme\napple\tpomme\r\nAT&T\tAT&T\n\xe8\x8b\xb9\xe6\x9e\x9c\tapple\n";
    attn_glossary *g;
    assert_int_equal(attn_glossary_parse(file, sizeof file - 1, "g", &g, NULL), ATTN_OK);
    expect("I like the big apple.", false, g, QUOTES, "«I like the Grosse Pomme.»");
    expect("I like the big apple.", false, g, DROPS, "<> Grosse Pomme.");
    expect("Apple and pineapple.", false, g, QUOTES, "«Pomme and pineapple.»");
    expect("We use AT&amp;T here.", true, g, QUOTES, "«We use AT&amp;T here.»");
    expect("\xe6\x88\x91\xe5\x90\x83\xe8\x8b\xb9\xe6\x9e\x9c\xe5\xba\x97", false, g, DROPS,
           "<>apple<>");
    attn_glossary_free(g);
    attn_error error;
    assert_int_equal(attn_glossary_parse("a\tb\nc\n", 6, "g", &g, &error), ATTN_ERR_FORMAT);
    assert_int_equal(error.position, 2);
    assert_int_equal(attn_glossary_parse("a\tb\nA\tC\nb\tc\nb\td\n", 16, "g", &g, &error),
                     ATTN_ERR_FORMAT);
    assert_non_null(strstr(error.what, "'b'"));
    assert_int_equal(attn_glossary_parse("a\tb\nA\tC\n", 8, "g", &g, &error), ATTN_OK);
    expect("A cat a", false, g, DROPS, "C <> b");
    attn_glossary_free(g);
    assert_int_equal(attn_glossary_parse("a\xff\tb\n", 5, "g", &g, &error), ATTN_ERR_FORMAT);
}

static void wrong_text_is_refused(void **unused) {
    (void)unused;
    attn_passage_options options = {.language = "en"};
    attn_passage *passage;
    assert_int_equal(attn_passage_parse("a\xffz", 3, &options, &passage, NULL), ATTN_ERR_FORMAT);
    assert_int_equal(attn_passage_parse("a\0z", 3, &options, &passage, NULL), ATTN_ERR_FORMAT);
    assert_null(passage);
}

static size_t occurrences(const char *text, const char *word) {
    size_t count = 0;
    while ((text = strstr(text, word)) != NULL) {
        count++;
        text++;
    }
    return count;
}

/* A translator that changes nothing gives the text back, and no placeholder is lost or doubled by any
 * other, for random sequences of difficult parts. */
static void random_texts(void **unused) {
    (void)unused;
    static const char *const bits[] = {"Hello",
                                       " ",
                                       "\n",
                                       ". ",
                                       "{name}",
                                       "%s",
                                       "https://a.b/c?D=e",
                                       "<b>",
                                       "</b>",
                                       "<",
                                       "&amp;",
                                       "&",
                                       "\"",
                                       "'",
                                       "<script>",
                                       "</script>",
                                       "<!--",
                                       "-->",
                                       "a@b.org",
                                       "?",
                                       "Tom ",
                                       "\xe4\xbd\xa0",
                                       "&nbsp;",
                                       "{{",
                                       "}}",
                                       "${x}",
                                       "<p title='",
                                       "x=1>",
                                       "\t",
                                       "Mr. Big",
                                       "translate=no",
                                       "<pre>"};
    attn_random random = attn_random_start(9);
    for (int round = 0; round < 1500; round++) {
        char text[1024] = "";
        int count = 1 + (int)(20 * attn_random_uniform(&random));
        for (int i = 0; i < count; i++) {
            size_t which =
                (size_t)(sizeof bits / sizeof bits[0] * (double)attn_random_uniform(&random));
            strcat(text, bits[which]);
        }
        size_t names = occurrences(text, "{name}");
        char *same = translate(text, strlen(text), false, NULL, SAME);
        assert_string_equal(same, text);
        free(same);
        for (int html = 0; html < 2; html++) {
            for (habit how = QUOTES; how <= DOUBLES; how++) {
                char *out = translate(text, strlen(text), html, NULL, how);
                size_t found = occurrences(out, "{name}");
                if (found != names) {
                    fail_msg("%zu, not %zu: %s\n->\n%s", found, names, text, out);
                }
                free(out);
            }
        }
        /* what is no letter comes out of HTML in any case */
        static const char *const stay[] = {"<b>", "</b>", "<pre>", "&nbsp;"};
        char *out = translate(text, strlen(text), true, NULL, SAME);
        for (size_t i = 0; i < sizeof stay / sizeof stay[0]; i++) {
            if (occurrences(out, stay[i]) != occurrences(text, stay[i])) {
                fail_msg("%s: %s\n->\n%s", stay[i], text, out);
            }
        }
        free(out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_within_sentences),
        cmocka_unit_test(tags_follow_their_words),
        cmocka_unit_test(random_tags),
        cmocka_unit_test(sentences_and_spacing),
        cmocka_unit_test(placeholders_come_through),
        cmocka_unit_test(placeholder_shapes),
        cmocka_unit_test(html_keeps_its_markup),
        cmocka_unit_test(glossary_fixes_terms),
        cmocka_unit_test(wrong_text_is_refused),
        cmocka_unit_test(random_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
