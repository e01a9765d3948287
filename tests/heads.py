"""A maker of each head's test model, by the head's name."""

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
