"""Answers questions, or finds entities, in raw texts of mixed lengths: an exported SavedModel beside transformers.

    python tools/benchmark_answers.py --task entities --rounds 5
    python tools/benchmark_answers.py --task questions --rounds 5

Both start from --model with the same random head. Entities are looked for in the sentences of WNUT-17's dev set, by
`pipeline("token-classification", aggregation_strategy="simple")` on the other side; questions are those of SQuAD's dev
set, by the loop of transformers' own example (its pipeline for questions is gone since 5), which pads each batch to its
longest window. Each measurement is a process of its own, in turn, after a whole pass to warm up. Medians over the
rounds; a ratio over 1 means that keras_bert is faster. On the CPU.
"""

import argparse
import pathlib
import sys

import benchmark_questions
import benchmark_words
from benchmark_records import (
    DATA,
    MODEL,
    answer,
    benchmark_parser,
    cores,
    need,
    peer_list,
    run_worker,
)
from benchmark_rounds import load_signature, measure, rounds_flags, run_rounds

TAGS = ["O", *(f"{mark}-{label}" for label in ("person", "location", "group") for mark in "BI")]


def main(argv: list[str] | None = None) -> dict:
    """Runs the benchmark and returns its summary."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser()
    args = parser.parse_args(argv)
    try:
        peers = peer_list(args.peers, PEERS)
        inputs = read_inputs(args)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    if args.worker == "make":
        return answer(args, make(args))
    if args.worker:
        return answer(args, measure(args, *PEERS[args.worker](args), inputs))

    counts = f"in batches of {args.batch_size}, {args.single_texts} one by one, {cores()} cores."
    print(f"{len(inputs)} {args.task} {counts}")
    return run_rounds(args, __file__, argv, run_worker, peers, ["make"], len(inputs), equal_answers)


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this tool's flags."""
    parser = benchmark_parser(__doc__)
    add = parser.add_argument
    add("--task", choices=("questions", "entities"), default="entities", help="Default: entities.")
    add("--model", default=str(MODEL), help=f"Directory in Hugging Face's layout. Default: {MODEL}.")
    add("--data-folder", type=pathlib.Path, default=DATA, help=f"Folder of the data sets. Default: {DATA}.")
    add("--texts", type=int, default=256, help="Texts in batches. Default: 256.")
    add("--sequence-length", type=int, default=384, help="Longest row. Default: 384.")
    rounds_flags(parser, PEERS, single_texts=50)
    return parser


def read_inputs(args: argparse.Namespace) -> list:
    """Reads texts, or dicts of question and context, in a fixed mixed order."""
    if args.task == "questions":
        return benchmark_questions.read_task("squad", args.data_folder, 1, args.texts).dev
    return [" ".join(words) for words, _ in benchmark_words.read_task("wnut17", args.data_folder, 1, args.texts).dev]


def make(args: argparse.Namespace) -> dict:
    """Writes the model as a preset and as a SavedModel."""
    import keras
    import numpy as np

    import keras_bert

    keras.utils.set_random_seed(0)
    if args.task == "questions":
        options = {"max_question_length": min(64, args.sequence_length // 2)}
        model = keras_bert.BertSpanLabeler.from_preset(args.model, sequence_length=args.sequence_length, **options)
    else:
        model = keras_bert.BertTokenClassifier.from_preset(args.model, TAGS, sequence_length=args.sequence_length)
    kernel, bias = model.logits_layer.get_weights()
    # Far larger than a new head's, so that there are entities, and answers that differ.
    model.logits_layer.set_weights([np.random.default_rng(0).normal(size=kernel.shape), bias])
    model.save_to_preset(args.folder / "preset")
    model.export(args.folder / "saved_model" / "1")
    return {}


def load_saved_model(args: argparse.Namespace):
    """Loads the SavedModel; gives functions of inputs."""
    import tensorflow as tf

    def ask(signature, inputs):
        if args.task == "entities":
            found = {name: value.numpy().tolist() for name, value in signature(text=tf.constant(inputs)).items()}
            places = zip(found["entity_start"], found["entity_end"], found["num_entities"], strict=True)
            return [list(zip(starts[:count], ends[:count], strict=True)) for starts, ends, count in places]
        columns = {name: tf.constant([row[name] for row in inputs]) for name in ("question", "context")}
        return [text.decode("utf-8") for text in signature(**columns)["answer"].numpy()]

    return load_signature(args.folder / "saved_model" / "1", args.batch_size, ask)



def load_transformers(args: argparse.Namespace):
    """Loads the same weights in transformers; gives functions of inputs."""
    torch, transformers = need("torch"), need("transformers")
    torch.set_num_threads(cores())
    transformers.logging.set_verbosity_error()
    preset = str(args.folder / "preset")
    if args.task == "questions":
        model = transformers.BertForQuestionAnswering.from_pretrained(preset, dtype=torch.float32).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(preset)
        args.seed, args.precision = 0, "float32"

        def answer_all(inputs, batch_size=args.batch_size):
            args.batch_size = batch_size
            found = benchmark_questions.answers(model, tokenizer, inputs, args)
            places = (found.get(row, (0.0, 0, 0)) for row in range(len(inputs)))
            return [row["context"][begin:end] for row, (_, begin, end) in zip(inputs, places, strict=True)]

        return answer_all, lambda inputs: answer_all(inputs, 1)
    options = {"device": "cpu", "aggregation_strategy": "simple"}
    pipeline = transformers.pipeline("token-classification", model=preset, tokenizer=preset, **options)

    def tag_all(inputs, batch_size=args.batch_size):
        found = pipeline(inputs, batch_size=batch_size)
        return [[(entity["start"], entity["end"]) for entity in entities] for entities in found]

    return tag_all, lambda inputs: tag_all(inputs, 1)


def equal_answers(ours: list, theirs: list) -> dict:
    """Gives the share of inputs that are answered alike: not all, as the decoding differs."""
    pairs = list(zip(ours, theirs, strict=True))
    return {"equal_answers": sum(list(map(list, a)) == list(map(list, b)) for a, b in pairs) / len(pairs)}


PEERS = {"keras_bert": load_saved_model, "transformers": load_transformers}


if __name__ == "__main__":
    main()
