"""The subjects of benchmarks/resnet.py: ResNet50 as an embedding, each subject in a separate process.

    python benchmarks/resnet_subjects.py SUBJECT '{"size": 224, "batch": 32, "files": ["a.jpg", ...]}'

The first line of standard output is a JSON object with the time of the first batch, which includes tracing and
compilation. After that, each line of standard input is a request, so that the rounds of several subjects can be
interleaved. A number requests that many rounds; a round is one batch, all files for subjects that decode files, or one
epoch of a few batches for ``fit``. The answer is a JSON list: seconds per image in each round. The line ``peak``
requests the memory use.

The residual networks of PyTorch halve height and width one convolution later than He et al. (2016) and Keras, which
costs 6 % more multiplications. Here they halve at the same convolution as Keras.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from benchmarks.processes import fix_tf32, gpu_peak, memory, say, serve
    from benchmarks.training_step import LEARNING_RATE, simtool_step
else:
    from processes import fix_tf32, gpu_peak, memory, say, serve
    from training_step import LEARNING_RATE, simtool_step

__all__ = ["NETWORKS", "PHOTOGRAPHS", "POOLINGS", "SUBJECTS", "TRAININGS", "Case"]

#: Classes of the trained networks.
CLASSES = 200
#: Batches of an epoch of ``fit``.
EPOCH = 5


@dataclass(frozen=True)
class Case:
    """The input of a subject.

    Attributes:
        size: height and width of the images.
        batch: images per batch.
        files: image files; a multiple of the batch size.
        settings: of a training of simtool; ``precision`` alone for ``fit``, and ``xla`` alone for ``embed``.
        tf32: whether GPUs round float32 to TF32; None for the choice of the subject.
    """

    size: int = 224
    batch: int = 32
    files: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    tf32: bool | None = None

    def images(self) -> NDArray[np.float32]:
        """A batch of noise. The values of the pixels do not change the time."""
        shape = (self.batch, self.size, self.size, 3)
        return np.random.default_rng(0).normal(0, 60, shape).astype(np.float32)

    def examples(self) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        """A batch of noise as bytes, and its labels."""
        generator = np.random.default_rng(0)
        pixels = generator.integers(0, 256, (self.batch, self.size, self.size, 3), np.uint8)
        return pixels, generator.integers(0, CLASSES, self.batch, np.int32)


#: A function that embeds or preprocesses images and returns their number.
Round = Callable[[], int]


def simtool(case: Case, runtime: str = "tensorflow", precision: str = "float32", layer: str = "penultimate") -> Round:
    """simtool: the network as ``simtool embed`` calls it."""
    embed, images = _embedder(case, runtime, precision, layer), case.images()
    return lambda: len(embed(images))


def simtool_photographs(case: Case) -> Round:
    """simtool: decoding and preprocessing of files, without a network."""
    return lambda: sum(map(len, _prepared(case)))


def simtool_embed(case: Case) -> Round:
    """simtool: files to vectors. Decoding runs in parallel with the network."""
    embed = _embedder(case)
    return lambda: sum(len(embed(images)) for images in _prepared(case))


def _embedder(
    case: Case, runtime: str = "tensorflow", precision: str = "float32", layer: str = "penultimate"
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    from simtool.models.classifier.config import ClassifierConfig
    from simtool.models.classifier.model import Classifier
    from simtool.models.classifier.network import build
    from simtool.models.runtimes import Execution

    config = ClassifierConfig("ResNet50", size=case.size)
    model = Classifier(config, build(config, CLASSES), [str(label) for label in range(CLASSES)])
    execution = Execution(runtime, precision, case.settings.get("xla", False))
    return partial(model.executed(execution).embed, layer=layer)


def _prepared(case: Case) -> Iterator[NDArray[np.float32]]:
    from simtool.images.pipeline import stream
    from simtool.images.preprocessing import named_preprocessing

    recipe = named_preprocessing("caffe").adjusted(case.size)
    for batch in stream(case.files, [Path(file) for file in case.files], recipe, case.batch):
        yield batch.pixels


def simtool_training(case: Case) -> Round:
    """simtool: the step of ``simtool train-resnet`` with Adam and augmentation."""
    from simtool.training.devices import open_devices

    devices = open_devices()
    from simtool.models.classifier.config import ClassifierConfig
    from simtool.models.classifier.network import build
    from simtool.models.classifier.task import Classification
    from simtool.training.optimizer import layer_precision
    from simtool.training.settings import Settings

    settings = Settings(batch_size=case.batch).changed(**case.settings)
    config = ClassifierConfig("ResNet50", size=case.size)
    with devices.scope(), layer_precision(settings.precision):
        task = Classification(build(config, CLASSES), config)
    step = simtool_step(task, settings, devices, dict(zip(("image", "label"), case.examples(), strict=True)))

    def train() -> int:
        if not np.isfinite(step()):
            raise ArithmeticError("the loss is not finite")
        return case.batch

    return train


def keras_fit(case: Case) -> Round:
    """Keras: ``fit`` of its ResNet50 with Adam, on all GPUs. It uses XLA where Keras chooses to."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import tensorflow as tf
    from keras.applications import ResNet50

    policy = {"bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
    keras.config.set_dtype_policy(policy.get(case.settings.get("precision", ""), "float32"))
    several = len(tf.config.list_physical_devices("GPU")) > 1
    with (tf.distribute.MirroredStrategy() if several else tf.distribute.get_strategy()).scope():
        inputs = keras.Input((case.size, case.size, 3), dtype="uint8")
        network = ResNet50(weights=None, input_shape=(case.size, case.size, 3), classes=CLASSES)
        model = keras.Model(inputs, network(keras.layers.Rescaling(1 / 127.5, -1)(inputs)))
        model.compile(keras.optimizers.Adam(LEARNING_RATE), "sparse_categorical_crossentropy")
    batches = tf.data.Dataset.from_tensors(case.examples()).repeat(EPOCH).prefetch(tf.data.AUTOTUNE)

    def fit() -> int:
        model.fit(batches, verbose=0)
        return case.batch * EPOCH

    return fit


def keras(case: Case, compiled: bool) -> Round:
    """Keras: its ResNet50, by ``predict`` or in a ``tf.function``."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf
    from keras.applications import ResNet50

    network = ResNet50(weights=None, include_top=False, input_shape=(case.size, case.size, 3), pooling="avg")
    images = case.images()
    if not compiled:
        return lambda: len(network.predict(images, batch_size=case.batch, verbose=0))
    call = tf.function(lambda batch: network(batch, training=False))
    return lambda: len(call(images).numpy())


def openvino(case: Case, precision: str) -> Round:
    """OpenVINO: the ResNet50 of Keras from a file of OpenVINO, without Keras and TensorFlow in the process.

    Args:
        case: the input.
        precision: f32 or bf16.
    """
    from simtool.models.runtimes.openvino import load_openvino

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "resnet50.xml")
        converter = multiprocessing.get_context("spawn").Process(target=_convert, args=(case, file))
        converter.start()
        converter.join()
        core = load_openvino().Core()  # openvino, without its telemetry
        network = core.compile_model(core.read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": precision})
    images = case.images()
    return lambda: len(network(images)[0])


def _convert(case: Case, file: Path) -> None:
    """Write the ResNet50 of Keras for one size of batch as a file of OpenVINO."""
    import tensorflow as tf
    from keras.applications import ResNet50

    from simtool.models.runtimes.openvino import load_openvino

    network = ResNet50(weights=None, include_top=False, input_shape=(case.size, case.size, 3), pooling="avg")
    call = tf.function(lambda batch: network(batch, training=False), autograph=False)
    graph = call.get_concrete_function(tf.TensorSpec((case.batch, case.size, case.size, 3), tf.float32))
    openvino = load_openvino()
    openvino.save_model(openvino.convert_model(graph), file, compress_to_fp16=False)


def torch(case: Case, library: str, setting: str) -> Round:
    """PyTorch (torchvision or timm): ResNet50 in eval mode and inference mode, channels last.

    Args:
        case: the input.
        library: torchvision or timm.
        setting: ``eager``; ``traced``, frozen and optimized for inference; or ``compiled``, with frozen weights.
    """
    import torch

    if library == "timm":
        import timm

        network = timm.create_model("resnet50", num_classes=0)
    else:
        import torchvision

        network = torchvision.models.resnet50()
        network.fc = torch.nn.Identity()
    for stage in (network.layer2, network.layer3, network.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    network = network.eval().to(memory_format=torch.channels_last)
    images = torch.from_numpy(case.images()).permute(0, 3, 1, 2)  # the memory layout stays channels last
    if setting == "traced":
        with torch.no_grad():
            network = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(network, images)))
    elif setting == "compiled":
        import torch._inductor.config

        torch._inductor.config.freezing = True
        network = torch.compile(network)

    def embed() -> int:
        with torch.inference_mode():
            return len(network(images).numpy())

    return embed


def torchvision_photographs(case: Case) -> Round:
    """torchvision: its transforms (Pillow) in a ``DataLoader`` with one process per core."""
    from PIL import Image
    from torch.utils.data import DataLoader
    from torchvision import transforms

    prepare = transforms.Compose(
        [
            transforms.Resize(case.size),
            transforms.CenterCrop(case.size),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )

    class Photographs:
        def __len__(self) -> int:
            return len(case.files)

        def __getitem__(self, index: int) -> Any:
            return prepare(Image.open(case.files[index]).convert("RGB"))

    workers = len(os.sched_getaffinity(0))
    loader = DataLoader(Photographs(), case.batch, num_workers=workers, persistent_workers=True)
    return lambda: sum(map(len, loader))


#: Subjects that convert preprocessed images to vectors.
NETWORKS: dict[str, Callable[[Case], Round]] = {
    "simtool": simtool,
    "simtool, bfloat16": partial(simtool, precision="bfloat16"),
    "simtool, OpenVINO": partial(simtool, runtime="openvino"),
    "simtool, OpenVINO, bfloat16": partial(simtool, runtime="openvino", precision="bfloat16"),
    "OpenVINO": partial(openvino, precision="f32"),
    "OpenVINO, bfloat16": partial(openvino, precision="bf16"),
    "Keras predict": partial(keras, compiled=False),
    "Keras tf.function": partial(keras, compiled=True),
    **{
        f"{library} {setting}": partial(torch, library=library, setting=setting)
        for library in ("torchvision", "timm")
        for setting in ("eager", "traced", "compiled")
    },
}
#: Subjects of simtool that pool the map of a layer in different ways.
POOLINGS: dict[str, Callable[[Case], Round]] = {
    f"simtool {layer}": partial(simtool, layer=layer)
    for name in ("conv2_block3_out", "conv4_block6_out", "conv5_block3_out")
    for layer in (name, f"{name}:pool=mean+std,window=0.5")
}
#: Subjects that train.
TRAININGS: dict[str, Callable[[Case], Round]] = {"simtool training": simtool_training, "Keras fit": keras_fit}
#: Subjects that start from files.
PHOTOGRAPHS: dict[str, Callable[[Case], Round]] = {
    "simtool photographs": simtool_photographs,
    "torchvision photographs": torchvision_photographs,
    "simtool files to vectors": simtool_embed,
}
SUBJECTS = {**NETWORKS, **TRAININGS, **PHOTOGRAPHS, **POOLINGS}


def timed(round_: Round) -> float:
    """Seconds per image."""
    started = time.perf_counter()
    count = round_()
    return (time.perf_counter() - started) / count


def main(subject: str, case: Case) -> None:
    if case.tf32 is not None:
        fix_tf32(case.tf32)
    warnings.simplefilter("ignore")
    started = time.perf_counter()
    round_ = SUBJECTS[subject](case)
    built = time.perf_counter() - started
    started = time.perf_counter()
    round_()
    say({"build_seconds": built, "first_seconds": time.perf_counter() - started})
    serve(
        take=lambda rounds: [timed(round_) for _ in range(rounds)],
        peak=lambda: {"peak_bytes": memory("VmHWM"), "gpu_peak_bytes": gpu_peak()},
    )


if __name__ == "__main__":
    main(sys.argv[1], Case(**json.loads(sys.argv[2])))
