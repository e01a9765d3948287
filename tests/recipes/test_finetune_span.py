"""The recipe runs from SQuAD's JSON to an answering SavedModel, and refuses bad input before it trains."""

import contextlib
import io
import json
import lzma
import re
import types

import finetune_span as recipe
import pytest

import keras_bert

WORDS = [*"abcdefgh", "who", "what", "sat", "on", "the", "mat", "cat", "dog", "?", "."]
QUICK = ["--epochs", "2", "--batch-size", "4", "--sequence-length", "24", "--doc-stride", "8"]
QUICK += ["--max-question-length", "8", "--learning-rate", "1e-2"]


def squad(articles=3, version=2, **changes):
    """A data set in SQuAD's format; `changes` go into its first question."""
    data = []
    for article in range(articles):
        context = "The cat sat on the mat . " + "a b c d . " * (6 * article)
        start = context.index("cat")
        answers = [{"text": "cat", "answer_start": start}]
        questions = [{"id": f"{article}-1", "question": "Who sat?", "answers": answers}]
        if version == 2:
            questions[0]["is_impossible"] = False
            questions.append({"id": f"{article}-2", "question": "What dog?", "answers": [], "is_impossible": True})
        data.append({"title": str(article), "paragraphs": [{"context": context, "qas": questions}]})
    data[0]["paragraphs"][0]["qas"][0].update(changes)
    return {"version": str(version), "data": data}


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    tokenizer = keras_bert.BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12, "max_sequence_length": 32}
    encoder = keras_bert.BertEncoder(len(tokenizer.vocabulary), **sizes)
    preprocessor = keras_bert.BertPreprocessor(tokenizer, sequence_length=32)
    path = tmp_path_factory.mktemp("preset") / "preset"
    keras_bert.BertSpanLabeler(encoder, preprocessor, max_question_length=8).save_to_preset(path)
    return str(path)


