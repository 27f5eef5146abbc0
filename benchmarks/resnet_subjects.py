"""What benchmarks/resnet.py measures: ResNet50 as an embedding, each subject in a process of its own.

    python benchmarks/resnet_subjects.py SUBJECT '{"size": 224, "batch": 32, "files": ["a.jpg", ...]}'

The first line of standard output, a JSON object, says how long the first batch took, which traces or compiles what
there is to compile. After that every line of standard input with a number asks for so many rounds, a batch or, of those
subjects that begin with files, all of them; the seconds for a photograph in each are answered as a JSON list. So the
subjects' rounds can be interleaved. The line ``peak`` asks for the memory.

The residual networks of PyTorch halve height and width one convolution later than He et al. (2016) and Keras do, which
costs 6 % more multiplications. Here, they do it where Keras does.
"""

from __future__ import annotations

import json
import os
import sys
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

__all__ = ["NETWORKS", "PHOTOGRAPHS", "SUBJECTS", "Case"]


@dataclass(frozen=True)
class Case:
    """What to embed.

    Attributes:
        size: height and width of the photographs.
        batch: photographs in a batch.
        files: of photographs, whole batches of them.
    """

    size: int = 224
    batch: int = 32
    files: tuple[str, ...] = ()

    def images(self) -> NDArray[np.float32]:
        """A batch of noise: what is in the pixels does not change how long they take."""
        shape = (self.batch, self.size, self.size, 3)
        return np.random.default_rng(0).normal(0, 60, shape).astype(np.float32)


#: Embeds or prepares photographs, and says how many.
Round = Callable[[], int]


def simtool(case: Case) -> Round:
    """Ours, as ``simtool embed`` calls it."""
    embed, images = _embedder(case), case.images()
    return lambda: len(embed(images))


def simtool_photographs(case: Case) -> Round:
    """Files decoded and prepared, without a network."""
    return lambda: sum(map(len, _prepared(case)))


def simtool_embed(case: Case) -> Round:
    """Both: from files to vectors, decoding while the network is at work."""
    embed = _embedder(case)
    return lambda: sum(len(embed(images)) for images in _prepared(case))


def _embedder(case: Case) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    from simtool.models.classifier.config import ClassifierConfig
    from simtool.models.classifier.model import Classifier
    from simtool.models.classifier.network import build

    config = ClassifierConfig("ResNet50", size=case.size)
    return Classifier(config, build(config, 200), [str(label) for label in range(200)]).embed


def _prepared(case: Case) -> Iterator[NDArray[np.float32]]:
    from simtool.images.pipeline import stream
    from simtool.images.preprocessing import named_preprocessing

    recipe = named_preprocessing("caffe").adjusted(case.size)
    for batch in stream(case.files, [Path(file) for file in case.files], recipe, case.batch):
        yield batch.pixels


def keras(case: Case, compiled: bool) -> Round:
    """Its own ResNet50: ``predict``, or called inside a ``tf.function``."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf
    from keras.applications import ResNet50

    network = ResNet50(weights=None, include_top=False, input_shape=(case.size, case.size, 3), pooling="avg")
    images = case.images()
    if not compiled:
        return lambda: len(network.predict(images, batch_size=case.batch, verbose=0))
    call = tf.function(lambda batch: network(batch, training=False))
    return lambda: len(call(images).numpy())


def torch(case: Case, library: str, setting: str) -> Round:
    """The ResNet50 of torchvision or timm, in eval mode and inference mode, channels last.

    Args:
        case: what to embed.
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
    images = torch.from_numpy(case.images()).permute(0, 3, 1, 2)  # in memory, channels are last as they were
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
    """Its transforms (Pillow) in a ``DataLoader`` with a process for each core."""
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


#: From prepared photographs to vectors.
NETWORKS: dict[str, Callable[[Case], Round]] = {
    "simtool": simtool,
    "Keras predict": partial(keras, compiled=False),
    "Keras tf.function": partial(keras, compiled=True),
    **{
        f"{library} {setting}": partial(torch, library=library, setting=setting)
        for library in ("torchvision", "timm")
        for setting in ("eager", "traced", "compiled")
    },
}
#: From files.
PHOTOGRAPHS: dict[str, Callable[[Case], Round]] = {
    "simtool photographs": simtool_photographs,
    "torchvision photographs": torchvision_photographs,
    "simtool files to vectors": simtool_embed,
}
SUBJECTS = {**NETWORKS, **PHOTOGRAPHS}


def timed(round_: Round) -> float:
    """Seconds for a photograph."""
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
