"""LiteRT files: small, of LiteRT's own operations, and their answers are the model's."""

import json
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from keras_bert.serving.lite_model import ask_lite_model
from tests.classifiers import TEXTS, VOCABULARY, make_classifier, with_large_weights
from tests.embedders import make_embedder
from tests.labelers import make_labeler
from tests.taggers import make_tagger

HEADS = {
    "single label": make_classifier,
    "multi label": lambda: make_classifier(["x", "y", "z"], "multi_label", pairs=True),
    "regression": lambda: make_classifier(("value",), "regression"),
    "mean": make_embedder,
    "first": lambda: make_embedder("cls", normalize=False),
    "greatest": lambda: make_embedder("max"),
    "tags": make_tagger,
    "spans": make_labeler,
}
SOFT = {"single label": tf.nn.softmax, "multi label": tf.sigmoid, "tags": tf.nn.softmax}


def ids_of(model, texts=TEXTS):
    """Rows of unequal length, padded to the longest."""
    segments = (texts,) if len(model.answer_inputs()) == 1 else (texts, texts[::-1])
    return {name: part.numpy() for name, part in model.preprocessor(segments).items()}


def expected_answers(name, model, inputs):
    """What a plain call of the model gives, by the name of the output."""
    outputs = model(inputs)
    if name == "spans":
        soft = {key.replace("logits", "probabilities"): tf.nn.softmax(part) for key, part in outputs.items()}
        return outputs | soft
    if isinstance(model, keras_bert.BertEmbedder):
        return {"embedding": outputs}
    if name == "regression":
        return {"logits": outputs, "score": outputs[:, 0]}
    return {"logits": outputs, "probabilities": SOFT[name](outputs)}


def make_wide(layers=2):
    """A classifier whose matrices are large enough to be kept in eight bits."""
    keras.utils.set_random_seed(0)
    encoder = keras_bert.BertEncoder(
        vocabulary_size=600,
        num_layers=layers,
        num_heads=4,
        hidden_dim=64,
        intermediate_dim=192,
        max_sequence_length=40,
        dropout=0.0,
    )
    tokens = VOCABULARY + [f"t{i}" for i in range(600 - len(VOCABULARY))]
    preprocessor = keras_bert.BertPreprocessor(keras_bert.BertTokenizer(tokens), sequence_length=30)
    model = keras_bert.BertClassifier(encoder, preprocessor, labels=["a", "b", "c"])
    return with_large_weights(model, scale=0.1)


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """The wide classifier and the directory it was exported to."""
    model, path = make_wide(), tmp_path_factory.mktemp("mobile") / "1"
    model.export(path, format="litert")
    return model, path


@pytest.mark.parametrize("name", HEADS)
def test_small_weights_stay_as_they_are_and_so_do_the_answers(name, tmp_path):
    model = HEADS[name]()
    model.export(tmp_path / "x.tflite", format="litert")
    inputs = ids_of(model)
    answers = ask_lite_model(tmp_path / "x.tflite", inputs)
    expected = expected_answers(name, model, inputs)
    assert set(answers) == set(expected)
    for output, values in expected.items():
        np.testing.assert_allclose(answers[output], values, atol=1e-5, err_msg=output)


def test_a_model_in_half_precision_and_one_with_the_other_activation(tmp_path):
    model = make_embedder().with_dtype("mixed_bfloat16")
    model.export(tmp_path / "half.tflite", format="litert")
    inputs = ids_of(model)
    answers = ask_lite_model(tmp_path / "half.tflite", inputs)["embedding"]
    np.testing.assert_allclose(answers, make_embedder()(inputs), atol=1e-5)  # float32 again
    card = json.loads(zipfile.ZipFile(tmp_path / "half.tflite").read("model_card.json"))
    assert card["differs_from"]["dtype"] == "bfloat16"
    assert 1e-4 < card["differs_from"]["scores"] < 0.1

    encoder = make_embedder().encoder
    encoder = keras_bert.BertEncoder(**{**encoder.arguments, "activation": "gelu_approximate"})
    model = with_large_weights(keras_bert.BertEmbedder(encoder, model.preprocessor))
    model.export(tmp_path / "tanh.tflite", format="litert")
    np.testing.assert_allclose(
        ask_lite_model(tmp_path / "tanh.tflite", inputs)["embedding"], model(inputs), atol=1e-5
    )


def test_eight_bits_change_answers_a_little_and_another_row_changes_them_more(wide):
    model, path = wide
    inputs = ids_of(model, [f"t{i} t{7 * i % 50} film t{i * i % 90}" + " good" * (i % 9) for i in range(40)])
    answers = ask_lite_model(path / "model.tflite", inputs)["probabilities"]
    expected = model.predict(inputs, verbose=0)
    apart = np.abs(answers - expected).mean()
    assert 1e-5 < apart < 0.01
    assert np.abs(np.roll(answers, 1, 0) - expected).mean() > 10 * apart


