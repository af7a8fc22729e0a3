#!/usr/bin/env python3
"""The page of `attn serve` and `attn show -o FILE.html` in a real browser.

Each test is a function here; its name on the command line chooses it. Exits 77 where playwright or chromium
is missing.
"""
import contextlib
import functools
import json
import pathlib
import re
import shutil
import sys
import tempfile
import time

import rig
from rig import TIRED, WIDE, close, value_of, values_of, watched

UPDATE = "--update" in sys.argv


def choose(page, part=None, layer=None, head=None, words=None):
    """Layers and heads from 1; head "mean" too."""
    if part:
        page.get_by_role("radio", name=part, exact=True).click()
    if words is not None:
        page.get_by_role("radio", name="Words" if words else "Pieces", exact=True).click()
    if layer:
        where = f"layer {layer} of"
        kind = "mean of" if head == "mean" else f"head {head} of"
        page.locator(f"#heads .thumb[aria-label^='{where}'][aria-label*='{kind}']").click()


def open_row_table(page):
    """The table of the chosen word, which is written for who opens it alone."""
    page.locator("#panel-attention details:has(#row-table)").evaluate("details => { details.open = true; }")
    page.wait_for_selector("#row-table tbody tr")


def row_of_page(page):
    """What the chosen word looks at, from the table: {word: per cent}, in order."""
    open_row_table(page)
    return page.locator("#row-table tbody tr").evaluate_all(
        "rows => rows.map(row => [row.cells[0].textContent, row.cells[1].textContent])")


# ---- what is shown is true ----

GROWING = ("She has been learning French for three years.", "If it rains tomorrow, we will stay at home.",
           "I don't know what you are talking about, and I think that you don't know it either.",
           "Where can I buy a train ticket, and how long does it take to go there?")


def test_translation_appears(site):
    """The translation grows piece by piece, and is the program's own. How many pieces are seen on the way depends
    on the machine's speed, so one of several sentences has to be seen growing; each has to end right."""
    grew = False
    with watched(site.browser) as one:
        page = one.open(site.url)
        page.evaluate("""() => {
            window.seen = [];
            const field = document.querySelector(".translation");
            new MutationObserver(() => window.seen.push(field.textContent)).observe(field, { childList: true, subtree: true });
        }""")
        for sentence in GROWING:
            page.evaluate("() => { window.seen = []; }")
            page.fill("#source", sentence)
            page.keyboard.press("Control+Enter")
            expected = rig.attn("translate", "--model", rig.MODEL, "--beam", "4", site.text(sentence)).strip()
            rig.until(page, "text => document.querySelector('.translation').textContent === text && document.querySelector('.translation').getAttribute('aria-busy') === 'false'", arg=expected)
            seen = [text for text in page.evaluate("window.seen") if text]
            assert seen[-1] == expected
            grew = grew or len(set(seen)) >= 2
    assert grew


def test_attention_is_shown(site):
    """Every cell of the table is what `attn show --json` says, for parts, layers, heads and the mean."""
    document = json.loads(rig.attn("show", "--model", rig.MODEL, "--beam", "4", "--json", TIRED))
    with watched(site.browser) as one:
        page = one.open(site.url)
        for part, layer, head in (("Encoder", 4, 4), ("Decoder", 2, 1), ("Cross", 2, 2), ("Cross", 1, "mean")):
            choose(page, part, layer, head, words=False)
            numbers = document["parts"][part.lower()]
            heads = numbers["weights"][layer - 1]
            for row in (0, 3):
                page.locator("#panel-attention .chips [role=radio]").nth(row).click()
                shown = row_of_page(page)
                wanted = heads[head - 1][row] if head != "mean" else [sum(h[row][k] for h in heads) / len(heads) for k in range(len(heads[0][row]))]
                assert len(shown) == len(wanted)
                for k, (_, text) in enumerate(shown):
                    hidden = part == "Decoder" and k > row
                    assert text == ("\u2013" if hidden else f"{100 * wanted[k]:.1f}\u00a0%"), (part, layer, head, row, k, text, wanted[k])
        page.get_by_role("radio", name="Rollout").click()
        page.locator("#panel-attention .chips [role=radio]").nth(2).click()
        for k, (_, text) in enumerate(row_of_page(page)):
            assert text == f"{100 * document['parts']['cross']['rollout'][2][k]:.1f}\u00a0%"


