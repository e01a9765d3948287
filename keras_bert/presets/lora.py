"""Reading and writing a LoRA adapter in the layout of the library PEFT."""

import os
import pathlib

import numpy as np

from keras_bert.presets.atomic import atomic_directory
from keras_bert.presets.files import read_json, read_safetensors, write_json, write_safetensors

FILES = ("adapter_config.json", "adapter_model.safetensors")
_PREFIX = "base_model.model."
# Each of these changes what is added to a kernel; a reader that passes over them gives other numbers.
_UNSUPPORTED = ("use_dora", "use_rslora", "rank_pattern", "alpha_pattern", "fan_in_fan_out")


def write_lora(
    path: str | os.PathLike,
    rank: int,
    alpha: float,
    target_modules: list[str],
    weights: dict[str, np.ndarray],
    head_weights: dict[str, np.ndarray],
) -> None:
    """Writes an adapter of a classifier that PEFT loads, all of it or nothing.

    Args:
        path: str or `os.PathLike`. The directory; parents are created.
        rank: int, the inner width of the update `alpha / rank * B @ A`.
        alpha: int or float, its scale.
        target_modules: list of str, the last parts of the adapted layers' names, `["query", "value"]`
            for example.
        weights: dict from name to array: `"encoder.layer.0.attention.self.query.lora_A.weight"` `(rank, in)`
            and `...lora_B.weight` `(out, rank)` for every adapted layer.
        head_weights: dict, `"classifier.weight"` `(C, H)` and `"classifier.bias"` `(C,)`: the head is trained
            whole.

    Raises:
        ValueError: if the arrays do not fit `rank`, or `path` holds other files.

    Example:
    >>> query = "encoder.layer.0.attention.self.query"
    >>> lora = {f"{query}.lora_A.weight": np.zeros((2, 12)), f"{query}.lora_B.weight": np.zeros((12, 2))}
    >>> head = {"classifier.weight": np.zeros((3, 12)), "classifier.bias": np.zeros(3)}
    >>> write_lora("my_adapter", 2, 4, ["query"], lora, head)
    >>> read_lora("my_adapter")[0]
    {'rank': 2, 'alpha': 4, 'target_modules': ['query']}
    """
    _check_pairs(weights, rank)
    foreign = sorted(name for name in head_weights if not name.startswith("classifier."))
    if foreign:
        raise ValueError(
            f"`head_weights` must be named 'classifier.weight' and 'classifier.bias'. Received: {foreign}."
        )
    config = {
        "peft_type": "LORA",
        "task_type": "SEQ_CLS",
        "base_model_name_or_path": None,
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "target_modules": list(target_modules),
        "modules_to_save": ["classifier"],
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
    }
    tensors = {f"{_PREFIX}bert.{name}": tensor for name, tensor in weights.items()}
    tensors.update({_PREFIX + name: tensor for name, tensor in head_weights.items()})
    tensors = {name: np.ascontiguousarray(tensor, dtype="float32") for name, tensor in tensors.items()}
    with atomic_directory(path, FILES) as directory:
        write_json(directory / FILES[0], config)
        write_safetensors(directory / FILES[1], tensors)


def read_lora(path: str | os.PathLike) -> tuple[dict, dict[str, np.ndarray]]:
    """Reads an adapter that this library or PEFT saved.

    Args:
        path: str or `os.PathLike`. The directory.

    Returns:
        `{"rank": int, "alpha": number, "target_modules": list of str, or a regular expression}`, and a dict
        from name to float32 array, named as in `write_lora`; the head's tensors are among them.

    Raises:
        ValueError: if a file is missing or damaged, or the adapter is of a kind that is not read.
    """
    directory = pathlib.Path(path)
    missing = [name for name in FILES if not (directory / name).is_file()]
    if missing:
        raise ValueError(
            f"An adapter must hold {' and '.join(FILES)}. Received: `{directory}` without "
            f"{' and '.join(missing)}. Pickles such as adapter_model.bin are never read: save it with PEFT's "
            "`save_pretrained(..., safe_serialization=True)`."
        )
    fields = read_json(directory / FILES[0])
    kind = fields.get("peft_type")
    used = [name for name in _UNSUPPORTED if fields.get(name)]
    if fields.get("bias", "none") != "none":
        used.append("bias")
    if kind != "LORA" or used or "r" not in fields or "lora_alpha" not in fields:
        raise ValueError(
            "An adapter must be a plain LoRA with 'r' and 'lora_alpha'. Received: "
            f"peft_type={kind!r}, {', '.join(used) or 'no such options'} in `{directory / FILES[0]}`. Merge "
            "it into its model with PEFT (`merge_and_unload`), save that, and load it as a preset."
        )
    weights = {}
    for name, tensor in read_safetensors(directory / FILES[1]).items():
        weights[name.removeprefix(_PREFIX).removeprefix("bert.")] = tensor
    _check_pairs({name: tensor for name, tensor in weights.items() if ".lora_" in name}, fields["r"])
    config = {
        "rank": fields["r"],
        "alpha": fields["lora_alpha"],
        "target_modules": fields.get("target_modules"),
    }
    return config, weights


def _check_pairs(weights, rank):
    wrong = []
    for name, tensor in weights.items():
        layer, part = name.rsplit(".lora_", 1) if ".lora_" in name else (name, "")
        other = weights.get(f"{layer}.lora_{'B' if part == 'A.weight' else 'A'}.weight")
        axis = {"A.weight": 0, "B.weight": 1}.get(part)
        if other is None or axis is None or tensor.ndim != 2 or tensor.shape[axis] != rank:
            wrong.append(f"{name} {tuple(tensor.shape)}")
    if wrong or not weights:
        raise ValueError(
            f"An adapter must hold for each layer lora_A.weight ({rank}, in) and lora_B.weight (out, "
            f"{rank}). Received: {', '.join(wrong[:5]) or 'none'}{' and more' if len(wrong) > 5 else ''}. "
            "Check the rank and the names."
        )
