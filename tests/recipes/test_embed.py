"""The recipe makes an index that can be searched again, trains on pairs, and refuses bad input before it does."""

import json
import re

import embed as recipe
import numpy as np
import pytest

import keras_bert
from tests.embedders import FIRST, SCORES, SECOND, make_embedder

QUICK = ["--epochs", "2", "--batch-size", "4", "--sequence-length", "12", "--learning-rate", "1e-3"]


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    path = tmp_path_factory.mktemp("preset") / "preset"
    make_embedder(num_layers=1).save_to_preset(path)
    return str(path)


def table(path, header, *columns):
    rows = "".join("\t".join(map(str, row)) + "\n" for row in zip(*columns, strict=True))
    path.write_text("\t".join(header) + "\n" + rows, encoding="utf-8")
    return str(path)


def test_texts_are_embedded_and_searched_again(preset, tmp_path, capsys):
    (tmp_path / "texts.txt").write_text("\ufeffa good film\n\n  bore\u2028no \nthe story\n", encoding="utf-8")
    flags = ["--preset", preset, "--sequence-length", "12", "--output", str(tmp_path / "out")]
    metrics = recipe.main([*flags, "--texts", str(tmp_path / "texts.txt"), "--search", "good film", "--top-k", "2"])
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert files == {"embeddings.npy", "texts.txt", "preset", "metrics.json"}
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == metrics
    assert (metrics["texts"], metrics["pairs"]) == (3, {})
    texts = (tmp_path / "out" / "texts.txt").read_text(encoding="utf-8").split("\n")
    assert texts == ["a good film", "bore no", "the story", ""]
    embedder = keras_bert.BertEmbedder.from_preset(tmp_path / "out" / "preset")
    embeddings = np.load(tmp_path / "out" / "embeddings.npy")
    np.testing.assert_allclose(embeddings, embedder.predict(texts[:3], verbose=0), atol=1e-6)
    printed = capsys.readouterr().out
    found = recipe.main(["--index", str(tmp_path / "out"), "--search", "good film", "no", "--top-k", "2"])["found"]
    assert [len(best) for best in found] == [2, 2]
    for one, expected in zip(found[0], embedder.search(["good film"], embeddings, 2)[0], strict=True):
        assert (one["index"], one["text"]) == (expected["index"], texts[one["index"]])
        assert one["score"] == pytest.approx(expected["score"], abs=1e-5)
        assert f"{one['score']:.3f}  {one['text']}" in printed


@pytest.mark.parametrize("scored", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_it_trains_on_pairs_first(preset, tmp_path, scored):
    columns = (FIRST * 2, SECOND * 2, *([[5 * score for score in SCORES] * 2] if scored else []))
    train = table(tmp_path / "train.tsv", ["first", "second", "score"][: len(columns)], *columns)
    texts = table(tmp_path / "texts.tsv", ["id", "line"], range(5), FIRST)
    flags = ["--train", train, *(["--score-column", "score", "--largest-score", "5"] if scored else ["--dev", train])]
    flags += ["--texts", texts, "--text-column", "line", "--output", str(tmp_path / "out"), *QUICK]
    metrics = recipe.main(["--preset", preset, *flags])
    assert metrics["pairs"] == ({"train": 8, "dev": 2} if scored else {"train": 10, "dev": 10})
    name = "pearson" if scored else "accuracy"
    assert {"loss", name, f"val_{name}", "val_loss"} <= set(metrics["history"]) and len(metrics["history"]["loss"]) == 2
    assert {name, "loss"} == set(metrics["before"]) == set(metrics["dev"])
    assert (tmp_path / "out" / "learning_curve.png").is_file()
    assert np.load(tmp_path / "out" / "embeddings.npy").shape == (5, 12)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--texts", "absent.txt"], "No such file"),
        (["--texts", "{empty}"], "must hold at least one text. Received: .*, which is empty"),
        (["--texts", "{binary}"], "must be UTF-8"),
        (["--texts", "{pairs}"], "Received: 'text', but"),
        (["--train", "{pairs}", "--score-column", "score"], "from -1 to 1. Received: 4.5 in row 1 .* --largest-score"),
        (["--train", "{pairs}", "--score-column", "first"], "A score must be a number"),
        (["--train", "{few}"], "must have four pairs. Received: 1"),
        (["--dev", "{pairs}"], "Received: --dev without --train"),
        (["--index", "nowhere", "--search", "a"], "must be a directory"),
        (["--index", "nowhere"], "Received: --index without --search"),
        (["--index", "nowhere", "--search", "a", "--train", "{pairs}"], "Leave one out"),
        (["--top-k", "0"], "must be at least 1"),
        (["--strategy", "mirrored"], "needs several GPUs"),
    ],
)
def test_bad_input_is_refused_before_it_starts(preset, tmp_path, capsys, flags, message):
    (tmp_path / "empty.txt").write_text(" \n", encoding="utf-8")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe")
    names = ["first", "second", "score"]
    files = {
        "pairs": table(tmp_path / "pairs.tsv", names, FIRST, SECOND, [5 * score for score in SCORES]),
        "few": table(tmp_path / "few.tsv", names, FIRST[:1], SECOND[:1], [0.5]),
        "empty": str(tmp_path / "empty.txt"),
        "binary": str(tmp_path / "binary.txt"),
    }
    with pytest.raises(SystemExit):
        recipe.main(["--preset", preset, "--output", str(tmp_path / "out"), *(flag.format(**files) for flag in flags)])
    error = " ".join(capsys.readouterr().err.split())
    assert re.search(message, error), error
    assert not (tmp_path / "out" / "embeddings.npy").exists()


@pytest.mark.slow
def test_without_arguments_it_searches_the_sample(tmp_path, capsys):
    metrics = recipe.main(["--output", str(tmp_path)])
    assert metrics["texts"] == 216
    assert len(re.findall(r"\n  \d\.\d{3}  ", capsys.readouterr().out)) == 6
