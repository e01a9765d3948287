"""The same weights give the same numbers as in transformers and KerasHub: forward, backward, and inside."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from keras_bert.models.weights import assign_weights, encoder_weights
from keras_bert.presets.keras_hub import from_backbone
from tests.encoders import SIZES, assert_close, batch, make_encoder, values
from tests.reference import bert, random_weights

HIDDEN_ACT = {"gelu": "gelu", "gelu_approximate": "gelu_new", "relu": "relu", "silu": "silu", "tanh": "tanh"}
# What transformers can be asked for: one example a row, begun at the first place.
MASK = np.array([[1] * 7, [1, 1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0], [1, 1, 0, 1, 1, 0, 0]], "int32")


@pytest.fixture(scope="module")
def transformers():
    pytest.importorskip("torch", reason="needs torch, of the extra [oracles]")
    return pytest.importorskip("transformers", reason="needs transformers, of the extra [oracles]")


def bert_model(transformers, encoder):
    """transformers' BERT with the weights of an encoder."""
    import torch

    arguments = encoder.arguments
    config = transformers.BertConfig(
        vocab_size=arguments["vocabulary_size"],
        num_hidden_layers=arguments["num_layers"],
        num_attention_heads=arguments["num_heads"],
        hidden_size=arguments["hidden_dim"],
        intermediate_size=arguments["intermediate_dim"],
        max_position_embeddings=arguments["max_sequence_length"],
        type_vocab_size=arguments["num_segments"],
        hidden_act=HIDDEN_ACT[arguments["activation"]],
        layer_norm_eps=arguments["layer_norm_epsilon"],
        pad_token_id=None,  # with one torch gives its row no gradient
        attn_implementation="eager",
    )
    model = transformers.BertModel(config).eval()
    weights = {name: torch.tensor(weight.value()) for name, weight in encoder_weights(encoder).items()}
    model.load_state_dict(weights, strict=True)
    return model


def torch_inputs(inputs):
    import torch

    names = {"token_ids": "input_ids", "segment_ids": "token_type_ids", "padding_mask": "attention_mask"}
    return {names[name]: torch.tensor(array).long() for name, array in inputs.items()}


def forward(model, inputs):
    """What transformers gives, with 0 at padding."""
    import torch

    with torch.no_grad():
        outputs = model(**torch_inputs(inputs))
    is_real = (inputs["padding_mask"] != 0)[..., None]
    return {
        "sequence_output": outputs.last_hidden_state.numpy() * is_real,
        "pooled_output": outputs.pooler_output.numpy(),
    }


def random_sizes(seed):
    """Odd sizes, up to those of a small real model."""
    rng = np.random.default_rng(seed)
    num_heads = int(rng.integers(1, 8))
    sizes = {
        "vocabulary_size": int(rng.integers(20, 300)),
        "num_layers": int(rng.integers(1, 7)),
        "num_heads": num_heads,
        "hidden_dim": num_heads * int(rng.integers(1, 25)),
        "intermediate_dim": int(rng.integers(1, 200)),
        "max_sequence_length": int(rng.integers(13, 40)),
        "num_segments": int(rng.integers(1, 4)),
    }
    lengths = rng.integers(1, 14, 6)
    lengths[0] = 13
    return sizes, (np.arange(13) < lengths[:, None]).astype("int32")


# ---- transformers


@pytest.mark.parametrize("activation", HIDDEN_ACT)
@pytest.mark.parametrize("seed", range(2))
def test_random_models_equal_transformers(transformers, seed, activation):
    sizes, mask = random_sizes([seed, len(activation)])
    epsilon = (1e-12, 1e-3)[seed]
    encoder = make_encoder(seed, 0.1, **sizes, activation=activation, layer_norm_epsilon=epsilon)
    inputs = batch(mask, seed, sizes["vocabulary_size"], sizes["num_segments"])
    assert_close(encoder(inputs), forward(bert_model(transformers, encoder), inputs))


