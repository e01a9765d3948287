"""How the peers in PyTorch train: the loop of transformers' own examples, the same for every task."""

import argparse
import time

from benchmark_records import cores, need


def torch_and_transformers(args: argparse.Namespace) -> tuple:
    """Imports both, on as many threads as there are cores, with the seed of this run.

    Args:
        args: the flags.

    Returns:
        The two modules.
    """
    torch, transformers = need("torch"), need("transformers")
    torch.set_num_threads(cores())
    transformers.set_seed(args.seed)
    transformers.logging.set_verbosity_error()
    return torch, transformers


def autocast(args: argparse.Namespace):
    """Gives the context in which a batch is computed."""
    import torch

    return torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "bfloat16")


def fine_tune(model, features, collate, args: argparse.Namespace) -> dict:
    """Trains a model of transformers: AdamW, warm-up over a tenth of the steps, linear decay, gradients clipped.

    Args:
        model: a model of transformers that gives a loss.
        features: callable that makes the list of rows: its time counts.
        collate: callable of rows that gives a batch, padded to its longest row.
        args: the flags.

    Returns:
        dict of `seconds`, `cpu_seconds` and the last epoch's `loss`, the mean over rows.
    """
    import torch
    import transformers

    started, cpu_started = time.perf_counter(), time.process_time()
    rows = features()
    loader = torch.utils.data.DataLoader(rows, args.batch_size, shuffle=True, collate_fn=collate)
    optimizer = torch.optim.AdamW(decay_groups(model), lr=args.learning_rate, eps=1e-6)
    steps = len(loader) * args.epochs
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, int(0.1 * steps), steps)
    model.train()
    for _ in range(args.epochs):
        total = 0.0
        for batch in loader:
            with autocast(args):
                loss = model(**batch).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            total += loss.item() * len(batch["input_ids"])
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu_started,
        "loss": total / len(rows),
    }


def outputs_of(model, rows, collate, args: argparse.Namespace):
    """Computes rows in batches, in order.

    Args:
        model: a model of transformers.
        rows: list of rows.
        collate: callable of rows that gives a batch.
        args: the flags.

    Yields:
        The model's outputs of each batch.
    """
    import torch

    model.eval()
    with torch.inference_mode(), autocast(args):
        for batch in torch.utils.data.DataLoader(rows, args.batch_size, collate_fn=collate):
            yield model(**batch)


def decay_groups(model) -> list[dict]:
    """Parts a torch model's parameters into those that decay and those that do not."""
    parts = {True: [], False: []}
    for name, parameter in model.named_parameters():
        parts[not (name.endswith(".bias") or "LayerNorm" in name)].append(parameter)
    return [{"params": parts[True], "weight_decay": 0.01}, {"params": parts[False], "weight_decay": 0.0}]
