"""The recipe runs from RACE's and SWAG's files to an answering SavedModel, and refuses bad input before it trains."""

import contextlib
import csv
import io
import json
import re
import types

import finetune_choice as recipe
import numpy as np
import pytest
from choices import read_choices

import keras_bert

WORDS = [*"abcdefgh", "who", "what", "sat", "on", "the", "mat", "cat", "dog", "?", "."]
QUICK = ["--epochs", "2", "--batch-size", "4", "--sequence-length", "24", "--learning-rate", "1e-2"]


def race(passages=3, **changes):
    """Passages in RACE's form; `changes` go into the first."""
    found = []
    for number in range(passages):
        found.append(
            {
                "id": f"middle{number}.txt",
                "article": "The cat sat on the mat . " + "a b c d . " * number,
                "questions": ["Who sat ?", "What ?"],
                "options": [["dog", "cat", "mat"], ["the mat", "a", "b c"]],
                "answers": ["B", "A"],
            }
        )
    found[0].update(changes)
    return found


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    tokenizer = keras_bert.BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12, "max_sequence_length": 32}
    encoder = keras_bert.BertEncoder(len(tokenizer.vocabulary), **sizes)
    preprocessor = keras_bert.BertPreprocessor(tokenizer, sequence_length=32)
    path = tmp_path_factory.mktemp("preset") / "preset"
    keras_bert.BertMultipleChoice(encoder, preprocessor).save_to_preset(path)
    return str(path)


