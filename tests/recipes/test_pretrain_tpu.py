"""Pre-training as a user runs it: from raw text to a preset that a classifier takes, interrupted and refused."""

import json
import random
import re
import time

import numpy as np
import pytest
from tensorflow.python.framework.config import disable_op_determinism

import keras_bert

WORDS = ["the", "a", "cat", "dog", "man", "tree", "house", "runs", "sees", "likes", "old", "small", "under", "and"]


@pytest.fixture(scope="module")
def recipe():
    import pretrain_tpu

    return pretrain_tpu


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    draw = random.Random(0)
    for i in range(8):
        lines = (" ".join(draw.choices(WORDS, k=draw.randint(3, 9))).capitalize() + "." for _ in range(60))
        (folder / f"{i}.txt").write_text(" ".join(lines))
    (folder / "vocab").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", *WORDS]))
    return folder


@pytest.fixture(scope="module", autouse=True)
def determinism_ends():
    """Keras compiles nothing by XLA where operations are deterministic: not to be left on for other tests."""
    yield
    disable_op_determinism()


FLAGS = "--size tiny --row-sizes 32 64 --batch-size 8 --evaluation-steps 2 --learning-rate 3e-3 --deterministic"


@pytest.fixture(scope="module")
def pretrain(recipe, corpus):
    def run(output, *flags, steps=(9, 5)):
        counts = ["--steps", *steps, "--evaluate-every", 4]
        data = ["--data", corpus, "--vocabulary", corpus / "vocab"]
        return recipe.main([str(flag) for flag in (*data, *FLAGS.split(), *counts, "--output", output, *flags)])

    return run


@pytest.fixture(scope="module")
def finished(pretrain, tmp_path_factory):
    output = tmp_path_factory.mktemp("output")
    return output, pretrain(output)


def test_a_preset_comes_out_that_a_classifier_takes(finished, corpus):
    output, metrics = finished
    assert {path.name for path in output.iterdir()} >= {
        "preset", "checkpoints", "records", "metrics.json", "learning_curve.png",
    }  # fmt: skip
    assert [logs["step"] for logs in metrics["history"]] == [4, 8, 9, 13, 14]
    assert json.loads((output / "metrics.json").read_text())["held_out"] == pytest.approx(metrics["held_out"])
    assert metrics["held_out"]["masked_lm_perplexity"] == pytest.approx(np.exp(metrics["held_out"]["masked_lm_loss"]))
    assert all(logs["tokens_per_second"] > 0 for logs in metrics["history"])
    classifier = keras_bert.BertClassifier.from_preset(output / "preset", num_classes=2)
    assert classifier.predict(["the cat runs"], verbose=0).shape == (1, 2)
    assert (output / "learning_curve.png").read_bytes()[1:4] == b"PNG"


@pytest.mark.slow
def test_an_interrupted_training_ends_the_same(pretrain, finished, tmp_path, monkeypatch, recipe):
    class Stop(Exception):
        pass

    seen = []

    class Interrupting(recipe.Throughput):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(batch)
            if len(seen) == 11:  # in the second phase
                raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(recipe, "Throughput", Interrupting)
        with pytest.raises(Stop):
            pretrain(tmp_path, "--minutes-between-saves", 0)
    metrics = pretrain(tmp_path)
    whole = finished[1]
    for logs, expected in zip(metrics["history"], whole["history"], strict=True):
        names = set(expected) - {"tokens_per_second", "flop_utilisation"}
        # To the bit in processes of their own (tests/training/test_resume.py); in one, memory is aligned otherwise.
        assert {name: logs[name] for name in names} == pytest.approx({name: expected[name] for name in names}, rel=1e-6)
    presets = (folder / "preset" for folder in (tmp_path, finished[0]))
    weights = [keras_bert.BertPretrainer.from_preset(preset).get_weights() for preset in presets]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_released_weights_go_on(recipe, finished, corpus, tmp_path):
    flags = ["--data", str(finished[0] / "records"), "--preset", str(finished[0] / "preset"), "--optimizer", "lamb"]
    flags += ["--row-sizes", "32", "--steps", "3", "--batch-size", "8", "--mask-unit", "whole_word"]
    flags += ["--next-sentence", "none", "--dropout", "0"]
    metrics = recipe.main([*flags, "--output", str(tmp_path)])
    assert "next_sentence_accuracy" not in metrics["held_out"] and len(metrics["history"]) == 3
    encoder = keras_bert.BertEncoder.from_preset(tmp_path / "preset")
    assert (encoder.arguments["dropout"], encoder.arguments["attention_dropout"]) == (0, 0)


@pytest.mark.slow
def test_a_budget_of_time_ends_both_phases(recipe, finished, tmp_path, monkeypatch):
    """The clock here goes ten seconds at each look, so that the test does not depend on the machine."""
    clock = iter(range(0, 10**6, 10))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    flags = ["--data", str(finished[0] / "records"), "--budget-hours", "0.5", "--steps", "3", "1", *FLAGS.split()]
    metrics = recipe.main([*flags, "--evaluate-every", "4", "--output", str(tmp_path)])
    rates = [logs["step"] for logs in metrics["history"]]
    assert rates == sorted(rates) and 8 < rates[-1] < 100
    state = sorted((tmp_path / "checkpoints").glob("step-*/state.json"))[-1]
    (end,) = json.loads(state.read_text())["progress"]["notes"]["ends"]
    assert 0.6 < end / rates[-1] < 0.9


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data", "{corpus}"], "Raw text needs a vocabulary.*train_vocabulary"),
        (["--data", "{corpus}/nothing", "--vocabulary", "{corpus}/vocab"], "must hold text files"),
        (["--data", "{records}", "--vocabulary", "{corpus}/vocab"], "Built data brings its vocabulary"),
        (["--data", "{records}", "--preset", "{other}"], "must have one vocabulary"),
        (["--data", "{records}", "--dropout", "1"], "`rate` must be at least 0 and below 1"),
        (["--preset", "{other}", "--size", "tiny"], "--size is of a new model"),
        (["--row-sizes", "32", "64", "--steps", "5"], "Each phase needs a row size and steps"),
        (["--row-sizes", "32", "--steps", "9", "--steps-per-execution", "4"], "divide .* Received: 4, and 4, 9. Take"),
        (["--data", "{records}", "--preset", "{mine}", "--row-sizes", "1024", "--steps", "1"], "the position table"),
        (["--strategy", "tpu"], "must be a TPU at the address. Received: tpu='local'"),
        (["--data", "{records}", "--seed", "7", "--output", "{output}"], "seed was 0 and is 7"),
    ],
)
def test_what_cannot_be_trained_is_said_before(recipe, finished, corpus, tmp_path, capsys, flags, message):
    output = finished[0]
    tokenizer = keras_bert.BertTokenizer(str(corpus / "vocab"), lowercase=False)
    tokenizer.save_to_preset(tmp_path / "other")
    places = {"corpus": corpus, "records": output / "records", "other": tmp_path / "other"}
    places |= {"mine": output / "preset", "output": output}
    with pytest.raises(SystemExit):
        recipe.main(["--output", str(tmp_path / "output"), *(flag.format(**places) for flag in flags)])
    err = " ".join(capsys.readouterr().err.split())
    assert re.search(message, err), err[-500:]
