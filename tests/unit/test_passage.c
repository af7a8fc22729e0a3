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
    assert_int_equal(attn_passage_join(passage, (const char *const *)answers, NULL, &out, NULL),
                     ATTN_OK);
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
           "<p class=\"a>b\">«Hello» <b>«big»</b> «world.»</p><!-- no <b> -->");
    expect("<script>var a = '<p>x</p>';</script><style>p{}</style><pre>a <b>c</b></pre>End", true,
           NULL, QUOTES,
           "<script>var a = '<p>x</p>';</script><style>p{}</style><pre>a <b>c</b></pre>«End»");
    expect("<p translate=no>Keep <p>this</p> too</p><i class='x notranslate'>y</i>But", true, NULL,
           QUOTES, "<p translate=no>Keep <p>this</p> too</p><i class='x notranslate'>y</i>«But»");
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
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentences_and_spacing), cmocka_unit_test(placeholders_come_through),
        cmocka_unit_test(placeholder_shapes),    cmocka_unit_test(html_keeps_its_markup),
        cmocka_unit_test(glossary_fixes_terms),  cmocka_unit_test(wrong_text_is_refused),
        cmocka_unit_test(random_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
