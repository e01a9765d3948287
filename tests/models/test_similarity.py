"""Comparing and searching embeddings, against plain NumPy."""

import numpy as np
import pytest

from keras_bert.models import similarity
from tests.classifiers import TEXTS
from tests.embedders import make_embedder


def random_vectors(rows, seed):
    return np.random.default_rng(seed).normal(size=(rows, 12)).astype("float32")


def cosines(a, b):
    a, b = (np.asarray(x, "float64") for x in (a, b))
    return a @ b.T / np.linalg.norm(a, axis=1)[:, np.newaxis] / np.linalg.norm(b, axis=1)


@pytest.fixture(scope="module")
def embedder():
    return make_embedder(normalize=False, num_layers=1)


def test_texts_and_embeddings_are_compared_by_cosines(embedder):
    embeddings = embedder.predict(TEXTS, verbose=0)
    others = random_vectors(4, seed=1)
    expected = cosines(embeddings, others)
    for a in (TEXTS, embeddings, embeddings.tolist(), list(embeddings)):
        found = embedder.similarity(a, others)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert found.dtype == np.float32
    assert embedder.similarity([], others).shape == (0, 4)
    assert not embedder.similarity(np.zeros((1, 12)), others).any()


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
@pytest.mark.parametrize("top_k", [1, 3, 40])
def test_a_search_in_parts_finds_what_brute_force_finds(monkeypatch, embedder, top_k, dtype):
    monkeypatch.setattr(similarity, "_QUERIES", 2)
    monkeypatch.setattr(similarity, "_EMBEDDINGS", 7)
    queries, embeddings = random_vectors(5, seed=2), random_vectors(30, seed=3).astype(dtype)
    embeddings[11] = embeddings[4]  # in another part; the first row comes first
    scores = cosines(queries, embeddings)
    for row, found in enumerate(embedder.search(queries, embeddings, top_k)):
        order = np.argsort(-scores[row].round(6), kind="stable")[:top_k]
        assert [one["index"] for one in found] == order.tolist()
        np.testing.assert_allclose([one["score"] for one in found], scores[row, order], atol=1e-5)
        assert {(type(one["index"]), type(one["score"])) for one in found} == {(int, float)}


def test_equal_embeddings_are_found_in_order(embedder):
    found = embedder.search(random_vectors(1, seed=4), np.ones((50, 12)), top_k=3)
    assert [one["index"] for one in found[0]] == [0, 1, 2]


def test_texts_are_searched_in_a_file_on_the_disk(embedder, tmp_path):
    np.save(tmp_path / "embeddings.npy", embedder.predict(TEXTS, verbose=0))
    embeddings = np.load(tmp_path / "embeddings.npy", mmap_mode="r")
    found = embedder.search(TEXTS[2:5], embeddings, top_k=2)
    assert [one[0]["index"] for one in found] == [2, 3, 4]
    assert found[0][0]["score"] == pytest.approx(1, abs=1e-5)
    assert embedder.search(["a"], embeddings[:0]) == [[]]
    assert embedder.search([], embeddings) == []


@pytest.mark.parametrize(
    ("embeddings", "message"),
    [
        (np.ones((3, 11)), r"`embeddings` must be numbers of shape \(n, 12\).* Received: shape \(3, 11\)"),
        (np.ones(12), r"must be numbers of shape \(n, 12\).* Received: shape \(12,\)"),
        (["a"], r"must be numbers of shape \(n, 12\)"),
        (np.full((2, 12), np.nan), "must be finite. Received: NaN or infinity"),
    ],
)
def test_what_are_no_embeddings_is_refused(embedder, embeddings, message):
    with pytest.raises(ValueError, match=message):
        embedder.search(["a"], embeddings)


def test_queries_that_cannot_be_used_are_refused(embedder):
    for queries, message in (
        (np.ones((1, 5)), r"`queries` must be numbers of shape \(n, 12\)"),
        ([3], "must be strings"),
        (([["a", "b"]]), "Received: pairs"),
    ):
        with pytest.raises(ValueError, match=message):
            embedder.search(queries, np.ones((2, 12)))
    with pytest.raises(ValueError, match="`top_k` must be a whole number of at least 1. Received: 0"):
        embedder.search(["a"], np.ones((2, 12)), top_k=0)
