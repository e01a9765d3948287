"""A smaller model has the layers that were asked for, as they are, and transformers reads it."""

import re

import numpy as np
import pytest

import keras_bert
from keras_bert.models.weights import encoder_weights, weight_values
from tests.classifiers import TEXTS, make_classifier
from tests.encoders import assert_close, batch, make_encoder, values
from tests.models.test_classifier_saving import in_torch
from tests.reference import bert

BLOCK = "encoder.layer."


@pytest.fixture(scope="module")
def encoder():
    """Five layers, not to be changed."""
    return make_encoder(num_layers=5)


def block_of(weights, layer):
    return {name.split(".", 3)[3]: w for name, w in weights.items() if name.startswith(f"{BLOCK}{layer}.")}


@pytest.mark.parametrize(
    ("layers", "meant"),
    [
        ([0, 2, 4], [0, 2, 4]),
        ((3, 1), [3, 1]),
        ([2, 2], [2, 2]),
        (np.array([4]), [4]),
        (range(5), [0, 1, 2, 3, 4]),
        (1, [4]),
        (2, [1, 4]),
        (3, [0, 2, 4]),
        (4, [0, 1, 2, 4]),
        (5, [0, 1, 2, 3, 4]),
    ],
)
def test_the_layers_are_the_larger_ones(encoder, layers, meant):
    smaller = encoder.with_layers(layers)
    assert smaller.get_config() == encoder.get_config() | {"num_layers": len(meant)}
    old, new = (weight_values(encoder_weights(each)) for each in (encoder, smaller))
    for place, layer in enumerate(meant):
        mine, theirs = block_of(new, place), block_of(old, layer)
        assert len(mine) == 16 and mine.keys() == theirs.keys()
        for name, weight in mine.items():
            np.testing.assert_array_equal(weight, theirs[name], err_msg=name)
    assert not block_of(new, len(meant))
    for name in old:
        if not name.startswith(BLOCK):
            np.testing.assert_array_equal(new[name], old[name], err_msg=name)
    assert len(encoder.blocks) == 5


def test_it_computes_those_layers_and_nothing_else(encoder):
    smaller = encoder.with_layers([3, 0])
    states = encoder.with_layer_outputs()(batch())["hidden_states"]
    first = encoder.with_layers([0])(batch())["sequence_output"]
    np.testing.assert_allclose(first, states[1], rtol=0, atol=1e-6)
    weights = weight_values(encoder_weights(smaller))
    sizes = smaller.arguments
    expected = bert(weights, batch(), sizes["num_heads"], sizes["activation"], sizes["layer_norm_epsilon"])
    assert_close(smaller(batch()), expected)
    assert abs(values(smaller(batch()))["pooled_output"] - values(encoder(batch()))["pooled_output"]).max() > 0.01


@pytest.mark.parametrize("layers", [0, -1, 6, [], [5], [0, -1], [1.5], 2.0, "01"])
def test_layers_that_there_are_not_are_refused(encoder, layers):
    message = "`layers` must be at most 5, how many there are, or numbers from 0 to 4. Received: "
    with pytest.raises(ValueError, match=re.escape(f"{message}{layers!r}. Use [1, 4], for example.")):
        encoder.with_layers(layers)


def test_a_classifier_keeps_its_head_and_settings(tmp_path):
    classifier = make_classifier(("no", "maybe", "yes"), num_layers=3, dropout=0.25, pairs=True)
    classifier.freeze_encoder()
    smaller = classifier.with_layers([2, 0])
    assert type(smaller) is keras_bert.BertClassifier and smaller.preprocessor is classifier.preprocessor
    assert smaller.head_config() == classifier.head_config()
    assert len(smaller.encoder.blocks) == 2 and smaller.frozen_layers() == []
    np.testing.assert_array_equal(smaller.logits_layer.kernel, classifier.logits_layer.kernel)
    np.testing.assert_array_equal(smaller.encoder.blocks[0].query.kernel, classifier.encoder.blocks[2].query.kernel)


def test_transformers_gives_the_smaller_model_the_same_logits(tmp_path):
    transformers = pytest.importorskip("transformers", reason="needs transformers, of the extra [oracles]")
    smaller = make_classifier(("no", "maybe", "yes"), num_layers=3).with_layers([2, 0])
    smaller.save_to_preset(tmp_path / "preset")
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "preset")
    assert theirs.config.num_hidden_layers == 2
    inputs = {name: tensor.numpy() for name, tensor in smaller.preprocessor(TEXTS).items()}
    np.testing.assert_allclose(in_torch(theirs, inputs), smaller(inputs), rtol=0, atol=1e-5)
