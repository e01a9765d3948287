"""Asks a SavedModel the way TF Serving's C++ does, in a TF1 session; run by the environment of an old server.

python old_server.py MODEL QUESTIONS ANSWERS: the questions are a JSON list of {input name: [texts]}; the answers are a
list of {output name: values}, texts in them as str.
"""

import json
import sys

import tensorflow as tf
import tensorflow_text  # noqa: F401  registers its operations


def plain(values):
    if isinstance(values, list):
        return [plain(value) for value in values]
    return values.decode("utf-8") if isinstance(values, bytes) else values


def main(model, questions, answers):
    with open(questions, encoding="utf-8") as file:
        questions = json.load(file)
    found = []
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        meta_graph = tf.compat.v1.saved_model.loader.load(session, ["serve"], model)
        signature = meta_graph.signature_def["serving_default"]
        outputs = {name: tensor.name for name, tensor in signature.outputs.items()}
        for question in questions:
            inputs = {signature.inputs[name].name: texts for name, texts in question.items()}
            found.append({name: plain(values.tolist()) for name, values in session.run(outputs, inputs).items()})
    with open(answers, "w", encoding="utf-8") as file:
        json.dump({"tensorflow": tf.__version__, "answers": found}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
