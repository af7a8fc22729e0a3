#!/usr/bin/env python3
"""Takes the pictures of the page for the documentation: docs/pictures/page.png and steps.png.

    ATTN_TOOL=build/attn python3 tests/browser/pictures.py
"""
import io

from PIL import Image

import rig

PARAGRAPHS = ("I have lived in Boston for 12 years. My sister works at the hospital, and her children like to play in the park.\n\n"
              "Yesterday they found a small dog. It was very hungry.")
FOLDER = rig.ROOT / "docs" / "pictures"


def shoot(page, name):
    """The window, with few enough colours to be small."""
    page.mouse.move(0, 0)
    page.wait_for_timeout(300)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    picture.save(FOLDER / name, optimize=True)


def main():
    with rig.browser() as browser, rig.serve(rig.MODEL) as url, rig.watched(browser, viewport={"width": 1360, "height": 1140}) as one:
        page = one.open(url)
        page.fill("#source", PARAGRAPHS)
        page.keyboard.press("Control+Enter")
        page.wait_for_selector("#which")
        rig.until(page, "document.querySelector('.translation').getAttribute('aria-busy') === 'false'")
        words = page.locator(".said")
        texts = words.all_text_contents()
        words.nth(next(i for i, text in enumerate(texts) if text.startswith("enfants"))).click()
        page.wait_for_selector(".ways button")
        rig.until(page, "document.querySelector('#here').textContent.startsWith('Cross')")
        page.evaluate("window.scrollTo(0, 0)")
        shoot(page, "page.png")
    with rig.browser() as browser, rig.serve(rig.MODEL) as url, rig.watched(browser) as one:
        page = one.open(url)
        page.click("#tab-steps")
        page.locator("[data-kind=score] >> nth=1").click()
        page.wait_for_selector("#trace table")
        page.evaluate("document.querySelector('#tabs').scrollIntoView()")
        shoot(page, "steps.png")


main()
