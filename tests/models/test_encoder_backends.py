"""The encoder gives the same numbers on Keras' other backends."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.encoders import MASK, assert_close, batch, make_encoder, values

CODE = """
import sys
import keras_bert
import keras
import numpy as np

folder = sys.argv[1]
encoder = keras_bert.BertEncoder.from_preset(folder, dropout=0.3)
inputs = dict(np.load(folder + "/inputs.npz"))
outputs = encoder(inputs)
predicted = encoder.predict(inputs, verbose=0)
trained = encoder(inputs, training=True)
trained_again = encoder(inputs, training=True)
outputs = {name: keras.ops.convert_to_numpy(output) for name, output in outputs.items()}
for name in outputs:
    np.testing.assert_allclose(predicted[name], outputs[name], rtol=0, atol=1e-5)
trained, trained_again = (
    keras.ops.convert_to_numpy(each["sequence_output"]) for each in (trained, trained_again)
)
assert abs(trained - outputs["sequence_output"]).max() > 0.1
assert abs(trained - trained_again).max() > 0.1
assert (trained[inputs["padding_mask"] == 0] == 0).all()
scores = encoder.with_layer_outputs()(inputs)["attention_scores"]
assert [tuple(score.shape) for score in scores] == [(7, 3, 7, 7)] * 2
np.savez(folder + "/outputs.npz", **outputs)
print(keras.backend.backend())
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_gives_the_same_numbers(backend, tmp_path, root):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"needs {backend}, which is not installed")
    encoder = make_encoder(activation="gelu_approximate")
    encoder.save_to_preset(tmp_path)
    np.savez(tmp_path / "inputs.npz", **batch())
    path = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    result = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.strip().endswith(backend), result.stderr[-3000:]
    outputs = dict(np.load(tmp_path / "outputs.npz"))
    assert_close(outputs, values(encoder(batch())))
    assert (outputs["sequence_output"][MASK == 0] == 0).all()
