"""A SavedModel asked as TF Serving's C++ asks it: in a TF1 session, with nothing checked in Python before."""

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2


class Served:
    """An export in a session; `ask` gives a signature's outputs by name."""

    def __init__(self, folder):
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            loader = tf.compat.v1.saved_model.loader
            self.signatures = dict(loader.load(self.session, ["serve"], str(folder)).signature_def)
        self.calls = {}

    def ask(self, signature="serving_default", **inputs):
        outputs = self.signatures[signature].outputs
        key = (signature, *inputs)
        if key not in self.calls:
            options = config_pb2.CallableOptions()
            options.feed.extend(self.signatures[signature].inputs[name].name for name in inputs)
            options.fetch.extend(tensor.name for tensor in outputs.values())
            # `session.run` would refuse what the signature's shapes do not allow; the C++ server does not.
            self.calls[key] = self.session._make_callable_from_options(options)
        values = self.calls[key](*(np.array(texts, object) for texts in inputs.values()))
        return dict(zip(outputs, values, strict=True))


def examples_of(**columns):
    """Serializes `tf.train.Example`s, one for each row, of columns of texts."""
    rows = zip(*columns.values(), strict=True)
    return [
        tf.train.Example(
            features=tf.train.Features(
                feature={
                    name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
                    for name, text in zip(columns, row, strict=True)
                }
            )
        ).SerializeToString()
        for row in rows
    ]
