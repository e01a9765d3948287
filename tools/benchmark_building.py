"""Builds pre-training data from sentences, one a line, here and with TensorFlow Model Garden: MB of text a second.

    python tools/benchmark_building.py --megabytes 4 --rounds 3

One process each, held to one core, and only the building is timed, not the start. Cutting into sentences, which Model
Garden leaves to its user, has its own figure. Model Garden's tool
(`create_pretraining_data`, `dupe_factor` 1) makes masked examples; ours leaves masking to the reading, and the stream
that masks is measured in tokens a second. Round by round in turn. A ratio over 1 means that keras_bert is faster.
"""

import argparse
import os
import pathlib
import statistics
import sys
import tarfile
import tempfile
import time

from benchmark_records import (
    DATA,
    Neighbours,
    answer,
    benchmark_parser,
    need,
    peer_list,
    ratios,
    record,
    run_worker,
)


def main(argv: list[str] | None = None) -> dict:
    """Runs the benchmark and returns its summary."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.worker:
        return answer(args, WORKERS[args.worker](args))
    try:
        peers = peer_list(args.peers, WORKERS)
    except ValueError as error:
        parser.error(str(error))
    neighbours = Neighbours()
    rates = {peer: [] for peer in peers}
    more = {"sentences_megabytes_per_second": [], "stream_tokens_per_second": []}
    with tempfile.TemporaryDirectory() as folder:
        text = pathlib.Path(folder, "text.txt")
        size = write_sentences(args, text)
        print(f"{size / 1e6:.1f} MB, one core.", flush=True)
        for place in range(args.rounds):
            for peer in peers:
                found = run_worker(__file__, argv, peer, "--text", str(text))
                rates[peer].append(size / 1e6 / found["seconds"])
                print(f"round {place}  {peer:<12}  {rates[peer][-1]:.2f} MB/s", flush=True)
                for name in more.keys() & found.keys():
                    more[name].append(found[name])
    summary = {
        "megabytes": size / 1e6,
        "megabytes_per_second": {peer: statistics.median(values) for peer, values in rates.items()},
        **{name: statistics.median(values) for name, values in more.items() if values},
        "comparisons": {
            peer: ratios([1 / v for v in rates[peers[0]]], [1 / v for v in rates[peer]]) for peer in peers[1:]
        },
    }
    record(args, __file__, argv, neighbours, summary=summary)
    for peer, speed in summary["megabytes_per_second"].items():
        print(f"median   {peer:<12}  {speed:.2f} MB/s")
    for peer, part in summary["comparisons"].items():
        print(f"time of {peer} / {peers[0]}: {part['median_ratio']:.2f}")
    for name in summary.keys() & more.keys():
        print(f"{name.replace('_', ' ')}: {summary[name]:,.1f}")
    return summary


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this tool's flags."""
    novels = DATA / "novels_en" / "novels-train.tar.xz"
    vocabulary = DATA / "bert_vocab" / "bert-base-uncased-vocab.txt"
    parser = benchmark_parser(__doc__)
    add = parser.add_argument
    add("--novels", type=pathlib.Path, default=novels, help=f"A tar archive of texts. Default: {novels}.")
    add("--vocabulary", type=pathlib.Path, default=vocabulary, help=f"An uncased vocab.txt. Default: {vocabulary}.")
    add("--megabytes", type=float, default=4.0, help="Of text. Default: 4.")
    add("--rounds", type=int, default=3, help="Default: 3.")
    add("--peers", default="keras_bert,model_garden", help="The first is ours. Default: keras_bert,model_garden.")
    add("--text", type=pathlib.Path, help=argparse.SUPPRESS)
    return parser


def write_sentences(args: argparse.Namespace, path: pathlib.Path) -> int:
    """Writes the sentences of the archive's first books, a line each, books separated by a blank line."""
    import keras_bert

    size = 0
    with tarfile.open(args.novels) as archive, tempfile.TemporaryDirectory() as folder, path.open("wb") as out:
        for member in archive:
            if not member.isfile():
                continue
            book = pathlib.Path(folder, "book.txt")
            book.write_bytes(archive.extractfile(member).read())
            for paragraphs in keras_bert.data.read_documents([book]):
                lines = [line for part in paragraphs for line in keras_bert.data.split_sentences(part)]
                content = ("\n".join(lines) + "\n\n").encode()
                content = content[: max(0, int(args.megabytes * 1e6) - size)]
                size += out.write(content)
            if size >= args.megabytes * 1e6:
                break
        out.write(b"\n")
    return size


def hold_to_one_core() -> None:
    """Keeps this process on one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def keras_bert_worker(args: argparse.Namespace) -> dict:
    """Builds shards, and reads them as masked batches."""
    hold_to_one_core()
    import keras_bert

    tokenizer = keras_bert.BertTokenizer(str(args.vocabulary))
    tokenizer(["warm up"])
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        manifest = keras_bert.data.build_records(
            [args.text], tokenizer, folder, separator="blank_line", sentence_per_line=True
        )
        seconds = time.perf_counter() - start
        # The lines of the file joined to long paragraphs, as in a book.
        lines = args.text.read_text(encoding="utf-8", errors="ignore").splitlines()
        paragraphs = [" ".join(lines[low : low + 8]) for low in range(0, len(lines), 8)]
        start = time.perf_counter()
        for paragraph in paragraphs:
            keras_bert.data.split_sentences(paragraph)
        sentences = args.text.stat().st_size / 1e6 / (time.perf_counter() - start)
        batches = iter(keras_bert.data.pretraining_batches(manifest, batch_size=256))
        next(batches)  # traced
        tokens, start = 0, time.perf_counter()
        while time.perf_counter() - start < 5:
            inputs, _, _ = next(batches)
            tokens += int((inputs["padding_mask"].numpy() > 0).sum())
        return {
            "seconds": seconds,
            "sentences_megabytes_per_second": sentences,
            "stream_tokens_per_second": tokens / (time.perf_counter() - start),
        }


def model_garden_worker(args: argparse.Namespace) -> dict:
    """Builds masked examples with Model Garden."""
    hold_to_one_core()
    import random

    need("official")
    from official.nlp.data import create_pretraining_data as peer
    from official.nlp.tools import tokenization

    tokenizer = tokenization.FullTokenizer(vocab_file=str(args.vocabulary), do_lower_case=True)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        clean = peer.get_processor_text_fn(False, True)
        instances = peer.create_training_instances(
            [str(args.text)], tokenizer, clean, 128, 1, 0.1, 0.15, 20, random.Random(0)
        )
        files = [str(pathlib.Path(folder, "examples.tfrecord"))]
        peer.write_instance_to_example_files(instances, tokenizer, 128, 20, files, False, True)
        return {"seconds": time.perf_counter() - start}


WORKERS = {"keras_bert": keras_bert_worker, "model_garden": model_garden_worker}


if __name__ == "__main__":
    main()
