"""How a text is cut into words."""

import pytest
import tensorflow as tf

from keras_bert.text.words import split_words

CASES = {
    "Don't go to (U.S.) 北京!": ["Don't", "go", "to", "(", "U.S", ".", ")", "北", "京", "!"],
    "3.14% of AT&T's e-mail\u3000x": ["3.14", "%", "of", "AT&T's", "e-mail", "x"],
    "--a--b 'quoted'": ["-", "-", "a", "-", "-", "b", "'", "quoted", "'"],
    "a\0b \t\n c": ["a", "b", "c"],
    "Größe été 中a国": ["Größe", "été", "中", "a", "国"],
    "": [],
    " \u00a0 ": [],
}


@pytest.mark.parametrize("text", CASES)
def test_words_and_their_places(text):
    words, starts, ends = split_words(tf.constant([text, "another"]))
    found = [word.decode() for word in words[0].numpy()]
    assert found == CASES[text]
    places = zip(starts[0].numpy(), ends[0].numpy(), strict=True)
    assert [text[start:end] for start, end in places] == found
    assert words[1].numpy().tolist() == [b"another"] and ends[1].numpy().tolist() == [7]


def test_bytes_that_are_no_text_are_not_counted():
    words, starts, ends = split_words(tf.constant([b"ab\xff cd"]))
    assert words.to_list() == [[b"ab", b"cd"]]
    assert (starts.to_list(), ends.to_list()) == ([[0, 3]], [[2, 5]])
