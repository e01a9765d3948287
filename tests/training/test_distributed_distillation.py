"""Two replicas teach a student as one device does. They need logical CPUs of their own: this file also runs there."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from tests.classifiers import NAMES, TEXTS, make_classifier

WEIGHTS = [1.0, 0.5, 3.0, 2.0, 0.25, 1.0, 0.0]


def main():
    """Prints how far two replicas are from one device, in batches of four of which one is partial."""
    device = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
    results = []
    for name in ("one", "mirrored"):
        with keras_bert.training.strategy(name).scope():
            teacher = make_classifier(num_layers=2)
            student = teacher.with_layers([0])
            student.logits_layer.kernel.assign(-student.logits_layer.kernel)
            distiller = keras_bert.BertDistiller(student, teacher, hidden_weight=1.0)
            distiller.compile(learning_rate=0.001, run_eagerly=name == "one")
        before = student.get_weights()
        labels = [None, *NAMES[1:]]
        fit = {"batch_size": 4, "sample_weight": WEIGHTS, "shuffle": False, "verbose": 0}
        history = distiller.fit(TEXTS, labels, validation_data=(TEXTS, NAMES), **fit).history
        results.append((history, student.get_weights()))
    (history, weights), (other_history, other_weights) = results
    found = {name: abs(history[name][0] - other_history[name][0]) for name in history}
    found["weights"] = float(max(np.abs(a - b).max() for a, b in zip(weights, other_weights)))
    moved = float(max(np.abs(a - b).max() for a, b in zip(weights, before)))
    print(json.dumps([moved, found]))


@pytest.mark.slow
def test_replicas_teach_as_one_device(root):
    environment = {**os.environ, "PYTHONPATH": str(root), "CUDA_VISIBLE_DEVICES": "-1"}
    result = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-4000:]
    moved, found = json.loads(result.stdout.splitlines()[-1])
    assert moved > 1e-4
    assert {name: value for name, value in found.items() if value > 1e-5} == {}
    assert {"loss", "labels_loss", "teacher_loss", "hidden_loss", "val_loss", "weights"} <= set(found)


if __name__ == "__main__":
    main()
