"""Embeds real sentences of mixed lengths with one model: keras_bert beside sentence-transformers, round by round.

    python tools/benchmark_embeddings.py --rounds 5

The sentences are those of the SemEval STS pairs of 2015 (headlines, captions, answers of students and of forums), in a
fixed mixed order. The same weights for all:
- keras_bert: `BertEmbedder.predict`;
- saved_model: its exported SavedModel, called with --batch-size strings at a time, in the order in which they stand;
- sentence_transformers: `SentenceTransformer.encode(batch_size=--batch-size)`, which sorts by length too.

Each measurement is a process of its own, in turn, after a whole pass to warm up. Medians over the rounds; a ratio
over 1 means that keras_bert is faster. On the CPU, in float32.
"""

import argparse
import pathlib
import random
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
        texts = read_sentences(args)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    if args.worker == "make":
        return answer(args, make(args))
    if args.worker:
        return answer(args, measure(args, *PEERS[args.worker](args), texts))

    print(f"{len(texts)} sentences in batches, {args.single_texts} one by one, {cores()} cores.")
    summary = run_rounds(args, __file__, argv, run_worker, peers, ["make"], len(texts), least_cosine)
    for peer, part in summary["comparisons"].items():
        print(f"{peer}: the least cosine of two embeddings of a sentence is {part['least_cosine']:.7f}")
    return summary


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this tool's flags."""
    parser = benchmark_parser(__doc__)
    add = parser.add_argument
    add("--model", default=str(MODEL), help=f"Directory in Hugging Face's layout. Default: {MODEL}.")
    add("--data-folder", type=pathlib.Path, default=DATA, help=f"Folder of the data sets. Default: {DATA}.")
    add("--texts", type=int, default=2048, help="Sentences in batches. Default: 2048.")
    add("--sequence-length", type=int, default=256, help="Longest row. Default: 256.")
    rounds_flags(parser, PEERS, single_texts=50)
    return parser


def read_sentences(args: argparse.Namespace) -> list[str]:
    """Reads the sentences, each once, and mixes them the same way every time."""
    sides = read_task("sts", args.data_folder).dev_texts
    sentences = sorted({sentence for side in sides for sentence in side})
    random.Random(0).shuffle(sentences)
    return sentences[: args.texts]


def make(args: argparse.Namespace) -> dict:
    """Writes the model as a preset, which sentence-transformers reads too, and as a SavedModel."""
    import keras_bert

    embedder = keras_bert.BertEmbedder.from_preset(args.model, sequence_length=args.sequence_length)
    embedder.save_to_preset(args.folder / "preset")
    embedder.export(args.folder / "saved_model" / "1")
    return {}


def load_keras_bert(args: argparse.Namespace):
    """Loads the preset; gives functions of texts."""
    import keras_bert

    embedder = keras_bert.BertEmbedder.from_preset(args.folder / "preset")

    def embed(texts):
        return embedder.predict(texts, verbose=0).tolist()

    return embed, embed


def load_saved_model(args: argparse.Namespace):
    """Loads the SavedModel; gives functions of texts."""
    import tensorflow as tf

    def ask(signature, texts):
        return signature(text=tf.constant(texts))["embedding"].numpy().tolist()

    return load_signature(args.folder / "saved_model" / "1", args.batch_size, ask)


def load_sentence_transformers(args: argparse.Namespace):
    """Loads the same preset there; gives functions of texts."""
    torch, sentence_transformers = need("torch"), need("sentence_transformers")
    torch.set_num_threads(cores())
    model = sentence_transformers.SentenceTransformer(str(args.folder / "preset"), device="cpu")

    def embed(texts):
        return model.encode(texts, batch_size=args.batch_size, show_progress_bar=False).tolist()

    return embed, embed


def least_cosine(ours: list[list[float]], theirs: list[list[float]]) -> dict:
    """Gives the least cosine of two embeddings of the same text, which have length 1."""
    pairs = zip(ours, theirs, strict=True)
    return {"least_cosine": min(sum(a * b for a, b in zip(our, their, strict=True)) for our, their in pairs)}


PEERS = {
    "keras_bert": load_keras_bert,
    "saved_model": load_saved_model,
    "sentence_transformers": load_sentence_transformers,
}


if __name__ == "__main__":
    main()
