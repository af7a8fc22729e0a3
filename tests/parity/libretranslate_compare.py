#!/usr/bin/env python3
"""`attn serve` used by LibreTranslate's own client, libretranslatepy, which nobody here wrote."""
import os
import pathlib
import re
import subprocess
import sys
import urllib.error

try:
    from libretranslatepy import LibreTranslateAPI
except ImportError:
    print("skipped: libretranslatepy is missing")
    sys.exit(77)

model = pathlib.Path(os.environ["ATTN_SOURCE_DIR"]) / "models/en-fr.safetensors"
if not model.exists():
    print(f"skipped: {model} is missing")
    sys.exit(77)


def check(server):
    url = None
    for line in server.stderr:
        found = re.search(r"serving at (\S+)", line)
        if found:
            url = found.group(1)
            break
    client = LibreTranslateAPI(url)
    languages = client.languages()
    assert [x["code"] for x in languages] == ["en", "fr"] and languages[0]["targets"] == ["en", "fr"]
    assert languages[0]["name"] == "English"
    best = client.detect("The cat is on the table and it looks at you.")[0]
    assert best["language"] == "en" and 50 < best["confidence"] <= 100
    text = client.translate("Thank you.\n\n  I am {name}.", "en", "fr", timeout=60)
    assert "\n\n  " in text and text.count("{name}") == 1 and "Thank" not in text, text
    assert client.translate("Thank you.", "auto", "fr", timeout=60)
    try:
        client.translate("x", "en", "xx")
        raise AssertionError("an unknown language was translated")
    except urllib.error.HTTPError as error:
        assert error.code == 400 and b"xx is not supported" in error.read()
    print("languages, detect, translate and errors as the client expects them")


def main():
    command = [os.environ["ATTN_TOOL"], "serve", "--quiet", "--port", "0", "--model", str(model)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            check(server)
        finally:
            server.terminate()
    assert server.returncode == 0


if __name__ == "__main__":
    main()