def test_heads_are_silenced_and_forced(site):
    """What the page says of an intervention is what `attn explain` says."""
    with watched(site.browser) as one:
        page = one.open(site.url)
        for part, layer, head, word in (("Encoder", 1, "mean", None), ("Cross", 2, 2, None), ("Encoder", 4, 4, "street")):
            choose(page, part, layer, head, words=True)
            box = page.locator("#whatif")
            heads = f"{layer}.*" if head == "mean" else f"{layer}.{head}"
            if word is None:
                box.locator("button").first.click()
                how = ["--mask", heads]
            else:
                words = page.locator("#panel-attention .chips [role=radio]")
                token = [words.nth(i).text_content() for i in range(words.count())].index("it")
                words.nth(token).click()
                box.locator("select").select_option(label=word)
                box.locator("button").last.click()
                how = ["--force", word, "--token", "it", "--layer", str(layer), "--head", str(head)]
            rig.until(page, "() => document.querySelectorAll('#whatif tbody tr').length === 2")
            told = json.loads(rig.attn("explain", "--model", rig.MODEL, "--json", "--part", part.lower(), *how, TIRED))
            rows = [[cell.text_content() for cell in row.locator("td").all()] for row in box.locator("tbody tr").all()]
            for row, name in zip(rows, ("before", "after")):
                wanted = told[name]
                assert row[0] == wanted["text"], (row, wanted)
                for shown, name_of in ((row[1], "log_probability"), (row[2], "log_probability_edited")):
                    assert abs(float(shown.replace("\u2212", "-")) - wanted[name_of]) < 0.006, (row, wanted)


TWO_PARAGRAPHS = "I am tired. Where can I buy 3 tickets, please?\n\nThe dog didn't cross the street because it was too tired."


def translated(page):
    """What stands in the field of the translation, once it is whole."""
    rig.until(page, "document.querySelector('.translation').getAttribute('aria-busy') === 'false' && document.querySelector('.translation').textContent !== ''")
    return page.locator(".translation").text_content()


def chosen_word(page):
    return page.locator("#panel-attention .chips [aria-checked=true]").text_content()


def test_from_text_to_attention(site):
    """Paragraphs stay; a word of the translation leads to what it looked at; another way to say its sentence takes its place;
    the address shows the same again."""
    with watched(site.browser) as one:
        page = one.open(site.url)
        page.fill("#source", TWO_PARAGRAPHS)
        page.keyboard.press("Control+Enter")
        page.wait_for_selector("#which")
        whole = translated(page)
        assert whole == rig.attn("translate", "--model", rig.MODEL, "--beam", "4", site.text(TWO_PARAGRAPHS)).strip()
        words = page.locator(".said")
        i = next(i for i in range(words.count()) if words.nth(i).text_content() == "acheter")
        words.nth(i).click()
        page.wait_for_selector(".ways button")
        rig.until(page, "document.querySelector('#here').textContent.startsWith('Cross')")
        assert chosen_word(page) == "acheter" and page.input_value("#which") == "1"
        first, second = page.locator(".ways button").all_text_contents()[:2]
        assert first in whole and "3" in second
        page.locator(".ways button").nth(1).click()
        assert page.locator(".translation").text_content() == whole.replace(first, second)
        rig.check_access(page, "ways")
        address = page.url
    with watched(site.browser) as one:
        page = one.open(address)
        page.wait_for_selector("#which")
        rig.until(page, "document.querySelector('#here').textContent.startsWith('Cross')")
        assert page.input_value("#source") == TWO_PARAGRAPHS and chosen_word(page) == "acheter"


def test_text_is_judged(site):
    """Nothing, too much, and a language that is detected; typing alone is enough."""
    with watched(site.browser) as one:
        page = one.open(site.url)
        page.fill("#source", "  ")
        page.keyboard.press("Control+Enter")
        page.wait_for_selector(".pane [role=status]:has-text('nothing to translate yet')")
        assert page.locator("#panels").is_hidden()
        page.fill("#source", "a " * 3000)
        page.wait_for_selector(".pane [role=status]:has-text('longer than 5000')")
        assert page.get_attribute("#source", "aria-invalid") == "true" and "6000 of 5000" in page.locator("#counter").text_content()
        page.select_option("#from", "auto")
        page.fill("#source", "Where is the station?")
        assert translated(page).startswith("O\u00f9")
        assert page.locator(".line:has(#from)").text_content().count("Detected: English") == 1
        assert page.locator("#swap").is_enabled() is True
        page.get_by_role("button", name="Clear").click()
        assert page.input_value("#source") == "" and page.evaluate("document.activeElement.id") == "source"


def test_languages_are_swapped(site):
    """Two models that are each other's way back."""
    site.tiny_url  # its models
    back = shutil.copy(site.tiny_models[0], site.folder / "yy-xx.safetensors")
    with rig.serve(site.tiny_models[0], str(back)) as url, watched(site.browser) as one:
        page = one.open(url)
        page.fill("#source", "one two")
        page.keyboard.press("Control+Enter")
        there = translated(page)
        with page.expect_request("**/translate") as asked:
            page.click("#swap")
        assert (asked.value.post_data_json["source"], asked.value.post_data_json["target"]) == ("yy", "xx")
        assert page.input_value("#source") == there and page.input_value("#from") == "yy" and page.input_value("#to") == "xx"
        assert page.evaluate("document.activeElement.id") == "swap"


