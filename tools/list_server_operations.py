"""Prints the operations that an installed pair of TensorFlow and TF-Text knows, each with its attributes, one a line.

keras_bert/serving/operations_2_12.txt is what it prints in an environment of its own, on Python 3.11, and
operations_2_20.txt what it prints with 2.20.0 and 2.20.1:

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
    print("# Every TF Serving from 2.12.0 to 2.19.1 embeds TF-Text 2.12.1, 2.20.0 embeds 2.20.0.")
    print("# Made by tools/list_server_operations.py: an operation and its attributes a line.")
    for operation in sorted(known.op, key=lambda operation: operation.name):
        print(operation.name, *sorted(attribute.name for attribute in operation.attr))


if __name__ == "__main__":
    main()
