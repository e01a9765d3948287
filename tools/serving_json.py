"""TF Serving's JSON: requests from it, answers to it.

Reference: TF Serving, `g3doc/api_rest.md`.
"""

import base64
import json

import numpy as np
import tensorflow as tf
from served_model import RequestError, check_names, shown
from tensorflow_serving.apis import classification_pb2, input_pb2, predict_pb2, regression_pb2


def read_body(body: bytes) -> dict:
    """Reads a request. Bytes that are no UTF-8 reach the model as they are, as in TF Serving."""
    try:
        found = json.loads(body.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError) as error:
        raise RequestError(f"The body must be JSON. Received: what is none: {error}. Correct it.") from error
    if not isinstance(found, dict):
        raise RequestError(f'The body must be a JSON object. Received: {shown(found)}. Write {{"instances": ...}}.')
    if not isinstance(found.get("signature_name", ""), str):
        raise RequestError(f"The signature_name must be text. Received: {shown(found['signature_name'])}. Quote it.")
    return found


def read_predict(body: dict, signature, request: predict_pb2.PredictRequest) -> bool:
    """Fills a request for predict, and tells whether it is in rows ("instances") rather than in columns ("inputs").

    Args:
        body: dict, the request's JSON.
        signature: `SignatureDef`.
        request: `PredictRequest`, which gets the inputs.

    Returns:
        bool.
    """
    in_rows = "instances" in body
    if in_rows == ("inputs" in body):
        raise RequestError(
            'The body must hold "instances" or "inputs". Received: '
            f'{"both" if in_rows else "neither"}. Write {{"instances": [...]}}, a row for each.'
        )
    columns = _columns_of(body["instances"], signature) if in_rows else _named(body["inputs"], signature)
    check_names(signature, columns)
    for name, values in columns.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(_array_of(name, values, signature.inputs[name].dtype)))
    return in_rows


def read_examples(body: dict, given: input_pb2.Input) -> None:
    """Fills the input of a request for classify or regress."""
    examples = body.get("examples")
    if not isinstance(examples, list) or not examples:
        raise RequestError(
            f'The body must hold "examples", a list of objects. Received: {shown(examples)}. Write '
            '{"examples": [{"text": "..."}]}, for example.'
        )
    holder = given.example_list
    if "context" in body:
        holder = given.example_list_with_context
        _read_example(body["context"], holder.context)
    for example in examples:
        _read_example(example, holder.examples.add())


def write_predict(response: predict_pb2.PredictResponse, in_rows: bool) -> dict:
    """Lays the outputs out as they were asked for; a single one stands without its name."""
    outputs = {}
    for name, tensor in sorted(response.outputs.items()):
        outputs[name] = _values_of(tf.make_ndarray(tensor), is_bytes=name.endswith("_bytes"))
    if not in_rows:
        return {"outputs": next(iter(outputs.values())) if len(outputs) == 1 else outputs}
    sizes = {len(values) if isinstance(values, list) else None for values in outputs.values()}
    if len(sizes) != 1 or None in sizes:
        raise RequestError(
            "Outputs must have as many rows to be laid out in rows. Received: outputs that have not. "
            'Ask in columns: {"inputs": ...}.'
        )
    if len(outputs) == 1:
        return {"predictions": next(iter(outputs.values()))}
    return {"predictions": [dict(zip(outputs, row)) for row in zip(*outputs.values())]}


def write_classify(response: classification_pb2.ClassificationResponse) -> dict:
    """Lists label and score of each class, for each example."""
    rows = [row.classes for row in response.result.classifications]
    return {"results": [[[each.label, _shortest(each.score)] for each in row] for row in rows]}


def write_regress(response: regression_pb2.RegressionResponse) -> dict:
    """Lists the value of each example."""
    return {"results": [_shortest(each.value) for each in response.result.regressions]}