def test_rows_of_any_width_alone_and_together_get_the_same_answers(wide):
    model, path = wide
    inputs = ids_of(model)
    together = ask_lite_model(path / "model.tflite", inputs)["logits"]
    assert 0 in inputs["padding_mask"]
    wider = {name: np.pad(part, [(0, 0), (0, 9)]) for name, part in inputs.items()}
    # A row's activations are rounded to eight bits by themselves, so that padding does not change the others.
    np.testing.assert_allclose(ask_lite_model(path / "model.tflite", wider)["logits"], together, atol=1e-4)
    for row, length in enumerate(inputs["padding_mask"].sum(1)):
        alone = {name: part[row : row + 1, :length] for name, part in inputs.items()}
        answers = ask_lite_model(path / "model.tflite", alone)["logits"]
        np.testing.assert_allclose(answers, together[row : row + 1], atol=1e-4)


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_the_file_is_a_quarter_of_the_weights_and_holds_operations_of_litert_alone(wide):
    model, path = wide
    content = (path / "model.tflite").read_bytes()
    in_float32 = 4 * sum(int(np.prod(weight.shape)) for weight in model.weights)
    assert 0.25 < len(content) / in_float32 < 0.45  # it has a graph, too, and small weights as they are
    assert b"Flex" not in content
    interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()  # fails where an operation is not LiteRT's own
    kinds = {np.dtype(tensor["dtype"]).name for tensor in interpreter.get_tensor_details()}
    assert "int8" in kinds


def test_the_tokenizer_and_the_card_are_beside_it(wide):
    model, path = wide
    assert sorted(file.name for file in path.iterdir()) == [
        *("config.json", "model.tflite", "model_card.json", "tokenizer_config.json", "vocab.txt")
    ]
    preprocessor = keras_bert.BertPreprocessor.from_preset(path)
    np.testing.assert_array_equal(preprocessor(TEXTS)["token_ids"], model.preprocessor(TEXTS)["token_ids"])
    assert preprocessor.sequence_length == 30
    card = json.loads((path / "model_card.json").read_text("utf-8"))
    assert (card["format"], card["weights_dtype"], card["head"]["labels"]) == ("litert", "int8", ["a", "b", "c"])
    assert 0 < card["differs_from"]["scores"] < 0.05
    (example,) = card["examples"]
    answers = ask_lite_model(path / "model.tflite", example["inputs"])
    np.testing.assert_allclose(answers["logits"], example["outputs"]["logits"], atol=1e-6)
    np.testing.assert_array_equal(preprocessor(example["texts"]["text"])["token_ids"], example["inputs"]["token_ids"])


def test_transformers_reads_the_tokenizer(wide):
    transformers = pytest.importorskip("transformers")
    model, path = wide
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    inputs = tokenizer(TEXTS, padding=True)
    np.testing.assert_array_equal(inputs["input_ids"], model.preprocessor(TEXTS)["token_ids"])


def test_one_file_carries_the_same(wide, tmp_path):
    model, path = wide
    model.export(tmp_path / "x.tflite", format="litert")
    assert [file.name for file in tmp_path.iterdir()] == ["x.tflite"]
    with zipfile.ZipFile(tmp_path / "x.tflite") as attached:
        attached.extractall(tmp_path / "x")
    for file in path.iterdir():
        if file.suffix != ".tflite":
            assert (tmp_path / "x" / file.name).read_bytes() == file.read_bytes(), file.name


def test_an_export_is_overwritten_and_nothing_else(wide, tmp_path):
    model, _ = wide
    path = tmp_path / "1"
    make_classifier().export(path, format="litert")
    before = (path / "model.tflite").read_bytes()
    make_classifier(("x", "y", "z")).export(path, format="litert")
    assert (path / "model.tflite").read_bytes() != before
    (path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"holds notes\.txt"):
        make_classifier().export(path, format="litert")


@pytest.mark.slow
def test_a_real_embedder_keeps_its_embeddings(shared_models, shared_data, tmp_path):
    embedder = keras_bert.BertEmbedder.from_preset(shared_models / "all-MiniLM-L6-v2", sequence_length=128)
    embedder.export(tmp_path / "minilm.tflite", format="litert")
    rows = (shared_data / "sts_semeval" / "2015.belief.test.tsv").read_text(encoding="utf-8").splitlines()
    sentences = list(dict.fromkeys(row.split("\t")[-1] for row in rows))[:100]
    expected = embedder.predict(sentences, verbose=0)
    answers = [
        ask_lite_model(tmp_path / "minilm.tflite", ids_of(embedder, [sentence]))["embedding"] for sentence in sentences
    ]
    cosines = np.sum(np.concatenate(answers) * expected, axis=1)
    size = (tmp_path / "minilm.tflite").stat().st_size
    print(f"{len(sentences)} sentences: cosine {cosines.min():.4f} at least, {cosines.mean():.4f}; {size} bytes")
    assert len(sentences) == 100
    assert cosines.min() > 0.988
    assert cosines.mean() > 0.995
    assert size < 25e6
