"""A flow on Keras's JAX backend: its values and gradients beside those of TensorFlow, and the time of a training step.

    python benchmarks/flow_on_jax.py reference flow.npz --preset small     # TensorFlow on the processor
    python benchmarks/flow_on_jax.py compare flow.npz --json jax.json      # JAX, on a GPU or on the processor

The first command runs in the environment of simtool. It writes the weights of a flow, images, and TensorFlow's values
of them in float64. The second command needs no TensorFlow, but the folders ``benchmarks`` and ``simtool`` and these
packages::

    pip install keras 'jax[cuda12]' numpy scipy threadpoolctl

``--model FOLDER`` takes a trained flow. Without it, the weights follow from ``--seed``. They are those of an untrained
flow whose last layers are random, so that every coupling changes its input. JAX computes float32 without TF32, except
in the rows with this name. A step is the gradient of the mean code length, and Adam.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

MODES = ("plain", "recompute", "reversible")
#: Deviation of the random weights of last layers.
DEVIATION = 0.02
#: The names of arrays in the file start with one of these.
WEIGHTS, FOUND = "weights/", "found/"
#: Steps that are measured at most, after one that compiles.
MOST_STEPS = 50


def reference(file: Path, preset: str, model: Path | None, seed: int, images: int) -> None:
    """Write a flow, images, and the values of TensorFlow on the processor in float64."""
    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")
    if model is not None:
        from simtool.models.registry import load_model

        flow: Any = load_model(model).flow  # type: ignore[attr-defined]
    else:
        flow = untrained(preset, seed)
    x = noise(flow.config, images, seed)
    kept = {name: np.array(value) for name, value in flow.to_arrays()}
    exact = type(flow).from_arrays(flow.config, iter(kept.items()), "float64")
    found = of_tensorflow(exact, x, "plain")
    errors = {mode: errors_of(of_tensorflow(flow, x, mode), found, flow.config) for mode in MODES}
    header = {
        "kind": type(flow).__name__,
        "config": flow.config.to_json(),
        "tensorflow": tf.__version__,
        "errors of float32": errors,
        "inverse errors": {"float64": inverse_error(exact, x), **inverse_errors(flow, x)},
    }
    arrays = {"x": x, **{WEIGHTS + name: value for name, value in kept.items()}}
    arrays |= {FOUND + name: value for name, value in found.items()}
    np.savez(file, header=np.array(json.dumps(header)), **arrays)  # type: ignore[arg-type]
    print_errors([("TensorFlow", f"float32, {mode}", error) for mode, error in errors.items()])
    print_inverse("TensorFlow", header["inverse errors"])


def untrained(preset: str, seed: int) -> Any:
    """A flow of a preset of ``train-glow``, or of ``train-jet`` for ``jet-`` and its name, with random last layers."""
    from simtool.models.flows.glow import presets as glow
    from simtool.models.flows.glow.flow import GlowFlow
    from simtool.models.flows.jet import presets as jet
    from simtool.models.flows.jet.flow import JetFlow

    flow: Any
    if preset.startswith("jet-"):
        flow = JetFlow(jet.PRESETS[preset.removeprefix("jet-")].flow, seed)
    else:
        flow = GlowFlow(glow.PRESETS[preset].flow, seed)
    random = np.random.default_rng(seed)
    for name, variable in flow.variables.items():
        if name.endswith("/kernel") and not np.any(variable.numpy()):
            variable.assign(DEVIATION * random.standard_normal(variable.shape))
    flow.initialize([noise(flow.config, max(64, flow.config.least_initial_images), seed + 1)])
    return flow


def noise(config: Any, count: int, seed: int) -> NDArray[np.float32]:
    """Images (count, size, size, 3) from -1/2 to 1/2, in which neighboring pixels correlate."""
    size = config.size
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    spectrum = np.random.default_rng(seed).standard_normal((2, count, config.channels, *frequency.shape))
    waves = (spectrum[0] + 1j * spectrum[1]) / np.maximum(frequency, 1 / size)
    images = np.moveaxis(np.fft.irfft2(waves, s=(size, size)), 1, -1)
    scaled: NDArray[np.float32] = np.clip(images / images.std() / 4, -0.5, 0.4999).astype(np.float32)
    return scaled


def code_length(flow: Any, x: Any, mode: str, weights: Any) -> tuple[Any, Any]:
    """The mean code length in bits per dimension, and the encoding."""
    from simtool.models.flows.dequantization import bits_per_dim

    encoding = flow.encode(x, mode=mode, weights=weights)
    bits = bits_per_dim(encoding.log_prob, flow.config.dimension, flow.config.bits)
    return sum(bits[index] for index in range(len(x))) / len(x), encoding


def of_tensorflow(flow: Any, x: NDArray[np.float32], mode: str) -> Arrays:
    """The values of TensorFlow, by name."""
    import tensorflow as tf

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def compute() -> Any:
        weights = {name: tf.convert_to_tensor(variable.value) for name, variable in flow.variables.items()}
        with tf.GradientTape() as tape:
            tape.watch(weights)
            loss, encoding = code_length(flow, x, mode, weights)
        return encoding, tape.gradient(loss, weights)

    return named(*compute())


def of_jax(flow: Any, x: NDArray[np.float32], mode: str) -> Arrays:
    """The values of JAX, by name."""
    import jax

    def loss(weights: Any) -> Any:
        return code_length(flow, x, mode, weights)

    (_, encoding), gradients = jax.jit(jax.value_and_grad(loss, has_aux=True))(weights_of(flow))
    return named(encoding, gradients)


def named(encoding: Any, gradients: Mapping[str, Any]) -> Arrays:
    """Log-densities, log-determinants, latents and gradients as arrays."""
    latents = {f"latents/{number}": scale for number, scale in enumerate(encoding.standardized, 1)}
    found = {"log_prob": encoding.log_prob, "log_det": encoding.log_det, **latents}
    found |= {f"gradient/{name}": gradient for name, gradient in gradients.items()}
    return {name: np.asarray(value) for name, value in found.items()}


def errors_of(found: Arrays, exact: Arrays, config: Any) -> dict[str, float]:
    """The largest errors of forward values, and the errors of gradients relative to their norm."""
    differences = {name: found[name].astype(np.float64) - value for name, value in exact.items()}
    gradients = [name for name in exact if name.startswith("gradient/")]
    norm, of_exact = (
        np.sqrt(sum(np.square(values[name]).sum() for name in gradients)) for values in (differences, exact)
    )
    return {
        "log_prob": float(np.abs(differences["log_prob"]).max() / config.dimension),
        "log_det": float(np.abs(differences["log_det"]).max() / config.dimension),
        "latents": max(float(np.abs(values).max()) for name, values in differences.items() if "latents/" in name),
        "gradients": float(norm / of_exact),
    }


def inverse_error(flow: Any, x: NDArray[np.float32], weights: Any = None) -> float:
    """The largest difference of an image and the image of its latents."""
    from keras import ops

    dtype = next(iter(flow.variables.values())).dtype
    latents = [ops.cast(scale, dtype) for scale in flow.encode(x, weights=weights).standardized]
    back = ops.convert_to_numpy(flow.decode(latents, weights=weights))
    return float(np.abs(back.astype(np.float64) - x).max())


def inverse_errors(flow: Any, x: NDArray[np.float32]) -> dict[str, float]:
    """In float32, and with linear maps in float64, as ``embed`` and ``sample`` compute."""
    return {"float32": inverse_error(flow, x), "float32, precise": inverse_error(flow, x, flow.precise_weights())}


def weights_of(flow: Any) -> dict[str, Any]:
    """The weights as arrays of JAX."""
    return {name: variable.value for name, variable in flow.variables.items()}


def compare(file: Path, batch: int, seconds: float, json_file: Path | None) -> None:
    """Compare JAX with the file, and measure steps."""
    os.environ.update(KERAS_BACKEND="jax", JAX_ENABLE_X64="1")
    import jax
    import keras

    with np.load(file) as archive:
        arrays = {name: archive[name] for name in archive.files}
    header, x = json.loads(str(arrays["header"])), arrays["x"]
    exact = {name.removeprefix(FOUND): value for name, value in arrays.items() if name.startswith(FOUND)}
    weights = {name.removeprefix(WEIGHTS): value for name, value in arrays.items() if name.startswith(WEIGHTS)}
    device = jax.devices()[0]
    facts = {
        "device": device.device_kind,
        "platform": device.platform,
        "cores": os.cpu_count(),
        "versions": {"jax": jax.__version__, "keras": keras.__version__, "python": sys.version.split()[0]},
        "flow": {"kind": header["kind"], **header["config"]},
    }
    say(json.dumps(facts, indent=1))
    on_gpu = device.platform == "gpu"
    errors: list[tuple[str, str, dict[str, float]]] = []
    inverse: dict[str, float] = {}
    times: list[dict[str, Any]] = []
    for name, precision, rounding in precisions(on_gpu):
        flow = flow_of(header, weights, precision)
        with jax.default_matmul_precision(rounding):
            for mode in MODES:
                errors.append((name, mode, errors_of(of_jax(flow, x, mode), exact, flow.config)))
            inverse |= {name: inverse_error(flow, x)}
            if name == "float32":
                inverse |= inverse_errors(flow, x)
    print_errors(
        [("TensorFlow", f"float32, {mode}", error) for mode, error in header["errors of float32"].items()]
        + [("JAX", f"{name}, {mode}", error) for name, mode, error in errors]
    )
    print_inverse("TensorFlow", header["inverse errors"])
    print_inverse("JAX", inverse)
    for name, precision, rounding in precisions(on_gpu):
        if name != "float64" and batch:
            with jax.default_matmul_precision(rounding):
                for row in timed_rows(flow_of(header, weights, precision), name, batch, x, seconds):
                    times.append(row)
                    print_time(row)
    if json_file:
        found = {"facts": facts, "tensorflow": header, "errors": errors, "inverse errors": inverse, "times": times}
        json_file.write_text(json.dumps(found, indent=1) + "\n")


def precisions(on_gpu: bool) -> Iterator[tuple[str, str, str]]:
    """Names, the type of the networks (float64: of everything), and the precision of products."""
    yield "float64", "float64", "highest"
    yield "float32", "float32", "highest"
    if on_gpu:
        yield "TF32", "float32", "tensorfloat32"
    yield "bfloat16 networks", "bfloat16", "highest"


def flow_of(header: Mapping[str, Any], weights: Arrays, precision: str) -> Any:
    """The flow of the file in a precision."""
    from simtool.models.flows.glow.config import GlowConfig
    from simtool.models.flows.glow.flow import GlowFlow
    from simtool.models.flows.jet.config import JetConfig
    from simtool.models.flows.jet.flow import JetFlow

    kinds: dict[str, tuple[Any, Any]] = {"GlowFlow": (GlowFlow, GlowConfig), "JetFlow": (JetFlow, JetConfig)}
    kind, config = kinds[header["kind"]]
    shape = config.from_json(header["config"])
    if precision == "float64":
        return kind.from_arrays(shape, iter(weights.items()), "float64")
    return kind.from_arrays(replace(shape, compute_dtype=precision), iter(weights.items()))


def timed_rows(flow: Any, name: str, batch: int, x: NDArray[np.float32], seconds: float) -> Iterator[dict[str, Any]]:
    """The times of a training step in each mode, of the forward pass and of the inverse."""
    import jax

    images = jax.device_put(np.resize(x, (batch, *x.shape[1:])))
    weights = weights_of(flow)
    for mode in MODES:
        # A copy: a step overwrites the weights that it gets.
        own = jax.tree.map(lambda value: value.copy(), weights)
        zeros = [jax.tree.map(lambda value: value * 0, weights) for _ in range(2)]
        step, state = adam_step(flow, mode), [(own, *zeros, 0)]

        def train(step: Any = step, state: Any = state) -> Any:
            loss, state[0] = step(state[0], images)
            return loss

        yield {"precision": name, "what": f"step, {mode}", **measured(train, batch, seconds)}
    encode = jax.jit(lambda weights, x: flow.encode(x, weights=weights).standardized)
    decode = jax.jit(lambda weights, latents: flow.decode(latents, weights=weights))
    latents = encode(weights, images)
    yield {"precision": name, "what": "forward", **measured(lambda: encode(weights, images), batch, seconds)}
    yield {"precision": name, "what": "inverse", **measured(lambda: decode(weights, latents), batch, seconds)}


def adam_step(flow: Any, mode: str, rate: float = 1e-5) -> Any:
    """From weights, moments and count, and images, to the loss and all of them after a step (Kingma & Ba, 2015)."""
    import jax
    import jax.numpy as jnp

    def step(state: Any, x: Any) -> Any:
        weights, first, second, count = state
        loss, gradients = jax.value_and_grad(lambda weights: code_length(flow, x, mode, weights)[0])(weights)
        count = count + 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
        size = rate * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        weights = jax.tree.map(
            lambda w, m, v: w - (size * m / (jnp.sqrt(v) + 1e-7)).astype(w.dtype), weights, first, second
        )
        return loss, (weights, first, second, count)

    return jax.jit(step, donate_argnums=0)


def measured(run: Callable[[], Any], batch: int, seconds: float) -> dict[str, Any]:
    """Time of the first call, and median and spread of the next calls, which take about so many seconds."""
    import jax

    times: list[float] = []
    started = time.perf_counter()
    while len(times) < 3 or (len(times) <= MOST_STEPS and time.perf_counter() - started < times[0] + seconds):
        before = time.perf_counter()
        jax.block_until_ready(run())
        times.append(time.perf_counter() - before)
    first, _, third = statistics.quantiles(times[1:], n=4)
    median = statistics.median(times[1:])
    memory = jax.devices()[0].memory_stats() or {}
    return {
        "batch": batch,
        "first_seconds": times[0],
        "step_seconds": median,
        "spread": (third - first) / median,
        "steps": len(times) - 1,
        "images_per_second": batch / median,
        "peak_bytes_so_far": memory.get("peak_bytes_in_use"),
    }


def print_errors(rows: list[tuple[str, str, Mapping[str, float]]]) -> None:
    """Errors relative to TensorFlow in float64, one line each."""
    say(f"{'errors':40}  nats/dim  log_det/dim   latents  gradients")
    for library, name, error in rows:
        values = "".join(f"{error[key]:11.1e}" for key in ("log_prob", "log_det", "latents", "gradients"))
        say(f"{library + ', ' + name:38}{values}")


def print_inverse(library: str, errors: Mapping[str, float]) -> None:
    """The largest errors of the inverse, in one line."""
    say(f"{library}, inverse errors: " + "; ".join(f"{name} {error:.1e}" for name, error in errors.items()))


def print_time(row: Mapping[str, Any]) -> None:
    """The times of one row."""
    say(
        f"{row['precision']:18} {row['what']:17} {row['step_seconds'] * 1e3:9.1f} ms ({row['spread']:4.0%})"
        f" {row['images_per_second']:9,.1f} images/s, first call {row['first_seconds']:.1f} s"
    )


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True, dest="command")
    first = commands.add_parser("reference", help="write weights, images and the values of TensorFlow")
    first.add_argument("file", type=Path)
    first.add_argument("--preset", default="small", help="of train-glow, or jet- and one of train-jet")
    first.add_argument("--model", type=Path, help="a trained flow")
    first.add_argument("--seed", type=int, default=0)
    first.add_argument("--images", type=int, default=8)
    second = commands.add_parser("compare", help="compare JAX with them, and measure steps")
    second.add_argument("file", type=Path)
    second.add_argument("--batch", type=int, default=32, help="images of a step; 0 to measure no times")
    second.add_argument("--seconds", type=float, default=3.0, help="for each time")
    second.add_argument("--json", type=Path, dest="json_file")
    arguments = vars(parser.parse_args())
    run: Callable[..., None] = reference if arguments.pop("command") == "reference" else compare
    run(**arguments)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
