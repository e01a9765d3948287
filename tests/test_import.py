"""`import keras_bert` is instant, and Keras knows our classes all the same."""

import ast
import importlib
import os
import statistics
import subprocess
import sys

import numpy as np
import pytest

import keras_bert
from keras_bert import _lazy

ANY_BACKEND = {"BertEncoder", "SIZES", "layers", "presets"}
TENSORFLOW_ONLY = sorted(set(keras_bert.__all__) - ANY_BACKEND)


def python(code, *arguments, **environment):
    """Runs code in a fresh interpreter and gives back what it printed."""
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


# ---- Lazy names


def test_import_costs_less_than_50_ms_and_loads_no_framework():
    # The processor's time, which is what an import takes on a machine that does nothing else.
    code = (
        "import sys, time; start = time.process_time(); import keras_bert; print(time.process_time() - start); "
        "print([name for name in ('tensorflow', 'keras', 'numpy') if name in sys.modules])"
    )
    runs = [python(code).splitlines() for _ in range(5)]
    assert {loaded for _, loaded in runs} == {"[]"}
    assert statistics.median(float(seconds) for seconds, _ in runs) < 0.050


@pytest.mark.parametrize("package", ["keras_bert", "keras_bert.metrics", "keras_bert.training"])
def test_every_listed_name_is_there(package):
    module = importlib.import_module(package)
    assert module.__all__
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert name in dir(module)


def test_star_import_brings_the_public_names():
    names = {}
    exec("from keras_bert import *", names)
    assert set(names) - {"__builtins__"} == set(keras_bert.__all__)


def test_a_wrong_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'keras_bert' has no attribute 'BertEncodr'"):
        _ = keras_bert.BertEncodr
    assert not hasattr(keras_bert, "__wrapped__")


def test_public_names_are_read_from_the_type_checkers_block():
    source = "import os\nif TYPE_CHECKING:\n    from a import d as d\n    from a.b import C as C\nelse:\n    x = 1\n"
    assert _lazy.public_names(source, "a") == {"d": ("a.d", None), "C": ("a.b", "C")}


# ---- Backends of Keras


def test_what_needs_tensorflow_says_so_though_the_other_backend_is_not_installed():
    code = """
import importlib, sys, keras_bert
for name in sys.argv[1:]:
    try:
        getattr(keras_bert, name)
    except ImportError as error:
        print(error)
try:
    import keras_bert.metrics.scores
except ImportError as error:
    print(error)
"""
    messages = python(code, *TENSORFLOW_ONLY, KERAS_BACKEND="jax").splitlines()
    assert messages == [
        f"keras_bert.{name} needs the TensorFlow backend of Keras. Received: KERAS_BACKEND=jax. Set "
        "KERAS_BACKEND=tensorflow before Keras is imported; on other backends use keras_bert.BertEncoder, "
        "keras_bert.layers and keras_bert.presets."
        for name in [*TENSORFLOW_ONLY, "metrics"]
    ]


def test_the_encoder_runs_on_another_backend_and_its_file_loads_there(tmp_path):
    pytest.importorskip("torch")
    file = tmp_path / "encoder.keras"
    sizes = {"num_layers": 1, "num_heads": 3, "hidden_dim": 12, "intermediate_dim": 20}
    keras_bert.BertEncoder(vocabulary_size=11, **sizes).save(file)
    code = """
import sys, keras_bert, keras
encoder = keras.saving.load_model(sys.argv[1])
print(type(encoder) is keras_bert.BertEncoder, keras.config.backend(), "tensorflow_text" in sys.modules)
print(bool(keras_bert.SIZES), bool(keras_bert.layers), bool(keras_bert.presets))
try:
    keras_bert.BertTokenizer
except ImportError as error:
    print(error)
"""
    loaded, names, message = python(code, file, KERAS_BACKEND="torch").splitlines()
    assert loaded == "True torch False"
    assert names == "True True True"
    assert "BertTokenizer needs the TensorFlow backend of Keras. Received: KERAS_BACKEND=torch" in message


# ---- Saved files


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A classifier's `.keras` file, an input and the logits it gave before it was saved."""
    folder = tmp_path_factory.mktemp("saved")
    encoder = keras_bert.BertEncoder(
        vocabulary_size=11,
        num_layers=2,
        num_heads=3,
        hidden_dim=12,
        intermediate_dim=20,
        max_sequence_length=7,
    )
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "d", "e", "##f"]
    preprocessor = keras_bert.BertPreprocessor(keras_bert.BertTokenizer(vocabulary=tokens), sequence_length=7)
    classifier = keras_bert.BertClassifier(encoder, preprocessor=preprocessor, labels=["no", "maybe", "yes"])
    logits = classifier(preprocessor(["a b f", "c d e a"]))
    classifier.save(folder / "classifier.keras")
    np.save(folder / "logits.npy", np.asarray(logits))
    return folder


@pytest.mark.parametrize(
    "imports", ["import keras_bert, keras", "import keras, keras_bert", "import keras_bert, keras_nlp"]
)
def test_a_saved_classifier_loads_in_a_fresh_process(saved, imports):
    code = f"""
import sys
{imports}
import keras, numpy
model = keras.saving.load_model(sys.argv[1] + "/classifier.keras")
logits = numpy.asarray(model(model.preprocessor(["a b f", "c d e a"])))
print(type(model) is keras_bert.BertClassifier, abs(logits - numpy.load(sys.argv[1] + "/logits.npy")).max() < 1e-6)
"""
    assert python(code, saved) == "True True"


@pytest.mark.parametrize("imports", ["import keras_bert, keras", "import keras, keras_bert"])
def test_a_fault_of_ours_does_not_take_keras_away(imports):
    code = f"""
import sys, warnings
sys.modules["tensorflow_text"] = None
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    {imports}
print(bool(keras.Model), any("cannot load saved objects of keras_bert" in str(w.message) for w in caught))
warnings.simplefilter("error")
from keras_bert import _registration
_registration.register_with_keras()
"""
    assert python(code) == "True True"


def test_keras_looks_untouched_after_its_import():
    code = """
import sys, keras_bert, keras
waiting = [finder for finder in sys.meta_path if type(finder).__module__.startswith("keras_bert")]
print(type(keras.__loader__).__name__, keras.__spec__.loader is keras.__loader__, waiting)
"""
    assert python(code) == "SourceFileLoader True []"


def test_a_missing_keras_is_the_ordinary_error():
    code = """
import sys, keras_bert
sys.meta_path[1:] = [finder for finder in sys.meta_path[1:] if not hasattr(finder, "path_hooks")]
sys.path[:] = [path for path in sys.path if "site-packages" not in path]
sys.path_importer_cache.clear()
try:
    import keras
except ModuleNotFoundError as error:
    print(error)
"""
    assert (
        python(code, PYTHONPATH=str(importlib.resources.files("keras_bert").parent))
        == "No module named 'keras'"
    )


def test_every_module_that_registers_a_class_is_imported_with_keras(root):
    registering = {
        ".".join(file.relative_to(root).with_suffix("").parts)
        for file in (root / "keras_bert").rglob("*.py")
        if any(
            "register_keras_serializable" in ast.unparse(decorator)
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            if isinstance(node, ast.ClassDef | ast.FunctionDef)
            for decorator in node.decorator_list
        )
    }
    assert "keras_bert.models.encoder" in registering
    loaded = python("import sys, keras_bert, keras; print(*sys.modules)").split()
    assert registering <= set(loaded)
