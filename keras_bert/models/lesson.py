"""What a student says, and how far its hidden states are from its teacher's."""

from collections.abc import Sequence

import keras
from keras import ops

from keras_bert.models.layer_outputs import hidden_states


class Lesson(keras.layers.Layer):
    """Runs a student, and beside it, without dropout, as much of its teacher as is compared.

    A layer, as the student's and the teacher's own layers share their names. The weights are the student's alone.

    Args:
        student: `BertClassifier`.
        teacher: `BertClassifier`.
        layers: sequence of int. For each of the student's layers the teacher's that it is compared with; empty where
            hidden states do not count.
        **kwargs: `keras.layers.Layer`'s.

    Call arguments:
        inputs: dict of int tensors `(B, T)`, the student's.
        training: bool.

    Returns:
        dict of float tensors: `labels` and `teacher`, both the student's logits `(B, C)`, by what they are compared
        with; and, if there are layers, `hidden`, `(B, layers)`: the mean squared differences over a text's tokens.
    """

    def __init__(self, student, teacher, layers: Sequence[int], **kwargs):
        super().__init__(**kwargs)
        self.student = student
        self.get_teacher = lambda: teacher  # so that Keras does not count its weights among the student's
        self.layers = tuple(layers)
        self.built = True

    def call(self, inputs, training=False):
        student, teacher = self.student, self.get_teacher()
        if not self.layers:
            logits = student(inputs, training=training)
            return {"labels": logits, "teacher": logits}
        ours = hidden_states(student.encoder, inputs, training)
        pooled_output = student.encoder.pooler(ours[-1][:, 0])
        logits = student.logits_layer(student.get_layer("dropout")(pooled_output, training=training))
        theirs = hidden_states(teacher.encoder, inputs, training=False, count=max(self.layers) + 1)
        tokens = ops.maximum(ops.sum(ops.cast(inputs["padding_mask"] != 0, "float32"), axis=1), 1.0)
        distances = [
            _squares(state, ops.stop_gradient(theirs[layer])) / tokens
            for state, layer in zip(ours, self.layers, strict=True)
        ]
        return {"labels": logits, "teacher": logits, "hidden": ops.stack(distances, axis=1)}

    @property
    def metrics(self):
        return []  # Keras would add those of the student, which is not what trains here

    def compute_output_spec(self, inputs, training=False):
        rows = inputs["token_ids"].shape[0]
        logits = keras.KerasTensor((rows, len(self.student.labels)), "float32")
        hidden = {"hidden": keras.KerasTensor((rows, len(self.layers)), "float32")} if self.layers else {}
        return {"labels": logits, "teacher": logits, **hidden}


def _squares(a, b):
    """Sums over a row's tokens, means over the width; both are 0 at padding."""
    return ops.sum(ops.mean(ops.square(ops.cast(a, "float32") - ops.cast(b, "float32")), axis=-1), axis=-1)
