"""train: the tool's training, seen from Python."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import attn
import numpy as np
import pytest
from conftest import write_png

SMALL = {"d_model": 16, "ffn": 32, "heads": 2, "encoder_layers": 1, "decoder_layers": 1, "max_steps": 12,
         "validate_every": 6, "log_every": 3, "warmup_steps": 2, "cooldown_steps": 2, "keep_checkpoint": True}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Dates written out, and as numbers."""
    folder = tmp_path_factory.mktemp("dates")
    months = ["January", "February", "March", "April", "May", "June"]
    days = [(m, d, y) for y in range(2000, 2010) for m in range(6) for d in range(1, 28)]
    (folder / "words").write_text("".join(f"{months[m]} {d}, {y}\n" for m, d, y in days))
    (folder / "numbers").write_text("".join(f"{y}-{m + 1:02}-{d:02}\n" for m, d, y in days))
    return folder / "words", folder / "numbers"


def small(files, out, settings=SMALL, **options):
    return attn.train("translator", source=files[0], target=files[1], recipe="dates", settings=settings, out=out,
                      threads=1, **options)


def test_events_and_model(files, tmp_path):
    seen = []
    made = small(files, tmp_path / "dates.safetensors", callback=seen.append)
    assert seen == made.history and seen == [json.loads(line) for line in open(made.log)]
    assert seen[0]["event"] == "begin" and seen[0]["options"]["d_model"] == "16"
    assert [event["step"] for event in made.events("step")] == [3, 6, 9, 12]
    assert len(made.events("validation")) == 2 and seen[-1]["event"] == "final"
    with attn.Translator(made.model) as model:
        assert isinstance(model.translate("May 3, 2001"), str)
    with pytest.raises(attn.ToolError, match="the file exists"):
        small(files, tmp_path / "dates.safetensors")
    again = []
    assert small(files, tmp_path / "dates", force=True, callback=again.append).model == made.model
    assert [event.get("loss") for event in again] == [event.get("loss") for event in seen]


@pytest.mark.parametrize("stop", ["callback", "Ctrl-C"])
def test_stopped_and_resumed(files, tmp_path, stop):
    long = dict(SMALL, max_steps=100000, max_epochs=0)
    before = os.listdir(tmp_path)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may have it ignored

    def on_event(event):
        if event["event"] == "step":
            if stop == "callback":
                raise KeyError("enough")
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyError if stop == "callback" else KeyboardInterrupt):
        small(files, tmp_path / "m", long, callback=on_event)
    assert before == [] and (tmp_path / "m.checkpoint").exists() and not (tmp_path / "m.safetensors").exists()
    last = max(json.loads(line).get("step", 0) for line in open(tmp_path / "m.log.jsonl"))
    seen = []
    made = small(files, tmp_path / "m", dict(SMALL, max_steps=last + 100), resume=True, callback=seen.append)
    assert seen[0]["event"] == "resume" and seen[-1]["event"] == "final"
    assert [event["event"] for event in made.history][0] == "begin" and made.history[-len(seen):] == seen
    assert threading.active_count() == 1


def processes(word):
    """The processes whose command line holds a word."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += [int(path.parent.name)] * (word.encode() in path.read_bytes())
        except OSError:  # it has ended
            pass
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="there is no /proc here")
@pytest.mark.parametrize("end", ["killed", "ended"])
def test_nothing_trains_without_python(files, tmp_path, end):
    """Of a Python that is killed, or ends while another thread trains."""
    out = tmp_path / "orphan"
    program = ("import sys, threading, attn\n"
               "source, target, out, settings = sys.argv[1:]\n"
               "seen = threading.Event()\n"
               "threading.Thread(daemon=True, target=lambda: attn.train('translator', source=source, target=target, out=out,\n"
               "    recipe='dates', settings=eval(settings), threads=1,\n"
               "    callback=lambda event: event['event'] == 'step' and seen.set())).start()\n"
               "print(seen.wait(60), flush=True)\n"
               "sys.stdin.read()\n")
    settings = dict(SMALL, max_steps=10**9, max_epochs=0)
    with subprocess.Popen([sys.executable, "-c", program, *map(str, files), str(out), repr(settings)],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as python:
        assert python.stdout.readline() == b"True\n" and len(processes(str(out))) == 2
        if end == "killed":
            python.kill()
        python.communicate()
    limit = time.monotonic() + 60
    while processes(str(out)) and time.monotonic() < limit:
        time.sleep(0.02)
    left = processes(str(out))
    for process in left:
        os.kill(process, signal.SIGKILL)
    assert left == [] and (tmp_path / "orphan.checkpoint").exists()


def test_recipes_of_the_package(tmp_path):
    """The tool finds them by name, from any folder."""
    listed = subprocess.run([sys.executable, "-m", "attn", "train", "translator", "--recipe", "multi30k-tiny", "--list"],
                            cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert "name = multi30k" in listed
    with pytest.raises(attn.ToolError, match="no such recipe"):
        attn.train("translator", source="a", target="b", recipe="poems", out=tmp_path / "p")


def test_segmenter(tmp_path):
    rng = np.random.default_rng(1)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for i in range(6):
        mask = np.zeros((32, 32), np.uint8)
        mask[8:24, 4 + i:20] = 1
        picture = (mask[..., None] * 120 + rng.integers(0, 60, (32, 32, 3))).astype(np.uint8)
        write_png(tmp_path / "images" / f"{i}.png", picture)
        write_png(tmp_path / "masks" / f"{i}.png", mask)
    (tmp_path / "classes").write_text("0 ground 0 0 0\n1 thing 255 0 0\n")
    made = attn.train("segmenter", images=tmp_path / "images", masks=tmp_path / "masks", classes=tmp_path / "classes",
                      settings={"max_steps": 2, "validate_every": 2, "d_model": 16, "width_2": 8, "width_4": 8, "blocks": 1, "heads": 2,
                                "ffn": 16, "crop_width": 32, "crop_height": 32, "batch_pictures": 2},
                      out=tmp_path / "s", threads=1)
    with attn.Segmenter(made.model) as model:
        assert model.classes == ["ground", "thing"]


def test_refused(files, tmp_path):
    with pytest.raises(attn.ArgumentError, match="kind"):
        attn.train("poet", out=tmp_path / "p")
    with pytest.raises(attn.ToolError, match="nowhere") as caught:
        small((tmp_path / "nowhere", files[1]), tmp_path / "m")
    assert caught.value.status == 1
    with pytest.raises(attn.ToolError, match="d_mode"):
        small(files, tmp_path / "m", {"d_mode": 3})
    assert os.listdir(tmp_path) == []