# With norms of 1 and a scale of 0.1, float32 itself is 1e-5 from float64 here, in torch as with us.
@pytest.mark.parametrize(("activation", "scale", "norm"), [("gelu", 0.1, 0), ("gelu_approximate", 0.05, 1)])
def test_a_model_of_6_layers_384_wide_equals_transformers(transformers, activation, scale, norm):
    sizes = {
        "vocabulary_size": 997,
        "num_layers": 6,
        "num_heads": 12,
        "hidden_dim": 384,
        "intermediate_dim": 1536,
    }
    sizes |= {"max_sequence_length": 61, "num_segments": 3}
    encoder = make_encoder(5, scale, norm, **sizes, activation=activation)
    mask = (np.arange(47) < np.array([[47], [31], [1], [18]])).astype("int32")
    inputs = batch(mask, 5, 997, 3)
    expected = forward(bert_model(transformers, encoder), inputs)
    assert_close(encoder(inputs), expected)
    other = {"gelu": "gelu_approximate", "gelu_approximate": "gelu"}[activation]
    other = make_encoder(5, scale, norm, **sizes, activation=other)(inputs)["sequence_output"]
    assert abs(other.numpy() - expected["sequence_output"]).max() > 2e-5


def test_holes_in_the_mask_equal_transformers(transformers):
    encoder = make_encoder(scale=0.1)
    assert_close(encoder(batch(MASK)), forward(bert_model(transformers, encoder), batch(MASK)))


def test_real_texts_through_a_real_model_equal_transformers(transformers, shared_models, shared_data):
    folder = shared_models / "all-MiniLM-L6-v2"
    lines = (shared_data / "sst2" / "dev.tsv").read_text(encoding="utf-8").splitlines()[:256]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    theirs = transformers.BertModel.from_pretrained(folder, attn_implementation="eager").eval()
    ours = keras_bert.BertEncoder.from_preset(folder)
    texts = sorted((line.rsplit("\t", 1)[0] for line in lines), key=len)
    assert len(texts) == 256
    for start in range(0, 256, 64):
        padded = tokenizer(texts[start : start + 64], padding=True, return_tensors="np")
        names = {"token_ids": "input_ids", "segment_ids": "token_type_ids", "padding_mask": "attention_mask"}
        inputs = {name: padded[key].astype("int32") for name, key in names.items()}
        assert (inputs["padding_mask"] == 0).any()
        assert_close(ours(inputs), forward(theirs, inputs))


def test_hidden_states_and_attention_scores_equal_transformers(transformers):
    import torch

    encoder = make_encoder(scale=0.1)
    with torch.no_grad():
        theirs = bert_model(transformers, encoder)(
            **torch_inputs(batch(MASK)), output_hidden_states=True, output_attentions=True
        )
    ours = encoder.with_layer_outputs()(batch(MASK))
    is_real = MASK != 0
    assert (len(ours["hidden_states"]), len(ours["attention_scores"])) == (3, 2)
    for ours_state, state in zip(ours["hidden_states"], theirs.hidden_states):
        assert ours_state.shape == (4, 7, 12)
        np.testing.assert_allclose(ours_state, state.numpy() * is_real[..., None], rtol=0, atol=1e-5)
    for ours_score, score in zip(ours["attention_scores"], theirs.attentions):
        assert ours_score.shape == (4, 3, 7, 7)
        real_rows = np.broadcast_to(is_real[:, None, :, None], (4, 3, 7, 7))
        difference = np.where(real_rows, ours_score - score.numpy(), 0)
        assert abs(difference).max() <= 1e-5


def test_hidden_states_and_attention_scores_of_packed_rows_equal_the_papers():
    encoder = make_encoder()
    inside = encoder.with_layer_outputs()
    expected = bert(random_weights(SIZES, scale=0.4), batch(), 3)
    outputs = inside(batch())
    assert_close({name: outputs[name] for name in ("sequence_output", "pooled_output")}, expected)
    for ours, state in zip(outputs["hidden_states"], expected["hidden_states"], strict=True):
        np.testing.assert_allclose(ours, state, rtol=0, atol=1e-5)
    mask = batch()["padding_mask"]
    for ours, score in zip(outputs["attention_scores"], expected["attention_scores"], strict=True):
        assert (np.asarray(ours)[(score == 0) & (mask != 0)[:, None, :, None]] == 0).all()
        np.testing.assert_allclose(np.where(score == 0, 0, ours), score, rtol=0, atol=1e-5)
    encoder.pooler.dense.bias.assign(np.arange(12) / 10)  # the same weights, not copies
    assert_close({"pooled_output": inside(batch())["pooled_output"]}, values(encoder(batch())), atol=0)


# ---- Gradients


