"""Training only a part of a model: the head, the top layers, or LoRA's small matrices."""

import os
from collections.abc import Sequence

import keras

from keras_bert.models.weights import weight_values
from keras_bert.presets.lora import read_lora, write_lora

# Hugging Face's names of the projections that LoRA can act on: ours.
_TARGETS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention_output": "attention.output.dense",
    "intermediate": "intermediate.dense",
    "output_dense": "output.dense",
}


class Adaptation:
    """What a task model can do to train only a part of itself. Compiles anew, with BERT's defaults."""

    def freeze_encoder(self, except_top: int = 0) -> None:
        """Keeps the encoder's weights as they are, but for its top layers.

        Args:
            except_top: int, default 0: only the head trains. Else so many top layers, and the pooler, train too.

        Raises:
            ValueError: more layers than the encoder has.

        Example:
        >>> classifier.freeze_encoder(except_top=2)
        """
        count = len(self.encoder.blocks)
        if not 0 <= except_top <= count:
            raise ValueError(f"`except_top` must be 0 to {count}, the layers. Received: {except_top}.")
        if getattr(self, "lora_rank", None):
            raise ValueError("A model with LoRA has a frozen encoder. Received: `freeze_encoder` after `enable_lora`.")
        frozen = ["embeddings"] + [block.name for block in self.encoder.blocks[: count - except_top]]
        self.set_frozen(frozen if except_top else [*frozen, "pooler"])

    def frozen_layers(self) -> list[str]:
        """Lists the encoder's layers that do not train.

        Returns:
            List of str.
        """
        return [layer.name for layer in self.encoder.layers if layer.variables and not layer.trainable]

    def set_frozen(self, names: Sequence[str]) -> None:
        """Makes exactly these of the encoder's layers not train.

        Args:
            names: sequence of str, as `frozen_layers` gives them.
        """
        if names == self.frozen_layers():
            return
        for layer in self.encoder.layers:
            layer.trainable = layer.name not in names
        self.compile()

    def enable_lora(self, rank: int, alpha: float | None = None, targets: Sequence[str] = ("query", "value")) -> None:
        """Freezes the encoder and adds a trainable product of two small matrices to its projections.

        Args:
            rank: int. Width of the small matrices.
            alpha: float, optional. The product is scaled by `alpha / rank`; defaults to `rank`.
            targets: sequence of str, default query and value. Of "query", "key", "value", "attention_output",
                "intermediate", "output_dense".

        Raises:
            ValueError: a target that there is not, or LoRA is on already.

        Example:
        >>> classifier.enable_lora(rank=8)

        Reference:
            Hu et al., 2021 (https://arxiv.org/abs/2106.09685).
        """
        if not isinstance(rank, int) or rank < 1:
            raise ValueError(f"`rank` must be a whole number, at least 1. Received: rank={rank}. Use 8, for example.")
        unknown = [target for target in targets if target not in _TARGETS]
        if unknown or not targets:
            raise ValueError(f"`targets` must be among {', '.join(_TARGETS)}. Received: {', '.join(unknown)!r}.")
        if getattr(self, "lora_rank", None):
            raise ValueError(f"LoRA can be added once. Received: rank={rank}; the model has rank {self.lora_rank}.")
        for layer in self.encoder.layers:
            layer.trainable = True  # a frozen layer's new matrices would not train
        for variable in self.encoder.trainable_variables:
            variable.trainable = False
        with self.distribute_strategy.scope():  # mirrored as the rest is
            for block in self.encoder.blocks:
                for target in targets:
                    getattr(block, target).enable_lora(rank, lora_alpha=alpha)
        self.lora_rank, self.lora_alpha, self.lora_targets = rank, alpha or rank, tuple(targets)
        self.compile()

    def save_lora(self, path: str | os.PathLike) -> None:
        """Writes LoRA's matrices and the head alone, in PEFT's layout; `save_to_preset` writes them merged.

        Args:
            path: str or path of the directory.

        Raises:
            ValueError: the model has no LoRA.
        """
        if not getattr(self, "lora_rank", None):
            raise ValueError("There must be LoRA matrices to save. Received: a model without. Use `enable_lora`.")
        weights = {}
        for name, layer in self._lora_layers(self.lora_targets).items():
            weights[f"{name}.lora_A.weight"] = keras.ops.convert_to_numpy(layer.lora_kernel_a).T
            weights[f"{name}.lora_B.weight"] = keras.ops.convert_to_numpy(layer.lora_kernel_b).T
        modules = [_TARGETS[target] for target in self.lora_targets]
        write_lora(path, self.lora_rank, self.lora_alpha, modules, weights, weight_values(self.head_weights()))

    def load_lora(self, path: str | os.PathLike) -> None:
        """Reads LoRA's matrices and the head that `save_lora` or PEFT wrote.

        Args:
            path: str or path of the directory.

        Raises:
            ValueError: matrices that are missing or do not fit.
        """
        config, weights = read_lora(path)
        ours = {theirs: target for target, theirs in _TARGETS.items()}
        targets = [ours.get(module, module) for module in config["target_modules"]]
        wanted = (config["rank"], config["alpha"], tuple(targets))
        if not getattr(self, "lora_rank", None):
            self.enable_lora(*wanted)
        elif wanted != (self.lora_rank, self.lora_alpha, self.lora_targets):
            raise ValueError(
                "An adapter must have the rank, alpha and targets of the model's LoRA. "
                f"Received: {wanted}; the model has {(self.lora_rank, self.lora_alpha, self.lora_targets)}. "
                "Load it into a model without LoRA."
            )
        for name, layer in self._lora_layers(targets).items():
            for part, variable in (("lora_A", layer.lora_kernel_a), ("lora_B", layer.lora_kernel_b)):
                array = weights.get(f"{name}.{part}.weight")
                if array is None or array.T.shape != tuple(variable.shape):
                    found = "nothing" if array is None else f"shape {array.shape}"
                    raise ValueError(
                        f"The adapter must hold {name}.{part}.weight of shape {tuple(variable.shape)[::-1]}. "
                        f"Received: {found}. Is it for another model?"
                    )
                variable.assign(array.T)
        for name, weight in self.head_weights().items():
            if name in weights:
                weight.assign(weights[name])

    def _lora_layers(self, targets):
        return {
            f"encoder.layer.{place}.{_TARGETS[target]}": getattr(block, target)
            for place, block in enumerate(self.encoder.blocks)
            for target in targets
        }
