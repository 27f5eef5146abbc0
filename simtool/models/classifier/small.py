"""A residual network for small images, which trains on two cores in minutes (He et al., 2016, section 4.2)."""

from __future__ import annotations

from typing import Any

from simtool.tensorflow import load_tensorflow

__all__ = ["resnet20"]

#: Channels of each stage. All stages but the first halve height and width.
_CHANNELS = (16, 32, 64)
_BLOCKS = 3


def resnet20(input_shape: tuple[int, int, int], **_: Any) -> Any:
    """ResNet-20 without its last layer: 0.27 million parameters. Its layers have the names of ResNet50.

    He, Zhang, Ren & Sun (2016), Deep residual learning for image recognition, https://arxiv.org/abs/1512.03385; a
    shortcut to more channels is a convolution (their option B). Further arguments of ``keras.applications`` are
    ignored.

    Returns:
        A functional Keras model to (b, 64) activations.
    """
    load_tensorflow()
    import keras

    image = keras.Input(input_shape)
    x = _convolved(image, _CHANNELS[0], 1, 3, "conv1", relu=True)
    for stage, channels in enumerate(_CHANNELS):
        for block in range(_BLOCKS):
            stride = 2 if stage and not block else 1
            x = _block(x, channels, stride, f"conv{stage + 2}_block{block + 1}")
    return keras.Model(image, keras.layers.GlobalAveragePooling2D(name="avg_pool")(x))


def _block(x: Any, channels: int, stride: int, name: str) -> Any:
    """Two convolutions and a shortcut."""
    import keras

    shortcut = x
    if stride > 1 or x.shape[-1] != channels:
        shortcut = _convolved(x, channels, stride, 1, f"{name}_0")
    x = _convolved(x, channels, stride, 3, f"{name}_1", relu=True)
    x = _convolved(x, channels, 1, 3, f"{name}_2")
    return keras.layers.Activation("relu", name=f"{name}_out")(keras.layers.Add(name=f"{name}_add")([shortcut, x]))


def _convolved(x: Any, channels: int, stride: int, side: int, name: str, relu: bool = False) -> Any:
    """A convolution, normalized; with ``relu`` also rectified."""
    import keras

    x = keras.layers.Conv2D(
        channels, side, stride, "same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)
    x = keras.layers.BatchNormalization(name=f"{name}_bn")(x)
    return keras.layers.Activation("relu", name=f"{name}_relu")(x) if relu else x
