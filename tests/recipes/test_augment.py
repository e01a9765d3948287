"""--augment changes the words that are trained on, and nothing that is evaluated."""

import re

import finetune_classifier as recipe
import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from tests.classifiers import TEXTS, make_classifier

ROWS = [(text, other, "yes" if "o" in text else "no") for text, other in zip(TEXTS, TEXTS[::-1], strict=True)]
QUICK = ["--epochs", "2", "--batch-size", "4", "--sequence-length", "14", "--augment", "0.4", "--seed", "3"]


@pytest.fixture
def fits(monkeypatch):
    """What `fit` was asked for, each time."""
    seen, fit = [], keras_bert.BertClassifier.fit

    def recorded(model, **kwargs):
        seen.append((model, kwargs))
        return fit(model, **kwargs)

    monkeypatch.setattr(keras_bert.BertClassifier, "fit", recorded)
    return seen


@pytest.mark.parametrize("pairs", [True, False])
def test_texts_are_changed_to_train_on_only(write, tmp_path, fits, capsys, pairs):
    table = write("a.tsv", "text\tother\tlabel\n" + "".join("\t".join(row) + "\n" for row in ROWS))
    make_classifier().save_to_preset(tmp_path / "preset")
    flags = ["--text-pair-column", "other"] if pairs else []
    flags += ["--train", table, "--dev", table, "--preset", str(tmp_path / "preset"), *QUICK]
    metrics = recipe.main([*flags, "--output", str(tmp_path / "out")])
    ((model, asked),) = fits

    texts, labels = asked["validation_data"]
    columns = [list(column) for column in zip(*ROWS, strict=True)]
    assert texts == ((columns[0], columns[1]) if pairs else columns[0])
    assert labels.tolist() == [int(label == "yes") for label in columns[2]]
    assert asked["steps_per_epoch"] == 2 and "y" not in asked and isinstance(asked["x"], tf.data.Dataset)
    plain = model.preprocessor(texts)["token_ids"].numpy()
    sizes = []
    for inputs, found in asked["x"].take(2):
        sizes.append(len(found))
        assert inputs["token_ids"].shape[1] <= plain.shape[1]
    assert sizes == [4, 3]

    # The dev scores are those of the texts as they are.
    classifier = keras_bert.BertClassifier.from_preset(tmp_path / "out" / "preset")
    assert classifier.pairs is pairs
    right = classifier.predict(texts, verbose=0).argmax(axis=1) == labels
    assert metrics["dev"]["accuracy"] == np.mean(right) == pytest.approx(max(metrics["history"]["val_accuracy"]))
    printed = capsys.readouterr().out
    assert ("text_pair=tf.constant" in printed) == pairs


@pytest.mark.parametrize("value", ["0", "1", "-0.5", "nan"])
def test_a_share_that_is_none_is_refused(capsys, value):
    with pytest.raises(SystemExit):
        recipe.main(["--augment", value])
    assert re.search(f"argument --augment: must be between 0 and 1, received {value}", capsys.readouterr().err)
