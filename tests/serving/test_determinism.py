"""A request gets the same answer alone and in any batch, in whatever order and company."""

import random

import numpy as np
import pytest
import tensorflow as tf

from tests.heads import MAKERS
from tests.served import Served

ODD = ["", "[MASK]", "[MASK] .", "a [MASK] film [MASK]", "FINE\0 bore", "\u4e2d\u6587"]
ASKED = 24


def requests(draw, names, words):
    """Rows of texts of all lengths; three choices each."""

    def text():
        parts = draw.choices(words, k=draw.choice([1, 3, 9, 30]))
        parts.insert(draw.randint(0, 2), draw.choice(ODD))
        return " ".join(parts)

    return [{name: [text() for _ in range(3)] if name == "choices" else text() for name in names} for _ in range(ASKED)]


def ask(served, rows):
    inputs = {name: [row[name] for row in rows] for name in rows[0]}
    return served.ask("serving_default", **inputs)


def assert_same_row(alone, among):
    """A row among others may be filled up to the longest of them."""
    if alone.dtype == object:
        empty = b""
        same = np.array_equal
    else:
        empty = 0

        def same(one, other):
            return np.allclose(one, other, rtol=0, atol=1e-5)

    inner = tuple(map(slice, alone.shape))
    assert same(alone, among[inner])
    rest = np.ones(among.shape, bool)
    rest[inner] = False
    assert (among[rest] == empty).all()


@pytest.mark.parametrize("name", MAKERS)
def test_a_row_gets_its_answer_in_any_company(name, tmp_path):
    model = MAKERS[name]()
    model.export(tmp_path / "1")
    words = [token for token in model.preprocessor.tokenizer.vocabulary.tokens if token.isalpha()]
    served = Served(tmp_path / "1")
    draw = random.Random(3)
    rows = requests(draw, served.signatures["serving_default"].inputs, words)
    alone = [ask(served, [row]) for row in rows]
    assert len({str(tf.nest.map_structure(np.asarray, answer)) for answer in alone}) > ASKED // 3
    for size in (2, 5, ASKED):
        order = draw.sample(range(ASKED), ASKED)
        for first in range(0, ASKED, size):
            places = order[first : first + size]
            answers = ask(served, [rows[place] for place in places])
            for row, place in enumerate(places):
                for output, values in answers.items():
                    assert_same_row(alone[place][output], values[row : row + 1])
