"""Builds the data of pre-training: raw text to shards of token ids, which are masked only when they are read.

    python tools/build_pretraining_data.py corpus/ --vocabulary vocab.txt --output records

The corpus is .txt, .jsonl or .tfrecord files, plain or compressed, by name, folder or glob. It is read as a stream, so
memory does not grow with it. After an interruption the same command goes on; shards that are finished are not built
again. The folder ends with manifest.json: counts, checksums, and the vocabulary's.
"""

import argparse
import os
import pathlib
import sys

import tqdm

import keras_bert


def main(argv: list[str] | None = None) -> keras_bert.data.Manifest:
    """Builds the shards and returns their manifest."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_flags(parser)
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="Default: all cores.")
    args = parser.parse_args(argv)
    try:
        files = keras_bert.data.find_files(args.corpus)
        tokenizer = read_tokenizer(args)
        # The size of compressed text is known when it has been read.
        known = all(file.suffix not in (".gz", ".xz") for file in files)
        size = sum(file.stat().st_size for file in files) if known else None
        with tqdm.tqdm(total=size, unit="B", unit_scale=True, disable=None) as bar:
            manifest = keras_bert.data.build_records(
                files,
                tokenizer,
                args.output,
                processes=args.processes,
                on_shard=lambda shard: bar.update(shard.text_size),
                **settings(args),
            )
    except (ValueError, OSError) as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        sys.exit(f"\nInterrupted. The same command goes on; finished shards are in {args.output}.")
    print(describe(manifest))
    return manifest


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of corpus, vocabulary and output."""
    add = parser.add_argument
    add("corpus", nargs="+", help="Files, folders or globs of .txt, .jsonl or .tfrecord, plain or compressed.")
    add("--output", type=pathlib.Path, required=True, help="A new folder, or one to go on with.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--vocabulary", help="A vocab.txt.")
    source.add_argument("--preset", help="A preset, whose tokenizer is taken.")
    add("--cased", action="store_true", help="Of --vocabulary: keeps case and accents.")
    add("--shard-size", type=int, default=4, help="MiB of text in a shard. Default: 4.")
    add(
        "--separator",
        choices=("file", "blank_line"),
        default="file",
        help="What ends a document of a .txt file. Default: file.",
    )
    add("--sentence-per-line", action="store_true", help="Lines are sentences: none are cut or joined.")
    add("--text-field", default="text", help="Field of a .jsonl line, or feature of a record. Default: text.")
    add(
        "--word-segmentation",
        choices=("pieces", "spaces"),
        default="pieces",
        help="What is masked as a whole word: a first piece and its ## pieces, so that a Chinese character is a word; "
        "or, for text that was segmented before, what stands between spaces. Default: pieces.",
    )


def settings(args: argparse.Namespace) -> dict:
    """Gives what `keras_bert.data.CorpusBuild.plan` is told."""
    names = ("separator", "sentence_per_line", "text_field", "word_segmentation")
    return {"shard_size": args.shard_size * 2**20} | {name: getattr(args, name) for name in names}


def read_tokenizer(args: argparse.Namespace) -> keras_bert.BertTokenizer:
    """Reads the tokenizer that the flags name."""
    if args.preset is None:
        return keras_bert.BertTokenizer(args.vocabulary, lowercase=not args.cased)
    if args.cased:
        raise ValueError("--cased goes with --vocabulary. Received: --preset, which tells it itself.")
    return keras_bert.BertTokenizer.from_preset(args.preset)


def describe(manifest: keras_bert.data.Manifest) -> str:
    """Writes the counts for a reader."""
    reading = manifest.reading
    lines = [
        f"{manifest.folder}: {len(manifest.shards):,} shards, {manifest.total('documents'):,} documents, "
        f"{manifest.total('sentences'):,} sentences, {manifest.total('tokens'):,} tokens, "
        f"{manifest.total('size') / 1e6:,.1f} MB from {reading['bytes'] / 1e6:,.1f} MB of text."
    ]
    notes = {
        "invalid_bytes": "bytes were no UTF-8 and left out",
        "empty_files": "files held no text",
        "cut_documents": "documents of more than 16 MiB were cut",
    }
    lines += [f"{reading[name]:,} {note}." for name, note in notes.items() if reading[name]]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
