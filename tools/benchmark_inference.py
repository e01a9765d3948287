"""Answers raw texts of mixed lengths with one model in three libraries: batches and single texts, round by round.

    python tools/benchmark_inference.py --rounds 5

A classifier on --model with a random head, the same weights for all, answers texts of the SST-2 dev set in the order
in which they stand there:
- keras_bert: its exported SavedModel, loaded with `tf.saved_model.load`, called with strings;
- transformers: `pipeline("text-classification")`, batch 32, which pads each batch to its longest text;
- keras_hub: BertTextClassifier and its preprocessor at its fixed length, exported as one function of strings.

Each measurement is a process of its own, in turn, after a whole pass to warm up. Medians over the rounds; a ratio
over 1 means that keras_bert is faster. On the CPU.
"""

import argparse
import pathlib
import sys

from benchmark_data import read_task
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


def main(argv: list[str] | None = None) -> dict:
    """Runs the benchmark and returns its summary."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser()
    args = parser.parse_args(argv)
    try:
        peers = peer_list(args.peers, PEERS)
        texts = read_task("sst2", args.data_folder).dev_texts[0][: args.texts]
    except (ValueError, OSError) as error:
        parser.error(str(error))
    if args.worker:
        if args.worker.startswith("make_"):
            return answer(args, MAKERS[args.worker](args))
        return answer(args, measure(args, *PEERS[args.worker](args), texts))

    print(
        f"{len(texts)} texts in batches of {args.batch_size}, {args.single_texts} one by one, {cores()} cores."
    )
    makers = ["make_keras_bert", *(["make_keras_hub"] if "keras_hub" in peers else [])]
    summary = run_rounds(args, __file__, argv, run_worker, peers, makers, len(texts), largest_difference)
    for peer, part in summary["comparisons"].items():
        print(f"{peer}: scores differ by {part['largest_difference']:.1e} at most")
    return summary


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this tool's flags."""
    parser = benchmark_parser(__doc__)
    add = parser.add_argument
    add("--model", default=str(MODEL), help=f"Directory in Hugging Face's layout. Default: {MODEL}.")
    add("--data-folder", type=pathlib.Path, default=DATA, help=f"Folder of the data sets. Default: {DATA}.")
    add("--texts", type=int, default=512, help="Texts in batches. Default: 512.")
    add(
        "--sequence-length", type=int, default=128, help="Longest row; KerasHub's fixed length. Default: 128."
    )
    rounds_flags(parser, PEERS, single_texts=100)
    return parser


def make_keras_bert(args: argparse.Namespace) -> dict:
    """Writes the classifier as a preset and as a SavedModel."""
    import numpy as np

    import keras_bert

    classifier = keras_bert.BertClassifier.from_preset(
        args.model, labels=["negative", "positive"], sequence_length=args.sequence_length
    )
    kernel, bias = classifier.logits_layer.get_weights()
    # Far larger than a new head's, so that scores of different texts differ and a wrong one shows.
    classifier.logits_layer.set_weights([np.random.default_rng(0).normal(size=kernel.shape), bias])
    classifier.save_to_preset(args.folder / "preset")
    classifier.export(args.folder / "keras_bert" / "1")
    return {}


def make_keras_hub(args: argparse.Namespace) -> dict:
    """Writes the same classifier as KerasHub builds it, with its preprocessor, as a SavedModel."""
    keras_hub = need("keras_hub")
    import numpy as np
    import safetensors.numpy
    import tensorflow as tf

    preset = args.folder / "preset"
    backbone = keras_hub.models.BertBackbone.from_preset(str(preset))
    tokens = (preset / "vocab.txt").read_text(encoding="utf-8").splitlines()
    tokenizer = keras_hub.models.BertTokenizer(vocabulary=tokens, lowercase=True)
    preprocess = keras_hub.models.BertTextClassifierPreprocessor(
        tokenizer, sequence_length=args.sequence_length
    )
    classifier = keras_hub.models.BertTextClassifier(backbone, num_classes=2, preprocessor=preprocess)
    weights = safetensors.numpy.load_file(preset / "model.safetensors")
    head = [np.transpose(weights["classifier.weight"]), weights["classifier.bias"]]
    classifier.get_layer("logits").set_weights(head)
    module = tf.Module()
    module.kept = [variable.value for variable in classifier.variables]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")], autograph=False)
    def serve(text):
        return {"probabilities": tf.nn.softmax(classifier(preprocess(text), training=False))}

    module.serve = serve
    path = args.folder / "keras_hub" / "1"
    tf.saved_model.save(module, str(path), signatures={"serving_default": serve.get_concrete_function()})
    return {}


def load_saved_model(args: argparse.Namespace):
    """Loads a SavedModel of strings; gives functions of texts to scores `(B, C)`."""
    import tensorflow as tf

    def score(signature, texts):
        return signature(text=tf.constant(texts))["probabilities"].numpy().tolist()

    return load_signature(args.folder / args.worker / "1", args.batch_size, score)



def load_pipeline(args: argparse.Namespace):
    """Loads transformers' pipeline; gives functions of texts to scores `(B, C)`."""
    torch, transformers = need("torch"), need("transformers")
    torch.set_num_threads(cores())
    transformers.logging.set_verbosity_error()
    preset = str(args.folder / "preset")
    pipeline = transformers.pipeline(
        "text-classification", model=preset, tokenizer=preset, device="cpu", top_k=None
    )
    labels = list(pipeline.model.config.label2id)
    options = {"truncation": True, "max_length": args.sequence_length}

    def score_all(texts, batch_size=args.batch_size):
        rows = pipeline(texts, batch_size=batch_size, **options)
        named = [{entry["label"]: entry["score"] for entry in row} for row in rows]
        return [[row[label] for label in labels] for row in named]

    return score_all, lambda texts: score_all(texts, 1)


MAKERS = {"make_keras_bert": make_keras_bert, "make_keras_hub": make_keras_hub}
PEERS = {"keras_bert": load_saved_model, "transformers": load_pipeline, "keras_hub": load_saved_model}


def largest_difference(ours: list[list[float]], theirs: list[list[float]]) -> dict:
    """Gives the largest difference of two tables of scores."""
    largest = max(
        abs(a - b) for our, their in zip(ours, theirs, strict=True) for a, b in zip(our, their, strict=True)
    )
    return {"largest_difference": largest}


if __name__ == "__main__":
    main()
