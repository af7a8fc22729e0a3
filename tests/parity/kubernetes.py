#!/usr/bin/env python3
"""examples/kubernetes.yaml against Kubernetes' own schema, and its settings against the options of `attn serve`."""
import os
import pathlib
import subprocess
import sys

try:
    import kubernetes_validate
    import yaml
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

path = pathlib.Path(os.environ["ATTN_SOURCE_DIR"], "examples/kubernetes.yaml")
helped = subprocess.run([os.environ["ATTN_TOOL"], "serve", "--help"], capture_output=True, text=True, check=True).stdout
checked = 0
for resource in yaml.safe_load_all(path.read_text()):
    try:
        kubernetes_validate.validate(resource, kubernetes_validate.latest_version(), strict=True)
    except kubernetes_validate.ValidationError as wrong:
        sys.exit(f"{path.name}: {resource['kind']}: {wrong}")
    pod = resource.get("spec", {}).get("template", {}).get("spec", {})
    for container in pod.get("containers", []):
        for setting in container.get("env", []):
            option = "--" + setting["name"].removeprefix("ATTN_").lower().replace("_", "-")
            if option not in helped:
                sys.exit(f"{path.name}: {setting['name']}: attn serve has no option {option}")
            checked += 1
if checked == 0:
    sys.exit(f"{path.name}: no setting was found")
print("all as expected")
