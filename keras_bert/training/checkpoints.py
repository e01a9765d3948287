"""All that a training is made of, on a disk: weights, optimizer, metrics, random states, and where it was."""

import dataclasses
import json
import math
import os
import warnings

import keras
import tensorflow as tf

from keras_bert.training.checkpoint_folder import (
    VARIABLES,
    check_writable,
    checked_folder,
    name_of,
    read_state,
    remove,
    whole_checkpoints,
    write_state,
)


@dataclasses.dataclass
class Progress:
    """Where a training is.

    Args:
        step: int, default 0. Updates so far.
        epoch_steps: int, default 0. Those of them in the unfinished epoch.
        seconds: float, default 0. Time spent so far, over all runs, with evaluation and saving.
        history: list of dict. The logs of every finished epoch, with its `step`.
        notes: dict. What else a training wants to find again; JSON values. The checkpoint of its `best_step` stays.
        is_saved: bool, default False. Whether there is a checkpoint of it.
    """

    step: int = 0
    epoch_steps: int = 0
    seconds: float = 0.0
    history: list[dict] = dataclasses.field(default_factory=list)
    notes: dict = dataclasses.field(default_factory=dict)
    is_saved: bool = False


class Checkpoints:
    """The newest states of a training, each whole or not there.

    Dropout's random states and the metrics of an unfinished epoch are in them, which Keras' own files leave out. A
    checkpoint counts when its `state.json` is there, which is written last.

    Args:
        folder: str or path. On a disk or in a bucket (`gs://...`).
        model: `keras.Model`, compiled.
        configuration: dict, optional. What must not change in a training: sizes, seeds, data. JSON values. Without it
            nothing is compared.
        writes: bool, default True. `False` on workers that take part without leaving files.

    Raises:
        ValueError: the folder is no path, or one that TensorFlow cannot read from.

    Example:
    >>> checkpoints = Checkpoints("output/checkpoints", model)
    >>> checkpoints.save(Progress(step=100))
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        model: keras.Model,
        configuration: dict | None = None,
        writes: bool = True,
    ):
        self.folder = checked_folder(folder)
        self.model = model
        self.configuration = json.loads(json.dumps(configuration, default=_plain))
        self.writes = writes

    def save(self, progress: Progress, keep: int = 2) -> None:
        """Writes a checkpoint and deletes the oldest.

        Args:
            progress: `Progress`.
            keep: int, default 2. So many checkpoints stay beside the best.
        """
        name = name_of(progress.step)
        folder = tf.io.gfile.join(self.folder, name if self.writes else f".{name}.{os.getpid()}")
        if tf.io.gfile.exists(folder):
            remove(folder)
        tf.io.gfile.makedirs(folder)
        # Every worker takes part: what is kept a replica is added up over all.
        self._checkpoint().write(tf.io.gfile.join(folder, VARIABLES))
        if not self.writes:
            remove(folder)
            return
        state = {
            "progress": dataclasses.asdict(progress),
            "configuration": self.configuration,
            "variables": _described(self._variables()),
        }
        write_state(folder, state)
        # Those of later steps could not be read, and were passed over: they count for nothing.
        before = [other for other in whole_checkpoints(self.folder, deletes=True) if other <= name]
        for old in before[keep:]:
            if old != name_of(progress.notes.get("best_step", -1)):
                remove(tf.io.gfile.join(self.folder, old))

    def check_place(self) -> None:
        """Proves that there is room for a checkpoint.

        Raises:
            ValueError: the folder cannot be written to, or the disk is full.
        """
        if self.writes:
            check_writable(self.folder, sum(math.prod(v.shape) * tf.as_dtype(v.dtype).size for v in self._variables()))

    def find(self) -> Progress:
        """Finds the newest checkpoint that can be read; says so if it is not the newest of all.

        Returns:
            `Progress`, at step 0 where there is no checkpoint.

        Raises:
            ValueError: the checkpoint is of another configuration: which difference.
        """
        for name in whole_checkpoints(self.folder, deletes=self.writes):
            folder = tf.io.gfile.join(self.folder, name)
            try:
                state = read_state(folder)
                progress = Progress(**state["progress"] | {"is_saved": True})
                reader = tf.train.load_checkpoint(tf.io.gfile.join(folder, VARIABLES))
                for key in reader.get_variable_to_shape_map():
                    reader.get_tensor(key)  # its checksum is compared
            except (tf.errors.OpError, ValueError, TypeError, RuntimeError, IndexError) as error:
                warnings.warn(
                    f"A checkpoint cannot be read and is passed over for the one before: {folder!r} "
                    f"({str(error).splitlines()[0]:.100}).",
                    stacklevel=2,
                )
                continue
            self._check(folder, state)
            return progress
        return Progress()

    def restore(self, progress: Progress) -> None:
        """Sets every variable to what it was.

        Args:
            progress: `Progress` that `find` gave.

        Raises:
            ValueError: the model is another one: which variable differs.
        """
        folder, stored = self._stored(progress.step)
        here = _described(self._variables())
        for (old_name, *old), (name, *new) in zip(stored, here, strict=False):
            if old != new:
                raise ValueError(
                    f"A checkpoint must be of the same model. Received: {folder!r}, where {old_name} is {old}; in the "
                    f"model {name} is {new}. Build the model as it was, or begin in a new folder."
                )
        if len(stored) != len(here):
            raise ValueError(
                f"A checkpoint must be of the same model and optimizer. Received: {folder!r} with {len(stored)} "
                f"variables for {len(here)}. Build and compile it as it was, or begin in a new folder."
            )
        self._checkpoint().read(tf.io.gfile.join(folder, VARIABLES)).assert_consumed()

    def restore_best(self) -> dict:
        """Sets the model's weights, and nothing else, to those of the best epoch.

        Returns:
            dict, the logs of that epoch, with its `step`.

        Raises:
            ValueError: no epoch was kept as the best, or the model is another one.
        """
        progress = self.find()
        step = progress.notes.get("best_step")
        if step is None:
            raise ValueError(
                "A training must have kept its best epoch. Received: "
                f"{self.folder!r}, where none is. Train with `save_rule=SaveRule(best=...)` first."
            )
        folder, stored = self._stored(step)
        variables = self.model.variables
        shapes = [described[1:] for described in _described(variables)]
        if [described[1:] for described in stored[: len(variables)]] != shapes:
            raise ValueError(
                f"The best epoch must be one of this model. Received: {folder!r}, whose variables differ. "
                "Build the model as it was."
            )
        values = [variable.value for variable in variables]
        tf.train.Checkpoint(values=values).read(tf.io.gfile.join(folder, VARIABLES)).expect_partial()
        return next(logs for logs in progress.history if logs["step"] == step)

    def _stored(self, step):
        """Gives the folder of a checkpoint, and its variables as they are described there."""
        folder = tf.io.gfile.join(self.folder, name_of(step))
        return folder, read_state(folder)["variables"]

    def _variables(self):
        model = self.model
        found = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
        return list({id(variable): variable for variable in found}.values())

    def _checkpoint(self):
        return tf.train.Checkpoint(values=[variable.value for variable in self._variables()])

    def _check(self, folder, state):
        before = state["configuration"]
        if None in (before, self.configuration):
            return
        different = [
            f"{name} was {_short(before.get(name))} and is {_short(self.configuration.get(name))}"
            for name in sorted({*before, *self.configuration})
            if before.get(name) != self.configuration.get(name)
        ]
        if different:
            raise ValueError(
                f"A training can only go on as it began. Received: {folder!r}, where {'; '.join(different)}. "
                "Ask for the same, or begin in a new folder."
            )


def _plain(value):
    return value.item() if hasattr(value, "item") else repr(value)


def _short(value):
    return f"{value!r:.100}"


def _described(variables):
    return [[variable.path, list(variable.shape), variable.dtype] for variable in variables]
