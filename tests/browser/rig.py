"""What the browser tests stand on: models, servers, a browser that fails on what should not happen.

Nothing here may leave 127.0.0.1: a request that tries to is noted and refused, and fails the test, as does
any error on the console.
"""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

try:
    from playwright.sync_api import sync_playwright
    import axe_playwright_python.sync_playwright as axe
    from PIL import Image, ImageChops, ImageFilter, ImageStat
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    print("skipped: no chromium")
    sys.exit(77)

FOLDER = pathlib.Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
TOOL = os.environ.get("ATTN_TOOL", str(ROOT / "build" / "attn"))
MODEL = str(ROOT / "models" / "en-fr.safetensors")
TIRED = "The animal didn't cross the street because it was too tired."
WIDE = "The animal didn't cross the street because it was too wide."
ENVIRONMENT = dict(os.environ, OMP_WAIT_POLICY="passive", OMP_NUM_THREADS="1")  # the bits are the same


def attn(*arguments):
    done = subprocess.run([TOOL, *arguments], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, f"attn {arguments[0]}: {done.stderr}"
    return done.stdout


def make_tiny_model(folder, name="xx-yy", **more):
    """A translator that was hardly trained, takes 700 tokens, and has checkpoints beside it. more: settings besides."""
    digits = "zero one two three four five six seven eight nine".split()
    numbers = [f"{i * 7919 % 10000:04d}" for i in range(300)]
    # The page's own sentences are among them: what the vocabulary cannot write is not given to a model.
    (folder / "s").write_text("\n".join([" ".join(digits[int(d)] for d in n) for n in numbers] + [TIRED, WIDE]) + "\n")
    (folder / "t").write_text("\n".join([*numbers, TIRED, WIDE]) + "\n")
    settings = {"d_model": 16, "ffn": 24, "heads": 2, "encoder_layers": 2, "decoder_layers": 1, "vocabulary": 90, "character_coverage": 1,
                "batch_tokens": 300, "max_steps": 6, "validate_every": 2, "max_length": 700, "average": 3, "learning_rate": 0.02, "warmup_steps": 1,
                **more}
    given = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    path = folder / f"{name}.safetensors"
    attn("train", "translator", "--source", str(folder / "s"), "--target", str(folder / "t"), "--quiet", "--out",
         str(path), *given)
    return str(path)


def make_segmenter(folder):
    """A segmenter that was hardly trained, and a picture: (model, picture)."""
    scenes = folder / "scenes"
    attn("scenes", "--count", "6", "--width", "64", "--height", "64", str(scenes))
    path = folder / "scenes.safetensors"
    attn("train", "segmenter", "--images", str(scenes / "images"), "--masks", str(scenes / "masks"), "--classes",
         str(scenes / "classes.txt"), "--quiet", "--out", str(path), "--set", "max_steps=2")
    return str(path), str(sorted((scenes / "images").iterdir())[0])


@contextlib.contextmanager
def serve(*models, options=()):
    given = [*options, *(word for model in models for word in ("--model", model))]
    process = subprocess.Popen([TOOL, "serve", "--port", "0", "--quiet", *given], stderr=subprocess.PIPE, text=True,
                               env=ENVIRONMENT)
    try:
        for line in process.stderr:
            address = re.match(r"attn: serving at (http://127.0.0.1:\d+)", line)
            if address:
                yield address.group(1) + "/"
                break
        else:
            raise RuntimeError("attn serve did not start")
    finally:
        process.terminate()
        process.wait(20)
        process.stderr.close()


class Watched:
    """A page of which every fault is kept."""

    def __init__(self, browser, **options):
        options = {"viewport": {"width": 1360, "height": 1000}, "locale": "en-US", "reduced_motion": "reduce", **options}
        self.context = browser.new_context(**options)
        self.faults = []
        self.requests = []
        self.context.route(lambda url: not url.startswith(("http://127.0.0.1:", "file:", "data:", "blob:")), self.refuse)
        self.page = self.context.new_page()
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda m: self.faults.append(f"console: {m.text}") if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.set_default_timeout(60000)

    def refuse(self, route):
        self.faults.append(f"leaves 127.0.0.1: {route.request.url}")
        route.abort()

    def open(self, url, ready="#panel-attention .chips.keys .chip"):
        self.page.goto(url)
        self.page.wait_for_selector(ready)
        return self.page

    def close(self):
        self.context.close()
        assert not self.faults, self.faults


@contextlib.contextmanager
def watched(browser, **options):
    one = Watched(browser, **options)
    yield one
    one.close()


def until(page, expression, arg=None, timeout=60000):
    """Waits until it is true. Playwright's own waiting is an eval in the page, which its policy forbids."""
    end = time.monotonic() + timeout / 1000
    while not page.evaluate(expression, arg):
        assert time.monotonic() < end, f"not within {timeout} ms: {expression}"
        time.sleep(0.05)


def check_access(page, where):
    """axe-core finds nothing."""
    found = axe.Axe().run(page)
    assert found.violations_count == 0, f"{where}: {found.generate_report()}"


def check_picture(page, name, update):
    """The page looks as it did, within what fonts and smoothing change: compared small and blurred."""
    path = FOLDER / "references" / f"{name}.png"
    raw = pathlib.Path(tempfile.gettempdir()) / f"attn-{os.getpid()}-{name}.png"
    page.screenshot(path=raw)
    now = Image.open(raw).convert("RGB")
    now = now.resize((480, round(480 * now.height / now.width)), Image.LANCZOS)
    raw.unlink()
    if update:
        now.quantize(32).save(path, optimize=True)
        return
    before = Image.open(path).convert("RGB")
    assert before.size == now.size, f"{name}: {now.size} instead of {before.size}"
    blurred = [picture.filter(ImageFilter.GaussianBlur(3)) for picture in (before, now)]
    difference = max(ImageStat.Stat(ImageChops.difference(*blurred)).mean)
    kept = os.environ.get("ATTN_PICTURES")
    if kept:
        now.save(pathlib.Path(kept) / f"{name}.png")
    assert difference < 6, f"{name} looks different: {difference:.1f} of 255 on average; --update takes a new reference"


def value_of(element):
    return float(element.get_attribute("data-value"))


def values_of(elements):
    return elements.evaluate_all("all => all.map(one => Number(one.dataset.value))")


def close(a, b, tolerance=2e-6):
    """Equal as float32 keeps it."""
    return abs(a - b) <= tolerance * max(1e-3, abs(a), abs(b))


def explain(*arguments):
    return json.loads(attn("explain", "--model", MODEL, "--json", *arguments))


@contextlib.contextmanager
def browser():
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=CHROMIUM, args=[
            "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-default-apps", "--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"])
        yield one
        one.close()
