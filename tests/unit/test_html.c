/* Telling markup from text by the HTML standard's rules: comments, tags that are left out, references. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "text/html.h"

/* The text tokens of a page, a bar between them. */
static void expect(const char *page, const char *wanted) {
    char found[500] = "";
    size_t length = strlen(page);
    for (size_t at = 0; at < length;) {
        attn_html_token token = attn_html_next(page, length, at);
        assert_true(token.start == at && token.length > 0);
        if (token.kind == ATTN_HTML_TEXT) {
            snprintf(found + strlen(found), sizeof found - strlen(found), "%s%.*s",
                     found[0] != '\0' ? "|" : "", (int)token.length, page + at);
        }
        at += token.length;
    }
    if (strcmp(found, wanted) != 0) {
        fail_msg("%s gave %s, not %s", page, found, wanted);
    }
}

static void comments(void **unused) {
    (void)unused;
    static const char *const cases[][2] = {
        {"<!---->a", "a"},
        {"<!-->a", "a"},
        {"<!--->a", "a"},
        {"<!--b-->a", "a"},
        {"<!--b--!>a", "a"},
        {"<!----!>a", "a"},
        {"<!--!>a-->b", "b"},
        {"<!--b--c-->a", "a"},
        {"<!--b->c-->a", "a"},
        {"<!--b--->a", "a"},
        {"<!--b----->a", "a"},
        {"<!--b-- >c-->a", "a"},
        {"<!-- <!-- c -->a-->", "a-->"},
        {"<!-- <p>b</p> -->a", "a"},
        {"<!--a", ""},
        {"<!--a--", ""},
        {"<!--a--!", ""},
        {"<!-a>b", "b"},
        {"<!>b", "b"},
        {"<!doctype html>b", "b"},
        {"<!DOCTYPE>b", "b"},
        {"<![CDATA[a>b]]>c", "b]]>c"},
        {"<?xml a?>b", "b"},
        {"<?php echo '>'; ?>b", "'; ?>b"},
        {"</>a", "a"},
        {"</ b>a", "a"},
        {"</3>a", "a"},
        {"<>a", "<>a"},
        {"<3 a", "<3 a"},
        {"< p>a", "< p>a"},
        {"a</", "a</"},
        {"a<", "a<"},
        {"<p a='>'>b", "b"},
        {"<p a=\">\" b>c", "c"},
        {"<p a=>b", "b"},
        {"<p =a>b", "b"},
        {"<p/a>b", "b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect(cases[i][0], cases[i][1]);
    }
}

static void end_tags_left_out(void **unused) {
    (void)unused;
#define NO " translate=no>"
    static const char *const cases[][2] = {
        {"<p class=\"notranslate\">Keep<p>a", "a"},
        {"<p" NO "x<div>a</div>", "a"},
        {"<p" NO "x<b>y<p>a", "a"},
        {"<p" NO "x<span>y</span>z</p>a", "a"},
        {"<p" NO "x<button>y<div>z</div></button>w<ul><li>a</ul>", "a"},
        {"<div><p" NO "x</div>a", "a"},
        {"<p" NO "x<br>y<img>z<h2>a</h2>", "a"},
        {"<p" NO "x<table>", ""},
        {"<p" NO "x<script>'<p>'</script>y</p>a", "a"},
        {"<p" NO "x<!-- <p> -->y</p>a", "a"},
        {"<ul><li" NO "x<li>a</ul>", "a"},
        {"<ul><li" NO "x<ul><li>y<li>z</ul>w<li>a</ul>b", "a|b"},
        {"<ul><li" NO "x</ul>a", "a"},
        {"<dl><dt" NO "x<dd>a<dd" NO "y<dt>b</dl>", "a|b"},
        {"<table><tr><td" NO "x<td>a<tr><th" NO "y<td>b</table>c", "a|b|c"},
        {"<table><tr" NO "<td>x<td>y<tr><td>a</table>b", "a|b"},
        {"<table><tr><td" NO "<table><tr><td>x<td>y</table>z<td>a</table>", "a"},
        {"<table><thead" NO "<tr><td>x<tbody><tr><td>a</table>", "a"},
        {"<table><caption" NO "x<tr><td>a</table>", "a"},
        {"<select><option" NO "x<option>a</select>", "a"},
        {"<select><optgroup" NO "<option>x<optgroup><option>a</select>b", "a|b"},
        {"<ruby>a<rt" NO "x<rp>b</ruby>c", "a|b|c"},
        {"<div" NO "<p>x<p>y<div>z</div>w</div>a", "a"},
        {"<span" NO "<span>x</span>y</span>a", "a"},
        {"<h1" NO "x<h2>a</h2>", "a"},
        {"<div class='a notranslate b'>x</div>a", "a"},
        {"<div translate=NO>x</div>a", "a"},
        {"<div translate=yes>a</div>", "a"},
        {"<div" NO "x", ""},
    };
#undef NO
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect(cases[i][0], cases[i][1]);
    }
}

