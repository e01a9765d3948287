"""What is saved and loaded again is the same classifier: as a preset, in transformers, as a `.keras` file."""

import json
import os
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest

import keras_bert
from tests.classifiers import NAMES, TEXTS, VOCABULARY, make_classifier, make_preprocessor, scores_of

OTHERS = ["no", "yes film", "a", "story", "is it", "the day", "long"]
PAIRS = {name: tensor.numpy() for name, tensor in make_preprocessor()((TEXTS, OTHERS)).items()}
PROBLEMS = {
    "single_label": "single_label_classification",
    "multi_label": "multi_label_classification",
    "regression": "regression",
}
# Loads two files, and goes on training: prints what it finds.
FRESH_PROCESS = """
import json, sys
import keras_bert, keras
texts, names, ready, *files = json.loads(sys.argv[1])
for file in files:
    model = keras.models.load_model(file)
    found = [model.predict(texts, verbose=0).tolist(), model.labels, len(model.trainable_variables)]
    model.run_eagerly = True
    found.append(model.fit(ready, names, batch_size=4, shuffle=False, verbose=0).history)
    print(json.dumps([*found, model.predict(texts, verbose=0).tolist()]))
"""


def labels_of(task):
    return ("score",) if task == "regression" else ("bad", "größer", "fine")


def in_torch(model, inputs):
    """The logits of a model of transformers for our inputs."""
    torch = pytest.importorskip("torch")
    names = {"token_ids": "input_ids", "segment_ids": "token_type_ids", "padding_mask": "attention_mask"}
    with torch.no_grad():
        return model.eval()(
            **{names[name]: torch.tensor(array) for name, array in inputs.items()}
        ).logits.numpy()


@pytest.mark.parametrize("task", PROBLEMS)
def test_a_preset_gives_the_same_logits_to_the_bit(tmp_path, task, caplog):
    classifier = make_classifier(labels_of(task), task, dropout=0.25, pairs=True)
    classifier.save_to_preset(tmp_path / "preset")
    with caplog.at_level("WARNING", "keras_bert"):
        again = keras_bert.BertClassifier.from_preset(tmp_path / "preset")
    assert caplog.messages == []
    assert (again.labels, again.task, again.pairs, again.dropout) == (labels_of(task), task, True, 0.25)
    assert again.encoder.arguments == classifier.encoder.arguments
    assert again.preprocessor.get_config() == classifier.preprocessor.get_config()
    np.testing.assert_array_equal(again(PAIRS), classifier(PAIRS))
    np.testing.assert_array_equal(scores_of(again, TEXTS), scores_of(classifier, TEXTS))


def test_half_precision_halves_the_file(tmp_path):
    classifier = make_classifier()
    classifier.save_to_preset(tmp_path / "whole")
    classifier.save_to_preset(tmp_path / "half", storage_dtype="float16")
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.7 * sizes[0]  # of so small a file the names are a good part
    half = keras_bert.BertClassifier.from_preset(tmp_path / "half")
    assert {weight.dtype for weight in half.weights} == {"float32"}
    np.testing.assert_allclose(half(PAIRS), classifier(PAIRS), atol=0.02)
    with pytest.raises(ValueError, match="'float32' or 'float16'. Received: 'int8'"):
        classifier.save_to_preset(tmp_path / "int8", storage_dtype="int8")
    assert not (tmp_path / "int8").exists()


def test_other_labels_get_a_new_head_on_the_same_encoder(tmp_path):
    classifier = make_classifier()
    classifier.save_to_preset(tmp_path)
    other = keras_bert.BertClassifier.from_preset(tmp_path, labels=["x", "y", "z"])
    np.testing.assert_array_equal(
        other.encoder(PAIRS)["pooled_output"], classifier.encoder(PAIRS)["pooled_output"]
    )
    assert (other.labels, other(PAIRS).shape) == (("x", "y", "z"), (7, 3))
    same = keras_bert.BertClassifier.from_preset(tmp_path, num_classes=2)
    np.testing.assert_array_equal(same(PAIRS), classifier(PAIRS))


def test_settings_in_the_place_of_the_presets(tmp_path):
    make_classifier(dropout=0.25).save_to_preset(tmp_path)
    other = keras_bert.BertClassifier.from_preset(
        tmp_path, dropout=0.5, sequence_length=5, dtype="mixed_bfloat16"
    )
    assert (other.dropout, other.encoder.arguments["attention_dropout"]) == (0.5, 0.5)
    assert other.preprocessor(TEXTS)["token_ids"].shape == (7, 5)
    assert other.encoder.compute_dtype == "bfloat16"
    assert other(PAIRS).dtype == "float32"


