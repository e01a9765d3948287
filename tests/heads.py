"""A maker of each head's test model, by the head's name."""

import keras_bert
from tests.choosers import make_chooser
from tests.classifiers import make_classifier
from tests.embedders import make_embedder
from tests.labelers import make_labeler
from tests.masked import make_masked_lm
from tests.taggers import make_tagger

MAKERS = {
    "BertClassifier": make_classifier,
    "BertEmbedder": make_embedder,
    "BertMaskedLM": make_masked_lm,
    "BertMultipleChoice": make_chooser,
    "BertSpanLabeler": make_labeler,
    "BertTokenClassifier": make_tagger,
}


def make_distiller():
    """A `BertDistiller` whose student has two layers, and whose teacher has three."""
    teacher = make_classifier(num_layers=3)
    return keras_bert.BertDistiller(teacher.with_layers(2), teacher)


def make_pretrainer():
    """A `BertPretrainer` on a masked language model's encoder."""
    return keras_bert.BertPretrainer(make_masked_lm().encoder)


# With what trains but does not answer.
ALL_MAKERS = {
    **MAKERS,
    "BertClassifier": lambda: make_classifier(num_layers=2),
    "BertDistiller": make_distiller,
    "BertPretrainer": make_pretrainer,
}