@pytest.mark.parametrize(
    ("unpadding", "activation"), [(None, "gelu"), (None, "gelu_approximate"), (False, "gelu_approximate")]
)
def test_gradients_equal_torchs(transformers, unpadding, activation):
    import torch

    encoder = make_encoder(scale=0.3, activation=activation, unpadding=unpadding, dropout=0.0)
    model = bert_model(transformers, encoder)
    rng = np.random.default_rng(0)
    directions = {
        "sequence_output": rng.normal(size=(4, 7, 12)).astype("float32") * (MASK != 0)[..., None],
        "pooled_output": rng.normal(size=(4, 12)).astype("float32"),
    }
    outputs = model(**torch_inputs(batch(MASK)))
    loss = (outputs.last_hidden_state * torch.tensor(directions["sequence_output"])).sum()
    (loss + (outputs.pooler_output * torch.tensor(directions["pooled_output"])).sum()).backward()
    theirs = {name: parameter.grad.numpy() for name, parameter in model.named_parameters()}

    with tf.GradientTape() as tape:
        outputs = encoder(batch(MASK), training=True)
        loss = sum(tf.reduce_sum(outputs[name] * direction) for name, direction in directions.items())
    named = encoder_weights(encoder)
    variables = {name: getattr(weight.layer, weight.attribute) for name, weight in named.items()}
    gradients = tape.gradient(loss, {name: variable.value for name, variable in variables.items()})
    assert gradients.keys() == theirs.keys()
    for name, gradient in gradients.items():
        ours = tf.convert_to_tensor(gradient).numpy()
        ours = ours.T if named[name].transposed else ours
        norm = np.linalg.norm(theirs[name])
        # Softmax does not change when all keys move alike: this one gradient is 0 but for rounding.
        floor = 1e-4 if name.endswith("key.bias") else 0
        assert norm > (0 if floor else 1e-2), name
        assert np.linalg.norm(ours - theirs[name]) <= max(1e-4 * norm, floor), name


# ---- Presets and KerasHub


def test_transformers_reads_what_the_encoder_saves(transformers, tmp_path):
    encoder = make_encoder(scale=0.1, activation="gelu_approximate", layer_norm_epsilon=1e-3)
    encoder.save_to_preset(tmp_path / "preset")
    model, report = transformers.BertModel.from_pretrained(tmp_path / "preset", output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert_close(encoder(batch(MASK)), forward(model.eval(), batch(MASK)))


@pytest.mark.parametrize("seed", range(2))
def test_random_models_equal_keras_hub(seed):
    keras_hub = pytest.importorskip("keras_hub")
    sizes, mask = random_sizes([seed, 9])
    theirs = keras_hub.models.BertBackbone(**sizes, dropout=0.0)
    rng = np.random.default_rng(seed)
    for variable in theirs.weights:
        variable.assign(rng.normal(size=variable.shape) * 0.1 + variable.path.endswith("gamma"))
    config, _, weights = from_backbone(theirs)
    ours = keras_bert.BertEncoder(**config["encoder"])
    assign_weights(encoder_weights(ours), weights)
    inputs = batch(mask, seed, sizes["vocabulary_size"], sizes["num_segments"])
    expected = values(theirs(inputs))
    expected["sequence_output"] *= (mask != 0)[..., None]
    assert_close(ours(inputs), expected)
    exact = keras_bert.BertEncoder(**config["encoder"] | {"activation": "gelu"})
    exact.set_weights(ours.get_weights())
    difference = values(exact(inputs))["sequence_output"] - expected["sequence_output"]
    assert keras.ops.max(abs(difference)) > 2e-5


@pytest.mark.parametrize("seed", range(4))
def test_six_layers_of_384_with_weights_of_scale_a_tenth(seed, tmp_path):
    transformers, torch = pytest.importorskip("transformers"), pytest.importorskip("torch")
    torch.manual_seed(seed)
    sizes = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}
    config = transformers.BertConfig(vocab_size=503, max_position_embeddings=61, initializer_range=0.1, **sizes)
    model = transformers.BertModel(config).eval()
    model.save_pretrained(tmp_path)
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 503, (7, 53))
    real = np.arange(53) < rng.integers(5, 54, (7, 1))
    inputs = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": real.astype(int)}
    ours = keras_bert.BertEncoder.from_preset(tmp_path)(inputs)["sequence_output"]
    with torch.no_grad():
        names = {"input_ids": "token_ids", "token_type_ids": "segment_ids", "attention_mask": "padding_mask"}
        theirs = model(**{name: torch.tensor(inputs[part]) for name, part in names.items()}).last_hidden_state
    np.testing.assert_allclose(np.asarray(ours)[real], theirs.numpy()[real], rtol=0, atol=1e-5)
