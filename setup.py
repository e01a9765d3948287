"""What keras_bert is to pip: its name, what it needs and what it brings."""

import pathlib
import re

from setuptools import find_packages, setup

HERE = pathlib.Path(__file__).parent
INIT = (HERE / "keras_bert" / "__init__.py").read_text(encoding="utf-8")

# Bounds stand here and nowhere else; requirements.txt holds one set of exact versions that was tested.
# Upper bounds: TensorFlow and TF-Text must be of one minor version, and `layers/unpadding.py` asks
# `tensorflow.python.ops.control_flow_util` whether XLA compiles; `training/step.py` replaces Keras' train step and
# relies on what Keras does not document (its "loss" metric, that optimizers clip before replicas are added up).
# Each minor version is tested before it is let in.
RUNTIME = [
    "tensorflow>=2.20,<2.22",
    "tensorflow-text>=2.20,<2.22",
    "keras>=3.15,<3.16",
    "keras-nlp>=0.32",
    "numpy>=1.26",
    "safetensors>=0.5",
    "huggingface-hub>=1.4",
    "tqdm",
    "matplotlib",
]

EXTRAS = {
    # Runs the tests; without the extras below, the comparisons with other libraries are skipped.
    "test": ["pytest>=8", "pytest-xdist", "ruff"],
    # What results are compared with. torch is exact, so that an index that holds a CPU build gives that one.
    "oracles": [
        *("torch==2.13.0", "transformers>=5", "tokenizers", "peft", "scikit-learn", "scipy", "pysbd"),
        "sentence-transformers>=5",
    ],
    # TensorFlow Model Garden, a third opinion (Keras 2, many dependencies, TensorFlow 2.20 only).
    "garden": ["tf-models-official>=2.20,<2.21"],
    # What a pre-training begins with (tools/train_vocabulary.py, tools/initialize_embeddings.py).
    "vocabulary": ["tokenizers", "scikit-learn"],
    # Builds the data of pre-training on many machines (tools/build_pretraining_data_beam.py).
    "beam": ["apache-beam"],
    # TF Serving's requests: in exports, to warm up with, and tools/serve.py. It wants TensorFlow of its own version.
    "serving": ["tensorflow-serving-api>=2.20,<2.22"],
    # TensorFlow Datasets, a source of data for the recipes.
    "tfds": ["tensorflow-datasets"],
}

setup(
    name="keras-bert-tensorflow",
    version=re.search(r'^__version__ = "(.+)"$', INIT, re.MULTILINE).group(1),
    description="BERT in Keras 3 on TensorFlow, from raw text to raw text: pre-train, fine-tune, evaluate, serve.",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    keywords="bert keras tensorflow nlp transformer text-classification tf-serving",
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        # Where TF-Text has wheels: not for Windows, nor for Macs with Intel processors.
        "Operating System :: POSIX :: Linux",
        "Operating System :: MacOS",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    packages=find_packages(include=["keras_bert", "keras_bert.*"]),
    package_data={
        "keras_bert": ["py.typed"],
        "keras_bert.serving": ["*.txt"],
        "keras_bert.presets": ["*/*.json", "*/*.txt", "*/*.safetensors", "*/*.md", "*/*.png"],
    },
    install_requires=RUNTIME,
    extras_require=EXTRAS,
    zip_safe=False,
)
