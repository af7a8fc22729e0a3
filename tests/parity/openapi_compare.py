#!/usr/bin/env python3
"""/spec of `attn serve`, read by openapi-spec-validator, which nobody here wrote."""
import json
import os
import pathlib
import re
import subprocess
import sys
import urllib.request

try:
    import openapi_spec_validator
    from openapi_spec_validator.validation.exceptions import OpenAPIValidationError
except ImportError:
    print("skipped: openapi-spec-validator is missing")
    sys.exit(77)

model = pathlib.Path(os.environ["ATTN_SOURCE_DIR"]) / "models/en-fr.safetensors"
if not model.exists():
    print(f"skipped: {model} is missing")
    sys.exit(77)


def check(server):
    url = next(found.group(1) for found in (re.search(r"serving at (\S+)", line) for line in server.stderr) if found)
    with urllib.request.urlopen(f"{url}/spec", timeout=60) as answer:
        spec = json.load(answer)
    openapi_spec_validator.validate(spec)
    spec["paths"]["/translate"]["post"]["parameters"][0]["in"] = "nowhere"
    try:
        openapi_spec_validator.validate(spec)
    except OpenAPIValidationError:
        print(f"{len(spec['paths'])} paths described as OpenAPI 2.0 wants it")
        return
    raise AssertionError("the validator takes anything")


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
