"""The subjects of benchmarks/resnet.py: ResNet50 as an embedding, each subject in a separate process.

    python benchmarks/resnet_subjects.py SUBJECT '{"size": 224, "batch": 32, "files": ["a.jpg", ...]}'

The first line of standard output is a JSON object with the time of the first batch, which includes tracing and
compilation. After that, each line of standard input is a request, so that the rounds of several subjects can be
interleaved. A number requests that many rounds; a round is one batch, or all files for subjects that decode files. The
answer is a JSON list: seconds per image in each round. The line ``peak`` requests the memory use.

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
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from benchmarks.processes import memory, say, serve
else:
    from processes import memory, say, serve

__all__ = ["NETWORKS", "PHOTOGRAPHS", "POOLINGS", "SUBJECTS", "Case"]


@dataclass(frozen=True)
class Case:
    """The input of a subject.

    Attributes:
        size: height and width of the images.
        batch: images per batch.
        files: image files; a multiple of the batch size.
    """

    size: int = 224
    batch: int = 32
    files: tuple[str, ...] = ()

    def images(self) -> NDArray[np.float32]:
        """A batch of noise. The values of the pixels do not change the time."""
        shape = (self.batch, self.size, self.size, 3)
        return np.random.default_rng(0).normal(0, 60, shape).astype(np.float32)


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
    model = Classifier(config, build(config, 200), [str(label) for label in range(200)])
    return partial(model.executed(Execution(runtime, precision)).embed, layer=layer)


def _prepared(case: Case) -> Iterator[NDArray[np.float32]]:
    from simtool.images.pipeline import stream
    from simtool.images.preprocessing import named_preprocessing

    recipe = named_preprocessing("caffe").adjusted(case.size)
    for batch in stream(case.files, [Path(file) for file in case.files], recipe, case.batch):
        yield batch.pixels


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
#: Subjects that start from files.
PHOTOGRAPHS: dict[str, Callable[[Case], Round]] = {
    "simtool photographs": simtool_photographs,
    "torchvision photographs": torchvision_photographs,
    "simtool files to vectors": simtool_embed,
}
SUBJECTS = {**NETWORKS, **PHOTOGRAPHS, **POOLINGS}


def timed(round_: Round) -> float:
    """Seconds per image."""
    started = time.perf_counter()
    count = round_()
    return (time.perf_counter() - started) / count


def main(subject: str, case: Case) -> None:
    warnings.simplefilter("ignore")
    round_ = SUBJECTS[subject](case)
    started = time.perf_counter()
    round_()
    say({"first_seconds": time.perf_counter() - started})
    serve(
        take=lambda rounds: [timed(round_) for _ in range(rounds)],
        peak=lambda: {"peak_bytes": memory("VmHWM")},
    )


if __name__ == "__main__":
    main(sys.argv[1], Case(**json.loads(sys.argv[2])))
