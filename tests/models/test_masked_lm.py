"""BertMaskedLM against transformers: logits, loss, gradients, presets; and against itself saved."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from keras_bert.models.weights import encoder_weights, weight_values
from tests.encoders import batch, make_encoder
from tests.masked import PLAIN, TEXTS, VOCABULARY, make_masked_lm

MASK = np.array([[1] * 7, [1] * 5 + [0] * 2, [1] * 3 + [0] * 4], "int32")
POSITIONS = np.array([[1, 3, 6, 0], [4, 0, 0, 0], [2, 1, 0, 0]], "int32")
IDS = np.array([[5, 9, 1, 0], [7, 0, 0, 0], [10, 3, 0, 0]], "int32")
WEIGHTS = np.array([[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0]], "float32")
NAMES = {"token_ids": "input_ids", "segment_ids": "token_type_ids", "padding_mask": "attention_mask"}


def inputs_of():
    inputs = {**batch(MASK), "mask_positions": POSITIONS}
    # transformers gives the embedding of token 0, its padding, no gradient.
    return {**inputs, "token_ids": np.maximum(inputs["token_ids"], 1)}


def make_model(scale=0.1, **arguments):
    """Without texts; the encoder's table has as many rows as there are tokens."""
    model = keras_bert.BertMaskedLM(make_encoder(scale=scale, **arguments))
    rng = np.random.default_rng(7)
    for name, weight in model.head_weights().items():
        weight.assign(rng.normal(size=weight.shape).astype("float32") * 0.4 + ("LayerNorm.weight" in name))
    return model


def torch_inputs(torch):
    return {theirs: torch.tensor(inputs_of()[ours]).long() for ours, theirs in NAMES.items()}


def assert_same_logits(model, theirs):
    torch = pytest.importorskip("torch")
    with torch.no_grad():
        expected = theirs.eval()(**torch_inputs(torch)).logits.numpy()
    ours = keras.ops.convert_to_numpy(model(inputs_of()))
    assert ours.shape == (3, 4, 11)
    real = WEIGHTS > 0
    expected = np.take_along_axis(expected, POSITIONS[:, :, None], axis=1)
    assert expected[real].std() > 0.3
    np.testing.assert_allclose(ours[real], expected[real], atol=1e-5)


def load_in_transformers(model, path):
    transformers = pytest.importorskip("transformers", reason="transformers is the oracle")
    model.save_to_preset(path)
    theirs, report = transformers.BertForMaskedLM.from_pretrained(path, output_loading_info=True)
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    return theirs


@pytest.mark.parametrize("scale", [0.1, 0.4])
def test_transformers_loads_what_is_saved(tmp_path, scale):
    model = make_model(scale)
    assert_same_logits(model, load_in_transformers(model, tmp_path))


@pytest.mark.parametrize("kind", ["BertForMaskedLM", "BertForPreTraining"])
def test_what_transformers_saves_is_loaded(tmp_path, kind, caplog):
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 20}
    config = transformers.BertConfig(
        vocab_size=11, max_position_embeddings=9, type_vocab_size=4, initializer_range=0.1, **sizes
    )
    theirs = getattr(transformers, kind)(config)
    theirs.cls.predictions.bias.data.normal_()
    theirs.save_pretrained(tmp_path)
    with caplog.at_level("WARNING", "keras_bert"):
        model = keras_bert.BertMaskedLM.from_preset(tmp_path)
    assert caplog.messages == []
    masked_lm = transformers.BertForMaskedLM(config)
    masked_lm.bert.load_state_dict(theirs.bert.state_dict(), strict=False)
    masked_lm.cls.predictions.load_state_dict(theirs.cls.predictions.state_dict())
    assert_same_logits(model, masked_lm)


