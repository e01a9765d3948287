"""Cuts the lines of novels into word pieces in tf.data and with Hugging Face's `tokenizers`: tokens a second.

    python tools/benchmark_tokenizer.py --books 12 --rounds 5

Batches of 256 lines, in one process, one library after the other and round by round. In keras_bert the time is that
of a whole pass through a tf.data pipeline of strings to ragged ids; in `tokenizers` that of `encode_batch`, which
uses all cores. A ratio over 1 means that keras_bert is faster.
"""

import argparse
import os
import pathlib
import statistics
import sys
import tarfile
import time

from benchmark_records import DATA, Neighbours, benchmark_parser, cores, need, peer_list, ratios, record


def main(argv: list[str] | None = None) -> dict:
    """Runs the benchmark and returns its summary."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser()
    args = parser.parse_args(argv)
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    try:
        peers = peer_list(args.peers, PEERS)
        lines = read_lines(args.novels, args.books)[: args.lines]
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(f"{len(lines)} lines, {sum(map(len, lines)) / 1e6:.1f} M characters, {cores()} cores.", flush=True)
    neighbours = Neighbours()

    passes = {peer: PEERS[peer](args, lines) for peer in peers}
    ids = {peer: encode() for peer, encode in passes.items()}  # warms up
    tokens = {peer: sum(map(len, rows)) for peer, rows in ids.items()}
    differing = {
        peer: sum(ours != theirs for ours, theirs in zip(ids[peers[0]], ids[peer], strict=True))
        for peer in peers[1:]
    }
    del ids
    times = {peer: [] for peer in peers}
    for place in range(args.rounds):
        for peer, encode in passes.items():
            started = time.perf_counter()
            encode(keep=False)
            times[peer].append(time.perf_counter() - started)
            print(
                f"round {place}  {peer:<12}  {tokens[peer] / times[peer][-1] / 1e6:.2f} M tokens/s",
                flush=True,
            )
    summary = {
        "lines": len(lines),
        "tokens": tokens,
        "lines_that_differ": differing,
        "tokens_per_second": {
            peer: tokens[peer] / statistics.median(seconds) for peer, seconds in times.items()
        },
        "comparisons": {peer: ratios(times[peers[0]], times[peer]) for peer in peers[1:]},
    }
    record(args, __file__, argv, neighbours, summary=summary)
    for peer, speed in summary["tokens_per_second"].items():
        print(f"median   {peer:<12}  {speed / 1e6:.2f} M tokens/s")
    for peer, part in summary["comparisons"].items():
        print(
            f"time of {peer} / {peers[0]}: {part['median_ratio']:.2f}; lines that differ: {differing[peer]}"
        )
    return summary


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this tool's flags."""
    novels = DATA / "novels_en" / "novels-train.tar.xz"
    vocabulary = DATA / "bert_vocab" / "bert-base-uncased-vocab.txt"
    parser = benchmark_parser(__doc__)
    add = parser.add_argument
    add("--novels", type=pathlib.Path, default=novels, help=f"A tar archive of texts. Default: {novels}.")
    add(
        "--vocabulary",
        type=pathlib.Path,
        default=vocabulary,
        help=f"An uncased vocab.txt. Default: {vocabulary}.",
    )
    add("--books", type=int, default=12, help="So many files from the front. Default: 12.")
    add("--lines", type=int, help="So many lines of these. Default: all.")
    add("--batch-size", type=int, default=256, help="Lines a batch. Default: 256.")
    add("--rounds", type=int, default=5, help="Default: 5.")
    add(
        "--peers",
        default="keras_bert,tokenizers",
        help="Of keras_bert, tokenizers, keras_hub; the first is ours.",
    )
    return parser


def read_lines(archive: pathlib.Path, books: int) -> list[str]:
    """Reads the lines that are not empty of an archive's first files."""
    lines = []
    with tarfile.open(archive) as files:
        for member in files:
            if not member.isfile():
                continue
            if books <= 0:
                break
            books -= 1
            text = files.extractfile(member).read().decode("utf-8-sig")
            lines += [line for line in text.splitlines() if line.strip()]
    return lines


def tensorflow_pass(args: argparse.Namespace, tokenizer, lines: list[str]):
    """Gives a function that sends all lines through a tf.data pipeline."""
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensor_slices(lines).batch(args.batch_size)
    dataset = dataset.map(tokenizer, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)

    def encode(keep=True):
        if keep:
            return [row for batch in dataset for row in batch.to_list()]
        for _ in dataset:
            pass
        return []

    return encode


def keras_bert_pass(args: argparse.Namespace, lines: list[str]):
    """Gives a pass of ours."""
    import keras_bert

    return tensorflow_pass(args, keras_bert.BertTokenizer(str(args.vocabulary), lowercase=True), lines)


def keras_hub_pass(args: argparse.Namespace, lines: list[str]):
    """Gives a pass of KerasHub's."""
    keras_hub = need("keras_hub")
    tokenizer = keras_hub.models.BertTokenizer(vocabulary=str(args.vocabulary), lowercase=True)
    return tensorflow_pass(args, tokenizer, lines)


def tokenizers_pass(args: argparse.Namespace, lines: list[str]):
    """Gives a pass of Hugging Face's."""
    tokenizer = need("tokenizers").BertWordPieceTokenizer(str(args.vocabulary), lowercase=True)
    size = args.batch_size

    def encode(keep=True):
        ids = []
        for low in range(0, len(lines), size):
            rows = tokenizer.encode_batch(lines[low : low + size], add_special_tokens=False)
            if keep:
                ids += [row.ids for row in rows]
        return ids

    return encode


PEERS = {"keras_bert": keras_bert_pass, "tokenizers": tokenizers_pass, "keras_hub": keras_hub_pass}


if __name__ == "__main__":
    main()
