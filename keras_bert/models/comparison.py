"""What embeddings are for: to compare texts, to search among them, to align their words."""

import numpy as np
import tensorflow as tf

from keras_bert.data.inputs import holds_pairs
from keras_bert.models.similarity import checked_embeddings, cosine_matrix, most_similar
from keras_bert.models.word_alignment import align_words


class Comparison:
    """Part of `BertEmbedder`. Not made by users."""

    def predict(self, x, batch_size: int | None = None, verbose="auto", **kwargs) -> np.ndarray:
        """Embeds texts, in order; within a portion they are sorted by length, so that no batch is mostly padding.

        Args:
            x: list of str, a dict of arrays, or a `tf.data.Dataset` of them, with or without labels.
            batch_size: int, optional. Rows a batch; by default a batch holds about 2,048 tokens.
            verbose: as in `keras.Model.predict`.
            **kwargs: `keras.Model.predict`'s.

        Returns:
            float32 array `(n, H)`.

        Raises:
            ValueError: pairs of texts, or what are no texts.
        """
        if not isinstance(x, tf.data.Dataset) and holds_pairs(x):
            raise ValueError("Each text has an embedding of its own. Received: pairs. Embed one side, then the other.")
        return super().predict(x, batch_size, verbose, **kwargs)

    def similarity(self, a, b) -> np.ndarray:
        """Compares all texts with all others.

        Args:
            a: list of str, or embeddings `(n, H)`.
            b: list of str, or embeddings `(m, H)`.

        Returns:
            float32 array `(n, m)` of cosines.

        Raises:
            ValueError: embeddings of another width, or what are no texts.
        """
        return cosine_matrix(self._embeddings(a, "a"), self._embeddings(b, "b"))

    def search(self, queries, embeddings, top_k: int = 10) -> list[list[dict]]:
        """Finds the texts that are closest to queries, among many; memory does not grow with their number.

        Args:
            queries: list of str, or embeddings `(n, H)`.
            embeddings: floats `(m, H)`, as `predict` gives them, also a `numpy.memmap`.
            top_k: int, default 10. How many for each query.

        Returns:
            For each query a list of dicts, best first: `index`, the row in `embeddings`, and `score`, the cosine.

        Raises:
            ValueError: embeddings of another width, or what are no texts.
        """
        embeddings = checked_embeddings(embeddings, self.output.shape[-1], "embeddings")
        return most_similar(self._embeddings(queries, "queries"), embeddings, top_k)

    def align(self, texts, translations, layer: int | None = None) -> list[list[dict]]:
        """Aligns the words of texts with those of their translations; see `align_words`.

        Args:
            texts: list of str.
            translations: list of str, as many.
            layer: int, optional. The encoder's layer whose vectors are compared; by default two thirds of the way up.

        Returns:
            For each text a list of dicts: `source` and `target`, the numbers of the words; `source_word` and
            `target_word`; `score`.
        """
        return align_words(self.encoder, self.preprocessor, texts, translations, layer)

    def _embeddings(self, x, name):
        is_array = hasattr(x, "dtype") or (isinstance(x, (list, tuple)) and len(x) and np.ndim(x[0]) == 1)
        if is_array and np.asarray(x).dtype.kind in "fiu":
            return checked_embeddings(x, self.output.shape[-1], name)
        return self.predict(x, verbose=0)
