"""Prints the operations that an installed pair of TensorFlow and TF-Text knows, a name a line.

keras_bert/serving/operations_2_12.txt is what it prints in an environment of its own, on Python 3.11:

    pip install tensorflow==2.12.1 tensorflow-text==2.12.1
    python tools/list_server_operations.py > keras_bert/serving/operations_2_12.txt
"""

import tensorflow as tf
import tensorflow_text as tf_text
from tensorflow.core.framework import op_def_pb2
from tensorflow.python.client import pywrap_tf_session


def main():
    """Prints the list."""
    known = op_def_pb2.OpList()
    known.ParseFromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    print(f"# Operations of TensorFlow {tf.__version__} and TF-Text {tf_text.__version__}.")
    print("# Every TF Serving from 2.12.0 to 2.19.1 embeds TF-Text 2.12.1. Made by tools/list_server_operations.py.")
    print("\n".join(sorted(operation.name for operation in known.op)))


if __name__ == "__main__":
    main()
