"""Shows a page to try models on: a text in, the answer marked in it.

    python recipes/finetune_classifier.py
    python tools/demo.py output/finetune_classifier/preset
    python tools/demo.py output/finetune_span/preset output/finetune_tokens/preset novels_mini_en_uncased
    python tools/demo.py serving/sentiment
    python tools/demo.py --url http://127.0.0.1:8501 --model-name sentiment --card serving/sentiment/1/model_card.json

MODEL is what has a head: a preset as `from_preset` takes it, or the directory of an export. With `--url` a running TF
Serving is asked, or what speaks its REST: tools/serve.py does. Each model gets a tab. A classifier that runs here also
shows what each word adds to its answer, as tools/explain.py does.

`/?tab=sentiment&text=A fine film.` opens the page with a question, and asks it.
"""

import argparse
import pathlib
import signal
import threading

from demo_models import DemoModel, of_path, of_server
from demo_server import DemoServer


def main(argv: list[str] | None = None) -> None:
    """Serves the page until SIGTERM or SIGINT."""
    parser = build_parser()
    args = parser.parse_args(argv)
    stopped = threading.Event()
    try:
        models = load(args)
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: stopped.set())
        server = DemoServer(models, args.host, args.port)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(f"Ready: {', '.join(server.models)}. Open {server.address}", flush=True)
    stopped.wait()
    server.stop()
    print("Stopped.", flush=True)


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this tool's flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("models", metavar="MODEL", nargs="*", help="A preset, or the directory of an export.")
    add("--port", type=int, default=7860, help="Default: 7860. 0: a free one, printed.")
    add("--host", default="127.0.0.1", help="Address to listen at. Default: 127.0.0.1, for this machine only.")
    add("--url", help="Of a running server, http://127.0.0.1:8501 for example.")
    add("--model-name", help="What that server calls the model.")
    add("--card", type=pathlib.Path, help="model_card.json of the version that it serves.")
    return parser


def load(args: argparse.Namespace) -> list[DemoModel]:
    """Loads what the flags name, and gives each a name of its own.

    Raises:
        ValueError: the flags name nothing, or something that is no model.
    """
    of_served = (args.url, args.model_name, args.card)
    if any(of_served) and not all(of_served):
        raise ValueError(
            "A served model needs --url, --model-name and --card. Received: not all of them. Add what is missing."
        )
    if not args.models and not args.url:
        raise ValueError(
            "There must be a model to try. Received: none. Make one with `python recipes/finetune_classifier.py`, "
            "which takes a minute, then run `python tools/demo.py output/finetune_classifier/preset`."
        )
    models = [of_path(path) for path in args.models]
    if args.url:
        models.append(of_server(*of_served))
    named = {}
    for model in models:
        name, number = model.name, 1
        while name in named:
            number += 1
            name = f"{model.name}-{number}"
        named[name] = model._replace(name=name)
    return list(named.values())


if __name__ == "__main__":
    main()
