"""BertPretrainer against transformers and tf-models-official: losses, gradients, presets; and packed rows."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from keras_bert.models.weights import encoder_weights, weight_values
from tests.encoders import SIZES, batch, make_encoder

MASK = np.array([[1] * 7, [1] * 5 + [0] * 2, [1] * 3 + [0] * 4], "int32")
LABELS = {
    "masked_lm_logits": np.array([[5, 9, 1, 0], [7, 0, 0, 0], [10, 3, 0, 0]], "int32"),
    "next_sentence_logits": np.array([[1], [0], [1]], "int32"),
}
WEIGHTS = {
    "masked_lm_logits": np.array([[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0]], "float32"),
    "next_sentence_logits": np.ones((3, 1), "float32"),
}


def inputs_of():
    positions = np.array([[1, 3, 6, 0], [4, 0, 0, 0], [2, 1, 0, 0]], "int32")
    inputs = {**batch(MASK), "mask_positions": positions, "cls_positions": np.zeros((3, 1), "int32")}
    # transformers gives the embedding of token 0, its padding, no gradient.
    return {**inputs, "token_ids": np.maximum(inputs["token_ids"], 1)}


def make_pretrainer(next_sentence=True, **arguments):
    pretrainer = keras_bert.BertPretrainer(make_encoder(**arguments), next_sentence=next_sentence)
    rng = np.random.default_rng(7)
    for name, weight in pretrainer.head_weights().items():
        norm = "LayerNorm.weight" in name
        weight.assign(rng.normal(size=weight.shape).astype("float32") * 0.4 + norm)
    return pretrainer


def loss_and_gradients(pretrainer):
    variables = {**encoder_weights(pretrainer.encoder), **pretrainer.head_weights()}
    kept = {name: getattr(weight.layer, weight.attribute).value for name, weight in variables.items()}
    with tf.GradientTape() as tape:
        outputs = pretrainer(inputs_of(), training=True)
        loss = pretrainer.compute_loss(inputs_of(), LABELS, outputs, WEIGHTS)
    gradients = tape.gradient(loss, list(kept.values()))
    found = {}
    for (name, weight), gradient in zip(variables.items(), gradients, strict=True):
        gradient = np.asarray(tf.convert_to_tensor(gradient))
        found[name] = gradient.T if weight.transposed else gradient
    return float(loss), found


def torch_model(pretrainer, tmp_path):
    transformers = pytest.importorskip("transformers", reason="transformers is the oracle")
    pretrainer.save_to_preset(tmp_path / "preset")
    model, info = transformers.BertForPreTraining.from_pretrained(
        tmp_path / "preset", output_loading_info=True
    )
    assert not info["missing_keys"] and not info["unexpected_keys"]
    return model


@pytest.mark.parametrize("unpadding", [True, False])
@pytest.mark.parametrize("activation", ["gelu", "gelu_approximate"])
def test_losses_and_gradients_are_transformers(tmp_path, unpadding, activation):
    torch = pytest.importorskip("torch")
    pretrainer = make_pretrainer(dropout=0.0, unpadding=unpadding, activation=activation)
    model = torch_model(pretrainer, tmp_path).train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    inputs = {name: torch.tensor(array).long() for name, array in inputs_of().items()}
    labels = torch.full((3, 7), -100)
    for row, slot in zip(*np.nonzero(WEIGHTS["masked_lm_logits"]), strict=True):
        labels[row, inputs["mask_positions"][row, slot]] = int(LABELS["masked_lm_logits"][row, slot])
    theirs = model(
        input_ids=inputs["token_ids"],
        token_type_ids=inputs["segment_ids"],
        attention_mask=inputs["padding_mask"],
        labels=labels,
        next_sentence_label=torch.tensor(LABELS["next_sentence_logits"][:, 0]).long(),
    )
    theirs.loss.backward()
    loss, gradients = loss_and_gradients(pretrainer)
    assert abs(loss - float(theirs.loss)) <= 1e-5 and loss > 2
    parameters = {name.removeprefix("bert."): parameter for name, parameter in model.named_parameters()}
    assert set(gradients) == set(parameters)
    for name, gradient in gradients.items():
        expected = parameters[name].grad.numpy()
        norm = np.linalg.norm(expected)
        assert np.linalg.norm(gradient - expected) <= max(1e-4 * norm, 2e-6), name
        assert norm > 1e-3 or "key.bias" in name, name


def test_the_loss_is_model_gardens():
    """Model Garden's pre-training loss: each head's weighted mean, added up."""
    losses = pytest.importorskip("official.nlp.modeling.losses", reason="tf-models-official is the oracle")
    pretrainer = make_pretrainer(dropout=0.0)
    outputs = pretrainer(inputs_of())
    expected = sum(
        losses.weighted_sparse_categorical_crossentropy_loss(
            labels=LABELS[name], predictions=outputs[name], weights=WEIGHTS[name], from_logits=True
        )
        for name in LABELS
    )
    ours = pretrainer.compute_loss(inputs_of(), LABELS, outputs, WEIGHTS)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_a_packed_row_gives_each_example_its_own_loss():
    pretrainer = make_pretrainer(dropout=0.0)
    alone = pretrainer(inputs_of())
    order = [(0, 0, 7), (1, 7, 5), (2, 12, 3)]  # example, where it begins, how long it is
    packed = {name: np.zeros((1, 16), "int32") for name in batch(MASK)}
    packed["mask_positions"] = np.zeros((1, 12), "int32")
    for example, low, size in order:
        for name in batch(MASK):
            packed[name][0, low : low + size] = inputs_of()[name][example, :size]
        packed["padding_mask"][0, low : low + size] = example + 1
        packed["mask_positions"][0, example * 4 : example * 4 + 4] = (
            inputs_of()["mask_positions"][example] + low
        )
    packed["cls_positions"] = np.array([[0, 7, 12]], "int32")
    encoder = make_encoder(dropout=0.0, max_sequence_length=16)
    encoder.set_weights(
        [
            np.concatenate([w, np.ones((7, 12))]) if w.shape == (9, 12) else w
            for w in pretrainer.encoder.get_weights()
        ]
    )
    other = keras_bert.BertPretrainer(encoder)
    other.masked_lm_head.set_weights(pretrainer.masked_lm_head.get_weights())
    other.next_sentence_layer.set_weights(pretrainer.next_sentence_layer.get_weights())
    together = other(packed)
    counts = WEIGHTS["masked_lm_logits"] > 0
    np.testing.assert_allclose(
        np.reshape(together["masked_lm_logits"], (3, 4, 11))[counts],
        np.asarray(alone["masked_lm_logits"])[counts],
        atol=1e-5,
    )
    np.testing.assert_allclose(
        together["next_sentence_logits"][0], alone["next_sentence_logits"][:, 0], atol=1e-5
    )


def dataset():
    return tf.data.Dataset.from_tensors((inputs_of(), LABELS, WEIGHTS))


def test_it_learns_what_was_hidden():
    pretrainer = make_pretrainer(dropout=0.0)
    pretrainer.compile(learning_rate=1e-2)
    history = pretrainer.fit(dataset(), epochs=60, verbose=0).history
    assert history["loss"][-1] < 0.1 < 2 < history["loss"][0]
    assert history["masked_lm_logits_accuracy"][-1] == history["next_sentence_logits_accuracy"][-1] == 1


def test_fit_reports_both_losses_and_accuracies_over_the_predictions_that_count():
    pretrainer = make_pretrainer(dropout=0.0)
    outputs = pretrainer(inputs_of())
    logs = pretrainer.evaluate(dataset(), verbose=0, return_dict=True)
    for name, weights in WEIGHTS.items():
        right = np.argmax(outputs[name], -1) == LABELS[name]
        assert logs[f"{name}_accuracy"] == pytest.approx((right * weights).sum() / weights.sum())
    parts = [logs[f"{name}_loss"] for name in WEIGHTS]
    assert logs["loss"] == pytest.approx(sum(parts), abs=1e-5)


def test_without_next_sentences_the_masked_tokens_are_all(tmp_path):
    pretrainer = make_pretrainer(next_sentence=False)
    assert set(pretrainer(inputs_of())) == {"masked_lm_logits"}
    pretrainer.save_to_preset(tmp_path / "preset")
    again = keras_bert.BertPretrainer.from_preset(tmp_path / "preset")
    assert not again.next_sentence
    one = {"masked_lm_logits"}
    data = tf.data.Dataset.from_tensors(
        (inputs_of(), {n: LABELS[n] for n in one}, {n: WEIGHTS[n] for n in one})
    )
    assert np.isfinite(again.fit(data, verbose=0).history["loss"]).all()


def test_a_preset_gives_the_same_outputs_to_the_bit(tmp_path):
    pretrainer = make_pretrainer()
    pretrainer.save_to_preset(tmp_path / "preset")
    again = keras_bert.BertPretrainer.from_preset(tmp_path / "preset")
    for name, output in pretrainer(inputs_of()).items():
        np.testing.assert_array_equal(again(inputs_of())[name], output)
    encoder = keras_bert.BertEncoder.from_preset(tmp_path / "preset")
    for name, array in weight_values(encoder_weights(encoder)).items():
        np.testing.assert_array_equal(array, weight_values(encoder_weights(pretrainer.encoder))[name])


def test_what_transformers_saves_is_loaded(tmp_path):
    pretrainer = make_pretrainer()
    torch_model(pretrainer, tmp_path).save_pretrained(tmp_path / "theirs")
    again = keras_bert.BertPretrainer.from_preset(tmp_path / "theirs")
    for name, output in pretrainer(inputs_of()).items():
        np.testing.assert_allclose(again(inputs_of())[name], output, atol=1e-6)


def test_an_encoders_preset_gets_new_heads(tmp_path, caplog):
    make_encoder().save_to_preset(tmp_path / "preset")
    pretrainer = keras_bert.BertPretrainer.from_preset(tmp_path / "preset")
    assert "cls.predictions.bias" in caplog.text
    assert pretrainer(inputs_of())["masked_lm_logits"].shape == (3, 4, 11)


def test_a_keras_file_is_the_same_pretrainer(tmp_path):
    pretrainer = make_pretrainer()
    pretrainer.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.get_config() == pretrainer.get_config()
    for name, output in pretrainer(inputs_of()).items():
        np.testing.assert_array_equal(again(inputs_of())[name], output)


def test_xla_gives_the_same_loss():
    pretrainer = make_pretrainer(dropout=0.0)
    expected, _ = loss_and_gradients(pretrainer)
    pretrainer.compile(jit_compile=True)
    history = pretrainer.fit(dataset(), verbose=0).history
    assert history["loss"][0] == pytest.approx(expected, abs=1e-5)


def test_the_token_table_is_trained_from_both_sides():
    pretrainer = make_pretrainer()
    sizes = sum(np.prod(variable.shape) for variable in pretrainer.trainable_variables)
    assert (
        sizes == pretrainer.encoder.count_params() + 12 * 12 + 3 * 12 + SIZES["vocabulary_size"] + 12 * 2 + 2
    )
