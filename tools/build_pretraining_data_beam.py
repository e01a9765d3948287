"""Builds the data of pre-training on many machines: the shards of build_pretraining_data.py, by Apache Beam.

    python tools/build_pretraining_data_beam.py corpus/ --vocabulary vocab.txt --output records --runner DirectRunner

Flags that it does not know are Beam's: `--runner FlinkRunner --flink_master ...`. Corpus and output must be where every
worker reads and writes them: a disk that all share, or a mounted bucket. Files go to the workers in groups of about
`--shard-size`; a larger file becomes several shards, made by one worker. After a failure the same command goes on.
"""

import argparse
import dataclasses
import pathlib

from build_pretraining_data import add_flags, describe, read_tokenizer, settings

import keras_bert

_SHARDS_OF_A_GROUP = 10_000  # at most: the numbers between two groups


def main(argv: list[str] | None = None) -> keras_bert.data.Manifest:
    """Runs the pipeline and returns the manifest of what it built."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add_flags(parser)
    args, beam_flags = parser.parse_known_args(argv)
    try:
        import apache_beam as beam
    except ImportError:
        parser.error("The pipeline needs the package apache-beam. Install it: pip install apache-beam.")
    try:
        files = keras_bert.data.find_files(args.corpus)
        tokenizer = read_tokenizer(args)
        build = keras_bert.data.CorpusBuild.plan(files, tokenizer, args.output.absolute(), **settings(args))
        manifest = build.begin(tokenizer)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    if manifest is None:
        with beam.Pipeline(argv=beam_flags) as pipeline:
            _ = (
                pipeline
                | "groups of files" >> beam.Create(list(groups(files, args.shard_size * 2**20)))
                | "to all workers" >> beam.Reshuffle()
                | "shards" >> beam.Map(build_group, build)
                | "together" >> beam.combiners.ToList()
                | "manifest" >> beam.Map(finish, build)
            )
        manifest = keras_bert.data.read_manifest(args.output.absolute())
    print(describe(manifest))
    return manifest


def groups(files: list[pathlib.Path], size: int):
    """Yields groups of files of about a size together, each with the number of its first shard."""
    number, group, held = 0, [], 0
    for file in files:
        group.append(str(file.absolute()))
        held += file.stat().st_size
        if held >= size:
            yield number, group
            number, group, held = number + _SHARDS_OF_A_GROUP, [], 0
    if group:
        yield number, group


def build_group(numbered: tuple[int, list[str]], build) -> tuple[list, object]:
    """Builds the shards of a group of files; runs on a worker."""
    number, files = numbered
    report = keras_bert.data.ReadingReport()
    return [build.build_shard(*batch) for batch in build.batches(files, report, number)], report


def finish(found: list, build) -> None:
    """Writes the manifest."""
    total = keras_bert.data.ReadingReport()
    for _, report in found:
        for name, count in dataclasses.asdict(report).items():
            setattr(total, name, getattr(total, name) + count)
    shards = sorted((shard for shards, _ in found for shard in shards), key=lambda shard: shard.name)
    build.finish(shards, total)


if __name__ == "__main__":
    main()