def test_through_a_third_language(site):
    """Two models, one after the other: their translation, and a word on why no attention is shown."""
    site.tiny_url  # its models
    there = shutil.copy(site.tiny_models[0], site.folder / "yy-zz.safetensors")
    with rig.serve(site.tiny_models[0], str(there)) as url, watched(site.browser) as one:
        page = one.open(url)
        assert page.locator("#to option").evaluate_all("all => all.map((one) => one.value)") == ["yy", "zz"]
        page.select_option("#to", "zz")
        with page.expect_request("**/translate") as asked:
            page.fill("#source", "one two three")
        assert {name: asked.value.post_data_json.get(name) for name in ("source", "target", "model")} == {
            "source": "xx", "target": "zz", "model": None}
        page.wait_for_selector(".pane [role=status]:has-text('Two models translated this')")
        assert translated(page) != "" and page.locator("#panels").is_hidden() and page.locator(".said").count() == 0
        rig.check_access(page, "through a third language")
        page.select_option("#to", "yy")
        page.wait_for_selector("#panels:not([hidden])")


def test_files(site):
    """A document that the server reads comes back translated; another text goes into the field; what is no text is refused by name."""
    with watched(site.browser) as one:
        page = one.open(site.url)
        (site.folder / "note.md").write_text("# Hello\n\nI am tired.\n")
        page.set_input_files("#file", str(site.folder / "note.md"))
        page.wait_for_selector(".pane a:has-text('Save note.md')")
        made = one.context.request.get(site.url.rstrip("/") + page.get_attribute(".pane a", "href"))
        assert made.ok and made.text().startswith("# ") and "fatigu" in made.text(), made.text()
        (site.folder / "note.csv").write_text("Hello, I am tired.\n")
        page.set_input_files("#file", str(site.folder / "note.csv"))
        rig.until(page, "document.querySelector('#source').value.startsWith('Hello, I am tired.')")
        assert "fatigu" in translated(page)
        (site.folder / "note.bin").write_bytes(b"\0\1\2\xff")
        page.set_input_files("#file", str(site.folder / "note.bin"))
        page.wait_for_selector("#status.wrong:has-text('note.bin is no text')")
        with page.expect_download() as download:
            page.get_by_role("button", name="Save", exact=True).click()
        assert download.value.suggested_filename == "translation.txt"
        with page.expect_download() as download:
            page.get_by_role("button", name="Save as a table").click()
        rows = pathlib.Path(download.value.path()).read_text().splitlines()
        assert len(rows) == len(rows[0].split('","')) + 1, rows[:2]


def test_phone(site):
    """Nothing is wider than a phone, in any view."""
    with watched(site.browser, viewport={"width": 360, "height": 740}) as one:
        page = one.open(site.url)
        for tab in ("attention", "steps", "compare"):
            page.click(f"#tab-{tab}")
            page.wait_for_selector(f"#panel-{tab} .chips")
            if tab == "compare":
                page.wait_for_selector("#panel-compare table")
            assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), tab


def test_sentences_are_shown_apart(site):
    """Of a text of two sentences each is looked at on its own, with the numbers of the pass that translated it."""
    text = "I am tired. Where can I buy a train ticket?"
    document = json.loads(rig.attn("show", "--model", rig.MODEL, "--json", "--sentence", "2", text))
    with watched(site.browser) as one:
        page = one.open(site.url)
        page.fill("#source", text)
        page.keyboard.press("Control+Enter")
        page.wait_for_selector("#which")
        assert page.locator("#which option").all_text_contents() == ["1. I am tired.", "2. Where can I buy a train ticket?"]
        expected = rig.attn("translate", "--model", rig.MODEL, site.text(text)).strip()
        rig.until(page, "text => document.querySelector('.translation').textContent === text", arg=expected)
        page.select_option("#which", "1")
        page.wait_for_selector("#panel-attention .chips [role=radio]:has-text('train')")
        choose(page, "Encoder", 4, 4, words=False)
        page.locator("#panel-attention .chips [role=radio]").nth(3).click()
        for (_, shown), weight in zip(row_of_page(page), document["parts"]["encoder"]["weights"][3][3][3], strict=True):
            assert shown == f"{100 * weight:.1f}\u00a0%"
        assert page.locator(".translation").text_content() == expected  # of the whole text


def test_words_are_merged(site):
    """With words, the numbers are `attn explain`'s."""
    told = rig.explain("--token", "it", "--layer", "4", "--head", "4", TIRED)
    at = next(i for i, word in enumerate(told["query_words"]) if word["word"] == "it")
    with watched(site.browser) as one:
        page = one.open(site.url)
        choose(page, "Encoder", 4, 4, words=True)
        page.locator("#panel-attention .chips [role=radio]").nth(at).click()
        for (word, text), key, weight in zip(row_of_page(page), told["key_words"], told["word_weights"][at], strict=True):
            assert word == key["word"] and text == f"{100 * weight:.1f}\u00a0%"


