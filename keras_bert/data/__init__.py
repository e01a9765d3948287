"""From raw text and a user's examples to batches."""

from typing import TYPE_CHECKING

from keras_bert import _lazy

_lazy.require_tensorflow(__name__)

if TYPE_CHECKING:
    from keras_bert.data.documents import ReadingReport as ReadingReport
    from keras_bert.data.documents import find_files as find_files
    from keras_bert.data.documents import read_documents as read_documents
    from keras_bert.data.sentences import split_sentences as split_sentences
else:
    __getattr__, __dir__, __all__ = _lazy.attach(__name__)
