"""The network is a Vision Transformer, as in a slow plain reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.tensorflow import load_tensorflow
from tests.models.flows.jet.flows import config_of

tf = load_tensorflow()

from simtool.models.flows.jet import network  # noqa: E402 - Keras after TensorFlow
from simtool.models.flows.jet.config import JetConfig  # noqa: E402

Array = NDArray[np.float64]
CONFIG = config_of(size=4, patch=2, width=6, depth=2, heads=3)  # 4 tokens of 6 values


def weights_of(config: JetConfig, amount: float = 0.3) -> dict[str, Array]:
    random = np.random.default_rng(0)
    return {n: v + amount * random.standard_normal(v.shape) for n, v in network.initial(config, random).items()}


def normalized(x: Array, scale: Array, bias: Array) -> Array:
    rows = [(row - row.mean()) / np.sqrt(row.var() + 1e-6) for row in x]
    return np.array(rows) * scale + bias


def reference(weights: Mapping[str, Array], x: Array, config: JetConfig) -> Array:
    """The output for one image (tokens, values), token by token and head by head."""

    def of(name: str) -> Array:
        return weights[f"coupling/{name}"]

    width, of_head = config.width, config.width // config.heads
    tokens = np.array([value @ of("first/kernel") + of("first/bias") for value in x]) + of("places")
    for block in ("block-1", "block-2"):
        attention, mlp = f"{block}/attention", f"{block}/mlp"
        inside = normalized(tokens, of(f"{attention}/norm/scale"), of(f"{attention}/norm/bias"))
        projected = inside @ of(f"{attention}/inner/kernel") + of(f"{attention}/inner/bias")
        query, key, value = (projected[:, part * width : (part + 1) * width] for part in range(3))
        seen = np.zeros_like(tokens)
        for head in range(config.heads):
            own = slice(head * of_head, (head + 1) * of_head)
            for i in range(len(tokens)):
                odds = np.exp([query[i, own] @ key[j, own] / np.sqrt(of_head) for j in range(len(tokens))])
                seen[i, own] = (odds / odds.sum()) @ value[:, own]
        tokens = tokens + seen @ of(f"{attention}/outer/kernel") + of(f"{attention}/outer/bias")
        inside = normalized(tokens, of(f"{mlp}/norm/scale"), of(f"{mlp}/norm/bias"))
        inside = inside @ of(f"{mlp}/inner/kernel") + of(f"{mlp}/inner/bias")
        inside = inside / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (inside + 0.044715 * inside**3)))
        tokens = tokens + inside @ of(f"{mlp}/outer/kernel") + of(f"{mlp}/outer/bias")
    return normalized(tokens, of("norm/scale"), of("norm/bias")) @ of("last/kernel") + of("last/bias")


def applied(weights: Mapping[str, Array], x: Array, dtype: str, config: JetConfig = CONFIG) -> Any:
    tensors = {name: tf.constant(value, dtype) for name, value in weights.items()}
    return network.output(tensors, network.hidden(tensors, x, config))


def images(count: int = 3) -> Array:
    return np.random.default_rng(1).standard_normal((count, 4, 6))


def test_it_computes_what_the_reference_computes() -> None:
    weights, x = weights_of(CONFIG), images()
    expected = np.array([reference(weights, image, CONFIG) for image in x])
    # TensorFlow's GELU takes its coefficient with the digits of float32.
    np.testing.assert_allclose(applied(weights, x, "float64"), expected, atol=1e-7)
    np.testing.assert_allclose(applied(weights, x, "float32"), expected, rtol=1e-3, atol=1e-5)


def test_an_untrained_network_gives_zeros() -> None:
    weights = network.initial(CONFIG, np.random.default_rng(0))
    assert not applied(weights, images(), "float32").numpy().any()
    assert {name: value.shape for name, value in weights.items()} == network.shapes(CONFIG)


def test_untrained_kernels_keep_the_size_of_activations() -> None:
    config = config_of(width=128, heads=4, depth=1)
    weights = network.initial(config, np.random.default_rng(0))
    for name in ("places", "block-1/attention/inner/kernel", "block-1/attention/outer/kernel"):
        assert 0.9 < weights[f"coupling/{name}"].var() * 128 < 1.1
    assert 0.9 < weights["coupling/block-1/mlp/inner/kernel"].var() * (128 + 512) / 2 < 1.1


def test_with_fewer_digits_it_computes_nearly_the_same() -> None:
    weights, x = weights_of(CONFIG), images()
    half = config_of(size=4, patch=2, width=6, depth=2, heads=3, compute_dtype="bfloat16")
    found, expected = applied(weights, x, "float32", half), applied(weights, x, "float32")
    assert found.dtype == tf.float32
    assert 0 < np.abs(found - expected).max() < 0.1 * np.abs(expected).max()
