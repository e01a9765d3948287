"""Requests that a server answers before it says that it is ready."""

import functools
import logging
import pathlib

import tensorflow as tf


def write_warm_up(directory: pathlib.Path, requests: list[dict]) -> None:
    """Writes requests to where TF Serving looks for them; says once if its package is missing, and writes none.

    Args:
        directory: path of the SavedModel.
        requests: list of dicts of input name to list of texts, for `serving_default`; at most 1,000.

    Reference:
        TF Serving, `g3doc/saved_model_warmup.md`.
    """
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError:
        _say_what_is_missing()
        return
    file = directory / "assets.extra" / "tf_serving_warmup_requests"
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for inputs in requests:
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
