"""One step of an encoder over a dense batch, in each library that the benchmarks compare."""

import argparse

from benchmark_records import cores, need

VOCABULARY_SIZE = 30522
SIDE = 2048  # of the matrices whose product is the ceiling
MINILM = {"num_layers": 6, "num_heads": 12, "hidden_dim": 384, "intermediate_dim": 1536}


def sizes_of(args: argparse.Namespace) -> dict:
    """Gives the encoder's sizes: a name of `keras_bert.SIZES`, or all-MiniLM-L6-v2's."""
    import keras_bert

    return MINILM if args.size == "minilm" else keras_bert.SIZES[args.size]


def dense_inputs(args: argparse.Namespace) -> dict:
    """Makes a batch without padding: int32 arrays `(B, T)`."""
    import numpy as np

    shape = (args.batch, args.length)
    token_ids = np.random.default_rng(0).integers(1000, VOCABULARY_SIZE, shape, "int32")
    return {
        "token_ids": token_ids,
        "segment_ids": np.zeros(shape, "int32"),
        "padding_mask": np.ones(shape, "int32"),
    }


def keras_dtype(args: argparse.Namespace) -> str:
    """Names the precision as Keras does."""
    return "mixed_bfloat16" if args.precision == "bfloat16" else "float32"


def keras_bert_step(args: argparse.Namespace):
    """Gives a step of ours on TensorFlow."""
    import keras_bert

    encoder = keras_bert.BertEncoder(VOCABULARY_SIZE, **sizes_of(args), dtype=keras_dtype(args))
    return tensorflow_step(args, encoder, lambda v: keras_bert.training.adamw(v, 1e-5, global_clipnorm=None))


def keras_hub_step(args: argparse.Namespace):
    """Gives a step of KerasHub's."""
    keras_hub = need("keras_hub")
    import keras

    encoder = keras_hub.models.BertBackbone(
        VOCABULARY_SIZE,
        **sizes_of(args),
        dropout=0.1,
        max_sequence_length=512,
        num_segments=2,
        dtype=keras_dtype(args),
    )
    return tensorflow_step(args, encoder, lambda variables: keras.optimizers.AdamW(1e-5))


def tensorflow_step(args: argparse.Namespace, encoder, make_optimizer):
    """Compiles a step of a Keras model by `tf.function`."""
    import tensorflow as tf

    inputs = {name: tf.constant(array) for name, array in dense_inputs(args).items()}
    if args.mode == "inference":
        infer = tf.function(lambda x: encoder(x, training=False)["sequence_output"], autograph=False)
        return lambda: infer(inputs).numpy()
    # The pooler is not in the loss; transformers' encoder is built without it.
    variables = [v for v in encoder.trainable_variables if "pooled" not in v.path and "pooler" not in v.path]
    optimizer = make_optimizer(variables)
    optimizer.build(variables)

    @tf.function(autograph=False)
    def train(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.cast(encoder(x, training=True)["sequence_output"], tf.float32) ** 2)
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
        return loss

    return lambda: train(inputs).numpy()


def jax_step(args: argparse.Namespace):
    """Compiles a step of ours by `jax.jit`."""
    jax = need("jax")
    import keras
    from keras import ops

    import keras_bert

    encoder = keras_bert.BertEncoder(VOCABULARY_SIZE, **sizes_of(args), dtype=keras_dtype(args))
    inputs = {name: ops.convert_to_tensor(array) for name, array in dense_inputs(args).items()}
    weights = [v.value for v in encoder.trainable_variables]
    others = [v.value for v in encoder.non_trainable_variables]

    def forward(weights, others, x, training):
        outputs, others = encoder.stateless_call(weights, others, x, training=training)
        return outputs["sequence_output"], others

    if args.mode == "inference":
        infer = jax.jit(lambda x: forward(weights, others, x, False)[0])
        return lambda: infer(inputs).block_until_ready()
    optimizer = keras.optimizers.AdamW(1e-5)
    optimizer.build(encoder.trainable_variables)

    def loss(weights, others, x):
        output, others = forward(weights, others, x, True)
        return ops.mean(ops.cast(output, "float32") ** 2), others

    def train(weights, others, state, x):
        (value, others), gradients = jax.value_and_grad(loss, has_aux=True)(weights, others, x)
        weights, state = optimizer.stateless_apply(state, gradients, weights)
        return value, (weights, others, state)

    train = jax.jit(train, donate_argnums=(0, 1, 2))
    kept = [(weights, others, [v.value for v in optimizer.variables])]

    def step():
        value, kept[0] = train(*kept[0], inputs)
        jax.block_until_ready((value, kept[0]))

    return step


def torch_step(args: argparse.Namespace):
    """Gives a step of transformers'."""
    torch, transformers = need("torch"), need("transformers")
    torch.set_num_threads(cores())
    sizes = sizes_of(args)
    config = transformers.BertConfig(
        vocab_size=VOCABULARY_SIZE,
        num_hidden_layers=sizes["num_layers"],
        num_attention_heads=sizes["num_heads"],
        hidden_size=sizes["hidden_dim"],
        intermediate_size=sizes["intermediate_dim"],
    )
    encoder = transformers.BertModel(config, add_pooling_layer=False).train(args.mode == "training")
    names = {"token_ids": "input_ids", "segment_ids": "token_type_ids", "padding_mask": "attention_mask"}
    inputs = {names[name]: torch.from_numpy(array).long() for name, array in dense_inputs(args).items()}
    optimizer = torch.optim.AdamW(encoder.parameters(), 1e-5)

    def forward():
        with torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "bfloat16"):
            return encoder(**inputs).last_hidden_state

    def infer():
        with torch.inference_mode():
            forward()

    def train():
        forward().float().square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    return infer if args.mode == "inference" else train


def arithmetic(args: argparse.Namespace) -> float:
    """Counts the floating-point operations of a training step: three times those of its products forward."""
    sizes = sizes_of(args)
    hidden, places = sizes["hidden_dim"], args.batch * args.length
    dense = 2 * places * (4 * hidden**2 + 2 * hidden * sizes["intermediate_dim"])
    attention = 4 * places * args.length * hidden
    return 3.0 * sizes["num_layers"] * (dense + attention)


def matmul_step(args: argparse.Namespace):
    """Gives a product of two square matrices, `2 * SIDE ** 3` operations: what no step goes beyond."""
    import tensorflow as tf

    x = tf.cast(tf.random.normal((SIDE, SIDE)), args.precision)
    product = tf.function(lambda: tf.matmul(x, x)[0, 0], autograph=False)
    return lambda: product().numpy()