def check_steps(page, told, piece):
    """The numbers of step 4, and what they are traced to, against `attn explain --json`."""
    steps = told["steps"]
    page.get_by_role("tab", name="Step by step").click()
    page.locator("#panel-steps .steps > .chips [role=radio]").nth(piece).click()
    page.wait_for_selector(f"#panel-steps .steps > .chips [role=radio]:nth-child({piece + 1})[aria-checked=true]")
    for kind, name in (("score", "scores"), ("scaled", "scaled"), ("weight", "weights")):
        numbers = values_of(page.locator(f"#panel-steps [data-kind={kind}]"))
        assert len(numbers) == steps["visible"]
        for k, number in enumerate(numbers):
            assert close(number, steps[name][k]), (kind, k, number, steps[name][k])
    key = max(range(steps["visible"]), key=lambda k: steps["weights"][k])
    check_score(page, steps, key)
    check_output(page, steps)
    check_vectors(page, steps)


def trace_rows(page):
    return page.locator("#trace tbody tr").evaluate_all(
        "rows => rows.map(row => [row.cells[0].textContent, ...[...row.querySelectorAll('[data-value]')].map(n => Number(n.dataset.value))])")


def check_score(page, steps, key):
    """score -> q_i k_i and their sum -> q_i -> its products with x -> x."""
    page.locator("#panel-steps [data-kind=score]").nth(key).click()
    page.get_by_role("button", name=f"Show all {steps['head_size']}").click()
    rows = trace_rows(page)
    assert len(rows) == steps["head_size"]
    for label, q, k, product in rows:
        d = int(label) - 1
        assert close(q, steps["query"][d]) and close(k, steps["keys"][key][d]) and close(product, q * k, 1e-5)
    assert close(value_of(page.locator("#trace .trace-name strong")), steps["scores"][key])
    assert close(sum(row[3] for row in rows), steps["scores"][key], 1e-5)
    d = int(rows[0][0]) - 1
    page.locator("#trace tbody tr").first.locator("button").first.click()
    page.wait_for_selector(f"#trace .trace-name:has-text('q[{d + 1}]')")
    assert close(value_of(page.locator("#trace .trace-name strong")), steps["query"][d])
    page.get_by_role("button", name=f"Show all {len(steps['input'])}").click()
    products = trace_rows(page)
    bias = value_of(page.locator("#trace tfoot [data-value]").first)
    assert all(close(x, steps["input"][int(c) - 1]) for c, _, x, _ in products)
    assert close(sum(row[3] for row in products) + bias, steps["query"][d], 1e-4)
    page.get_by_role("button", name="\u2190 Back").click()
    page.wait_for_selector("#trace .trace-name:has-text('q \u00b7 k')")


def check_output(page, steps):
    """An output -> the weights times the values."""
    strip = page.locator("#panel-steps .step:nth-of-type(5) [role=slider]")
    strip.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector("#trace .trace-name:has-text('output[2]')")
    rows = trace_rows(page)
    assert len(rows) <= steps["visible"] and close(value_of(page.locator("#trace .trace-name strong")), steps["output"][1])
    for _, weight, value, product in rows:
        assert any(close(weight, w) and close(value, v[1]) for w, v in zip(steps["weights"], steps["values"]))
        assert close(product, weight * value, 1e-5)


def check_vectors(page, steps):
    """Each vector's first numbers, by the arrow keys."""
    for name, key in (("embedding", "embedding"), ("input, x", "input"), ("heads joined", "joined"), ("projected", "projected"), ("result", "result")):
        strip = page.locator(f"#panel-steps [role=slider][aria-label^='{name}']").first
        strip.focus()
        for i in range(3):
            shown = float(strip.get_attribute("aria-valuetext").split(": ")[1].replace("\u2212", "-"))
            assert abs(shown - steps[key][i]) <= 0.00051, (name, i, shown, steps[key][i])
            page.keyboard.press("ArrowRight")


def test_steps_are_explained(site):
    with watched(site.browser) as one:
        page = one.open(site.url)
        for part, layer, head, token in (("encoder", 4, 4, "it"), ("cross", 2, 3, "traversé")):
            told = rig.explain("--token", token, "--layer", str(layer), "--head", str(head), "--part", part, TIRED)
            page.get_by_role("tab", name="Attention").click()
            choose(page, part.capitalize(), layer, head)
            check_steps(page, told, told["steps"]["piece"])


