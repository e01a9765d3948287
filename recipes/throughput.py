"""How fast a pre-training is, in tokens and in arithmetic, and how long it will take."""

import sys
import time

import keras
import tensorflow as tf

import keras_bert

_SECONDS_BETWEEN_LINES = 30.0


def flops_per_token(encoder, row_size: int, predictions: int) -> float:
    """Counts the floating point operations of one training step, a token: forward, and twice that backward.

    Args:
        encoder: `BertEncoder`.
        row_size: int.
        predictions: int. Masked positions of a row.

    Returns:
        float.
    """
    sizes = encoder.arguments
    hidden, inner, layers = sizes["hidden_dim"], sizes["intermediate_dim"], sizes["num_layers"]
    block = 2 * (4 * hidden**2 + 2 * hidden * inner) + 4 * row_size * hidden
    head = 2 * (hidden**2 + hidden * sizes["vocabulary_size"]) * predictions / row_size
    return 3 * (layers * block + head)


def matmul_flops(dtype: str, size: int = 2048) -> float:
    """Measures what this device does a second in square matrix products: what a model can reach at best.

    Args:
        dtype: str.
        size: int, default 2048.

    Returns:
        float.
    """
    matrix = tf.cast(tf.random.stateless_normal((size, size), [0, 1]), dtype)

    @tf.function
    def products(x):
        for _ in range(4):
            x = tf.linalg.matmul(x, matrix) / size
        return tf.reduce_sum(tf.cast(x, tf.float32))

    float(products(matrix))
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        float(products(matrix))
        best = min(best, time.perf_counter() - start)
    return 4 * 2 * size**3 / best


class Throughput(keras.callbacks.Callback):
    """Prints a line now and then, and adds `tokens_per_second` and `flop_utilisation` to the logs.

    Of several workers the chief prints.

    Args:
        steps: int, or None where it is not known. Updates of the whole training.
        tokens_per_step: float. Real tokens of a batch, padding not counted.
        flops_per_token: float.
        device_flops: float. What `flop_utilisation` is a share of.
    """

    def __init__(self, steps: int | None, tokens_per_step: float, flops_per_token: float, device_flops: float):
        super().__init__()
        self.steps, self.tokens_per_step = steps, tokens_per_step
        self.utilisation_of = flops_per_token / device_flops
        self._line = time.perf_counter()
        self._start = None
        self._has_traced = False

    def on_epoch_begin(self, epoch, logs=None):
        if self._start is None:
            self._start = time.perf_counter(), self._step()
        self._epoch_start = self._epoch_end = time.perf_counter()
        self._skipped = self._seen = 0

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        if not self._has_traced and self.params["steps"] > batch + 1:  # the first step builds the graph: not counted
            self._epoch_start, self._skipped, self._has_traced = now, batch + 1, True
            return
        self._seen, self._epoch_end = batch + 1 - self._skipped, now
        if time.perf_counter() - self._line > _SECONDS_BETWEEN_LINES:
            self._print(logs)

    def on_epoch_end(self, epoch, logs=None):
        rate = self._rate()
        logs["tokens_per_second"], logs["flop_utilisation"] = rate, rate * self.utilisation_of
        self._print(logs)

    def _rate(self):
        return self.tokens_per_step * self._seen / max(self._epoch_end - self._epoch_start, 1e-9)

    def _step(self):
        return int(keras.ops.convert_to_numpy(self.model.optimizer.iterations.value))

    def _print(self, logs):
        self._line = now = time.perf_counter()
        if not keras_bert.training.is_chief(self.model.distribute_strategy):
            return
        step = self._step()
        begin, first_step = self._start
        left = ""
        if self.steps:
            left = f", {_clock((self.steps - step) * (now - begin) / max(step - first_step, 1))} left"
        shown = {
            "loss": "loss",
            "masked-LM accuracy": "masked_lm_logits_accuracy",
            "next-sentence accuracy": "next_sentence_logits_accuracy",
            "held-out masked-LM loss": "val_masked_lm_logits_loss",
            "accuracy": "val_masked_lm_logits_accuracy",
        }
        parts = [f"{name} {float(logs[key]):.4f}" for name, key in shown.items() if key in logs]
        rate = self._rate()
        print(
            f"step {step:,}: {', '.join(parts)}; {rate:,.0f} tokens/s, "
            f"{100 * rate * self.utilisation_of:.0f} % of the matrix products' speed{left}",
            file=sys.stderr,
            flush=True,
        )


def _clock(seconds):
    minutes = round(seconds) // 60
    return f"{minutes // 60}:{minutes % 60:02d}:{round(seconds) % 60:02d}"
