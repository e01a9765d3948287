"""On a real model: the word that turns a sentence around is the word that the explanation points at."""

import importlib
import pathlib

import keras
import pytest

import keras_bert

TOOLS = pathlib.Path(__file__).parents[2] / "tools"


@pytest.mark.slow
def test_not_is_what_makes_not_good_negative(shared_models, shared_data, tmp_path, monkeypatch):
    lines = (shared_data / "sst2" / "train.tsv").read_text(encoding="utf-8").splitlines()[:4000]
    texts, labels = zip(*(line.rsplit("\t", 1) for line in lines), strict=True)
    keras.utils.set_random_seed(0)
    classifier = keras_bert.BertClassifier.from_preset(
        shared_models / "all-MiniLM-L6-v2", labels=["negative", "positive"], sequence_length=128
    )
    classifier.fit(list(texts), list(map(int, labels)), epochs=2, verbose=0)
    classifier.save_to_preset(tmp_path / "preset")
    monkeypatch.syspath_prepend(str(TOOLS))
    tool = importlib.import_module("explain")

    def strongest(text):
        flags = [str(tmp_path / "preset"), text, "--label", "positive", "--output", str(tmp_path / "out")]
        explanation = tool.main(flags)
        (attribution,) = explanation.attributions
        assert attribution.is_complete
        assert abs(attribution.gap) <= 0.01 * abs(attribution.score - attribution.baseline_score)
        return max(explanation.words(), key=lambda word: abs(word["value"])), explanation.outputs["positive"]

    for text in ("The film is not good.", "The story is not convincing."):
        word, probability = strongest(text)
        assert word["word"] == "not" and word["value"] < -1 and probability < 0.5
        word, probability = strongest(text.replace("not ", ""))
        assert word["word"] in ("good", "convincing") and word["value"] > 0 and probability > 0.5
