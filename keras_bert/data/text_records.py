"""Raw text that is stored as TFRecords."""

import pathlib
from collections.abc import Iterator

import tensorflow as tf


def read_text_records(file: pathlib.Path, text_field: str) -> Iterator[bytes]:
    """Reads the text of every `tf.train.Example` of a file.

    Args:
        file: path of a `.tfrecord` or `.tfrecord.gz` file.
        text_field: str. The feature that holds the text.

    Yields:
        bytes.

    Raises:
        ValueError: a file that is not whole, or a record without the feature (with its number).

    Example:
    >>> for text in read_text_records(pathlib.Path("texts.tfrecord"), "text"):
    ...     print(len(text))
    """
    if file.suffix.lower() == ".xz":
        raise ValueError(f"TFRecords are compressed by gzip only. Received: {str(file)!r}. Unpack it.")
    compression = "GZIP" if file.suffix.lower() == ".gz" else ""
    records = enumerate(tf.data.TFRecordDataset([str(file)], compression).as_numpy_iterator(), start=1)
    try:
        for number, record in records:
            example = tf.io.parse_single_example(record, {text_field: tf.io.VarLenFeature(tf.string)})
            values = example[text_field].values.numpy()
            if len(values) != 1:
                raise ValueError(
                    f"A record must hold one text in the feature {text_field!r}. Received: {len(values)} in record "
                    f"{number} of {str(file)!r}. Name another feature."
                )
            yield values[0]
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
        raise ValueError(
            f"A file of TFRecords must hold whole records of tf.train.Example, with bytes in {text_field!r}. Received: "
            f"{str(file)!r} ({str(error).splitlines()[0]:.120}). Fetch it again, or name another feature."
        ) from error
