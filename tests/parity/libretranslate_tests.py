#!/usr/bin/env python3
"""`attn serve` before the tests of LibreTranslate's interface that its own authors wrote.

They come with the package (`pip install --no-deps libretranslate`) and ask a test client of Flask's; here they get one
that asks the server. They translate to Spanish, so the model says that its French is that: they look at the interface
alone."""
import importlib.util
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from json import dumps, loads

try:
    import pytest
except ImportError:
    print("skipped: pytest is missing")
    sys.exit(77)

package = importlib.util.find_spec("libretranslate")
tests = package and pathlib.Path(package.submodule_search_locations[0]) / "tests/test_api"
model = pathlib.Path(os.environ["ATTN_SOURCE_DIR"]) / "models/en-fr.safetensors"
if not tests or not tests.is_dir() or not model.exists():
    print(f"skipped: libretranslate with its tests, or {model}, is missing")
    sys.exit(77)


class Response:
    def __init__(self, reply):
        self.status_code, self.data = reply.status, reply.read()

    @property
    def json(self):
        return loads(self.data)


class Client:
    """What the tests use of flask.testing.FlaskClient."""

    def __init__(self, url):
        self.url = url

    def ask(self, method, path, body=None, content_type=None):
        headers = {"Content-Type": content_type} if content_type else {}
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            return Response(urllib.request.urlopen(request, timeout=60))
        except urllib.error.HTTPError as error:
            return Response(error)

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, data=None, json=None):
        if json is not None:
            return self.ask("POST", path, dumps(json).encode(), "application/json")
        form = urllib.parse.urlencode(data or {}).encode()
        return self.ask("POST", path, form, "application/x-www-form-urlencoded" if data else None)


class Plugin:
    passed = 0

    def __init__(self, client):
        self._client = client

    @pytest.fixture
    def client(self):
        return self._client

    def pytest_runtest_logreport(self, report):
        self.passed += report.when == "call" and report.passed


def to_spanish(path):
    """The model with another target language in its metadata."""
    data = model.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = loads(data[8:8 + size])
    header["__metadata__"]["target_language"] = "es"
    text = dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size:])


def run(url, folder):
    for file in tests.glob("test_*.py"):
        shutil.copy(file, folder)
    plugin = Plugin(Client(url))
    status = pytest.main(["-q", "-p", "no:cacheprovider", f"--rootdir={folder}", str(folder)], plugins=[plugin])
    assert status == 0, status
    assert plugin.passed >= 14, f"only {plugin.passed} tests"


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        to_spanish(folder / "en-es.safetensors")
        command = [os.environ["ATTN_TOOL"], "serve", "--quiet", "--port", "0", "--model", folder / "en-es.safetensors"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
            try:
                url = next(found.group(1) for line in server.stderr if (found := re.search(r"serving at (\S+)", line)))
                run(url, folder)
            finally:
                server.terminate()
        assert server.returncode == 0


if __name__ == "__main__":
    main()