def test_trace_goes_down(site):
    """From a result to the layer below, and from the first layer to the embedding table."""
    with watched(site.browser) as one:
        page = one.open(site.url)
        choose(page, "Cross", 1, 1)
        page.get_by_role("tab", name="Step by step").click()
        strip = page.locator("#panel-steps [role=slider][aria-label^='result']")
        strip.focus()
        page.keyboard.press("Enter")
        page.locator("#trace button.number").first.click()
        page.get_by_role("button", name="Go to the self-attention").click()
        page.wait_for_selector("#heads [role=radio][aria-checked=true]:has-text('Decoder')")
        page.locator("#trace button.number").first.click()
        page.locator("#trace .trace-name:has-text('r[1]')").wait_for()
        page.locator("#trace button.number").first.click()
        page.locator("#trace .trace-name:has-text('x\u2080[1]')").wait_for()
        terms = values_of(page.locator("#trace tbody [data-value]"))
        assert close(terms[0] * terms[1] + terms[2], value_of(page.locator("#trace .trace-name strong")), 1e-5)


def test_distances_are_traced(site):
    """Relative positions: what the distance adds to a score, and where it comes from."""
    model = rig.make_tiny_model(site.folder, "near", positions="relative", relative_buckets=8, relative_distance=9)
    path = site.folder / "near.html"
    rig.attn("show", "--model", model, "one two three", "-o", str(path))
    steps = json.loads(rig.attn("explain", "--json", "--model", model, "--part", "encoder", "--layer", "2", "--head", "2",
                                "--token", "two", "one two three"))["steps"]
    assert any(steps["distance_bias"])
    with watched(site.browser) as one:
        page = one.open(path.as_uri())
        choose(page, "Encoder", 2, 2)
        page.get_by_role("tab", name="Step by step").click()
        page.locator("#panel-steps .steps > .chips [role=radio]").nth(steps["piece"]).click()
        page.wait_for_selector(f"#panel-steps .steps > .chips [role=radio]:nth-child({steps['piece'] + 1})[aria-checked=true]")
        for k in range(steps["visible"]):
            page.locator("#panel-steps [data-kind=scaled]").nth(k).click()
            (_, score), (_, root), (_, bias) = trace_rows(page)
            assert close(bias, steps["distance_bias"][k]) and close(score, steps["scores"][k])
            scaled = value_of(page.locator("#trace .trace-name strong"))
            assert close(scaled, steps["scaled"][k]) and close(scaled, score / root + bias, 1e-5)
        page.locator("#trace button.number").last.click()
        page.wait_for_selector(f"#trace .says:has-text('the distance {steps['visible'] - 1 - steps['piece']} ')")


# ---- one file ----

def test_one_file(site):
    """`attn show -o FILE.html`: the same numbers, and nothing is asked of anybody."""
    path = site.folder / "page.html"
    rig.attn("show", "--model", rig.MODEL, TIRED, WIDE, "-o", str(path))
    told = rig.explain("--token", "it", "--layer", "4", "--head", "4", TIRED)
    with watched(site.browser) as one:
        page = one.open(path.as_uri())
        rig.check_access(page, "one file")
        rig.check_picture(page, "file", UPDATE)
        choose(page, "Encoder", 4, 4)
        check_steps(page, told, told["steps"]["piece"])
        page.get_by_role("tab", name="Compare").click()
        assert page.locator("#panel-compare .stage").count() == 2
        assert page.locator("#panel-compare tbody tr", has_text="tired / wide").count() == 1
        assert one.requests == [path.as_uri()], one.requests


def test_text_stays_text(site):
    """Markup in a sentence is shown, not obeyed, in both pages."""
    evil = "</script><script>window.evil = 1</script><img src=x onerror='window.evil = 1'> it is."
    path = site.folder / "evil.html"
    rig.attn("show", "--raw", "--model", rig.MODEL, evil, "-o", str(path))
    with watched(site.browser) as one:
        page = one.open(path.as_uri())
        assert evil in page.locator(".given").text_content()
        assert page.evaluate("window.evil") is None and page.locator("img").count() == 0
        page.goto(site.url)
        page.fill("#source", evil)
        page.keyboard.press("Control+Enter")
        rig.until(page, "document.querySelector('.translation').textContent.includes('onerror=')")
        assert page.evaluate("window.evil") is None and page.locator("img").count() == 0


