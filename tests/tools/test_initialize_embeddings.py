"""Token tables that begin with counts: the numbers by hand, and words that stand alike lie near each other."""

import importlib
import pathlib

import numpy as np
import pytest

import keras_bert

pytest.importorskip("sklearn", reason="scikit-learn factorizes")

WORDS = ["the", "cat", "dog", "sat", "ran", "red", "blue", "house", "car", "is"]


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Cats and dogs stand in the same places, so do red and blue."""
    folder = tmp_path_factory.mktemp("records")
    rng = np.random.default_rng(0)
    lines = []
    for _ in range(3000):
        animal, verb = rng.choice(["cat", "dog"]), rng.choice(["sat", "ran"])
        colour, thing = rng.choice(["red", "blue"]), rng.choice(["house", "car"])
        lines.append(f"the {animal} {verb} . the {thing} is {colour} .")
    (folder / "text.txt").write_text("\n\n".join("\n".join(lines[i : i + 50]) for i in range(0, 3000, 50)))
    tokenizer = keras_bert.BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", *WORDS, "unseen"])
    keras_bert.data.build_records([folder / "text.txt"], tokenizer, folder / "records")
    return folder / "records"


@pytest.fixture(scope="module")
def started(records, tmp_path_factory):
    output = tmp_path_factory.mktemp("out") / "start"
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 4, "intermediate_dim": 8}
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(pathlib.Path(__file__).parents[2] / "tools"))
        tool = importlib.import_module("initialize_embeddings")
        patch.setattr(keras_bert, "SIZES", {**keras_bert.SIZES, "test": sizes})
        found = tool.main([str(records), "--size", "test", "--output", str(output)])
    return tool, found, output


def test_words_in_the_same_places_lie_near_each_other(started):
    _, found, output = started
    assert found["tokens"] == 3000 * 9
    pretrainer = keras_bert.BertPretrainer.from_preset(output)
    table = np.asarray(pretrainer.encoder.embeddings.token_embedding.embeddings)
    tokens = pretrainer.preprocessor.tokenizer.vocabulary.tokens
    seen = table[5:-1]
    np.testing.assert_allclose(np.linalg.norm(seen, axis=1), 0.6, rtol=1e-5)
    assert np.linalg.norm(table[-1]) < 0.2  # at random
    nearest = (seen @ seen.T - np.eye(len(seen))).argmax(axis=1)
    names = dict(zip(tokens[5:-1], (tokens[5:-1][i] for i in nearest), strict=True))
    for one, other in (("cat", "dog"), ("red", "blue"), ("house", "car"), ("sat", "ran")):
        assert names[one] == other and names[other] == one
    bias = np.asarray(pretrainer.masked_lm_head.bias)
    assert bias[tokens.index(".")] - bias[tokens.index("is")] == pytest.approx(np.log(2), abs=1e-3)


def test_pairs_and_their_information_are_those_of_a_loop(started, records):
    tool, _, _ = started
    import scipy.sparse

    manifest = keras_bert.data.read_manifest(records)
    size = len(manifest.tokenizer().vocabulary)
    frequencies, pairs = tool.count(manifest, size, 1, scipy.sparse.coo_matrix)
    ids = keras_bert.data.read_token_ids(manifest.path_of(manifest.shards[0])).tolist()
    expected = np.zeros((size, size))
    for place, token in enumerate(ids):
        for distance in range(1, 6):
            if place + distance < len(ids):
                expected[token, ids[place + distance]] += 1 / distance
                expected[ids[place + distance], token] += 1 / distance
    np.testing.assert_allclose(pairs.toarray(), expected, rtol=1e-4)
    np.testing.assert_array_equal(frequencies, np.bincount(ids, minlength=size))
    rows = expected.sum(axis=1)
    contexts = rows**0.75 / (rows**0.75).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.log(expected / rows[:, None] / contexts[None])
    np.testing.assert_allclose(
        tool.information(pairs).toarray(), np.where(expected > 0, np.maximum(information, 0), 0), atol=1e-4
    )


def test_a_folder_without_records_is_refused(started, tmp_path, capsys):
    with pytest.raises(SystemExit):
        started[0].main([str(tmp_path)])
    assert str(tmp_path) in capsys.readouterr().err


def test_a_vocabulary_that_is_too_small_is_refused(started, records, capsys):
    with pytest.raises(SystemExit):
        started[0].main([str(records), "--size", "mini"])
    assert "Received: 17 tokens for a width of 256. Lower --size." in " ".join(capsys.readouterr().err.split())
