"""Texts to embeddings: one vector a text, close where texts mean the same."""

import logging
import numbers
import os

import keras
from keras import ops

from keras_bert.layers.pooling import max_of_tokens, mean_of_tokens, unit_length
from keras_bert.models.comparison import Comparison
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.pair_training import PairTraining
from keras_bert.models.positions import first_encoder, sequence_encoder
from keras_bert.models.saving import preset_parts
from keras_bert.models.weights import assign_weights
from keras_bert.presets.sentence_transformers import embedding_settings
from keras_bert.text.preprocessor import BertPreprocessor, check_fits

_POOLINGS = ("mean", "cls", "max")


@keras.saving.register_keras_serializable("keras_bert")
class BertEmbedder(Comparison, PairTraining):
    """Turns texts into embeddings, to compare, search and group them: strings in, one vector a text out.

    Args:
        encoder: `BertEncoder`.
        preprocessor: `BertPreprocessor`, optional. Without it the model takes ready inputs only.
        pooling: str, default "mean": of the tokens' vectors; "cls": the first token's; "max": the greatest of each
            component.
        normalize: bool, default True. Whether embeddings have length 1, so that products are cosines.
        temperature: float, default 0.05. What cosines are divided by where pairs without scores are trained on; less
            looks at the most similar of the other pairs.
        **kwargs: `keras.Model`'s.

    Call arguments:
        inputs: dict of int tensors `(B, T)`: `token_ids`, `segment_ids`, `padding_mask`; or `(B, 2, T)`, pairs.
        training: bool.

    Returns:
        Float32 tensor `(B, H)`, `(B, 2, H)` of pairs. `predict` takes texts and gives embeddings `(n, H)`.

    Raises:
        ValueError: for settings that do not fit together.

    Example:
    >>> embedder = keras_bert.BertEmbedder.from_preset("hf://sentence-transformers/all-MiniLM-L6-v2")
    >>> embeddings = embedder.predict(["A man plays a guitar.", "Stocks fell today."])
    >>> embedder.search(["music"], embeddings, top_k=1)
    [[{'index': 0, 'score': 0.32}]]
    >>> embedder.fit((["How old are you?"], ["What is your age?"]), epochs=1)
    >>> embedder.export("serving/embeddings/1")

    Reference:
        Reimers and Gurevych, 2019 (https://arxiv.org/abs/1908.10084).
    """

    preset_task = "embedder"

    def __init__(
        self,
        encoder: BertEncoder,
        preprocessor: BertPreprocessor | None = None,
        pooling: str = "mean",
        normalize: bool = True,
        temperature: float = 0.05,
        **kwargs,
    ):
        if pooling not in _POOLINGS:
            raise ValueError(f"`pooling` must be one of {', '.join(_POOLINGS)}. Received: {pooling!r}.")
        if not isinstance(temperature, numbers.Real) or not 0 < temperature < float("inf"):
            raise ValueError(f"`temperature` must be a finite number above 0. Received: {temperature!r}. Use 0.05.")
        if preprocessor is not None:
            check_fits(preprocessor, **encoder.arguments)

        # Graph
        inputs = encoder.input
        if pooling == "cls":
            embeddings = ops.cast(first_encoder(encoder)(inputs), "float32")
        else:
            # In float32 also under mixed precision: a sum of many tokens in bfloat16 has two digits.
            hidden = ops.cast(sequence_encoder(encoder)(inputs), "float32")
            pool = mean_of_tokens if pooling == "mean" else max_of_tokens
            embeddings = pool(hidden, inputs["padding_mask"])
        if normalize:
            embeddings = unit_length(embeddings)
        super().__init__(inputs=inputs, outputs=embeddings, **{"name": "bert_embedder", **kwargs})

        # Arguments
        self.input_spec = None  # of a text, and of a pair
        self.pooling = pooling
        self.normalize = bool(normalize)
        self.temperature = float(temperature)
        self.pairs = False
        self.start(encoder, preprocessor)

    def call(self, inputs, training=None, mask=None):
        shape = ops.shape(inputs["token_ids"])
        if len(shape) != 3:
            return super().call(inputs, training=training)
        rows = {name: ops.reshape(part, (-1, shape[2])) for name, part in inputs.items()}
        return ops.reshape(super().call(rows, training=training), (shape[0], shape[1], -1))

    def freeze_encoder(self, except_top: int = 0) -> None:
        """Keeps the encoder's weights as they are, but for its top layers, of which there must be one.

        Args:
            except_top: int. So many top layers train.

        Raises:
            ValueError: no layer would train, or there are not as many.
        """
        if except_top == 0:
            raise ValueError("An embedder has no head that trains alone. Received: except_top=0. Use 1 or more.")
        super().freeze_encoder(except_top)

    def activate(self, embeddings):
        """Gives what users read: embeddings as they are."""
        return embeddings

    def answer_inputs(self) -> tuple[str, ...]:
        """Names of the export's inputs."""
        return ("text",)

    def answers(self, texts) -> dict:
        """Turns a string tensor `(B,)` into `embedding` `(B, H)`, in the graph."""
        return self.ready_answers(self.preprocessor((texts,)))

    def ready_answers(self, inputs: dict) -> dict:
        """Turns int tensors `(B, T)` into `embedding` `(B, H)`, in the graph."""
        return {"embedding": self(inputs, training=False)}

    def head_config(self) -> dict:
        """Gives the arguments beside encoder and preprocessor."""
        return {name: getattr(self, name) for name in ("pooling", "normalize", "temperature")}

    def head_weights(self) -> dict:
        """Names the weights that are not the encoder's: none."""
        return {}

    @classmethod
    def from_preset(
        cls,
        preset: str | os.PathLike,
        pooling: str | None = None,
        normalize: bool | None = None,
        *,
        load_weights: bool = True,
        sequence_length: int | None = None,
        temperature: float | None = None,
        dtype=None,
        **encoder_overrides,
    ) -> "BertEmbedder":
        """Builds an embedder from a preset: one of ours or of sentence-transformers goes on as it was.

        Any other, such as a plain encoder, gets the mean of its tokens, with length 1.

        Args:
            preset: str or path. A directory, a packaged name, `hf://owner/repo`, `kaggle://...` or a KerasHub name.
            pooling: str, optional. As in `BertEmbedder`, in the place of the preset's.
            normalize: bool, optional. The same.
            load_weights: bool, default True. `False` gives the architecture with random weights.
            sequence_length: int, optional. Longest row, in the place of the preset's.
            temperature: float, optional. As in `BertEmbedder`, in the place of the preset's.
            dtype: str or `keras.DTypePolicy`, optional. "mixed_bfloat16", for example.
            **encoder_overrides: arguments of `BertEncoder` in the place of the preset's.

        Returns:
            `BertEmbedder`.

        Raises:
            ValueError: no such preset, parts that are missing or do not fit, or modules of sentence-transformers that
                do something else than pool and normalize.
        """
        encoder, preprocessor, config, weights = preset_parts(
            preset, load_weights, sequence_length, dtype, encoder_overrides
        )
        settings = dict(config["head"]) if config.get("task") == cls.preset_task else {}
        if "modules" in config:
            found = embedding_settings(config["modules"], pooling)
            settings |= {name: found[name] for name in ("pooling", "normalize")}
            _read_as_told(preprocessor, found, sequence_length, encoder.arguments["max_sequence_length"])
        given = {"pooling": pooling, "normalize": normalize, "temperature": temperature}
        settings |= {name: value for name, value in given.items() if value is not None}
        embedder = cls(encoder, preprocessor, **settings)
        if weights is not None:
            # No part of an embedder, a pooler goes on with the encoder where there is one.
            named = embedder.named_weights()
            named = {name: w for name, w in named.items() if name in weights or not name.startswith("pooler.")}
            assign_weights(named, weights)
        return embedder


def _read_as_told(preprocessor, found, sequence_length, longest):
    """Reads texts as the modules of sentence-transformers do."""
    if preprocessor is None:
        return
    if found["lowercase"] and not preprocessor.tokenizer.lowercase:
        raise ValueError(
            "Texts are lower-cased by an uncased tokenizer alone. Received: do_lower_case=true in "
            "sentence_bert_config.json, beside a cased one. Lower-case your texts, and set it to false."
        )
    if found["sequence_length"] is not None and sequence_length is None:
        preprocessor.sequence_length = int(min(found["sequence_length"], longest))
    if found["prompt"]:
        logging.getLogger("keras_bert").warning(
            "This model was made for texts that begin with %r. It is not put before yours: do that.", found["prompt"]
        )
