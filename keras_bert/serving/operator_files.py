"""What TF Serving reads beside the model: requests to warm up with, and settings for batching."""

import functools
import logging
import pathlib
import shutil
from collections.abc import Sequence
from importlib.resources import as_file, files

import tensorflow as tf

from keras_bert.serving.examples import warm_up_requests

_BATCHING = "batching_parameters.txt"


def write_operator_files(
    directory: pathlib.Path, specs: Sequence[tf.TensorSpec], examples: dict, longest: int
) -> None:
    """Writes `assets.extra`; without TF Serving's package there are no requests, which is said once.

    Args:
        directory: path of the SavedModel.
        specs: sequence of `tf.TensorSpec`. The inputs of `serving_default`.
        examples: dict of input name to texts.
        longest: int. Tokens of the longest row.

    Reference:
        TF Serving, `g3doc/saved_model_warmup.md` and `batching/README.md`.
    """
    folder = directory / "assets.extra"
    folder.mkdir()
    with as_file(files("keras_bert.serving").joinpath(_BATCHING)) as settings:
        shutil.copyfile(settings, folder / _BATCHING)
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError:
        _say_what_is_missing()
        return
    with tf.io.TFRecordWriter(str(folder / "tf_serving_warmup_requests")) as writer:
        for inputs in warm_up_requests(specs, examples, longest):
            request = predict_pb2.PredictRequest()
            request.model_spec.signature_name = "serving_default"
            for name, texts in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(texts, tf.string))
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString())


@functools.cache
def _say_what_is_missing():
    logging.getLogger("keras_bert").warning(
        "Exports hold no warm-up requests: tensorflow-serving-api is missing. Install the extra `serving` for them."
    )
