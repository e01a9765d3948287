"""The recipe runs from a table to an answering SavedModel, for every task, and refuses bad input before it trains."""

import contextlib
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import types

import finetune_classifier as recipe
import numpy as np
import pytest

import keras_bert

QUICK = ["--epochs", "1", "--batch-size", "4", "--sequence-length", "16"]
SINGLE = "text\tlabel\n" + "good film\tyes\nbad film\tno\na good day\tyes\na bad day\tno\n" * 2
FILES = {"metrics.json", "predictions.tsv", "learning_curve.png", "preset", "saved_model"}
HAS_TENSORBOARD = importlib.util.find_spec("tensorboard") is not None  # TensorFlow brings it up to 2.20
if HAS_TENSORBOARD:
    FILES |= {"logs"}


def run(*flags):
    return recipe.main([str(flag) for flag in flags])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One run: its flags, its output, what it returned and what it printed."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "train.tsv").write_text(SINGLE)
    data = [flag for name in ("--train", "--dev", "--test") for flag in (name, folder / "train.tsv")]
    flags = [*data, "--output", folder / "out", *QUICK]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        metrics = run(*flags)
    return types.SimpleNamespace(
        flags=flags, output=folder / "out", metrics=metrics, printed=printed.getvalue()
    )


def code_of(printed):
    return printed[printed.index("import tensorflow as tf") :]


def predictions(output):
    return [
        line.split("\t") for line in (output / "predictions.tsv").read_text(encoding="utf-8").splitlines()
    ]


def test_every_result_is_there(trained):
    assert {path.name for path in trained.output.iterdir()} == FILES | {"confusion_matrix.png"}
    assert "examples_per_second" in trained.printed
    for part in ("train", "validation"):
        assert any(trained.output.glob(f"logs/*/{part}/events*")) == HAS_TENSORBOARD


def test_metrics_are_written_as_returned(trained):
    written = json.loads((trained.output / "metrics.json").read_text())
    assert written == trained.metrics
    assert written["labels"] == ["no", "yes"] and written["best_epoch"] == 1
    assert written["examples"] == {"train": 8, "dev": 8, "test": 8}
    assert set(written["test"]) == set(written["dev"]) == {"accuracy", "f1", "f1_macro", "matthews"}
    assert written["history"]["examples_per_second"][0] > 0


def test_predictions_give_the_scores(trained):
    header, *rows = predictions(trained.output)
    assert header == ["row", "label", "predicted", "probability no", "probability yes", "text"]
    assert [row[0] for row in rows] == [str(number) for number in range(1, 9)]
    assert (
        np.mean([label == predicted for _, label, predicted, *_ in rows])
        == trained.metrics["test"]["accuracy"]
    )


def test_the_preset_gives_the_predictions(trained):
    _, *rows = predictions(trained.output)
    classifier = keras_bert.BertClassifier.from_preset(trained.output / "preset")
    probabilities = classifier.predict([row[-1] for row in rows], verbose=0)
    np.testing.assert_allclose(probabilities, np.array([row[3:5] for row in rows], float), atol=1e-5)