def _columns_of(rows, signature) -> dict:
    """From rows to columns; a row is an object, or the value of the only input."""
    if not isinstance(rows, list) or not rows:
        raise RequestError(f'"instances" must be a list of rows. Received: {shown(rows)}. Give at least one row.')
    rows = [_named(row, signature) for row in rows]
    for place, row in enumerate(rows):
        if set(row) != set(rows[0]):
            raise RequestError(
                f"All rows must have the same inputs. Received: {shown(sorted(row))} in row {place}. "
                f"Give each row {', '.join(sorted(signature.inputs))}."
            )
    return {name: [row[name] for row in rows] for name in rows[0]}


def _named(value, signature) -> dict:
    """Gives a value without a name that of the only input."""
    if isinstance(value, dict) and not _is_bytes(value):
        return value
    if len(signature.inputs) != 1:
        raise RequestError(
            f"Values must have names where there are several inputs. Received: {shown(value)}. "
            f"Write an object of {', '.join(sorted(signature.inputs))}."
        )
    return {next(iter(signature.inputs)): value}


def _array_of(name: str, values, dtype: int) -> np.ndarray:
    """Makes an array of nested lists, level by level: what is nested too deep must not end in a full stack."""
    dtype = tf.as_dtype(dtype)
    shape, values = [], [values]
    while values and isinstance(values[0], list) and len(shape) < 32:
        sizes = {len(value) if isinstance(value, list) else None for value in values}
        if len(sizes) > 1:
            raise RequestError(
                f"Input `{name}` must have rows of one length. Received: {shown(sizes)} (None: no list). Fill them up."
            )
        shape += sizes
        values = [value for inner in values for value in inner]
    if dtype == tf.string:
        values = [_bytes_of(value) if _is_bytes(value) else value for value in values]
    kinds = {"string": (str, bytes), "bool": bool}.get(dtype.name, (int, float) if dtype.is_floating else int)
    array = np.empty(len(values), dtype.as_numpy_dtype)
    try:
        for place, value in enumerate(values):
            if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
                raise TypeError
            array[place] = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    except (TypeError, ValueError, OverflowError) as error:
        raise RequestError(
            f"Input `{name}` must be of type {dtype.name}. Received: {shown(values[place])}. Convert it."
        ) from error
    return array.reshape(shape)


def _read_example(value, example) -> None:
    if not isinstance(value, dict):
        raise RequestError(f'An example must be an object. Received: {shown(value)}. Write {{"text": "..."}}.')
    for name, values in value.items():
        values = values if isinstance(values, list) else [values]
        values = [_bytes_of(each) if _is_bytes(each) else each for each in values]
        try:
            feature = example.features.feature[name]
            if all(isinstance(each, (str, bytes)) for each in values):
                texts = [each.encode("utf-8", "surrogateescape") if isinstance(each, str) else each for each in values]
                feature.bytes_list.value.extend(texts)
            elif all(isinstance(each, int) for each in values):
                feature.int64_list.value.extend(values)
            else:
                feature.float_list.value.extend(values)
        except (TypeError, ValueError, OverflowError) as error:
            raise RequestError(
                f"Feature {shown(name)} must hold texts, or integers, or floats. Received: {shown(values)}. Convert it."
            ) from error


def _is_bytes(value) -> bool:
    return isinstance(value, dict) and set(value) == {"b64"}


def _bytes_of(value: dict) -> bytes:
    try:
        return base64.b64decode(value["b64"], validate=True)
    except (TypeError, ValueError) as error:
        raise RequestError(f'"b64" must be base64. Received: {shown(value["b64"])}. Encode it.') from error


def _values_of(array: np.ndarray, is_bytes: bool):
    if array.dtype == object:
        encode = (lambda text: {"b64": base64.b64encode(text).decode()}) if is_bytes else _text_of
        array = np.frompyfunc(encode, 1, 1)(array) if array.size else array
        return array.tolist() if isinstance(array, np.ndarray) else array
    if array.dtype != np.float64 and tf.as_dtype(array.dtype).is_floating:
        return _shortest(array)
    return array.tolist()


def _text_of(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _shortest(values):
    """Gives the shortest decimals that are the same in float32, as TF Serving does: 0.2, not 0.20000000298."""
    return np.asarray(values, np.float32).astype("U").astype(np.float64).tolist()
