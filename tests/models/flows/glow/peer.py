"""The Glow of TensorFlow Probability with random weights, in a separate process because it needs another Keras.

    TF_USE_LEGACY_KERAS=1 python peer.py SIZE LEVELS STEPS WIDTH COUPLING FILE

FILE is a .npz of its weights and constants under our names, of images with their latents and log-densities, and of
latents with their images.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras
from numpy.typing import NDArray

tfb, tfd = tfp.bijectors, tfp.distributions


def shifting_network(input_shape: tuple[int, ...], width: int) -> Any:
    """The default network with as many outputs as inputs, which makes the coupling additive."""
    convolution = partial(tf_keras.layers.Conv2D, padding="same")
    return tf_keras.Sequential(
        [
            tf_keras.layers.Input(input_shape),
            convolution(width, 3, activation="relu"),
            convolution(width, 1, activation="relu"),
            convolution(input_shape[-1], 3),
        ]
    )


def build(size: int, levels: int, steps: int, width: int, coupling: str) -> Any:
    affine = partial(tfb.GlowDefaultNetwork, num_hidden=width)
    return tfb.Glow(
        (size, size, 3),
        levels,
        steps,
        coupling_bijector_fn=affine if coupling == "affine" else partial(shifting_network, width=width),
        exit_bijector_fn=tfb.GlowDefaultExitNetwork,
        seed=1,
    )


def scramble(glow: Any, images: NDArray[np.float32], random: np.random.Generator) -> None:
    """Initialise actnorm from images, then move every weight; scales of the split priors, exp(h + 2), to about 1."""
    glow.inverse(tf.constant(images))
    for exit_layer in (part.bijector.exit_layer for part in glow.bijectors if hasattr(part, "bijector")):
        if exit_layer is not None:
            kernel, bias = exit_layer.get_weights()
            exit_layer.set_weights([kernel, bias - 2.0 * (np.arange(len(bias)) < len(bias) // 2)])
    for variable in glow.trainable_variables:
        value = variable.numpy()
        by = 0.3 / np.sqrt(np.prod(value.shape[:-1])) if value.ndim == 4 else 0.1 / value.shape[-1] ** (value.ndim - 1)
        variable.assign(value + by * random.standard_normal(value.shape))


def step_weights(actnorm: Any, convolution: Any, coupling: Any) -> dict[str, NDArray[Any]]:
    """The weights of one step, by the names of simtool."""
    linear, layers = convolution.bijector._bijector, coupling.coupling_bijector_layer.layers
    factors, order = linear.lower_upper.numpy(), linear.permutation.numpy()
    diagonal = np.diag(factors)
    found = {
        "actnorm/bias": actnorm._m.numpy(),
        "actnorm/log_scale": np.log(actnorm._s.numpy()),
        "convolution/factors": factors - np.diag(diagonal) + np.diag(np.log(np.abs(diagonal))),
        "convolution/sign": np.sign(diagonal),
        # Row i of L U is row order[i] of the matrix.
        "convolution/permutation": np.eye(len(order), dtype=np.float32)[:, order],
    }
    for name, layer in zip(("first", "middle", "last"), layers, strict=True):
        kernel, bias = layer.get_weights()
        found |= {
            f"coupling/{name}/kernel": kernel[0, 0] if name == "middle" else kernel,
            f"coupling/{name}/bias": bias,
        }
    return found


def weights(glow: Any, levels: int, steps: int) -> dict[str, NDArray[Any]]:
    """All weights by the names of simtool. A level is an expansion, a block of steps, and a split (not the deepest)."""
    found: dict[str, NDArray[Any]] = {}
    for number in range(1, levels + 1):
        _, block, leave = glow.bijectors[3 * number - 3 : 3 * number]
        block = block if number == 1 else block.bijectors[0]
        own = [step_weights(*block.bijectors[3 * k : 3 * k + 3]) for k in range(steps)]
        found |= {f"level-{number}/{name}": np.stack([one[name] for one in own]) for name in own[0]}
        if number < levels:
            kernel, bias = leave.bijector.exit_layer.layers[-1].get_weights()
            found |= {f"level-{number}/prior/kernel": kernel, f"level-{number}/prior/bias": bias}
    return found


def main(size: int, levels: int, steps: int, width: int, coupling: str, file: Path) -> None:
    tf_keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    images = random.uniform(-0.5, 0.5, (4, size, size, 3)).astype(np.float32)
    images[1] *= 0.1
    glow = build(size, levels, steps, width, coupling)
    scramble(glow, images, random)
    latents = random.standard_normal((3, images[0].size)).astype(np.float32)
    density = tfd.TransformedDistribution(tfd.Sample(tfd.Normal(0.0, 1.0), images[0].size), glow)
    values = {
        "parameters": np.array(sum(int(tf.size(variable)) for variable in glow.trainable_variables)),
        "images": images,
        "latents_of_images": glow.inverse(tf.constant(images)).numpy(),
        "log_prob_of_images": density.log_prob(tf.constant(images)).numpy(),
        "latents": latents,
        "images_of_latents": glow.forward(tf.constant(latents)).numpy(),
    }
    values |= {f"weights/{name}": value for name, value in weights(glow, levels, steps).items()}
    np.savez(file, allow_pickle=False, **values)


if __name__ == "__main__":
    size, levels, steps, width = map(int, sys.argv[1:5])
    main(size, levels, steps, width, sys.argv[5], Path(sys.argv[6]))
