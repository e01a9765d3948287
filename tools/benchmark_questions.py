"""Questions and answers to fine-tune on, in keras_bert and in PyTorch transformers: a part of SQuAD 1.1."""

import argparse
import json
import lzma
import pathlib
import random
import time
from typing import NamedTuple

import numpy as np
from benchmark_torch import fine_tune, outputs_of, torch_and_transformers

_LONGEST_ANSWER, _BEST_ENDS, _STRIDE = 30, 20, 128


class Questions(NamedTuple):
    """Questions to train on and to evaluate on: dicts of `id`, `question`, `context` and `answers`."""

    train: list[dict]
    dev: list[dict]

    def sizes(self) -> tuple[int, int]:
        """Counts questions to train on and to evaluate on."""
        return len(self.train), len(self.dev)


def read_task(name: str, folder: pathlib.Path, train_rows: int | None, dev_rows: int | None) -> Questions:
    """Reads the train part and the dev set.

    Args:
        name: str, "squad".
        folder: path of the folder of data sets.
        train_rows: int, optional. So many questions, drawn with a fixed seed.
        dev_rows: int, optional. Likewise.

    Returns:
        `Questions`.
    """
    train = json.loads((folder / name / "train-v1.1.first-1280000-bytes.json").read_text(encoding="utf-8"))
    dev = json.loads(lzma.decompress((folder / name / "dev-v1.1.rebuilt.json.xz").read_bytes()))
    return Questions(_drawn(train, train_rows), _drawn(dev, dev_rows))


def _drawn(dataset, count):
    found = [
        {**question, "context": paragraph["context"]}
        for article in dataset["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]
    return random.Random(0).sample(found, count) if count is not None and count < len(found) else found


def score(task: Questions, predictions: dict[str, str]) -> dict[str, float]:
    """Scores answers as SQuAD does, as shares."""
    import keras_bert

    paragraphs = [{"context": question["context"], "qas": [question]} for question in task.dev]
    scores = keras_bert.metrics.squad_scores({"data": [{"paragraphs": paragraphs}]}, predictions)
    return {"f1": scores["f1"] / 100, "exact_match": scores["exact_match"] / 100}


def run_keras_bert(args: argparse.Namespace, task: Questions) -> dict:
    """Trains with `fit` on raw strings."""
    import keras

    import keras_bert

    keras.utils.set_random_seed(args.seed)
    labeler = keras_bert.BertSpanLabeler.from_preset(
        args.model,
        sequence_length=args.sequence_length,
        doc_stride=min(_STRIDE, args.sequence_length // 4),
        max_question_length=min(64, args.sequence_length // 2),
        max_answer_length=_LONGEST_ANSWER,
        dtype="mixed_bfloat16" if args.precision == "bfloat16" else "float32",
    )
    labeler.compile(learning_rate=args.learning_rate)
    pairs, dev = ([(row["question"], row["context"]) for row in rows] for rows in (task.train, task.dev))
    answers = [question["answers"][0] for question in task.train]
    started, cpu_started = time.perf_counter(), time.process_time()
    history = labeler.fit(pairs, answers, batch_size=args.batch_size, epochs=args.epochs, verbose=0).history
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    started = time.perf_counter()
    records = labeler.predict(dev, verbose=0)
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "evaluation_seconds": time.perf_counter() - started,
        "loss": history["loss"][-1],
        "predictions": {row["id"]: record["answer"] for row, record in zip(task.dev, records, strict=True)},
    }


def run_transformers(args: argparse.Namespace, task: Questions) -> dict:
    """Trains with a plain loop, as transformers' own example does."""
    torch, transformers = torch_and_transformers(args)
    model = transformers.BertForQuestionAnswering.from_pretrained(args.model, dtype=torch.float32, num_labels=2)
    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model, use_fast=True)

    def features():
        rows = []
        for example, inputs, places in windows(tokenizer, task.train, args):
            answer = task.train[example]["answers"][0]
            begin, end = answer["answer_start"], answer["answer_start"] + len(answer["text"])
            held = [i for i, place in enumerate(places) if place and place[1] > begin and place[0] < end]
            whole = held and places[held[0]][0] <= begin and places[held[-1]][1] >= end
            first, last = (held[0], held[-1]) if whole else (0, 0)
            rows.append({**inputs, "start_positions": first, "end_positions": last})
        return rows

    pad = transformers.DataCollatorWithPadding(tokenizer)
    figures = fine_tune(model, features, pad, args)
    started = time.perf_counter()
    best = answers(model, tokenizer, task.dev, args)
    predictions = {}
    for example, question in enumerate(task.dev):
        _, begin, stop = best.get(example, (0, 0, 0))
        predictions[question["id"]] = question["context"][begin:stop]
    return figures | {"evaluation_seconds": time.perf_counter() - started, "predictions": predictions}


def windows(tokenizer, questions: list[dict], args: argparse.Namespace):
    """Cuts contexts as transformers' own example does.

    Args:
        tokenizer: of transformers.
        questions: list of dicts of `question` and `context`.
        args: the flags.

    Yields:
        The row of the question, the model's inputs, and where each token of the context is in it; None for others.
    """
    encoded = tokenizer(
        [question["question"] for question in questions],
        [question["context"] for question in questions],
        truncation="only_second",
        max_length=args.sequence_length,
        stride=min(_STRIDE, args.sequence_length // 4),
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    for row, example in enumerate(encoded["overflow_to_sample_mapping"]):
        inputs = {name: encoded[name][row] for name in ("input_ids", "token_type_ids", "attention_mask")}
        places = zip(encoded["offset_mapping"][row], encoded.sequence_ids(row), strict=True)
        yield example, inputs, [place if kind == 1 else None for place, kind in places]


def answers(model, tokenizer, questions: list[dict], args: argparse.Namespace) -> dict[int, tuple]:
    """Answers questions as transformers' own example does, from the 20 best begins and ends of each window.

    Args:
        model: `BertForQuestionAnswering`.
        tokenizer: of transformers.
        questions: list of dicts of `question` and `context`.
        args: the flags.

    Returns:
        dict of row to logit, begin and end of its best answer.
    """
    import transformers

    pad = transformers.DataCollatorWithPadding(tokenizer)
    found = list(windows(tokenizer, questions, args))
    logits = []
    for outputs in outputs_of(model, [inputs for _, inputs, _ in found], pad, args):
        logits += zip(outputs.start_logits.float().numpy(), outputs.end_logits.float().numpy(), strict=True)
    best = {}
    for (example, _, places), (start, end) in zip(found, logits, strict=True):
        begins, ends = (np.argsort(-part[: len(places)])[:_BEST_ENDS] for part in (start, end))
        for first in begins:
            for last in ends:
                if places[first] and places[last] and first <= last < first + _LONGEST_ANSWER:
                    value = float(start[first] + end[last])
                    if value > best.get(example, (-1e9,))[0]:
                        best[example] = value, places[first][0], places[last][1]
    return best


PEERS = {"keras_bert": run_keras_bert, "transformers": run_transformers}
