"""Who may import whom: the rooms of the project, read from the source. Every rule here is shown to be able to fail."""

import ast
import dataclasses
import graphlib
import sys

import pytest

from keras_bert._lazy import public_names

# A room may always import itself. "keras only" of the design is in THIRD_PARTY.
ROOMS = {
    "keras_bert.presets": set(),
    "keras_bert.text": {"presets"},
    "keras_bert.layers": set(),
    "keras_bert.models": {"layers", "presets", "text", "data", "training", "serving", "metrics"},
    "keras_bert.models.encoder": {"layers", "presets"},
    "keras_bert.models.weights": {"layers", "presets"},
    "keras_bert.models.sizes": set(),
    "keras_bert.data": {"text"},
    "keras_bert.training": set(),
    "keras_bert.serving": {"text"},
    "keras_bert.metrics": set(),
}
# The shared mechanism of the public names, and the version.
OPEN_TO_ALL = {"keras_bert._lazy", "keras_bert.__version__"}

# What pip brings with keras_bert (setup.py); some rooms may use less of it.
RUNTIME = {
    *("tensorflow", "tensorflow_text", "keras", "keras_nlp", "keras_hub", "numpy", "safetensors"),
    *("huggingface_hub", "tqdm", "matplotlib"),
}
THIRD_PARTY = {
    "keras_bert.layers": {"keras", "tensorflow"},
    "keras_bert.training": {"keras", "tensorflow"},
    "keras_bert.metrics": {"numpy", "keras"},
    # The extra `serving`; without it an export holds no warm-up requests.
    "keras_bert.serving": RUNTIME | {"tensorflow_serving"},
}
# Runs where TensorFlow is not installed, so TensorFlow is imported inside functions if at all.
WITHOUT_TENSORFLOW = (
    "keras_bert.layers",
    "keras_bert.presets",
    "keras_bert.models.encoder",
    "keras_bert.models.weights",
    "keras_bert.models.sizes",
)
TENSORFLOW = {"tensorflow", "tensorflow_text", "keras_nlp", "keras_hub"}
# setup.py bounds the versions for these, and only these.
PRIVATE_API = {("keras_bert.layers.unpadding", "tensorflow.python")}

MAX_LINES = 250


@dataclasses.dataclass
class Import:
    """One imported module, or name of a module."""

    target: str
    line: int
    at_top: bool


def module_name(file, root):
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(tree, module, is_package):
    """Yields every import of a file, wherever it stands; relative ones by their full name."""
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        at_top = id(node) not in inside
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, at_top)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.split(".")
                above = above[: len(above) - node.level + is_package]
                base = ".".join([*above, *([base] if base else [])])
            for alias in node.names:
                yield Import(f"{base}.{alias.name}", node.lineno, at_top)


def within(module, prefix):
    return module == prefix or module.startswith(prefix + ".")


def narrowest(table, module):
    """The entry of the innermost room or file that the table names."""
    fitting = [key for key in table if within(module, key)]
    return table[max(fitting, key=len)] if fitting else None


def package_violations(file, module, imports):
    """What one file of keras_bert does that its room may not."""
    allowed = narrowest(ROOMS, module)
    packages = narrowest(THIRD_PARTY, module) or RUNTIME
    room = ".".join(module.split(".")[:2])
    for found in imports:
        place = f"{module}:{found.line}"
        top = found.target.split(".")[0]
        if top == "keras_bert":
            target_room = ".".join(found.target.split(".")[:2])
            known = allowed is not None and target_room.removeprefix("keras_bert.") in allowed
            if not (known or target_room == room or any(within(found.target, name) for name in OPEN_TO_ALL)):
                yield f"{place} may not import {found.target}"
        elif top not in sys.stdlib_module_names and top not in packages:
            yield f"{place} may not import {top}"
        if top in TENSORFLOW and found.at_top and any(within(module, name) for name in WITHOUT_TENSORFLOW):
            yield f"{place} must import {top} inside a function"
        for private in ("keras.src", "tensorflow.python"):
            if within(found.target, private) and (module, private) not in PRIVATE_API:
                yield f"{place} uses private API: {found.target}"
    if allowed is None:
        yield f"{module} is in no room of the table"
    lines = len(file.read_text(encoding="utf-8").splitlines())
    if lines > MAX_LINES:
        yield f"{module} has {lines} lines, over {MAX_LINES}"


