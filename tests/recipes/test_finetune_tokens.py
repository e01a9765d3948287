"""The recipe runs from CoNLL files to an answering SavedModel, and refuses bad input before it trains."""

import contextlib
import io
import json
import re
import types

import conll
import finetune_tokens as recipe
import pytest

import keras_bert

QUICK = ["--epochs", "2", "--batch-size", "4", "--sequence-length", "12", "--learning-rate", "1e-2"]
SENTENCES = "Mary B-per\nWebb I-per\nsang O\n. O\n\n" * 4 + "-DOCSTART- O\n\nin O\nBath B-place\n\n" * 4


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    words = ["mary", "webb", "sang", ".", "in", "bath"]
    tokenizer = keras_bert.BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words])
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12, "max_sequence_length": 16}
    encoder = keras_bert.BertEncoder(len(tokenizer.vocabulary), **sizes)
    path = tmp_path_factory.mktemp("preset") / "preset"
    keras_bert.BertTokenClassifier(
        encoder, keras_bert.BertPreprocessor(tokenizer, sequence_length=16), ["O", "B-x"]
    ).save_to_preset(path)
    return str(path)


@pytest.fixture(scope="module")
def trained(preset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    (folder / "a.conll").write_text(SENTENCES, encoding="utf-8")
    flags = [flag for name in ("--train", "--dev", "--test") for flag in (name, str(folder / "a.conll"))]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        metrics = recipe.main(["--preset", preset, *flags, *QUICK, "--output", str(folder / "out")])
    return types.SimpleNamespace(output=folder / "out", metrics=metrics, printed=printed.getvalue())


def test_every_result_is_there_and_says_the_same(trained):
    files = {path.name for path in trained.output.iterdir()} - {"logs"}
    assert files == {"preset", "saved_model", "metrics.json", "predictions.conll", "learning_curve.png"}
    metrics = json.loads((trained.output / "metrics.json").read_text())
    assert metrics["sentences"] == {"train": 8, "dev": 8, "test": 8}
    assert metrics["tags"] == ["O", "B-per", "B-place", "I-per"]
    assert {"val_f1", "val_loss", "loss", "accuracy"} <= set(metrics["history"])
    words, predicted = conll.read_conll(str(trained.output / "predictions.conll"))
    _, tags = conll.read_conll(str(trained.output / "predictions.conll"), tag_column=1)
    assert tags[0] == ["B-per", "I-per", "O", "O"] and words[4] == ["in", "Bath"]
    scores = keras_bert.metrics.entity_scores(tags, predicted)
    assert scores["f1"] == metrics["test"]["f1"]
    tagger = keras_bert.BertTokenClassifier.from_preset(trained.output / "preset")
    assert tagger.predict_tags(words, verbose=0) == predicted


def test_the_printed_code_asks_the_saved_model(trained):
    code = trained.printed[trained.printed.index("import tensorflow as tf") :]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, "printed", "exec"), {})
    assert "'num_entities'" in printed.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("language", ["", "zh_"])
def test_the_sample_data_is_learned(language, tmp_path):
    flags = []
    if language:
        files = {split: str(recipe.SAMPLE / f"entities_zh_{split}.conll") for split in ("train", "dev", "test")}
        characters = sorted({word for words in conll.read_conll(files["train"])[0] for word in words})
        tokenizer = keras_bert.BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters])
        encoder = keras_bert.BertEncoder(len(tokenizer.vocabulary), **keras_bert.SIZES["tiny"])
        preset = keras_bert.BertTokenClassifier(encoder, keras_bert.BertPreprocessor(tokenizer), ["O", "B-x"])
        preset.save_to_preset(tmp_path / "zh")
        flags = [part for name, file in files.items() for part in (f"--{name}", file)]
        flags += ["--preset", str(tmp_path / "zh"), "--epochs", "20", "--learning-rate", "1e-3"]
    metrics = recipe.main([*flags, "--output", str(tmp_path / "out")])
    print(language, metrics["dev"], metrics["test"])
    assert metrics["test"]["f1"] > 0.8


@pytest.mark.parametrize(
    ("content", "flags", "message"),
    [
        ("a O\nword\n", [], "word and a tag. Received: 'word' in line 2 of"),
        ("a O\n", ["--tag-column", "2"], "Received: 'a O' in line 1"),
        ("\n\n", [], "must hold a sentence. Received: .*which is empty"),
        (b"\xff\xfe", [], "must be UTF-8"),
        ("a O\nb E-x\n\na O\nb E-x\n", [], "'bio' must be O or one of B-LABEL, I-LABEL. Received: 'E-x'"),
        ("a O\nb B-x\n", [], "must have two sentences. Received: one"),
        ("a O\n\nb O\n", [], "at least two different tags"),
        (SENTENCES, ["--dev", "/no/dev.conll"], "must exist. Received: '/no/dev.conll'"),
        (SENTENCES, ["--doc-stride", "0"], "--doc-stride: must be at least 1"),
    ],
)
def test_bad_input_is_refused_before_the_training(preset, tmp_path, capsys, content, flags, message):
    (tmp_path / "train.conll").write_bytes(content if isinstance(content, bytes) else content.encode())
    command = ["--preset", preset, "--train", str(tmp_path / "train.conll"), "--output", str(tmp_path / "out")]
    with pytest.raises(SystemExit):
        recipe.main([*command, *QUICK, *flags])
    error = " ".join(capsys.readouterr().err.split())
    assert re.search(message, error), error


def test_tags_without_a_scheme(preset, tmp_path):
    (tmp_path / "train.conll").write_text("x\tMary\tNN\ny\tsang\tVB\n\n" * 6, encoding="utf-8")
    flags = ["--train", str(tmp_path / "train.conll"), "--scheme", "none", "--word-column", "1", *QUICK]
    metrics = recipe.main(["--preset", preset, *flags, "--epochs", "1", "--output", str(tmp_path / "out")])
    assert metrics["tags"] == ["NN", "VB"] and set(metrics["dev"]) == {"accuracy"}
    words, _ = conll.read_conll(str(tmp_path / "out" / "predictions.conll"))
    assert words == [["Mary", "sang"]]
