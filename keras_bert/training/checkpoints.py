"""All that a training is made of, on a disk: weights, optimizer, metrics, random states, and where it was."""

import dataclasses
import json
import os
import re
import warnings

import keras
import tensorflow as tf

_STATE = "state.json"
_VARIABLES = "variables"
_NAME = re.compile(r"step-(\d+)/?")


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
        self.folder = os.fspath(folder)
        self.model = model
        self.configuration = json.loads(json.dumps(configuration))
        self.writes = writes

    def save(self, progress: Progress, keep: int = 2) -> None:
        """Writes a checkpoint and deletes the oldest.

        Args:
            progress: `Progress`.
            keep: int, default 2. So many checkpoints stay beside the best.
        """
        name = _name(progress.step)
        folder = tf.io.gfile.join(self.folder, name if self.writes else f".{name}.{os.getpid()}")
        if tf.io.gfile.exists(folder):
            tf.io.gfile.rmtree(folder)
        tf.io.gfile.makedirs(folder)
        # Every worker takes part: what is kept a replica is added up over all.
        self._checkpoint().write(tf.io.gfile.join(folder, _VARIABLES))
        if not self.writes:
            tf.io.gfile.rmtree(folder)
            return
        state = {
            "progress": dataclasses.asdict(progress) | {"is_saved": True},
            "configuration": self.configuration,
            "variables": _described(self._variables()),
        }
        new = tf.io.gfile.join(folder, f".{_STATE}.new")
        with tf.io.gfile.GFile(new, "w") as file:
            file.write(json.dumps(state))
        tf.io.gfile.rename(new, tf.io.gfile.join(folder, _STATE))
        best = _name(progress.notes.get("best_step", -1))
        for old in self._names()[keep:]:
            if old == best:
                continue
            tf.io.gfile.rmtree(tf.io.gfile.join(self.folder, old))

    def find(self) -> Progress:
        """Finds the newest checkpoint that can be read; says so if it is not the newest of all.

        Returns:
            `Progress`, at step 0 where there is no checkpoint.

        Raises:
            ValueError: the checkpoint is of another configuration: which difference.
        """
        for name in self._names():
            folder = tf.io.gfile.join(self.folder, name)
            try:
                with tf.io.gfile.GFile(tf.io.gfile.join(folder, _STATE)) as file:
                    state = json.loads(file.read())
                self._check(folder, state)
                reader = tf.train.load_checkpoint(tf.io.gfile.join(folder, _VARIABLES))
                for key in reader.get_variable_to_shape_map():
                    reader.get_tensor(key)  # its checksum is compared
            except (tf.errors.OpError, json.JSONDecodeError, RuntimeError, IndexError) as error:
                warnings.warn(
                    f"A checkpoint cannot be read and is passed over for the one before: {folder!r} "
                    f"({str(error).splitlines()[0]:.100}).",
                    stacklevel=2,
                )
                continue
            return Progress(**state["progress"] | {"is_saved": True})
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
        self._checkpoint().read(tf.io.gfile.join(folder, _VARIABLES)).assert_consumed()

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
        tf.train.Checkpoint(values=values).read(tf.io.gfile.join(folder, _VARIABLES)).expect_partial()
        return next(logs for logs in progress.history if logs["step"] == step)

    def _stored(self, step):
        """Gives the folder of a checkpoint, and its variables as they are described there."""
        folder = tf.io.gfile.join(self.folder, _name(step))
        with tf.io.gfile.GFile(tf.io.gfile.join(folder, _STATE)) as file:
            return folder, json.loads(file.read())["variables"]

    def _variables(self):
        model = self.model
        found = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
        return list({id(variable): variable for variable in found}.values())

    def _checkpoint(self):
        return tf.train.Checkpoint(values=[variable.value for variable in self._variables()])

    def _names(self):
        """Lists the checkpoints that are whole, the newest first; deletes the others."""
        if not tf.io.gfile.exists(self.folder):
            return []
        found = []
        for entry in tf.io.gfile.listdir(self.folder):
            match = _NAME.fullmatch(entry)
            if match is None:
                continue
            if tf.io.gfile.exists(tf.io.gfile.join(self.folder, entry, _STATE)):
                found.append(entry.rstrip("/"))
            elif self.writes:
                tf.io.gfile.rmtree(tf.io.gfile.join(self.folder, entry))
        return sorted(found, reverse=True)

    def _check(self, folder, state):
        before = state["configuration"]
        if None in (before, self.configuration):
            return
        different = [
            f"{name} was {before.get(name)!r} and is {self.configuration.get(name)!r}"
            for name in sorted({*before, *self.configuration})
            if before.get(name) != self.configuration.get(name)
        ]
        if different:
            raise ValueError(
                f"A training can only go on as it began. Received: {folder!r}, where {'; '.join(different)}. "
                "Ask for the same, or begin in a new folder."
            )


def _name(step):
    return f"step-{step:09d}"


def _described(variables):
    return [[variable.path, list(variable.shape), variable.dtype] for variable in variables]
