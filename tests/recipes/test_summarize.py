"""The recipe chooses sentences by maximal marginal relevance and prints them in order, in English and Chinese."""

import json
import pathlib
import re

import numpy as np
import pytest
import summarize as recipe

from tests.embedders import make_embedder

DATA = pathlib.Path(recipe.__file__).parent / "sample_data"


def chosen_plainly(embeddings, count, diversity):
    """The definition, sentence by sentence."""
    mean = sum(embeddings) / len(embeddings)
    mean = mean / np.sqrt(mean @ mean)
    chosen = []
    while len(chosen) < min(count, len(embeddings)):
        values = {}
        for i in range(len(embeddings)):
            if i not in chosen:
                alike = max((float(embeddings[i] @ embeddings[j]) for j in chosen), default=0.0)
                values[i] = (1 - diversity) * float(embeddings[i] @ mean) - diversity * alike
        chosen.append(max(values, key=values.get))
    return sorted(chosen)


@pytest.mark.parametrize("count", [1, 4, 30])
@pytest.mark.parametrize("diversity", [0.0, 0.3, 1.0])
def test_sentences_are_chosen_by_marginal_relevance(count, diversity):
    embeddings = np.random.default_rng(8).normal(size=(13, 5)) + 0.5
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    found, scores = recipe.choose(embeddings, count, diversity)
    assert found == chosen_plainly(embeddings, count, diversity)
    assert len(scores) == 13 and int(np.argmax(scores)) == recipe.choose(embeddings, 1, 0.0)[0][0]


def test_what_was_said_is_not_said_again():
    embeddings = np.array([[1.0, 0.0], [1.0, 0.0], [0.6, 0.8]])
    assert recipe.choose(embeddings, 2, 0.0)[0] == [0, 1]
    assert recipe.choose(embeddings, 2, 0.5)[0] == [0, 2]


def test_sentences_of_paragraphs_are_read_in_both_languages(tmp_path):
    (tmp_path / "a.txt").write_text("One is\nhere. Two\r\n\r\nTitle\n\n 他来\n了。我走 了！\n", encoding="utf-8-sig")
    assert recipe.read_sentences(str(tmp_path / "a.txt")) == ["One is here.", "Two", "Title", "他来了。", "我走 了！"]
    counts = {name: len(recipe.read_sentences(str(DATA / f"{name}.txt"))) for name in ("article", "article_zh")}
    assert counts == {"article": 27, "article_zh": 28}


def test_a_summary_is_printed_and_written(tmp_path, capsys):
    make_embedder("cls", False, num_layers=1).save_to_preset(tmp_path / "preset")
    (tmp_path / "a.txt").write_text("A good film. No story.\n\nBore! It is long.", encoding="utf-8")
    flags = ["--preset", str(tmp_path / "preset"), "--sequence-length", "12", "--output", str(tmp_path / "out")]
    record = recipe.main([*flags, "--text", str(tmp_path / "a.txt"), "--sentences", "3"])
    sentences = [one["sentence"] for one in record["summary"]]
    assert record["sentences"] == 4 and len(sentences) == 3
    assert [one["place"] for one in record["summary"]] == sorted(one["place"] for one in record["summary"])
    assert capsys.readouterr().out.split("\n\n")[1].splitlines() == sentences
    assert (tmp_path / "out" / "summary.txt").read_text(encoding="utf-8").splitlines() == sentences
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == record


@pytest.mark.parametrize(
    ("flags", "content", "message"),
    [
        ([], b" \n\n", "must hold a sentence. Received: .*, which is empty"),
        ([], b"\xff", "must be UTF-8"),
        (["--diversity", "2"], b"A.", "must be from 0 to 1, received 2"),
        (["--sentences", "0"], b"A.", "must be at least 1"),
        (["--preset", "no/where"], b"A.", "must be a directory"),
        (["--text", "absent.txt"], b"A.", "No such file"),
    ],
)
def test_bad_input_is_refused(tmp_path, capsys, flags, content, message):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(SystemExit):
        recipe.main(["--text", str(tmp_path / "a.txt"), "--output", str(tmp_path / "out"), *flags])
    error = " ".join(capsys.readouterr().err.split())
    assert re.search(message, error), error


@pytest.mark.slow
def test_the_sample_is_summarized_without_arguments(tmp_path):
    record = recipe.main(["--output", str(tmp_path)])
    assert record["sentences"] == 27 and len(record["summary"]) == 5
