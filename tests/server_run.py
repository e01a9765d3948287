"""Asks a SavedModel in the environment of another TensorFlow, as an object and in a TF1 session: so does TF Serving.

python server_run.py MODEL QUESTIONS ANSWERS: the questions are a JSON list of {input name: [texts]}; the answers are,
for "session" and "object", a list of {output name: values}, texts in them as str.
"""

import json
import sys

import tensorflow as tf
import tensorflow_text  # noqa: F401  registers its operations


def plain(values):
    if isinstance(values, list):
        return [plain(value) for value in values]
    return values.decode("utf-8") if isinstance(values, bytes) else values


def by_session(model, questions):
    found = []
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        meta_graph = tf.compat.v1.saved_model.loader.load(session, ["serve"], model)
        signature = meta_graph.signature_def["serving_default"]
        outputs = {name: tensor.name for name, tensor in signature.outputs.items()}
        for question in questions:
            inputs = {signature.inputs[name].name: texts for name, texts in question.items()}
            found.append({name: plain(values.tolist()) for name, values in session.run(outputs, inputs).items()})
    return found


def by_object(model, questions):
    loaded = tf.saved_model.load(model)
    signature = loaded.signatures["serving_default"]
    specs = signature.structured_input_signature[1]
    found = []
    for question in questions:
        inputs = {}
        for name, texts in question.items():
            shape = None if texts else [size or 0 for size in specs[name].shape]
            inputs[name] = tf.constant(texts, tf.string, shape)
        found.append({name: plain(values.numpy().tolist()) for name, values in signature(**inputs).items()})
    return found


def main(model, questions, answers):
    with open(questions, encoding="utf-8") as file:
        questions = json.load(file)
    found = {"session": by_session(model, questions), "object": by_object(model, questions)}
    with open(answers, "w", encoding="utf-8") as file:
        json.dump({"tensorflow": tf.__version__, **found}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