def test_presets_of_the_pretrainer_go_on_and_back(tmp_path, caplog):
    pretrainer = keras_bert.BertPretrainer(make_encoder())
    pretrainer.save_to_preset(tmp_path / "pretrainer")
    with caplog.at_level("WARNING", "keras_bert"):
        model = keras_bert.BertMaskedLM.from_preset(tmp_path / "pretrainer", mask_rate=0.3, seed=5)
    assert caplog.messages == []
    inputs = inputs_of()
    expected = pretrainer({**inputs, "cls_positions": np.zeros((3, 1), "int32")})["masked_lm_logits"]
    np.testing.assert_allclose(model(inputs), expected, atol=1e-6)
    np.testing.assert_array_equal(*(m.encoder.pooler.dense.kernel.numpy() for m in (model, pretrainer)))
    model.save_to_preset(tmp_path / "masked_lm")
    again = keras_bert.BertMaskedLM.from_preset(tmp_path / "masked_lm")
    assert again.head_config() == {"mask_rate": 0.3, "mask_unit": "token", "seed": 5}
    np.testing.assert_array_equal(again(inputs), model(inputs))
    back = keras_bert.BertPretrainer.from_preset(tmp_path / "masked_lm", next_sentence=False)
    found = back({**inputs, "cls_positions": np.zeros((3, 1), "int32")})["masked_lm_logits"]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_preset_without_the_head_gets_a_new_one_and_says_so(tmp_path, caplog):
    make_encoder().save_to_preset(tmp_path)
    with caplog.at_level("WARNING", "keras_bert"):
        model = keras_bert.BertMaskedLM.from_preset(tmp_path)
    assert "new and random" in caplog.text and "cls.predictions.bias" in caplog.text
    assert model(inputs_of()).shape == (3, 4, 11)


def test_a_head_with_a_table_of_its_own_is_refused(tmp_path):
    from safetensors.numpy import load_file, save_file

    make_model().save_to_preset(tmp_path)
    file = tmp_path / "model.safetensors"
    weights = load_file(file)
    weights["cls.predictions.decoder.weight"] = weights["bert.embeddings.word_embeddings.weight"] + 1
    save_file(weights, file)
    with pytest.raises(ValueError, match="must be the head's last layer too. Received: cls.predictions.decoder.weight"):
        keras_bert.BertMaskedLM.from_preset(tmp_path)


@pytest.mark.parametrize("unpadding", [True, False])
def test_loss_and_gradients_are_transformers(tmp_path, unpadding):
    torch = pytest.importorskip("torch")
    model = make_model(dropout=0.0, unpadding=unpadding)
    theirs = load_in_transformers(model, tmp_path)
    labels = torch.full((3, 7), -100)
    for row, slot in zip(*np.nonzero(WEIGHTS), strict=True):
        labels[row, POSITIONS[row, slot]] = int(IDS[row, slot])
    expected = theirs.eval()(**torch_inputs(torch), labels=labels).loss
    expected.backward()
    variables = {**encoder_weights(model.encoder), **model.head_weights()}
    variables = {name: weight for name, weight in variables.items() if not name.startswith("pooler.")}
    with tf.GradientTape() as tape:
        logits = model(inputs_of(), training=True)
        loss = model.compute_loss(inputs_of(), IDS, logits, WEIGHTS)
    gradients = tape.gradient(loss, [getattr(w.layer, w.attribute).value for w in variables.values()])
    assert float(loss) == pytest.approx(expected.item(), abs=1e-5)
    parameters = {name.removeprefix("bert."): parameter for name, parameter in theirs.named_parameters()}
    assert set(variables) == set(parameters)
    for (name, weight), gradient in zip(variables.items(), gradients, strict=True):
        gradient = np.asarray(tf.convert_to_tensor(gradient))
        their_gradient = parameters[name].grad.numpy()
        norm = np.linalg.norm(their_gradient)
        difference = np.linalg.norm((gradient.T if weight.transposed else gradient) - their_gradient)
        assert difference <= max(1e-4 * norm, 2e-6), name
        assert norm > 1e-4 or "key.bias" in name, name