def test_without_weights_only_the_architecture_is_read(tmp_path):
    make_classifier().save_to_preset(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    random = keras_bert.BertClassifier.from_preset(tmp_path, load_weights=False)
    assert random.labels == ("negative", "positive")
    assert scores_of(random, TEXTS).shape == (7, 2)


@pytest.mark.parametrize("task", PROBLEMS)
def test_transformers_loads_what_is_saved(tmp_path, task):
    transformers = pytest.importorskip("transformers")
    classifier = make_classifier(labels_of(task), task, num_layers=2, dropout=0.25)
    classifier.save_to_preset(tmp_path)
    theirs, report = transformers.BertForSequenceClassification.from_pretrained(
        tmp_path, output_loading_info=True
    )
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert theirs.config.problem_type == PROBLEMS[task]
    assert theirs.config.id2label == dict(enumerate(labels_of(task)))
    np.testing.assert_allclose(in_torch(theirs, PAIRS), classifier(PAIRS), atol=1e-5)


@pytest.mark.parametrize("task", PROBLEMS)
def test_what_transformers_saves_is_loaded(tmp_path, task):
    transformers = pytest.importorskip("transformers")
    labels = labels_of(task)
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=20,
        max_position_embeddings=16,
        classifier_dropout=0.3,
        problem_type=PROBLEMS[task],
        id2label=dict(enumerate(labels)),
        initializer_range=0.4,
    )
    theirs = transformers.BertForSequenceClassification(config)
    theirs.save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("".join(f"{token}\n" for token in VOCABULARY), encoding="utf-8")
    ours = keras_bert.BertClassifier.from_preset(tmp_path)
    assert (ours.labels, ours.task, ours.dropout) == (labels, task, 0.3)
    np.testing.assert_allclose(ours(PAIRS), in_torch(theirs, PAIRS), atol=1e-5)
    assert scores_of(ours, TEXTS).shape == (7, len(labels))


@pytest.fixture(scope="module")
def gone_on(tmp_path_factory, root):
    """Two models that were trained and saved; here and in a fresh process training goes on."""
    automatic, own = make_classifier(num_layers=2, pairs=False), make_classifier()
    automatic.freeze_encoder(except_top=1)
    automatic.compile(learning_rate=0.01, warmup=0.0, run_eagerly=True)
    optimizer = keras.optimizers.Adam(0.01, epsilon=1e-6)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    own.compile(optimizer=optimizer, loss=loss, metrics=[], gradient_accumulation_steps=2, run_eagerly=True)
    models, folder = {"automatic": automatic, "own": own}, tmp_path_factory.mktemp("keras")
    here, files = {}, []
    for name, model in models.items():
        model.fit(PAIRS, NAMES, batch_size=4, shuffle=False, verbose=0)
        files.append(str(folder / f"{name}.keras"))
        model.save(files[-1])
        found = [model.predict(TEXTS, verbose=0), list(model.labels), len(model.trainable_variables)]
        found.append(model.fit(PAIRS, NAMES, batch_size=4, shuffle=False, verbose=0).history)
        here[name] = [*found, model.predict(TEXTS, verbose=0)]
    ready = {name: array.tolist() for name, array in PAIRS.items()}
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", FRESH_PROCESS, json.dumps([TEXTS, NAMES, ready, *files])]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-4000:]
    assert "Skipping variable loading" not in result.stderr
    there = [json.loads(line) for line in result.stdout.splitlines()[-2:]]
    return {name: (here[name], there[i]) for i, name in enumerate(models)}


@pytest.mark.parametrize("name", ["automatic", "own"])
def test_a_keras_file_loads_in_a_fresh_process(gone_on, name):
    (answers, labels, count, _, _), there = gone_on[name]
    np.testing.assert_allclose(there[0], answers, atol=1e-6)
    assert there[1] == labels == ["negative", "positive"]
    assert there[2] == count == {"automatic": 20, "own": 25}[name]


@pytest.mark.parametrize("name", ["automatic", "own"])
def test_training_goes_on_in_a_fresh_process(gone_on, name):
    """The optimizer's state, its rate, the loss and the parts of a batch are what they were."""
    here, there = gone_on[name]
    assert np.abs(here[4] - here[0]).max() > 1e-3
    assert set(there[3]) == set(here[3])
    assert there[3]["loss"] == pytest.approx(here[3]["loss"], rel=1e-5)
    np.testing.assert_allclose(there[4], here[4], atol=1e-5)


def test_a_keras_file_keeps_the_settings_of_the_compile(tmp_path):
    classifier = make_classifier()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    classifier.compile(loss=loss, metrics=[], learning_rate=0.02, warmup=0.3, gradient_accumulation_steps=3)
    classifier.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.loss.reduction == "sum"
    assert (again.learning_rate, again.warmup, again.gradient_accumulation_steps) == (0.02, 0.3, 3)


@pytest.mark.parametrize("task", PROBLEMS)
def test_a_keras_file_keeps_the_task(tmp_path, task):
    classifier = make_classifier(labels_of(task), task, texts=task != "regression", pairs=True, dropout=0.25)
    classifier.save(tmp_path / "model.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Keras warns when an optimizer's variables do not fit
        again = keras.models.load_model(tmp_path / "model.keras")
    assert again.get_config() == classifier.get_config()
    np.testing.assert_array_equal(again(PAIRS), classifier(PAIRS))


def test_a_failed_save_leaves_the_old_preset(tmp_path):
    classifier = make_classifier()
    classifier.save_to_preset(tmp_path / "preset")
    before = {file.name: file.read_bytes() for file in (tmp_path / "preset").iterdir()}
    classifier.logits_layer.bias.assign([0.0, 1e30])
    with pytest.raises(ValueError, match="must fit into float16"):
        classifier.save_to_preset(tmp_path / "preset", storage_dtype="float16")
    assert {file.name: file.read_bytes() for file in (tmp_path / "preset").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["preset"]
