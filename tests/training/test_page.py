"""The Python of the training page runs, in order, as it stands."""

import re
import sys

import tensorflow as tf

from tests.classifiers import NAMES, TEXTS, make_classifier


def test_the_pages_code_runs(root, tmp_path, monkeypatch):
    page = (root / "keras_bert" / "training" / "README.md").read_text("utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["script.py"])
    make_classifier().save_to_preset("start")
    names = {"preset": "start", "texts": TEXTS, "labels": NAMES}
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 6
    for block in blocks:
        exec("import keras_bert\n" + block, names)
    assert (tmp_path / "my_sentiment" / "model.safetensors").exists() and list((tmp_path / "run").iterdir())
    assert names["classifier"].encoder.rematerialize and names["classifier"].gradient_accumulation_steps == 2
    assert names["classifier"].fit(TEXTS, NAMES, verbose=0).history["loss"][0] > 0
    assert tf.distribute.get_strategy().num_replicas_in_sync == 1
