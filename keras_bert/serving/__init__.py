"""What leaves the library: SavedModels that TF Serving loads."""

from typing import TYPE_CHECKING

from keras_bert import _lazy

_lazy.require_tensorflow(__name__)

if TYPE_CHECKING:
    from keras_bert.serving.model_card import CARD as CARD
    from keras_bert.serving.model_card import plain as plain
    from keras_bert.serving.operations import SERVERS as SERVERS
    from keras_bert.serving.operations import read_graph as read_graph
    from keras_bert.serving.operations import server_operations as server_operations
    from keras_bert.serving.operations import unknown_operations as unknown_operations

__getattr__, __dir__, __all__ = _lazy.attach(__name__)
