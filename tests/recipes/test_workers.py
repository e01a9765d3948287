"""Every recipe that trains does so under every strategy; of several workers the chief alone is heard and writes."""

import argparse
import importlib
import json
import os
import subprocess
import sys

import pretraining_flags
import pytest
import workers

import keras_bert

RECIPES = ["distill", "embed", "fill_mask", "glue"]
RECIPES += ["finetune_choice", "finetune_classifier", "finetune_span", "finetune_tokens"]


@pytest.mark.parametrize("name", [*RECIPES, "pretrain_tpu"])
def test_every_recipe_that_trains_offers_every_strategy(name):
    if name == "pretrain_tpu":
        pretraining_flags.pretraining_flags(parser := argparse.ArgumentParser())
    else:
        parser = importlib.import_module(name).build_parser()
    assert parser.parse_args([]).strategy == ("auto" if name == "pretrain_tpu" else "one")
    for strategy in keras_bert.training.STRATEGIES:
        flags = parser.parse_args(["--strategy", strategy, "--tpu", "mine"])
        assert (flags.strategy, flags.tpu) == (strategy, "mine")


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--strategy", "multi_worker"], "TF_CONFIG must be JSON. Received: 'x' (Expecting value"),
        (["--strategy", "tpu", "--tpu", "grpc://127.0.0.1:9"], "must be a TPU at the address. Received: tpu='grpc:"),
        (["--tpu", "grpc://127.0.0.1:9"], "of --strategy tpu. Received: --strategy one --tpu grpc://127.0.0.1:9."),
    ],
)
def test_devices_that_are_not_there_are_said_first(monkeypatch, tmp_path, capsys, name, flags, message):
    monkeypatch.setenv("TF_CONFIG", "x")
    data = {"glue": ["--data", "no-such"]}.get(name, [] if name == "fill_mask" else ["--train", "no-such.tsv"])
    with pytest.raises(SystemExit):
        importlib.import_module(name).main([*data, *flags, "--output", str(tmp_path / "out")])
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("is_chief", [True, False])
def test_another_worker_than_the_chief_is_not_heard_and_makes_no_directory(monkeypatch, tmp_path, capsys, is_chief):
    monkeypatch.setattr(keras_bert.training, "is_chief", lambda strategy: is_chief)
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # set back at the end
    strategy = workers.begin(argparse.Namespace(strategy="one", tpu=None, seed=3))
    output = workers.output_directory(strategy, tmp_path / "out", "preset")
    print("heard")
    assert output == tmp_path / "out" and output.exists() == is_chief
    assert capsys.readouterr().out == ("heard\n" if is_chief else "")
    assert workers.chief_first(strategy, lambda: "made") == "made"


@pytest.mark.slow
def test_two_workers_pre_train_and_one_writes(root, tmp_path):
    recipe = str(root / "recipes" / "pretrain_tpu.py")
    flags = ["--steps", "6", "--evaluate-every", "3", "--evaluation-steps", "1", "--row-sizes", "32"]
    flags += ["--batch-size", "4"]
    command = [str(root / "recipes" / "launch_workers.py"), "--workers", "2", recipe, *flags]
    environment = os.environ | {"PYTHONPATH": str(root), "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, *command, "--output", str(tmp_path)],
        env=environment, capture_output=True, text=True, check=False, timeout=1200,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    assert "[worker 0] step 6: loss" in done.stdout and "[worker 1] step" not in done.stdout
    assert "[worker 0] The preset:" in done.stdout and "[worker 1] The preset:" not in done.stdout
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert [logs["step"] for logs in metrics["history"]] == [3, 6]
    assert len(list(tmp_path.glob("logs/train/*"))) <= 1  # TensorBoard may be missing
    keras_bert.BertMaskedLM.from_preset(tmp_path / "preset")
