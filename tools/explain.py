"""Shows why a fine-tuned model says what it says: what each word adds to its answer, and where its layers look.

    python recipes/finetune_classifier.py
    python tools/explain.py output/finetune_classifier/preset "The film is not good."
    python tools/explain.py PRESET "A text" --text-pair "Another" --label entailment
    python tools/explain.py PRESET --question "Who sat?" --context "The cat sat."

PRESET is a classifier or a regression (recipes/finetune_classifier.py), or for a question a span labeler
(recipes/finetune_span.py). Writes into `--output`: `explanation.html`, one file that needs neither server nor network,
and `attributions.png` and `attention.png`.

What a word adds is found by integrated gradients, from a baseline of [MASK]s: all words together add the difference of
the text's score and the baseline's. Attention is what the layers compute on their way, and no explanation by itself.

Reference: Sundararajan et al., 2017 (https://arxiv.org/abs/1703.01365).
"""

import argparse
import pathlib

import explanation_page
import explanation_plots
import numpy as np
from explanation import Explanation

import keras_bert


def main(argv: list[str] | None = None) -> Explanation:
    """Explains one text, writes page and pictures, and returns what they show."""
    parser = build_parser()
    args = parser.parse_args(argv)
    try:
        check_flags(args)
        explain = explain_text if args.question is None else explain_answer
        explanation = explain(args)
        write(explanation, args.output)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(describe(explanation))
    print(f"Written: {args.output / 'explanation.html'}, attributions.png, attention.png")
    return explanation


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this tool's flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("preset", nargs="?", help="Directory or address of a fine-tuned model.")
    add("text", nargs="?", help="The text to explain.")
    add("--text-pair", help="The second text, for a model of pairs.")
    add("--label", help="Of which to show what adds to it. Default: the most probable.")
    add("--question", help="For a span labeler, with --context.")
    add("--context", help="Where the answer is looked for.")
    add("--output", type=pathlib.Path, default="output/explain", help="Directory. Default: output/explain.")
    return parser


def check_flags(args: argparse.Namespace) -> None:
    """Refuses flags that do not say what to explain."""
    if args.preset is None:
        raise ValueError(
            "There must be a fine-tuned model to explain. Received: no PRESET. Make one with "
            "`python recipes/finetune_classifier.py`, which takes a minute, then run "
            '`python tools/explain.py output/finetune_classifier/preset "A fine film."`.'
        )
    of_text = [args.text, args.text_pair, args.label]
    of_question = [args.question, args.context]
    if any(part is not None for part in of_text) and any(part is not None for part in of_question):
        raise ValueError(
            "A text, --text-pair and --label are for classifiers, --question and --context for span labelers. "
            "Received: flags for both. Leave those of one out."
        )
    if args.text is None and None in of_question:
        raise ValueError(
            "There must be a text to explain, or a question and its context. Received: neither. "
            'Add "A text", or --question and --context.'
        )


def head_of(preset: str, task: str, recipe: str) -> dict:
    """Returns the settings of a preset's head.

    Raises:
        ValueError: if the preset has another head, or none: a new one is random and has nothing to explain.
    """
    config, *_ = keras_bert.presets.read_preset(preset, load_weights=False)
    if config.get("task") != task:
        raise ValueError(
            f"The preset must be a fine-tuned {task.replace('_', ' ')}. Received: {preset!r}, whose head is "
            f"{config.get('task') or 'none'}. Fine-tune it with recipes/{recipe}, or ask in the way of its head."
        )
    return config["head"]


def explain_text(args: argparse.Namespace) -> Explanation:
    """Explains what a classifier says to a text or a pair."""
    head = head_of(args.preset, "classifier", "finetune_classifier.py")
    is_pair = args.text_pair is not None
    if head.get("pairs") not in (None, is_pair):
        raise ValueError(
            f"The model takes {'pairs of texts' if head['pairs'] else 'single texts'}. Received: "
            f"{'a pair' if is_pair else 'one text'}. {'Leave --text-pair out' if is_pair else 'Add --text-pair'}."
        )
    classifier = keras_bert.BertClassifier.from_preset(args.preset)
    x = ([args.text], [args.text_pair]) if is_pair else [args.text]
    (attribution,) = classifier.attributions(x, label=args.label)
    (outputs,) = classifier.predict(x, verbose=0)
    is_value = classifier.task == "regression"
    return Explanation(
        title=f"{outputs[0]:.4g}" if is_value else attribution.target,
        kind="value" if is_value else "label",
        outputs=dict(zip(["value"] if is_value else classifier.labels, outputs.tolist(), strict=True)),
        names=("Text", "Second text")[: len(attribution.texts)],
        attributions=(attribution,),
        attention=attention(classifier, attribution),
    )


def explain_answer(args: argparse.Namespace) -> Explanation:
    """Explains which answer a span labeler finds."""
    head_of(args.preset, "span_labeler", "finetune_span.py")
    labeler = keras_bert.BertSpanLabeler.from_preset(args.preset)
    x = ([args.question], [args.context])
    (answer,) = labeler.predict(x, verbose=0, n_best=5)
    ((start, end),) = labeler.attributions(x)
    others = {other["answer"]: other["score"] for other in answer["answers"][::-1]}
    return Explanation(
        title=answer["answer"] or "no answer",
        kind="answer",
        outputs={answer["answer"] or "no answer": answer["score"]} | dict(reversed(others.items())),
        names=("Question", "Context"),
        attributions=(start, end),
        attention=attention(labeler, start),
        marked=(answer["start"], answer["end"]),
    )


def attention(model, attribution) -> list[np.ndarray]:
    """Returns where each layer looks: arrays `(N heads, T, T)`."""
    scores = model.encoder.with_layer_outputs()(attribution.inputs)["attention_scores"]
    return [np.asarray(score[0], "float32") for score in scores]


def write(explanation: Explanation, output: pathlib.Path) -> None:
    """Writes page and pictures, each whole or not at all."""
    output.mkdir(parents=True, exist_ok=True)
    with keras_bert.presets.atomic_file(output / "explanation.html") as new:
        new.write_text(explanation_page.page(explanation), encoding="utf-8")
    for name in ("attributions", "attention"):
        with keras_bert.presets.atomic_file(output / f"{name}.png") as new:
            getattr(explanation_plots, name)(new, explanation)


def describe(explanation: Explanation) -> str:
    """Writes the explanation for a terminal."""
    shown = [f"{name} {value:.4f}" for name, value in explanation.outputs.items()]
    lines = [f"The model says: {', '.join(shown)}."]
    for part in explanation.attributions:
        sum_of = f"words add {part.total:+.4f}, to {part.score - part.baseline_score:+.4f}: {explanation.gap_of(part)}"
        lines.append(f"{part.target}: {part.score:.4f}, without words {part.baseline_score:.4f}; {sum_of}.")
    strongest = sorted(explanation.words(), key=lambda word: -abs(word["value"]))[:5]
    lines.append("Words that count most: " + ", ".join(f"{w['word']} {w['value']:+.3f}" for w in strongest))
    return "\n".join(lines + explanation.notes())


if __name__ == "__main__":
    main()
