"""Words aligned by their tokens, against a plain Python reading of the paper."""

import numpy as np
import pytest

import keras_bert
from keras_bert.text.words import split_words
from tests.taggers import TEXTS, VOCABULARY, make_tagger

OTHERS = ["中 a bk", "a b", "中国", "b h a", "b A c 国 d f e g " * 3, "f e"]


@pytest.fixture(scope="module")
def embedder():
    tagger = make_tagger()  # its vocabulary has pieces and Chinese characters
    return keras_bert.BertEmbedder(tagger.encoder, tagger.preprocessor)


def token_vectors(embedder, text, layer):
    """Words, the vectors of their tokens, and each token's word; the text must fit into a row."""
    words = [word.decode() for word in split_words([text])[0].to_list()[0]]
    pieces = [embedder.preprocessor.tokenizer(word).numpy().tolist() for word in words]
    row = np.array([[2, *(i for word in pieces for i in word), 3]])
    assert row.shape[1] <= embedder.preprocessor.sequence_length
    inputs = {"token_ids": row, "segment_ids": 0 * row, "padding_mask": 0 * row + 1}
    hidden = embedder.encoder.with_layer_outputs()(inputs)["hidden_states"][layer][0, 1:-1]
    return words, np.asarray(hidden), [i for i, word in enumerate(pieces) for _ in word]


def aligned(embedder, text, other, layer):
    """Argmax in both directions, and the words of the tokens that agree."""
    words, a, of_word = token_vectors(embedder, text, layer)
    other_words, b, of_other = token_vectors(embedder, other, layer)
    cosine = [[x @ y / np.linalg.norm(x) / np.linalg.norm(y) for y in b] for x in a]
    links = {}
    for i in range(len(a)):
        for j in range(len(b)):
            if cosine[i][j] == max(cosine[i]) == max(row[j] for row in cosine):
                key = of_word[i], of_other[j]
                links[key] = max(cosine[i][j], links.get(key, -2))
    return [(i, j, words[i], other_words[j], links[i, j]) for i, j in sorted(links)]


SHORT = [0, 1, 2, 5]  # of TEXTS; the others are longer than a row, or one word of [UNK]


@pytest.mark.parametrize("layer", [0, 1])
def test_words_are_those_of_tokens_that_are_each_others_closest(embedder, layer):
    texts, others = [TEXTS[i] for i in SHORT], [OTHERS[i] for i in SHORT]
    count = 0
    for text, other, found in zip(texts, others, embedder.align(texts, others, layer=layer), strict=True):
        expected = aligned(embedder, text, other, layer)
        names = ("source", "target", "source_word", "target_word")
        assert [tuple(link[name] for name in names) for link in found] == [link[:4] for link in expected]
        np.testing.assert_allclose([link["score"] for link in found], [link[4] for link in expected], atol=1e-5)
        count += len(found)
    assert count > 2


def test_an_alignment_is_the_same_from_the_other_side(embedder):
    there, back = embedder.align(TEXTS, OTHERS), embedder.align(OTHERS, TEXTS)
    assert max(map(len, there)) > 3 and there[1] == there[2] == []
    for links, turned in zip(there, back, strict=True):
        assert [(one["source"], one["target"]) for one in links] == sorted(
            (one["target"], one["source"]) for one in turned
        )


def test_words_of_texts_longer_than_a_row_are_aligned_with_themselves(embedder):
    text = " ".join("abcdefgh"[i % 8] + "kl"[i % 2] for i in range(30))
    found = embedder.align([text], [text])[0]
    assert [(link["source"], link["target"]) for link in found] == [(i, i) for i in range(30)]
    assert min(link["score"] for link in found) == pytest.approx(1, abs=1e-5)


def test_signs_and_chinese_characters_are_words(embedder):
    links = embedder.align(["a, 中国"], ["a, 中国"])[0]
    assert [link["source_word"] for link in links] == ["a", ",", "中", "国"]
    assert {"[UNK]", "中"} <= set(VOCABULARY)


def test_what_cannot_be_aligned_is_refused(embedder):
    assert embedder.align([], []) == []
    for arguments, message in (
        ((["a"], ["a", "b"]), "as many texts. Received: 1 and 2"),
        ((["a"], [None]), "must be strings"),
        ((["a"], ["a"], 3), "`layer` must be 0 to 2, the layers. Received: 3"),
        ((["a"], ["a"], 1.5), "`layer` must be 0 to 2"),
    ):
        with pytest.raises(ValueError, match=message):
            embedder.align(*arguments)
    with pytest.raises(ValueError, match="a model without a preprocessor"):
        keras_bert.BertEmbedder(embedder.encoder).align(["a"], ["a"])
