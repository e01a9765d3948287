"""Training only a part of a classifier: its head, its top layers, LoRA's matrices, new tokens."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from tests.classifiers import INDICES, TEXTS, VOCABULARY, make_classifier, make_preprocessor, scores_of

READY = {name: tensor.numpy() for name, tensor in make_preprocessor()(TEXTS).items()}
HEAD = {"logits/kernel", "logits/bias"}
POOLER = {"pooler/dense/kernel", "pooler/dense/bias"}


def block(place):
    dense = ("query", "key", "value", "attention_output", "intermediate", "output")
    names = {f"{name}/{part}" for name in dense for part in ("kernel", "bias")}
    names |= {f"{name}/{part}" for name in ("attention_norm", "output_norm") for part in ("gamma", "beta")}
    return {f"transformer_block_{place}/{name}" for name in names}


def lora(*targets):
    return {
        f"transformer_block_{place}/{target}/lora_kernel_{part}"
        for place in range(2)
        for target in targets
        for part in "ab"
    }


def all_values(classifier):
    return {weight.path: weight.value.numpy() for weight in classifier.weights}


def changed_by_a_fit(classifier, updates=2):
    """The paths of the weights that training changes. LoRA's first update leaves its first matrices at rest."""
    before = all_values(classifier)
    classifier.compile(optimizer=keras.optimizers.Adam(0.01), run_eagerly=True)
    dataset = tf.data.Dataset.from_tensors((READY, INDICES)).repeat(updates)
    classifier.fit(dataset, verbose=0)
    return {path for path, value in all_values(classifier).items() if (value != before[path]).any()}


@pytest.fixture
def classifier():
    return make_classifier(num_layers=2)


def with_lora(**settings):
    """A classifier with LoRA matrices far from 0."""
    classifier = make_classifier(num_layers=2)
    classifier.enable_lora(**{"rank": 2, **settings})
    rng = np.random.default_rng(3)
    for variable in classifier.trainable_variables:
        variable.assign(rng.normal(size=variable.shape) * 0.5)
    return classifier


@pytest.mark.parametrize(
    ("except_top", "trained"),
    [
        (0, HEAD),
        (1, HEAD | POOLER | block(1)),
        (2, HEAD | POOLER | block(1) | block(0)),
    ],
)
def test_a_frozen_encoder_stays_as_it_is_but_for_its_top(classifier, except_top, trained):
    classifier.freeze_encoder(except_top)
    assert {v.path for v in classifier.trainable_variables} == trained
    # The gradient of a key's bias is 0 but for rounding.
    key_biases = {f"transformer_block_{place}/key/bias" for place in range(2)}
    assert changed_by_a_fit(classifier) - key_biases == trained - key_biases


@pytest.mark.parametrize("except_top", [-1, 3])
def test_there_are_only_so_many_layers(classifier, except_top):
    with pytest.raises(ValueError, match=f"`except_top` must be 0 to 2, the layers. Received: {except_top}"):
        classifier.freeze_encoder(except_top)


def test_freezing_again_thaws_what_is_no_longer_frozen(classifier):
    classifier.freeze_encoder()
    classifier.freeze_encoder(except_top=1)
    assert {v.path for v in classifier.trainable_variables} == HEAD | POOLER | block(1)


def test_frozen_layers_stay_frozen_in_a_keras_file(classifier, tmp_path):
    classifier.freeze_encoder(except_top=1)
    classifier.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert {v.path for v in again.trainable_variables} == HEAD | POOLER | block(1)


@pytest.mark.parametrize(
    "targets", [("query", "value"), ("key", "attention_output", "intermediate", "output_dense")]
)
def test_loras_matrices_and_the_head_train_and_nothing_else(classifier, targets):
    logits = classifier(READY).numpy()
    classifier.enable_lora(rank=2, targets=targets)
    np.testing.assert_allclose(classifier(READY), logits, atol=1e-6)
    expected = HEAD | lora(*(target.removesuffix("_dense") for target in targets))
    assert {v.path for v in classifier.trainable_variables} == expected
    if "query" in targets:
        assert changed_by_a_fit(classifier) == expected


def test_lora_trains_in_a_frozen_encoder_too(classifier):
    classifier.freeze_encoder()
    classifier.enable_lora(rank=2)
    assert {v.path for v in classifier.trainable_variables} == HEAD | lora("query", "value")


def test_predictions_after_lora_are_with_it(classifier):
    before = classifier.predict(TEXTS, verbose=0)
    classifier.enable_lora(rank=2)
    classifier.encoder.blocks[1].value.lora_kernel_b.assign_add(np.ones((2, 12)))
    after = classifier.predict(TEXTS, verbose=0)
    assert np.abs(after - before).max() > 0.01
    np.testing.assert_allclose(after, scores_of(classifier, TEXTS), atol=1e-5)


def test_a_preset_holds_lora_merged(tmp_path):
    classifier = with_lora(alpha=8)
    classifier.save_to_preset(tmp_path)
    merged = keras_bert.BertClassifier.from_preset(tmp_path)
    assert not any("lora" in weight.path for weight in merged.weights)
    np.testing.assert_allclose(merged(READY), classifier(READY), atol=1e-5)