def test_the_printed_example_runs_in_a_fresh_process_without_the_library(trained):
    done = subprocess.run(
        [sys.executable, "-c", code_of(trained.printed)],
        env=os.environ | {"PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"'label': array\(\[b'(yes|no)'\]", done.stdout)


def test_the_same_seed_gives_the_same_run_and_replaces_only_its_own_files(trained):
    (trained.output / "notes.txt").write_text("mine")
    again = run(*trained.flags)
    assert again["history"]["loss"] == trained.metrics["history"]["loss"]
    assert (trained.output / "notes.txt").read_text() == "mine"
    (trained.output / "notes.txt").unlink()


def test_a_preset_is_fine_tuned_on_pairs_with_several_labels(trained, write, tmp_path, capsys):
    rows = [
        {"text": "red", "second": "a", "label": ["red"]},
        {"text": "both", "second": "b", "label": "blue|red"},
        {"text": "none", "second": "c", "label": ""},
    ]
    train = write("train.jsonl", "".join(json.dumps(row) + "\n" for row in rows * 3))
    flags = ["--text-pair-column", "second", "--task", "multi_label", "--preset", trained.output / "preset"]
    metrics = run("--train", train, *flags, "--output", tmp_path / "out", *QUICK)
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES | {"confusion_matrix.png"}
    assert metrics["labels"] == ["blue", "red"] and metrics["examples"] == {"train": 8, "dev": 1}
    assert set(metrics["dev"]) == {"f1_micro", "f1_macro"} and "test" not in metrics
    header, *rows = predictions(tmp_path / "out")
    assert header[-2:] == ["text", "text_pair"] and len(rows) == 1
    exec(code_of(capsys.readouterr().out))


def test_numbers_are_learned_by_column_number_in_mixed_precision(write, tmp_path, capsys):
    train = write("train.csv", "0.5,one\n1.5,two\n-3e0,three\n" * 3)
    columns = ["--no-header", "--text-column", 1, "--label-column", 0]
    flags = ["--task", "regression", "--mixed-precision", "--output", tmp_path / "out"]
    metrics = run("--train", train, "--dev", train, *columns, *flags, *QUICK)
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES | {"predicted_against_true.png"}
    assert set(metrics["dev"]) == {"pearson", "spearman", "mse"} and metrics["labels"] == []
    header, *rows = predictions(tmp_path / "out")
    assert header == ["row", "label", "predicted", "text"]
    errors = [float(label) - float(predicted) for _, label, predicted, _ in rows]
    np.testing.assert_allclose(np.mean(np.square(errors)), metrics["dev"]["mse"], rtol=1e-4)
    exec(code_of(capsys.readouterr().out))


MIRRORED = """
import sys, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import finetune_classifier
metrics = finetune_classifier.main(sys.argv[1:])
"""


@pytest.mark.slow
def test_two_devices_train_and_write_the_same_results(trained, tmp_path):
    flags = [*map(str, trained.flags), "--output", str(tmp_path / "out"), "--strategy", "mirrored"]
    paths = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", MIRRORED, *flags],
        env=os.environ | paths,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics.keys() == trained.metrics.keys() and metrics["examples"] == trained.metrics["examples"]


@pytest.mark.slow
def test_the_sample_data_is_learned_without_arguments(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    metrics = run()
    assert metrics["dev"]["accuracy"] > 0.7 and metrics["test"]["accuracy"] > 0.7  # one label has half the rows
    assert (tmp_path / "output" / "finetune_classifier" / "metrics.json").is_file()


@pytest.fixture
def _no_training(monkeypatch):
    def fail(*args, **kwargs):
        raise AssertionError("the training started")

    monkeypatch.setattr(keras_bert.BertClassifier, "fit", fail)


@pytest.mark.usefixtures("_no_training")
@pytest.mark.parametrize(
    ("train", "dev", "flags", "message"),
    [
        (("a.tsv", "sentence\tlabel\na\tb\n"), None, [], "'text', but .* has the columns sentence, label"),
        (("a.tsv", SINGLE + "torn row\n"), None, [], r"Received: 1 in row 9 \(line 10\)"),
        (("a.tsv", SINGLE + "no label\t \n"), None, [], r"a name or a number. Received: ' ' in row 9"),
        (
            ("a.jsonl", '{"text": 5, "label": 1}\n'),
            None,
            [],
            r"text must be a string. Received: \[5\] in row 1",
        ),
        (
            ("a.tsv", SINGLE),
            ("d.tsv", "text\tlabel\na\tyes\nb\tmaybe\n"),
            [],
            "has no, yes. Received: 'maybe' in row 2",
        ),
        (("a.tsv", ""), None, [], "at least one row. Received: '.*a.tsv', which is empty"),
        (("a.xml", SINGLE), None, [], "must end in one of .tsv, .csv, .jsonl. Received: '.*a.xml'"),
        (("a.tsv", "text\tlabel\na\tb\n"), None, [], "at least two rows"),
        (("a.tsv", "text\tlabel\na\tb\nc\tb\n"), None, [], "at least two different labels"),
        (("a.tsv", SINGLE), None, ["--task", "regression"], "finite number. Received: 'yes' in row 1"),
        (
            ("a.tsv", SINGLE),
            None,
            ["--preset", "/no/such/preset"],
            "Received: '/no/such/preset', no such directory",
        ),
        (("a.tsv", SINGLE), None, ["--strategy", "mirrored"], "'mirrored' needs several GPUs"),
        (("a.tsv", SINGLE), None, ["--sequence-length", "513"], "513"),
        (("a.tsv", SINGLE), None, ["--epochs", "0"], "argument --epochs: must be at least 1, received 0"),
        (("a.tsv", SINGLE), None, ["--learning-rate", "nan"], "finite number above 0, received nan"),
        (None, ("d.tsv", SINGLE), [], "need training data. Received: no --train"),
        (None, None, ["--task", "regression"], "sample data is single texts with one label"),
    ],
)
def test_bad_input_is_refused_before_training(write, tmp_path, capsys, train, dev, flags, message):
    for flag, file in (("--train", train), ("--dev", dev)):
        flags = [*flags, flag, write(*file)] if file else flags
    with pytest.raises(SystemExit) as error:
        run(*flags, "--output", tmp_path / "out")
    assert error.value.code == 2
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.usefixtures("_no_training")
@pytest.mark.parametrize("output", ["file.txt", "file.txt/below"])
def test_an_output_that_cannot_be_written_is_refused_before_training(write, tmp_path, capsys, output):
    write("file.txt", "")
    with pytest.raises(SystemExit):
        run("--output", tmp_path / output)
    assert re.search(
        "must be a directory that can be written to. Received: '.*file.txt", capsys.readouterr().err
    )


def test_help_explains_every_flag_with_its_default(capsys):
    with pytest.raises(SystemExit):
        run("--help")
    assert capsys.readouterr().out
    for action in recipe.build_parser()._actions[1:]:
        assert re.search(r"\. Default: .+\.$", action.help), action.dest