def script_violations(tree, module, imports, root):
    """What a recipe or tool uses beyond `keras_bert.X` and `keras_bert.room.X`, listed by package and room."""
    for found in imports:
        if within(found.target, "keras_bert") and found.target != "keras_bert":
            yield f"{module}:{found.line} must use `import keras_bert`, not {found.target}"
    for node in ast.walk(tree):
        chain, inner = [], node
        while isinstance(inner, ast.Attribute):
            chain.insert(0, inner.attr)
            inner = inner.value
        if not (chain and isinstance(inner, ast.Name) and inner.id == "keras_bert"):
            continue
        package = root / "keras_bert"
        for name in chain:
            if not package.is_dir():  # a class or a function: its attributes are its own
                break
            if name not in listed_names(package, root) and not name.startswith("__"):
                yield f"{module}:{node.lineno} uses {'.'.join(['keras_bert', *chain])}, which is not public"
                break
            package /= name


def listed_names(package, root):
    init = package / "__init__.py"
    if not init.is_file():
        return {}
    return public_names(init.read_text(encoding="utf-8"), module_name(init, root))


def violations(root):
    """All that breaks the rules under a project's folder."""
    found = []
    graph = {}
    files = [
        file
        for folder in ("keras_bert", "recipes", "tools")
        for file in sorted((root / folder).rglob("*.py"))
    ]
    modules = {module_name(file, root) for file in files}
    for file in files:
        module = module_name(file, root)
        tree = ast.parse(file.read_text(encoding="utf-8"))
        imports = list(imports_of(tree, module, file.stem == "__init__"))
        if file.stem == "utils":
            found.append(f"{module} says nothing of what it is for: no utils.py")
        if not within(module, "keras_bert"):
            found += script_violations(tree, module, imports, root)
        elif within(module, "keras_bert.models") or module.count(".") != 1 or file.stem == "__init__":
            if module != "keras_bert":
                found += package_violations(file, module, imports)
        elif module not in {"keras_bert._lazy", "keras_bert._registration"}:
            found.append(f"{module} is in no room of the table")
        if file.stem != "__init__":  # those list names for type checkers, which is no import at run time
            targets = {
                next((t for t in (i.target, i.target.rpartition(".")[0]) if t in modules), None)
                for i in imports
            }
            graph[module] = targets - {None}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        found.append("cycle: " + " -> ".join(error.args[1]))
    return found


def test_the_project_keeps_its_rooms_apart(root):
    assert violations(root) == []