def test_ready_inputs_are_judged_by_their_weights():
    model = make_model()
    ready = {**inputs_of(), "mask_ids": IDS, "mask_weights": WEIGHTS}
    logits = model.predict(inputs_of(), verbose=0)
    np.testing.assert_allclose(logits, model(inputs_of()), atol=1e-6)
    losses = -np.log(np.take_along_axis(np.asarray(tf.nn.softmax(logits)), IDS[:, :, None], axis=2))[:, :, 0]
    expected = {
        "loss": (losses * WEIGHTS).sum() / WEIGHTS.sum(),
        "accuracy": ((logits.argmax(-1) == IDS) * WEIGHTS).sum() / WEIGHTS.sum(),
    }
    slices = tf.data.Dataset.from_tensor_slices(ready)
    examples = tf.data.Dataset.from_tensor_slices((inputs_of(), IDS, WEIGHTS)).batch(2)
    for x in (ready, slices, slices.batch(2), examples):
        found = model.evaluate(x, batch_size=2, verbose=0, return_dict=True)
        assert found == pytest.approx(expected, abs=1e-5)
    for dataset in (slices.batch(3), slices.map(lambda rows: (rows, 0)).batch(3)):
        np.testing.assert_allclose(model.predict(dataset, verbose=0), logits, atol=1e-6)


def test_a_keras_file_is_the_same_model(tmp_path):
    model = make_masked_lm(num_layers=1, mask_unit="span", mask_rate=0.4, seed=3)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    assert again.predict(TEXTS, verbose=0) == model.predict(TEXTS, verbose=0)


def test_added_tokens_change_nothing_else():
    model = make_masked_lm(num_layers=1)
    grown = model.with_tokens(["zz", "[E1]"])
    assert grown.encoder.arguments["vocabulary_size"] == len(VOCABULARY) + 2
    more = model.with_tokens(["zz", "yy", "xx", "ww"])  # beyond the table
    inputs = {**model.preprocessor(PLAIN), "mask_positions": tf.ones((len(PLAIN), 1), tf.int32)}
    np.testing.assert_allclose(more(inputs)[:, :, : len(VOCABULARY) + 2], model(inputs), atol=1e-6)
    assert weight_values(more.head_weights())["cls.predictions.bias"][-2:].tolist() == [0, 0]
    tokens = {filling["token"] for filling in more.predict(["a [MASK]"], top_k=len(VOCABULARY) + 4, verbose=0)[0][0]}
    assert tokens == {*VOCABULARY, "zz", "yy", "xx", "ww"}


def test_a_frozen_encoder_lets_the_head_learn():
    model = make_masked_lm(num_layers=1)
    model.freeze_encoder()
    model.compile(run_eagerly=True)
    before = {name: weight.value() for name, weight in model.named_weights().items()}
    model.fit(PLAIN, verbose=0)
    moved = {name for name, weight in model.named_weights().items() if np.abs(weight.value() - before[name]).max() > 0}
    assert moved == set(model.head_weights())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mask_rate": 1.0}, "`mask_rate` must be between 0 and 1. Received: mask_rate=1.0"),
        ({"mask_rate": "0.1"}, "`mask_rate` must be between 0 and 1. Received: mask_rate='0.1'"),
        ({"mask_unit": "word"}, "`mask_unit` must be one of token, whole_word, span. Received: mask_unit='word'"),
        ({"seed": 0.5}, "`seed` must be a whole number of at least 0. Received: seed=0.5"),
        ({"seed": -1}, "`seed` must be a whole number of at least 0. Received: seed=-1"),
        ({"sequence_length": 19}, "must not be beyond the encoder's position table"),
    ],
)
def test_settings_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_masked_lm(**arguments)


def test_a_vocabulary_without_the_mask_is_refused():
    model = make_masked_lm(num_layers=1)
    tokenizer = keras_bert.BertTokenizer([token for token in VOCABULARY if token != "[MASK]"])
    preprocessor = keras_bert.BertPreprocessor(tokenizer, sequence_length=14)
    with pytest.raises(ValueError, match=r"Masking needs \[MASK\] in the vocabulary"):
        keras_bert.BertMaskedLM(model.encoder, preprocessor)
