"""Where `pretrain_tpu.py` gets its text from: built records, raw text, or the text that every Python carries."""

import argparse
import pathlib

import tqdm

import keras_bert


def data_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the data.

    Args:
        parser: `argparse.ArgumentParser`.
    """
    add = parser.add_argument_group("data").add_argument
    add(
        "--data",
        nargs="+",
        help="A folder from tools/build_pretraining_data.py, or files, folders or globs of .txt, .jsonl, ... "
        "Default: the language reference that Python carries, for a try.",
    )
    add("--evaluation-data", help="A folder like --data's. Default: shards of --data that are held out.")
    add("--held-out", type=float, default=0.02, help="Share of the shards that is held out. Default: 0.02.")
    add("--vocabulary", help="A vocab.txt, for raw text without --preset.")
    add("--cased", action="store_true", help="Of --vocabulary: keeps case and accents.")
    add(
        "--separator",
        choices=("file", "blank_line"),
        default="file",
        help="What ends a document of a .txt file. Default: file.",
    )


def read_data(args: argparse.Namespace, tokenizer, output: pathlib.Path) -> tuple:
    """Reads records, or builds them below the output where raw text was given.

    Args:
        args: the flags.
        tokenizer: `BertTokenizer` of the model to go on with, or None.
        output: path of the recipe's output.

    Returns:
        Two `Manifest`s, to train on and to evaluate on.

    Raises:
        ValueError: no such data, or data of another vocabulary.
    """
    if args.data and len(args.data) == 1 and pathlib.Path(args.data[0], "manifest.json").exists():
        if args.vocabulary or args.cased:
            raise ValueError("Built data brings its vocabulary. Received: --vocabulary or --cased. Leave them out.")
        manifest = keras_bert.data.read_manifest(args.data[0])
    else:
        manifest = _build(args, tokenizer or _own_tokenizer(args), output)
    if tokenizer is not None:
        manifest.check_tokenizer(tokenizer)
    if args.evaluation_data is None:
        return manifest.hold_out(args.held_out)
    evaluation = keras_bert.data.read_manifest(args.evaluation_data)
    evaluation.check_tokenizer(manifest.tokenizer())
    return manifest, evaluation


def _own_tokenizer(args):
    if args.vocabulary:
        return keras_bert.BertTokenizer(args.vocabulary, lowercase=not args.cased)
    if args.data:
        raise ValueError(
            "Raw text needs a vocabulary. Received: neither --vocabulary nor --preset. "
            "Train one: python tools/train_vocabulary.py CORPUS --output vocab.txt."
        )
    return keras_bert.BertTokenizer.from_preset(keras_bert.presets.PACKAGED[0])


def _build(args, tokenizer, output):
    files = keras_bert.data.find_files(args.data or [_python_reference(output / "text")])
    size = sum(file.stat().st_size for file in files)
    # At least fifty shards of a small corpus, so that a few can be held out.
    shard_size = max(2**12, min(2**22, size // 50))
    with tqdm.tqdm(desc="building", total=size, unit="B", unit_scale=True, disable=None) as bar:
        return keras_bert.data.build_records(
            files,
            tokenizer,
            output / "records",
            shard_size=shard_size,
            separator=args.separator,
            on_shard=lambda shard: bar.update(shard.text_size),
        )


def _python_reference(folder):
    """Writes the topics of Python's `help()` as text files."""
    from pydoc_data.topics import topics

    folder.mkdir(parents=True, exist_ok=True)
    for name, text in topics.items():
        with keras_bert.presets.atomic_file(folder / f"{name}.txt") as new:
            new.write_text(text, encoding="utf-8")
    return folder
