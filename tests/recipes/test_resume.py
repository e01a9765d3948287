"""With --resume a recipe that was interrupted ends as one that was not, with the best epoch of both runs."""

import callbacks
import finetune_classifier as recipe
import finetuning
import numpy as np
import pytest

import keras_bert
from tests.classifiers import make_classifier

ROWS = "text\tlabel\n" + "good\tpositive\nbad\tnegative\na good film\tpositive\na bad film\tnegative\n" * 3
FLAGS = ["--epochs", "5", "--batch-size", "3", "--sequence-length", "8", "--learning-rate", "1e-1", "--resume"]


class BrokenOff(callbacks.ExamplesPerSecond):
    """Ends the training in its fourth epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        if epoch == 3:
            raise KeyboardInterrupt


@pytest.fixture
def run(write, tmp_path, monkeypatch):
    """Runs the recipe in a folder, up to a step of it; gives what is the same in equal runs."""
    make_classifier().save_to_preset(tmp_path / "start")
    monkeypatch.setattr(recipe, "export_and_ask", lambda *_: None)  # not the subject
    examples = write("examples.tsv", ROWS)

    def of(name):
        data = ["--preset", str(tmp_path / "start"), "--train", examples, "--dev", examples]
        metrics = recipe.main([*data, *FLAGS, "--output", str(tmp_path / name)])
        fitted = keras_bert.BertClassifier.from_preset(tmp_path / name / "preset")
        del metrics["history"]["examples_per_second"]
        return {key: metrics[key] for key in ("history", "best_epoch", "dev")}, fitted.get_weights()

    return of


def test_an_interrupted_recipe_goes_on(run, monkeypatch):
    expected, weights = run("whole")
    assert len(expected["history"]["val_accuracy"]) == 5 and 1 <= expected["best_epoch"] < 4

    with monkeypatch.context() as patch:
        patch.setattr(finetuning, "ExamplesPerSecond", BrokenOff)
        with pytest.raises(KeyboardInterrupt):
            run("broken")
    for _ in range(2):  # a finished training is found and not repeated
        found, found_weights = run("broken")
        assert found["best_epoch"] == expected["best_epoch"]
        for name, values in expected["history"].items():
            np.testing.assert_allclose(found["history"][name], values, atol=1e-6)
        for one, other in zip(found_weights, weights, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)
