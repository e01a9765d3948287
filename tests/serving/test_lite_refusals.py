"""What LiteRT files are not made of, and answers that are too far from the model's to be written."""

import numpy as np
import pytest

from keras_bert.serving.lite_model import ask_lite_model, lite_differences
from tests.choosers import make_chooser
from tests.classifiers import make_classifier
from tests.labelers import make_labeler
from tests.masked import make_masked_lm

REFUSED = {
    "a format that there is not": (
        make_classifier,
        {"format": "onnx"},
        "`format` must be one of tf_saved_model, litert. Received: 'onnx'",
    ),
    "a head with masks": (
        make_masked_lm,
        {"format": "litert"},
        "BertClassifier, BertEmbedder, BertSpanLabeler and BertTokenClassifier. Received: a BertMaskedLM",
    ),
    "a head with choices": (make_chooser, {"format": "litert"}, "Received: a BertMultipleChoice"),
    "no preprocessor": (
        lambda: make_classifier(texts=False),
        {"format": "litert"},
        "whose tokenizer goes with it. Received: a model without",
    ),
    "another dtype": (make_classifier, {"format": "litert", "dtype": "bfloat16"}, "Received: dtype. Leave it out"),
    "several answers": (make_labeler, {"format": "litert", "n_best": 3}, "Received: n_best. Leave it out"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_exported_is_refused_and_leaves_nothing(case, tmp_path):
    make, arguments, expected = REFUSED[case]
    with pytest.raises(ValueError) as caught:
        make().export(tmp_path / "x.tflite", **arguments)
    assert expected in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x.tflite", "1"])
def test_answers_that_are_no_numbers_or_far_off_leave_nothing(name, tmp_path, monkeypatch):
    broken = make_classifier()
    broken.logits_layer.bias.assign([np.nan, 0])
    with pytest.raises(ValueError, match=r"near the model's\. Received: `probabilities`, which is nan apart"):
        broken.export(tmp_path / name, format="litert")
    assert not list(tmp_path.iterdir())

    def ask(path, inputs):
        return {key: part[::-1] + 3 for key, part in ask_lite_model(path, inputs).items()}

    monkeypatch.setattr("keras_bert.models.lite_exporting.ask_lite_model", ask)
    with pytest.raises(ValueError, match=r"`probabilities`, which is [23]\.\d+ apart\. Nothing was written"):
        make_classifier().export(tmp_path / name, format="litert")
    assert not list(tmp_path.iterdir())


def test_differences_are_of_real_tokens_and_of_most_probable_labels():
    ours = {"probabilities": np.array([[[0.6, 0.4], [0.2, 0.8], [1.0, 0.0]]]), "logits": np.ones((1, 3, 2))}
    theirs = {"probabilities": np.array([[[0.5, 0.5], [0.6, 0.4], [np.nan, 0.0]]]), "logits": np.ones((1, 3, 2))}
    found = lite_differences(ours, theirs, np.array([[True, True, False]]))
    assert found == {"scores": pytest.approx(0.4), "labels": 0.5}
    with pytest.raises(ValueError, match=r"Received: `logits` \(1, 2\) for \(2, 1\)"):
        lite_differences({"logits": np.ones((2, 1))}, {"logits": np.ones((1, 2))}, np.ones((2, 3), bool))