@pytest.fixture(scope="module")
def trained(preset, tmp_path_factory):
    """A run on 2.0 data, the dev set compressed."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "train.json").write_text(json.dumps(squad()), encoding="utf-8")
    (folder / "dev.json.xz").write_bytes(lzma.compress(json.dumps(squad(articles=2)).encode()))
    flags = ["--preset", preset, "--train", str(folder / "train.json"), "--dev", str(folder / "dev.json.xz"), *QUICK]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        metrics = recipe.main([*flags, "--output", str(folder / "out")])
    return types.SimpleNamespace(output=folder / "out", metrics=metrics, printed=printed.getvalue())


def test_every_result_is_there_and_says_the_same(trained):
    files = {path.name for path in trained.output.iterdir()} - {"logs"}
    names = {"preset", "saved_model", "metrics.json", "predictions.json", "no_answer_scores.json"}
    assert files == names | {"learning_curve.png"}
    metrics = json.loads((trained.output / "metrics.json").read_text())
    assert metrics["examples"] == {"train": 6, "dev": 4}
    assert {"val_f1", "val_exact_match", "loss", "val_loss"} <= set(metrics["history"])
    dataset = squad(articles=2)
    predictions = json.loads((trained.output / "predictions.json").read_text())
    scores = keras_bert.metrics.squad_scores(dataset, predictions)
    # With the threshold that was found on dev the answers have the best score there is.
    assert scores["f1"] == pytest.approx(metrics["dev"]["best_f1"])
    labeler = keras_bert.BertSpanLabeler.from_preset(trained.output / "preset")
    assert labeler.no_answer_threshold == metrics["dev"]["best_f1_threshold"]
    # All at once, as the recipe does: the threshold is the very score of one of them, to the last digit.
    paragraphs = [part for article in dataset["data"] for part in article["paragraphs"]]
    asked = [(qa["question"], part["context"], qa["id"]) for part in paragraphs for qa in part["qas"]]
    questions, contexts, ids = (list(column) for column in zip(*asked, strict=True))
    answers = [found["answer"] for found in labeler.predict((questions, contexts), verbose=0)]
    assert dict(zip(ids, answers, strict=True)) == predictions


def test_the_printed_code_asks_the_saved_model(trained):
    code = trained.printed[trained.printed.index("import tensorflow as tf") :]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, "printed", "exec"), {})
    assert "'answer'" in printed.getvalue() and "'score'" in printed.getvalue()


def test_data_of_1_1_have_no_threshold_and_a_tenth_for_dev(preset, tmp_path):
    (tmp_path / "train.json").write_text(json.dumps(squad(version=1)), encoding="utf-8")
    flags = ["--preset", preset, "--train", str(tmp_path / "train.json"), "--output", str(tmp_path / "out"), *QUICK]
    metrics = recipe.main([*flags, "--epochs", "1"])
    assert metrics["examples"] == {"train": 2, "dev": 1}
    assert set(metrics["dev"]) == {"exact_match", "f1", "total"}
    assert not (tmp_path / "out" / "no_answer_scores.json").exists()
    assert keras_bert.BertSpanLabeler.from_preset(tmp_path / "out" / "preset").no_answer_threshold is None


@pytest.mark.slow
@pytest.mark.parametrize("language", ["", "zh_"])
def test_the_sample_data_is_learned(language, tmp_path):
    flags = ["--train", f"{recipe.SAMPLE}/questions_{language}train.json"]
    flags += ["--dev", f"{recipe.SAMPLE}/questions_{language}dev.json"]
    flags = flags if language else []
    if language:
        texts = (recipe.SAMPLE / "questions_zh_train.json").read_text(encoding="utf-8")
        characters = sorted({character for character in texts if not character.isspace()})
        tokenizer = keras_bert.BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters])
        encoder = keras_bert.BertEncoder(len(tokenizer.vocabulary), **keras_bert.SIZES["mini"])
        keras_bert.BertSpanLabeler(encoder, keras_bert.BertPreprocessor(tokenizer)).save_to_preset(tmp_path / "zh")
        flags += ["--preset", str(tmp_path / "zh"), "--epochs", "60", "--learning-rate", "1e-3"]
    metrics = recipe.main([*flags, "--output", str(tmp_path / "out")])
    print(language, metrics["dev"])
    assert metrics["dev"]["best_f1"] > 50  # a quarter is right by answering nothing


@pytest.mark.parametrize(
    ("content", "flags", "message"),
    [
        (json.dumps(squad(answers=[{"text": "dog", "answer_start": 4}])), [], "'dog' in row 0, id '0-1'.*'cat' stands"),
        (json.dumps(squad(articles=1)), [], "must have two articles. Received: one"),
        (json.dumps({"data": []}), [], "must be JSON in SQuAD's format. Received: .*no question"),
        (json.dumps(squad())[:-9], [], "must be JSON in SQuAD's format"),
        (json.dumps(squad()), ["--sequence-length", "64"], "sequence_length=64, max_sequence_length=32"),
        (json.dumps(squad()), ["--max-question-length", "21"], "max_question_length=21, sequence_length=24"),
        (json.dumps(squad()), ["--max-answer-length", "0"], "--max-answer-length: must be at least 1"),
        (json.dumps(squad()), ["--dev", "/no/dev.json"], "No such file or directory: '/no/dev.json'"),
    ],
)
def test_bad_input_is_refused_before_the_training(preset, tmp_path, capsys, content, flags, message):
    (tmp_path / "train.json").write_text(content, encoding="utf-8")
    command = ["--preset", preset, "--train", str(tmp_path / "train.json"), "--output", str(tmp_path / "out")]
    with pytest.raises(SystemExit):
        recipe.main([*command, *QUICK, *flags])
    error = " ".join(capsys.readouterr().err.split())
    assert re.search(message, error), error


def test_a_torn_archive_is_refused(preset, tmp_path, capsys):
    (tmp_path / "train.json.xz").write_bytes(lzma.compress(json.dumps(squad()).encode())[:-20])
    with pytest.raises(SystemExit):
        recipe.main(["--preset", preset, "--train", str(tmp_path / "train.json.xz"), "--output", str(tmp_path / "out")])
    assert "must be JSON in SQuAD's format" in capsys.readouterr().err