def test_a_keras_file_holds_lora_merged(tmp_path):
    classifier = with_lora(alpha=8)
    classifier.save(tmp_path / "model.keras")
    merged = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(merged(READY), classifier(READY), atol=1e-5)


@pytest.mark.parametrize("targets", [("query", "value"), ("intermediate", "output_dense")])
def test_loras_matrices_are_loaded_onto_the_same_encoder(tmp_path, targets):
    classifier = with_lora(alpha=8, targets=targets)
    classifier.save_lora(tmp_path)
    fresh = make_classifier(num_layers=2)
    fresh.load_lora(tmp_path)
    np.testing.assert_array_equal(fresh(READY), classifier(READY))
    ready = make_classifier(num_layers=2)
    ready.enable_lora(rank=2, alpha=8, targets=targets)
    ready.load_lora(tmp_path)
    np.testing.assert_array_equal(ready(READY), classifier(READY))
    held = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (held["r"], held["lora_alpha"], held["modules_to_save"]) == (2, 8, ["classifier"])


@pytest.mark.parametrize("other", [{"alpha": 4}, {"rank": 3}, {"targets": ("key",)}])
def test_an_adapter_of_another_kind_is_refused(tmp_path, other):
    with_lora(alpha=8).save_lora(tmp_path)
    classifier = with_lora(**{"alpha": 8, **other})
    before = classifier(READY).numpy()
    with pytest.raises(
        ValueError, match=r"rank, alpha and targets.* Received: \(2, 8, \('query', 'value'\)\)"
    ):
        classifier.load_lora(tmp_path)
    np.testing.assert_array_equal(classifier(READY), before)


def test_an_adapter_of_a_deeper_model_is_refused(tmp_path):
    classifier = make_classifier(num_layers=1)
    classifier.enable_lora(rank=2)
    classifier.save_lora(tmp_path)
    with pytest.raises(
        ValueError, match="must hold encoder.layer.1.*Received: nothing. Is it for another model"
    ):
        make_classifier(num_layers=2).load_lora(tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"targets": ("query", "pooler")}, "`targets` must be among query, .*Received: 'pooler'"),
        ({"targets": ()}, "`targets` must be among query"),
        ({"rank": 0}, "`rank` must be.*Received: .*0"),
    ],
)
def test_wrong_settings_of_lora_are_refused(classifier, settings, message):
    with pytest.raises(ValueError, match=message):
        classifier.enable_lora(**{"rank": 2, **settings})


def test_lora_is_added_once_and_saved_where_it_is(classifier, tmp_path):
    with pytest.raises(ValueError, match="must be LoRA matrices to save. Received: a model without"):
        classifier.save_lora(tmp_path / "adapter")
    classifier.enable_lora(rank=2)
    with pytest.raises(ValueError, match="LoRA can be added once. Received: rank=4; the model has rank 2"):
        classifier.enable_lora(rank=4)
    with pytest.raises(ValueError, match="Received: `freeze_encoder` after `enable_lora`"):
        classifier.freeze_encoder()
    assert not (tmp_path / "adapter").exists()


def test_new_tokens_have_ids_of_their_own_and_the_rest_stays(classifier):
    classifier.pairs = True
    grown = classifier.with_tokens(["[E1]", "covfefe", "film"])
    assert grown.preprocessor.tokenizer(["a [E1] covfefe film"]).to_list() == [[5, 21, 22, 9]]
    assert classifier.preprocessor.tokenizer(["[E1]"]).to_list()[0] != [21]
    assert grown.encoder.arguments["vocabulary_size"] == len(VOCABULARY) + 2
    assert (grown.labels, grown.task, grown.pairs) == (classifier.labels, classifier.task, True)
    np.testing.assert_array_equal(grown(READY), classifier(READY))
    np.testing.assert_array_equal(scores_of(grown, TEXTS), scores_of(classifier, TEXTS))


def test_new_tokens_make_a_difference_and_are_saved(classifier, tmp_path):
    grown = classifier.with_tokens(["[E1]", "[E2]"])
    texts = ["a [E1] film", "a [E2] film", "a film"]
    table = grown.encoder.embeddings.token_embedding.embeddings
    table.assign(np.vstack([table.numpy()[:-2], np.random.default_rng(0).normal(size=(2, 12))]))
    scores = scores_of(grown, texts)
    assert len(np.unique(scores[:, 0].round(4))) == 3
    grown.save_to_preset(tmp_path)
    again = keras_bert.BertClassifier.from_preset(tmp_path)
    np.testing.assert_array_equal(scores_of(again, texts), scores)


def test_new_tokens_keep_frozen_layers_frozen(classifier):
    classifier.freeze_encoder(except_top=1)
    grown = classifier.with_tokens(["[E1]"])
    assert {v.path for v in grown.trainable_variables} == HEAD | POOLER | block(1)