static void what_stands_within_a_sentence(void **unused) {
    (void)unused;
    static const char *const within[] = {"my-tag",  "label", "button", "output", "ruby", "rt",
                                         "picture", "b",     "a",      "abbr",   "bdi",  "slot",
                                         "unknown", "meter", "audio",  "object"};
    static const char *const between[] = {"p",      "div",     "li",    "td", "h1",
                                          "option", "section", "title", "br", "dt"};
    char page[64];
    for (size_t i = 0; i < sizeof within / sizeof within[0]; i++) {
        snprintf(page, sizeof page, "<%s>", within[i]);
        assert_int_equal(attn_html_next(page, strlen(page), 0).kind, ATTN_HTML_OPEN);
    }
    for (size_t i = 0; i < sizeof between / sizeof between[0]; i++) {
        snprintf(page, sizeof page, "<%s>", between[i]);
        assert_int_equal(attn_html_next(page, strlen(page), 0).kind, ATTN_HTML_BLOCK);
    }
}

static void references(void **unused) {
    (void)unused;
    static const struct {
        const char *text;
        size_t length;
        uint32_t code, second;
    } cases[] = {
        {"&amp;", 5, '&', 0},
        {"&nbsp;", 6, 0xA0, 0},
        {"&thinsp;", 8, 0x2009, 0},
        {"&bull;", 6, 0x2022, 0},
        {"&hellip;", 8, 0x2026, 0},
        {"&NotEqualTilde;", 15, 0x2242, 0x338},
        {"&CounterClockwiseContourIntegral;", 33, 0x2233, 0},
        {"&AMP", 4, '&', 0},
        {"&notit;", 4, 0xAC, 0},
        {"&notin;", 7, 0x2209, 0},
        {"&copy2", 5, 0xA9, 0},
        {"&hellip", 0, 0, 0},
        {"&bogus;", 7, 0, 0},
        {"&bogus", 0, 0, 0},
        {"&;", 0, 0, 0},
        {"& ", 0, 0, 0},
        {"&", 0, 0, 0},
        {"&#65;", 5, 'A', 0},
        {"&#65 ", 4, 'A', 0},
        {"&#x41;", 6, 'A', 0},
        {"&#X41g", 5, 'A', 0},
        {"&#;", 0, 0, 0},
        {"&#x;", 0, 0, 0},
        {"&#0;", 4, 0, 0},
        {"&#xD800;", 8, 0, 0},
        {"&#x110000;", 10, 0, 0},
        {"&#99999999999999999999;", 23, 0, 0},
        {"&#128;", 6, 0x20AC, 0},
        {"&#x9F;", 6, 0x178, 0},
        {"&#150;", 6, 0x2013, 0},
        {"&#129;", 6, 0, 0},
        {"&#x1F436;", 9, 0x1F436, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t codes[2];
        size_t length = attn_html_reference(cases[i].text, strlen(cases[i].text), 0, codes);
        if (length != cases[i].length || codes[0] != cases[i].code || codes[1] != cases[i].second) {
            fail_msg("%s: %zu %x %x", cases[i].text, length, codes[0], codes[1]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comments),
        cmocka_unit_test(end_tags_left_out),
        cmocka_unit_test(what_stands_within_a_sentence),
        cmocka_unit_test(references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