def test_policy(site):
    """The server's own words: no inline script, nothing from elsewhere; an ETag that is honoured."""
    with watched(site.browser) as one:
        page = one.open(site.url)
        answer = one.context.request.get(site.url)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        again = one.context.request.get(site.url, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status == 304
        assert all(url.startswith(site.url) for url in one.requests), one.requests
        assert page.evaluate("document.scripts.length") == 1


# ---- by keyboard, for every reader ----

def test_keyboard(site):
    """The whole page without a pointer."""
    with watched(site.browser) as one:
        page = one.open(site.url)
        chosen = lambda: page.locator("#panel-attention .chips [aria-checked=true]").text_content()
        page.locator("#panel-attention .chips [aria-checked=true]").focus()
        before = chosen()
        page.keyboard.press("ArrowRight")
        assert chosen() != before
        page.keyboard.press("End")
        assert chosen() == "</s>"
        layer = lambda: int(re.search(r"layer (\d+)", page.locator("#here").text_content()).group(1))
        choose(page, "Encoder", 4, 4)
        page.locator("#heads .thumb[aria-checked=true]").focus()
        page.keyboard.press("ArrowUp")
        assert page.evaluate("document.activeElement.className") == "thumb"
        assert layer() == 3
        page.locator("#tab-attention").focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_selector("#panel-steps .step")
        page.locator("#panel-steps .chips [aria-checked=true]").focus()
        page.keyboard.press("Home")
        page.wait_for_selector("#panel-steps .chips [role=radio]:first-child[aria-checked=true]")
        order = []
        page.locator("#language").focus()
        for _ in range(16):
            page.keyboard.press("Tab")
            order.append(page.evaluate("document.activeElement.id || document.activeElement.className || document.activeElement.tagName"))
        assert "theme" in order and "source" in order and "tab-steps" in order, order


def test_access(site):
    """axe finds nothing: every view, both languages, light and dark, wide and narrow."""
    for language, scheme, width in (("en-US", "light", 1360), ("zh-CN", "dark", 420)):
        with watched(site.browser, locale=language, color_scheme=scheme, viewport={"width": width, "height": 900}) as one:
            page = one.open(site.url)
            for tab in ("attention", "steps", "compare"):
                page.click(f"#tab-{tab}")
                page.wait_for_selector(f"#panel-{tab} .chips")
                if tab == "steps":
                    page.locator("[data-kind=score]").first.click()
                    page.wait_for_selector("#trace table")
                if tab == "compare":
                    page.wait_for_selector("#panel-compare table")
                rig.check_access(page, f"{tab}, {language}, {scheme}")
            assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth + 1"), "wider than the window"


def test_looks(site):
    """The main views look as they did."""
    for name, options, steps in (
            ("attention", {}, []),
            ("attention-dark", {"color_scheme": "dark"}, []),
            ("steps", {}, ["#tab-steps", "[data-kind=score] >> nth=1"]),
            ("compare", {}, ["#tab-compare"]),
            ("narrow-chinese", {"locale": "zh-CN", "viewport": {"width": 420, "height": 900}}, [])):
        with watched(site.browser, **options) as one:
            page = one.open(site.url)
            for step in steps:
                page.click(step)
            if "#tab-compare" in steps:
                page.wait_for_selector("#panel-compare table")
            page.wait_for_timeout(200)
            rig.check_picture(page, name, UPDATE)


def test_motion(site):
    """Who asks for less motion gets none."""
    with watched(site.browser) as one:
        page = one.open(site.url)
        assert page.evaluate("getComputedStyle(document.querySelector('.chip.key')).transitionDuration") in ("0s", "1e-05s")


# ---- longer, and over time ----

# Counts what a page does: words touched, other changes of the document, calls that paint on a canvas. Timers wait for runTimers().
COUNTING = """() => {
    const timers = new Map();
    window.setTimeout = (run) => { timers.set(timers.size + 1, run); return timers.size; };
    window.clearTimeout = (timer) => timers.set(timer, () => {});
    window.runTimers = () => timers.forEach((run) => run());
    for (const name of ["fillRect", "putImageData", "drawImage", "strokeRect", "fillText"]) {
        const call = CanvasRenderingContext2D.prototype[name];
        CanvasRenderingContext2D.prototype[name] = function (...given) { window.done.painted++; return call.apply(this, given); };
    }
    window.restart = () => { window.done = { words: new Set(), other: 0, painted: 0 }; };
    window.restart();
    const wordOf = (node) => (node.nodeType === 1 ? node : node.parentElement)?.closest(".chip.key");
    new MutationObserver((records) => records.forEach(({ target }) => {
        if (wordOf(target)) window.done.words.add(wordOf(target));
        else window.done.other++;
    })).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
}"""
IN_SIGHT = """() => {
    const list = document.querySelector("#panel-attention .chips.keys").getBoundingClientRect();
    return [...document.querySelectorAll("#panel-attention .chip.key")].map((word) => word.getBoundingClientRect())
        .filter((word) => word.bottom > list.top && word.top < list.bottom).length;
}"""


def walk(one, presses):
    """Presses the right arrow so often: what each did, as COUNTING counts, with layouts and milliseconds of the processor."""
    session = one.context.new_cdp_session(one.page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    read = lambda: {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
    all_done = []
    for _ in range(presses):
        before = read()
        one.page.evaluate("window.restart()")
        one.page.keyboard.press("ArrowRight")
        one.page.evaluate("new Promise(requestAnimationFrame)")
        done = one.page.evaluate("({ words: window.done.words.size, other: window.done.other, painted: window.done.painted })")
        after = read()
        spent = sum(after[name] - before[name] for name in ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration"))
        all_done.append(done | {"layouts": after["LayoutCount"] - before["LayoutCount"], "ms": 1000 * spent})
    session.detach()
    return all_done


def test_long_sentence(site):
    """More than 512 pieces: to choose another word touches what is in sight and has changed, and paints nothing anew."""
    sentence = " ".join("one two three four five six seven".split()[i % 7] for i in range(560))
    with watched(site.browser) as one:
        page = one.open(site.tiny_url)
        page.fill("#source", sentence)
        page.keyboard.press("Control+Enter")
        rig.until(page, "document.querySelectorAll('#panel-attention .chips.keys .chip').length > 512", timeout=120000)
        rig.until(page, "document.querySelector('.translation').getAttribute('aria-busy') === 'false'")
        page.evaluate(COUNTING)
        page.locator("#panel-attention .chips [role=radio]").first.focus()
        walk(one, 1)
        in_sight = page.evaluate(IN_SIGHT)
        assert 0 < in_sight < 300, in_sight
        for done in walk(one, 20):
            assert done["words"] <= in_sight and done["other"] <= 20 and done["painted"] == 0 and done["layouts"] <= 3, (in_sight, done)
        each = [done["ms"] for done in walk(one, 20)]
        print(f"    {sorted(each)[10]:.1f} ms of the processor a key press at {page.locator('#panel-attention .chip.key').count()} words")
        assert sorted(each)[10] < 100, each
        page.evaluate("window.runTimers()")
        shown = page.locator("#panel-attention .chip.key small").all_text_contents()
        assert [share for _, share in row_of_page(page)] == shown, "words out of sight"
        page.locator("#heads .thumb").first.click()
        page.click("#tab-steps")
        page.wait_for_selector("#panel-steps .step")
        page.locator("#panel-steps .chips [role=radio]").first.focus()
        walk(one, 1)
        each = walk(one, 10)
        print(f"    {sorted(done['ms'] for done in each)[5]:.1f} ms step by step")
        for done in each:
            assert done["other"] <= 250 and done["layouts"] <= 6, done  # a table of 24 rows, with its strips


def test_checkpoints(site):
    """A training's checkpoints, on a slider."""
    with watched(site.browser) as one:
        page = one.open(site.tiny_url)
        slider = page.locator("#checkpoint")
        assert int(slider.get_attribute("max")) >= 2
        open_row_table(page)
        rig.until(page, "document.querySelector('.translation').getAttribute('aria-busy') === 'false'")
        last = page.locator("#row-table").text_content()
        slider.focus()
        page.keyboard.press("Home")
        rig.until(page, "text => document.querySelector('#row-table').textContent !== text", arg=last)
        assert "of" in slider.get_attribute("aria-valuetext")
        seen = {last}
        for place in range(int(slider.get_attribute("max"))):
            rig.until(page, "document.querySelector('.translation').getAttribute('aria-busy') === 'false'")
            seen.add(page.locator("#row-table").text_content())
            page.keyboard.press("ArrowRight")
            assert slider.input_value() == str(place + 1)
        rig.until(page, "text => document.querySelector('#row-table').textContent === text", arg=last)
        assert len(seen) >= 3 and slider.get_attribute("aria-valuetext") == "the finished model"


def test_models(site):
    """Several models for one pair of languages: all are offered by name, and each answers for itself."""
    site.tiny_url  # its models
    tiny = pathlib.Path(site.tiny_models[0])
    other = site.folder / "other"
    other.mkdir()
    names = [shutil.copy(tiny, other / name) for name in ("xx-yy-large.safetensors", "xx-yy.safetensors")]
    with rig.serve(str(tiny), *map(str, names)) as url, watched(site.browser) as one:
        page = one.open(url)
        labels = page.locator("#model option").all_text_contents()
        assert labels == ["xx-yy", "xx-yy-large", "xx-yy (2)"], labels
        with page.expect_request("**/attn/document") as document, page.expect_request("**/translate") as translation:
            page.select_option("#model", "1")
        assert translation.value.post_data_json["model"] == 1 and document.value.post_data_json["model"] == 1
        assert document.value.response().json()["model"] == "xx-yy-large"
        assert page.evaluate("document.activeElement.id") == "model" and page.input_value("#model") == "1"


def test_picture(site):
    """A picture: its mask, and what a pixel attends to. No such view without a model for it."""
    with watched(site.browser) as one:
        page = one.open(site.url)
        assert page.locator("#tab-picture").count() == 0
        page = one.open(site.tiny_url)
        page.click("#tab-picture")
        page.set_input_files("#picture-file", site.picture)
        page.wait_for_selector("#panel-picture table tbody tr")
        rig.until(page, "document.querySelectorAll('#picture-layer option').length > 0")
        page.locator(".picture").focus()
        before = page.locator("#panel-picture [role=status]").text_content()
        page.keyboard.press("ArrowRight")
        rig.until(page, "text => document.querySelector('#panel-picture [role=status]').textContent !== text", arg=before)
        page.select_option("#picture-head", "1")
        rig.check_access(page, "picture")
        assert re.fullmatch(r"0[\d.]+\s%From none .*", page.locator(".legend").text_content()), page.locator(".legend").text_content()
        page.set_viewport_size({"width": 390, "height": 844})
        for picture in (".picture", ".picture-heat"):
            box = page.locator(picture).bounding_box()
            assert abs(box["width"] / box["height"] - 1) < 0.02 and box["width"] <= 390, box  # a square stays one
        page.click("#language")
        page.wait_for_selector("#panel-picture table tbody tr")
        assert page.input_value("#picture-head") == "1" and page.locator(".picture").is_visible()


def test_keys(site):
    """A server that asks for a key: once it is given, everything works, and again after a reload in the same tab alone."""
    key = "secret-of-mine-0123456789"
    site.tiny_url  # its models
    (site.folder / "keys").write_text(key + "\n")
    with rig.serve(*site.tiny_models, options=("--api-keys", str(site.folder / "keys"))) as url:
        with watched(site.browser) as one:
            page = one.open(url, "#key")
            assert page.get_attribute("#key", "type") == "password"
            rig.check_access(page, "asks for a key")
            page.fill("#key", "密钥-of-another")  # typed wrongly; no header may hold that as it is
            page.keyboard.press("Enter")
            page.wait_for_selector("#status.wrong:has-text('Invalid API key')")
            rig.until(page, "document.querySelector('.translation').getAttribute('aria-busy') === 'false'")
            assert one.faults and all("403" in fault for fault in one.faults), one.faults
            one.faults.clear()
            page.fill("#key", key)
            page.keyboard.press("Enter")
            check_all_tabs(site, page)
            stored = page.evaluate("[Object.values(sessionStorage), Object.values(localStorage), document.cookie]")
            assert stored == [[key], [], ""], stored
            page.reload()
            page.wait_for_selector("#panel-attention .chips.keys .chip")
            assert not [address for address in one.requests if key in address], one.requests
            other = one.context.new_page()
            other.goto(url)
            other.wait_for_selector("#key")
            assert other.input_value("#key") == "" and other.locator(".chip.key").count() == 0


def check_all_tabs(site, page):
    """Attention, steps and a trace, compare, a checkpoint in each, and a picture."""
    page.wait_for_selector("#panel-attention .chips.keys .chip")
    page.locator("#heads .thumb").first.click()
    for press in ("End", "Home"):
        page.click("#tab-steps")
        page.wait_for_selector("#panel-steps .step")
        page.locator("[data-kind=score]").first.click()
        page.wait_for_selector("#trace table")
        page.click("#tab-compare")
        page.wait_for_selector("#panel-compare tbody tr")
        page.locator("#checkpoint").focus()
        page.keyboard.press(press)
        rig.until(page, "document.querySelector('.translation').getAttribute('aria-busy') === 'false'")
    page.wait_for_selector("#panel-compare tbody tr")
    page.click("#tab-picture")
    page.set_input_files("#picture-file", site.picture)
    rig.until(page, "document.querySelectorAll('#picture-layer option').length > 0")


class Site:
    """What the tests share; the second server, of models made here, is started for who asks."""

    def __init__(self, folder, browser, url, stack):
        self.folder, self.browser, self.url, self.stack = folder, browser, url, stack
        self.picture = self.tiny_models = None

    @functools.cached_property
    def tiny_url(self):
        segmenter, self.picture = rig.make_segmenter(self.folder)
        self.tiny_models = [rig.make_tiny_model(self.folder), segmenter]
        return self.stack.enter_context(rig.serve(*self.tiny_models))

    def text(self, line):
        path = self.folder / "line"
        path.write_text(line + "\n")
        return str(path)


def main():
    wanted = [name for name in sys.argv[1:] if not name.startswith("--")]
    tests = [(name, test) for name, test in globals().items() if name.startswith("test_")]
    failed = 0
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        browser = stack.enter_context(rig.browser())
        site = Site(folder, browser, stack.enter_context(rig.serve(rig.MODEL)), stack)
        for name, test in tests:
            if wanted and name.removeprefix("test_") not in wanted:
                continue
            start = time.monotonic()
            try:
                test(site)
                result = "ok"
            except Exception as error:  # whatever it is, the other tests go on
                failed += 1
                result = f"FAILED: {type(error).__name__}: {error}"
            print(f"{name}: {result} ({time.monotonic() - start:.1f} s)", flush=True)
    print(f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
