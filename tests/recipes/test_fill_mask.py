"""The recipe fills, judges and learns from raw texts, and refuses bad input before it trains."""

import contextlib
import io
import json
import re
import types

import fill_mask as recipe
import guesses
import numpy as np
import pytest

import keras_bert

QUICK = ["--epochs", "2", "--batch-size", "4", "--sequence-length", "12", "--learning-rate", "1e-2"]
LINES = "the court was adjourned .\n\nthe judge was late\n" * 8


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    words = ["the", "court", "judge", "was", "late", "adjourned", "."]
    tokenizer = keras_bert.BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words])
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12, "max_sequence_length": 16}
    encoder = keras_bert.BertEncoder(len(tokenizer.vocabulary), **sizes)
    path = tmp_path_factory.mktemp("preset") / "preset"
    keras_bert.BertMaskedLM(encoder, keras_bert.BertPreprocessor(tokenizer, sequence_length=16)).save_to_preset(path)
    return str(path)


def run(*flags):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        found = recipe.main(list(flags))
    return found, printed.getvalue()


@pytest.fixture(scope="module")
def trained(preset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    (folder / "texts.txt").write_text(LINES, encoding="utf-8")
    flags = ["--train", str(folder / "texts.txt"), "--output", str(folder / "out"), "--top-k", "2", *QUICK]
    metrics, printed = run("--preset", preset, "the [MASK] was [MASK]", *flags)
    return types.SimpleNamespace(output=folder / "out", metrics=metrics, printed=printed)


def test_it_fills_the_sample_with_the_packaged_preset():
    found, printed = run()
    assert found["texts"] == recipe.SAMPLE
    assert [len(masks) for masks in found["answers"]] == [text.count("[MASK]") for text in recipe.SAMPLE]
    assert all(len(fillings) == 5 for masks in found["answers"] for fillings in masks)
    for text, masks in zip(found["texts"], found["answers"], strict=True):
        assert "\n".join(guesses.lines(text, masks)) in printed
    assert re.search(r"years \d+ %", printed)


def test_texts_come_from_the_command_line_files_and_standard_input(preset, write, monkeypatch):
    file = write("texts.txt", "\ufeffthe [MASK]\r\n\n [MASK] was late \n")
    found, _ = run("the court [MASK]", "--preset", preset, "--file", file, "--top-k", "1")
    assert found["texts"] == ["the court [MASK]", "the [MASK]", "[MASK] was late"]
    assert [len(masks[0]) for masks in found["answers"]] == [1, 1, 1]
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=io.BytesIO(b"die [MASK]\n")))
    assert run("--preset", preset, "--file", "-")[0]["texts"] == ["die [MASK]"]


def test_it_judges_texts(preset, write):
    table = write("texts.tsv", "text\tlabel\nthe court was late\tx\nthe\ty\n")
    found, printed = run("--preset", preset, "--perplexity", "--file", table)
    assert found["texts"] == ["the court was late", "the"]
    masked_lm = keras_bert.BertMaskedLM.from_preset(preset)
    np.testing.assert_allclose(found["answers"], masked_lm.pseudo_perplexity(found["texts"], verbose=0), rtol=1e-5)
    assert f"{found['answers'][0]:.2f}  the court was late" in printed


def test_a_training_leaves_every_result(trained):
    files = {path.name for path in trained.output.iterdir()} - {"logs"}
    assert files == {"preset", "saved_model", "metrics.json", "learning_curve.png"}
    metrics = json.loads((trained.output / "metrics.json").read_text())
    assert metrics["texts"] == {"train": 15, "dev": 1}
    assert metrics["after"]["loss"] == min(metrics["history"]["val_loss"])
    assert metrics["after"]["perplexity"] == pytest.approx(np.exp(metrics["after"]["loss"]))
    masked_lm = keras_bert.BertMaskedLM.from_preset(trained.output / "preset")
    masks = masked_lm.predict(["the [MASK] was [MASK]"], top_k=2, verbose=0)[0]
    assert trained.printed.count("\n".join(guesses.lines("the [MASK] was [MASK]", masks))) == 1


def test_the_printed_code_asks_the_saved_model(trained):
    code = trained.printed[trained.printed.index("import tensorflow as tf") :]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, "printed", "exec"), {})
    assert "'num_masks': array([2]" in printed.getvalue()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["no mask"], r"Each text must hold \[MASK\]. Received: 'no mask' at index 0"),
        (["--file", "/no/texts.txt"], "must exist. Received: '/no/texts.txt'"),
        (["--file", "{empty}"], "must hold one. Received: .*which is empty"),
        (["--file", "{bad}"], "must be UTF-8. Received: invalid start byte at byte 2"),
        (["--top-k", "0"], "--top-k: must be at least 1"),
        (["--top-k", "99"], "`top_k` must be at most 12"),
        (["--dev", "{texts}"], "need training data. Received: no --train"),
        (["--train", "{one}"], "must have two texts. Received: 1"),
        (["--train", "{texts}", *QUICK, "--mask-rate", "2"], "`mask_rate` must be between 0 and 1. Received: "),
        (["--train", "{table}", "--text-column", "x"], "Received: 'x', but"),
        (["--train", "{texts}", "--sequence-length", "99"], "beyond the encoder's position table"),
    ],
)
def test_bad_input_is_refused_before_the_training(preset, write, tmp_path, capsys, flags, message):
    files = {"empty": "\n \n", "bad": b"a\n\xff", "texts": "the\nb\n", "one": "the\n", "table": "text\na\n"}
    names = {name: write(f"{name}.tsv" if name == "table" else f"{name}.txt", text) for name, text in files.items()}
    flags = [flag.format(**names) for flag in flags]
    with pytest.raises(SystemExit):
        recipe.main([*flags, "--preset", preset, "--output", str(tmp_path / "out")])
    error = " ".join(capsys.readouterr().err.split())
    assert re.search(message, error), error
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