BAD_TREES = {
    "a room imports one that it may not": (
        {"keras_bert/layers/a.py": "from keras_bert.presets.read import read_preset"},
        "keras_bert.layers.a:1 may not import keras_bert.presets.read.read_preset",
    ),
    "inside a function is no way around": (
        {"keras_bert/presets/a.py": "def f():\n    import keras_bert.text.vocabulary"},
        "keras_bert.presets.a:2 may not import keras_bert.text.vocabulary",
    ),
    "a relative import is no way around": (
        {"keras_bert/data/a.py": "from ..models import encoder"},
        "keras_bert.data.a:1 may not import keras_bert.models.encoder",
    ),
    "the public names are no way around": (
        {"keras_bert/serving/a.py": "import keras_bert"},
        "keras_bert.serving.a:1 may not import keras_bert",
    ),
    "the encoder is closer bound than its room": (
        {"keras_bert/models/encoder.py": "from keras_bert.text import vocabulary"},
        "keras_bert.models.encoder:1 may not import keras_bert.text.vocabulary",
    ),
    "metrics without TensorFlow": (
        {"keras_bert/metrics/a.py": "import numpy\nimport tensorflow"},
        "keras_bert.metrics.a:2 may not import tensorflow",
    ),
    "an oracle at run time": (
        {"keras_bert/text/a.py": "def f():\n    import transformers"},
        "keras_bert.text.a:2 may not import transformers",
    ),
    "TensorFlow at the top": (
        {"keras_bert/layers/a.py": "try:\n    import tensorflow as tf\nexcept ImportError:\n    pass"},
        "keras_bert.layers.a:2 must import tensorflow inside a function",
    ),
    "TensorFlow at the top, through KerasHub": (
        {"keras_bert/presets/a.py": "from keras_hub import models"},
        "keras_bert.presets.a:1 must import keras_hub inside a function",
    ),
    "private API": (
        {"keras_bert/models/a.py": "from keras.src.trainers import trainer"},
        "keras_bert.models.a:1 uses private API: keras.src.trainers.trainer",
    ),
    "a cycle": (
        {
            "keras_bert/text/a.py": "from keras_bert.text.b import f",
            "keras_bert/text/b.py": "from keras_bert.text import a",
        },
        "cycle: keras_bert.text.",
    ),
    "a room that the table does not know": (
        {"keras_bert/helpers/a.py": ""},
        "keras_bert.helpers.a is in no room of the table",
    ),
    "a file beside the rooms": ({"keras_bert/export.py": ""}, "keras_bert.export is in no room of the table"),
    "a long file": ({"keras_bert/text/a.py": "x = 1\n" * 251}, "keras_bert.text.a has 251 lines, over 250"),
    "utils": ({"recipes/utils.py": ""}, "recipes.utils says nothing of what it is for: no utils.py"),
    "a recipe that reaches inside": (
        {"recipes/a.py": "import keras_bert\nfrom keras_bert.models.encoder import BertEncoder"},
        "recipes.a:2 must use `import keras_bert`, not keras_bert.models.encoder.BertEncoder",
    ),
    "a tool that uses a name that is not public": (
        {"tools/a.py": "import keras_bert\nkeras_bert.text.packing.pack"},
        "tools.a:2 uses keras_bert.text.packing.pack, which is not public",
    ),
    "a tool that uses what a room that lists nothing holds": (
        {
            "tools/a.py": "import keras_bert\nkeras_bert.layers.pooler.Pooler",
            "keras_bert/layers/__init__.py": "",
        },
        "tools.a:2 uses keras_bert.layers.pooler.Pooler, which is not public",
    ),
    "a tool that uses what a room does not list": (
        {"tools/a.py": "import keras_bert\nkeras_bert.training.optimizers.adamw"},
        "tools.a:2 uses keras_bert.training.optimizers.adamw, which is not public",
    ),
}
GOOD_TREE = {
    "keras_bert/__init__.py": "if TYPE_CHECKING:\n    from keras_bert import layers as layers\n"
    "    from keras_bert import training as training\n"
    "    from keras_bert.models.encoder import BertEncoder as BertEncoder",
    "keras_bert/training/__init__.py": "import keras\nfrom keras_bert import _lazy\n"
    "if TYPE_CHECKING:\n    from keras_bert.training.optimizers import adamw as adamw",
    "keras_bert/training/optimizers.py": "import keras\nimport tensorflow as tf",
    "keras_bert/models/task.py": "import os\nfrom keras_bert.training import optimizers\nimport tensorflow_text",
    "keras_bert/layers/pooler.py": "import keras\ndef f():\n    import tensorflow",
    "recipes/common.py": "import argparse",
    "recipes/finetune.py": "import keras_bert\nimport common\nkeras_bert.training.adamw\nkeras_bert.BertEncoder",
}


def plant(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_a_good_tree_has_no_violations(tmp_path):
    plant(tmp_path, GOOD_TREE)
    assert violations(tmp_path) == []


@pytest.mark.parametrize("case", BAD_TREES)
def test_each_rule_can_fail(tmp_path, case):
    files, expected = BAD_TREES[case]
    plant(tmp_path, GOOD_TREE | files)
    found = violations(tmp_path)
    assert any(text.startswith(expected) for text in found), found
