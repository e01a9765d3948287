"""What training will take is what it takes: weights by Keras' own count, a step by what the system tells."""

import json
import pathlib
import re
import subprocess
import sys

import pytest

import keras_bert
from tests.encoders import make_encoder
from tests.heads import MAKERS

SCRIPT = pathlib.Path(__file__).parents[2] / "tools" / "plan_memory.py"
needs_linux = pytest.mark.skipif(
    not pathlib.Path("/proc/self/clear_refs").exists(), reason="reads peaks as Linux tells them"
)


@pytest.mark.parametrize(
    ("task", "head"),
    [("classifier", 2 * 13), ("multiple_choice", 13), ("token_classifier", 5 * 13), ("masked_lm", 0), ("embedder", 0)],
)
def test_weights_are_those_of_the_model(tool, task, head):
    """But for a head's last layer, of which the tool does not know the classes."""
    model = MAKERS["Bert" + {"masked_lm": "MaskedLM"}.get(task, task.title().replace("_", ""))]()
    found = tool("plan_memory").plan(model.encoder.arguments, task)
    assert found["weights"] == 4 * (model.count_params() - head)
    assert found["slots"] == 2 * found["weights"]
    sgd = tool("plan_memory").plan(model.encoder.arguments, task, optimizer="sgd")
    assert sgd["slots"] == 0 and sgd["step"] == found["step"]


def test_the_largest_batch_fits_and_one_row_more_does_not(tool, capsys):
    module = tool("plan_memory")
    flags = ["--size", "base", "--tokens", "512", "--precision", "bfloat16"]
    rows = module.main([*flags, "--memory", "16GB"])["largest"]
    assert f"largest batch in 16GB: {rows} rows of 512 tokens" in capsys.readouterr().out
    assert module.main([*flags, "--rows", str(rows)])["total"] <= 16e9
    assert module.main([*flags, "--rows", str(rows + 1)])["total"] > 16e9
    assert module.main([*flags, "--memory", "16GB", "--rematerialize"])["largest"] > 3 * rows
    capsys.readouterr()
    assert module.main([*flags, "--memory", "1.5GB"])["largest"] == 0
    needed = re.search(r"A row alone takes (\d+\.\d+) GB", capsys.readouterr().out)[1]
    assert module.main([*flags, "--rows", "1"])["total"] == pytest.approx(float(needed) * 1e9, abs=1e6)
    assert module.bytes_of("2 GiB") == 2**31 and module.bytes_of("2GB") == 2 * 10**9


def test_a_presets_sizes_are_its_own(tool, tmp_path):
    make_encoder(attention_dropout=0.0).save_to_preset(tmp_path)
    module = tool("plan_memory")
    found = module.main(["--preset", str(tmp_path), "--rows", "3", "--tokens", "7", "--runtime", "0GB"])
    sizes = keras_bert.BertEncoder.from_preset(tmp_path).arguments
    assert found["step"] == module.plan(sizes, rows=3, tokens=7)["step"]
    assert module.block_bytes({**sizes, "attention_dropout": 0.1}, 3, 7, 7, 4) - module.block_bytes(
        sizes, 3, 7, 7, 4
    ) == (4 + 1) * (3 * 3 * 7 * 7)  # the product and the mask


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--memory", "much"], "Memory must be a number with a unit. Received: 'much'"),
        (["--memory", "8"], "Memory must be a number with a unit. Received: '8'"),
        (["--tokens", "600"], "must fit into the position table. Received: --tokens 600, of at most 512"),
        (["--rows", "0"], "must be at least 1, received 0"),
        (["--tokens", "-5"], "must be at least 1, received -5"),
        (["--size", "huge"], "`--size` must be one of tiny, .*Received: 'huge'"),
    ],
)
def test_what_cannot_be_read_is_named(tool, capsys, flags, message):
    with pytest.raises(SystemExit):
        tool("plan_memory").main(flags)
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.slow
@needs_linux
@pytest.mark.parametrize(
    "flags",
    [
        ["--size", "mini", "--rows", "48", "--tokens", "128"],
        ["--size", "mini", "--rows", "16", "--tokens", "256", "--precision", "bfloat16"],
        ["--size", "small", "--rows", "8", "--tokens", "384"],
        ["--size", "medium", "--rows", "32", "--tokens", "128", "--rematerialize"],
    ],
)
def test_the_plan_is_what_is_measured(flags, tmp_path):
    code = "import json, sys, plan_memory; print(json.dumps(plan_memory.main(sys.argv[1:])))"
    done = subprocess.run(
        [sys.executable, "-c", code, *flags, "--measure"],
        cwd=SCRIPT.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["measured"] > 1e8
    assert found["step"] == pytest.approx(found["measured"], rel=0.15)