@pytest.fixture(scope="module")
def trained(preset, tmp_path_factory):
    """A run on RACE's passages: a list to train on, a folder of files to test on."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "train.json").write_text(json.dumps(race()), encoding="utf-8")
    (folder / "test" / "middle").mkdir(parents=True)
    for passage in race(2):
        (folder / "test" / "middle" / passage["id"]).write_text(json.dumps(passage), encoding="utf-8")
    flags = ["--preset", preset, "--train", str(folder / "train.json"), "--test", str(folder / "test"), *QUICK]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        metrics = recipe.main([*flags, "--output", str(folder / "out")])
    return types.SimpleNamespace(output=folder / "out", metrics=metrics, printed=printed.getvalue())


def test_every_result_is_there_and_says_the_same(trained):
    files = {path.name for path in trained.output.iterdir()} - {"logs"}
    assert files == {"preset", "saved_model", "metrics.json", "predictions.json", "learning_curve.png"}
    metrics = json.loads((trained.output / "metrics.json").read_text())
    assert metrics["questions"] == {"train": 4, "dev": 2, "test": 4}  # a passage stays whole
    assert {"val_accuracy", "loss", "val_loss"} <= set(metrics["history"])
    predictions = json.loads((trained.output / "predictions.json").read_text())
    assert list(predictions) == ["middle0.txt/1", "middle0.txt/2", "middle1.txt/1", "middle1.txt/2"]
    right = [one["predicted"] == one["answer"] for one in predictions.values()]
    assert metrics["test"]["accuracy"] == np.mean(right)
    assert metrics["test"]["by_guessing"] == pytest.approx(1 / 3)
    chooser = keras_bert.BertMultipleChoice.from_preset(trained.output / "preset")
    found = chooser.predict((["The cat sat on the mat . "], ["Who sat ?"], [["dog", "cat", "mat"]]), verbose=0)
    np.testing.assert_allclose(found[0], predictions["middle0.txt/1"]["probabilities"], atol=1e-5)


def test_the_printed_code_asks_the_saved_model(trained):
    code = trained.printed[trained.printed.index("import tensorflow as tf") :]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, "printed", "exec"), {})
    assert "'choice'" in printed.getvalue() and "'answer'" in printed.getvalue()


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_swags_tables_are_read(tmp_path, ending):
    rows = [["A cat sat.", "It", "purred.", "flew, high.", 'said "no".', "read.", "2"]]
    names = ["sent1", "sent2", "ending0", "ending1", "ending2", "ending3", "label"]
    with open(tmp_path / f"swag.{ending}", "w", encoding="utf-8", newline="") as file:
        if ending == "csv":
            writer = csv.writer(file)
            writer.writerow(["", "video-id", *names])
            writer.writerows([["0", "v1", *row] for row in rows])
        else:
            file.writelines(json.dumps(dict(zip(names, row, strict=True)) | {"label": 2}) + "\n" for row in rows)
    (found,) = read_choices(str(tmp_path / f"swag.{ending}"))
    assert found[2:] == ("A cat sat.", "It", ["purred.", "flew, high.", 'said "no".', "read."], 2)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["", "zh_"])
def test_the_sample_data_is_learned(language, tmp_path):
    flags = ["--output", str(tmp_path / "out")]
    if language:
        flags += ["--train", f"{recipe.SAMPLE}/choices_zh_train.json", "--dev", f"{recipe.SAMPLE}/choices_zh_dev.json"]
        texts = (recipe.SAMPLE / "choices_zh_train.json").read_text(encoding="utf-8")
        characters = sorted({character for character in texts if not character.isspace()})
        tokenizer = keras_bert.BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters])
        encoder = keras_bert.BertEncoder(len(tokenizer.vocabulary), **keras_bert.SIZES["mini"])
        keras_bert.BertMultipleChoice(encoder, keras_bert.BertPreprocessor(tokenizer)).save_to_preset(tmp_path / "zh")
        flags += ["--preset", str(tmp_path / "zh"), "--epochs", "30", "--learning-rate", "1e-3"]
    metrics = recipe.main(flags)
    print(language, metrics["dev"])
    assert metrics["dev"]["accuracy"] > 0.4  # 0.25 by guessing


def swag(**changes):
    row = {"sent1": "a", "sent2": "b", "ending0": "c", "ending1": "d", "ending2": "e", "ending3": "f", "label": 1}
    return json.dumps(row | changes)


@pytest.mark.parametrize(
    ("name", "content", "flags", "message"),
    [
        ("a.json", race(answers=["B", "D"]), [], "beyond the options in passage 'middle0.txt' of '.*a.json'"),
        ("a.json", race(answers=["B", "b"]), [], "A passage must have .*ValueError.* in passage 'middle0.txt'"),
        ("a.json", race(answers=["B"]), [], "A passage must have .*ValueError: zip"),
        ("a.json", race(article=None), [], "TypeError: a text that is none in passage 'middle0.txt'"),
        ("a.json", race(options=[["a", "b"], ["a", "b"]]), [], "as many choices.* Received: 2 in question .*3 in"),
        ("a.json", race(options=[["a"], ["a"]], answers=["A", "A"]), [], "at least two. Received: 1 in question"),
        ("a.json", [{"id": "x"}], [], "KeyError: 'article' in passage 'x'"),
        ("a.json", ["x"], [], "A passage must have .* in passage ''"),
        ("a.json", {}, [], "must hold a list of RACE's passages"),
        ("a.json", [], [], "must hold at least one question"),
        ("a.json", race(1), [], "must have two passages. Received: one"),
        ("a.json", race(), ["--sequence-length", "64"], "sequence_length=64, max_sequence_length=32"),
        ("a.json", race(), ["--dev", "/no/dev.json"], "No such file or directory: '/no/dev.json'"),
        ("a.json", "[{", [], "must be JSON in UTF-8"),
        ("a.jsonl", swag(label=4), [], "A label must be 0 to 3, which ending is right. Received: 4 in row 1"),
        ("a.jsonl", swag(label=None), [], "Every row must have the column 'label'"),
        ("a.txt", "x", [], "must end in one of"),
    ],
)
def test_bad_input_is_refused_before_the_training(preset, write, tmp_path, capsys, name, content, flags, message):
    train = write(name, content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(SystemExit):
        recipe.main(["--preset", preset, "--train", train, "--output", str(tmp_path / "out"), *QUICK, *flags])
    error = " ".join(capsys.readouterr().err.split())
    assert re.search(message, error), error


def test_the_sample_has_its_own_dev_data(capsys):
    with pytest.raises(SystemExit):
        recipe.main(["--dev", "dev.json"])
    assert "Received: no --train" in capsys.readouterr().err
