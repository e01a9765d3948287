"""From raw text and a user's examples to batches."""

from typing import TYPE_CHECKING

from keras_bert import _lazy

_lazy.require_tensorflow(__name__)

if TYPE_CHECKING:
    from keras_bert.data.augmentation import augmented_batches as augmented_batches
    from keras_bert.data.building import build_records as build_records
    from keras_bert.data.confidence import confident_rows as confident_rows
    from keras_bert.data.corpus_build import CorpusBuild as CorpusBuild
    from keras_bert.data.documents import ReadingReport as ReadingReport
    from keras_bert.data.documents import find_files as find_files
    from keras_bert.data.documents import read_documents as read_documents
    from keras_bert.data.manifest import Manifest as Manifest
    from keras_bert.data.manifest import read_manifest as read_manifest
    from keras_bert.data.pretraining_stream import pretraining_batches as pretraining_batches
    from keras_bert.data.records import read_token_ids as read_token_ids
    from keras_bert.data.records import write_shard as write_shard
    from keras_bert.data.sentences import split_sentences as split_sentences
    from keras_bert.data.span_examples import answer_spans as answer_spans
else:
    __getattr__, __dir__, __all__ = _lazy.attach(__name__)
