"""Texts and pairs of texts to fine-tune on, in keras_bert and in PyTorch transformers."""

import argparse
import time

from benchmark_data import LabelledTexts, read_task
from benchmark_torch import fine_tune, outputs_of, torch_and_transformers

__all__ = ["PEERS", "read_task", "score"]


def score(task: LabelledTexts, predictions: list) -> dict:
    """Scores predictions as the task is scored in the literature; the first score is the main one."""
    import numpy as np

    import keras_bert

    true, predictions = np.asarray(task.dev_targets), np.asarray(predictions)
    if task.labels is None:
        metrics = keras_bert.metrics
        return {
            "pearson": metrics.pearson(true, predictions),
            "spearman": metrics.spearman(true, predictions),
        }
    scores = {"accuracy": keras_bert.metrics.accuracy(true, predictions)}
    if "paraphrase" in task.labels:
        scores["f1"] = keras_bert.metrics.f1(true, predictions)
    return scores


def run_keras_bert(args: argparse.Namespace, task: LabelledTexts, load_weights: bool = True) -> dict:
    """Trains with `fit` on raw strings."""
    import keras

    import keras_bert

    keras.utils.set_random_seed(args.seed)
    options = {"labels": task.labels} if task.labels else {"task": "regression"}
    classifier = keras_bert.BertClassifier.from_preset(
        args.model,
        sequence_length=args.sequence_length,
        dtype="mixed_bfloat16" if args.precision == "bfloat16" else "float32",
        load_weights=load_weights,
        **options,
    )
    classifier.compile(learning_rate=args.learning_rate)
    texts, dev_texts = (part if len(part) == 2 else part[0] for part in (task.train_texts, task.dev_texts))
    started, cpu_started = time.perf_counter(), time.process_time()
    history = classifier.fit(
        texts, task.train_targets, batch_size=args.batch_size, epochs=args.epochs, verbose=0
    ).history
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    started = time.perf_counter()
    outputs = classifier.predict(dev_texts, verbose=0)
    evaluation_seconds = time.perf_counter() - started
    predictions = outputs.argmax(axis=1) if task.labels else outputs[:, 0]
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "evaluation_seconds": evaluation_seconds,
        "loss": history["loss"][-1],
        "predictions": predictions.tolist(),
    }


def run_transformers(args: argparse.Namespace, task: LabelledTexts) -> dict:
    """Trains with a plain loop, as transformers' own examples do."""
    torch, transformers = torch_and_transformers(args)
    options = (
        {"num_labels": len(task.labels)} if task.labels else {"num_labels": 1, "problem_type": "regression"}
    )
    model = transformers.BertForSequenceClassification.from_pretrained(
        args.model,
        dtype=torch.float32,
        ignore_mismatched_sizes=True,
        **options,  # a head for other labels is left out
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model, use_fast=True)
    collate = transformers.DataCollatorWithPadding(tokenizer)

    def features(texts, targets):
        encoded = tokenizer(*texts, truncation=True, max_length=args.sequence_length, padding=False)
        return [
            {**{name: encoded[name][i] for name in encoded}, "labels": target}
            for i, target in enumerate(targets)
        ]

    figures = fine_tune(model, lambda: features(task.train_texts, task.train_targets), collate, args)
    started = time.perf_counter()
    rows = features(task.dev_texts, task.dev_targets)
    outputs = torch.cat([found.logits.float() for found in outputs_of(model, rows, collate, args)]).numpy()
    evaluation_seconds = time.perf_counter() - started
    predictions = outputs.argmax(axis=1) if task.labels else outputs[:, 0]
    return figures | {"evaluation_seconds": evaluation_seconds, "predictions": predictions.tolist()}


def run_random_weights(args: argparse.Namespace, task: LabelledTexts) -> dict:
    """Trains the same model from random weights."""
    return run_keras_bert(args, task, load_weights=False)


PEERS = {
    "keras_bert": run_keras_bert,
    "transformers": run_transformers,
    "random_weights": run_random_weights,
}
