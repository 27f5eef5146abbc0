"""The weights of ImageNet that ``keras.applications`` publishes, for whole networks with their last layer.

Addresses, names in the cache and checksums are those in Keras 3 (``keras.applications`` has no function that tells
them). A test compares them.
"""

from __future__ import annotations

from pathlib import Path

from simtool.archive import Source

__all__ = ["PUBLISHED", "is_published"]

_SERVER = "https://storage.googleapis.com"
_KERAS = "tensorflow/keras-applications"
#: Characters of a SHA-256 in hexadecimal. The other checksums are MD5.
_LENGTH = 64


def _source(folder: str, file: str, checksum: str, name: str = "") -> Source:
    """A file on the server; ``name`` is its name in the cache of Keras, where it differs."""
    sums = (checksum,) if len(checksum) == _LENGTH else ()
    return Source(name or file, (f"{_SERVER}/{folder}/{file}",), sha256=sums, md5="" if sums else checksum)


#: The file of each network.
PUBLISHED: dict[str, Source] = {
    "ResNet50": _source(
        f"{_KERAS}/resnet", "resnet50_weights_tf_dim_ordering_tf_kernels.h5", "2cb95161c43110f7111970584f804107"
    ),
    "ResNet101": _source(
        f"{_KERAS}/resnet", "resnet101_weights_tf_dim_ordering_tf_kernels.h5", "f1aeb4b969a6efcfb50fad2f0c20cfc5"
    ),
    "ResNet152": _source(
        f"{_KERAS}/resnet", "resnet152_weights_tf_dim_ordering_tf_kernels.h5", "100835be76be38e30d865e96f2aaae62"
    ),
    "VGG16": _source(
        f"{_KERAS}/vgg16", "vgg16_weights_tf_dim_ordering_tf_kernels.h5", "64373286793e3c8b2b4e3219cbf3544b"
    ),
    "VGG19": _source(
        f"{_KERAS}/vgg19", "vgg19_weights_tf_dim_ordering_tf_kernels.h5", "cbe5617147190e668d6c5d5026f83318"
    ),
    "ResNet50V2": _source(
        f"{_KERAS}/resnet", "resnet50v2_weights_tf_dim_ordering_tf_kernels.h5", "3ef43a0b657b3be2300d5770ece849e0"
    ),
    "ResNet101V2": _source(
        f"{_KERAS}/resnet", "resnet101v2_weights_tf_dim_ordering_tf_kernels.h5", "6343647c601c52e1368623803854d971"
    ),
    "ResNet152V2": _source(
        f"{_KERAS}/resnet", "resnet152v2_weights_tf_dim_ordering_tf_kernels.h5", "a49b44d1979771252814e80f8ec446f9"
    ),
    "MobileNet": _source(f"{_KERAS}/mobilenet", "mobilenet_1_0_224_tf.h5", ""),
    "MobileNetV2": _source(f"{_KERAS}/mobilenet_v2", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5", ""),
    "NASNetMobile": _source(
        f"{_KERAS}/nasnet", "NASNet-mobile.h5", "020fb642bf7360b370c678b08e0adf61", "nasnet_mobile.h5"
    ),
    "NASNetLarge": _source(
        f"{_KERAS}/nasnet", "NASNet-large.h5", "11577c9a518f0070763c2b964a382f17", "nasnet_large.h5"
    ),
    "Xception": _source(
        f"{_KERAS}/xception", "xception_weights_tf_dim_ordering_tf_kernels.h5", "0a58e3b7378bc2990ea3b43d5981f1f6"
    ),
    "InceptionV3": _source(
        f"{_KERAS}/inception_v3",
        "inception_v3_weights_tf_dim_ordering_tf_kernels.h5",
        "9a0d58056eeedaa3f26cb7ebd46da564",
    ),
    "InceptionResNetV2": _source(
        f"{_KERAS}/inception_resnet_v2",
        "inception_resnet_v2_weights_tf_dim_ordering_tf_kernels.h5",
        "e693bd0210a403b3192acc6073ad2e96",
    ),
    "DenseNet121": _source(
        f"{_KERAS}/densenet", "densenet121_weights_tf_dim_ordering_tf_kernels.h5", "9d60b8095a5708f2dcce2bca79d332c7"
    ),
    "DenseNet169": _source(
        f"{_KERAS}/densenet", "densenet169_weights_tf_dim_ordering_tf_kernels.h5", "d699b8f76981ab1b30698df4c175e90b"
    ),
    "DenseNet201": _source(
        f"{_KERAS}/densenet", "densenet201_weights_tf_dim_ordering_tf_kernels.h5", "1ceb130c1ea1b78c3bf6114dbdfd8807"
    ),
    "EfficientNetB0": _source("keras-applications", "efficientnetb0.h5", "902e53a9f72be733fc0bcb005b3ebbac"),
    "EfficientNetB1": _source("keras-applications", "efficientnetb1.h5", "1d254153d4ab51201f1646940f018540"),
    "EfficientNetB2": _source("keras-applications", "efficientnetb2.h5", "b15cce36ff4dcbd00b6dd88e7857a6ad"),
    "EfficientNetB3": _source("keras-applications", "efficientnetb3.h5", "ffd1fdc53d0ce67064dc6a9c7960ede0"),
    "EfficientNetB4": _source("keras-applications", "efficientnetb4.h5", "18c95ad55216b8f92d7e70b3a046e2fc"),
    "EfficientNetB5": _source("keras-applications", "efficientnetb5.h5", "ace28f2a6363774853a83a0b21b9421a"),
    "EfficientNetB6": _source("keras-applications", "efficientnetb6.h5", "165f6e37dce68623721b423839de8be5"),
    "EfficientNetB7": _source("keras-applications", "efficientnetb7.h5", "8c03f828fec3ef71311cd463b6759d99"),
    "EfficientNetV2B0": _source(
        f"{_KERAS}/efficientnet_v2", "efficientnetv2-b0.h5", "21ecbf6da12460d5c40bb2f29ceb2188"
    ),
    "EfficientNetV2B1": _source(
        f"{_KERAS}/efficientnet_v2", "efficientnetv2-b1.h5", "069f0534ff22adf035c89e2d9547a9dc"
    ),
    "EfficientNetV2B2": _source(
        f"{_KERAS}/efficientnet_v2", "efficientnetv2-b2.h5", "424e49f28180edbde1e94797771950a7"
    ),
    "EfficientNetV2B3": _source(
        f"{_KERAS}/efficientnet_v2", "efficientnetv2-b3.h5", "1f1fc43bd98a6e4fd8fdfd551e02c7a0"
    ),
    "EfficientNetV2S": _source(f"{_KERAS}/efficientnet_v2", "efficientnetv2-s.h5", "e1d88a8495beba45748fedd0cecbe016"),
    "EfficientNetV2M": _source(f"{_KERAS}/efficientnet_v2", "efficientnetv2-m.h5", "a3bf6aa3276309f4fc6a34aa114c95cd"),
    "EfficientNetV2L": _source(f"{_KERAS}/efficientnet_v2", "efficientnetv2-l.h5", "27e6d408b53c7ebc868fefa357689935"),
    "ConvNeXtTiny": _source(
        f"{_KERAS}/convnext", "convnext_tiny.h5", "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff"
    ),
    "ConvNeXtSmall": _source(
        f"{_KERAS}/convnext", "convnext_small.h5", "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c"
    ),
    "ConvNeXtBase": _source(
        f"{_KERAS}/convnext", "convnext_base.h5", "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6"
    ),
    "ConvNeXtLarge": _source(
        f"{_KERAS}/convnext", "convnext_large.h5", "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6"
    ),
    "ConvNeXtXLarge": _source(
        f"{_KERAS}/convnext", "convnext_xlarge.h5", "c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee"
    ),
    "MobileNetV3Small": _source(
        f"{_KERAS}/mobilenet_v3", "weights_mobilenet_v3_small_224_1.0_float.h5", "8768d4c2e7dee89b9d02b2d03d65d862"
    ),
    "MobileNetV3Large": _source(
        f"{_KERAS}/mobilenet_v3", "weights_mobilenet_v3_large_224_1.0_float.h5", "59e551e166be033d707958cf9e29a6a7"
    ),
}

#: The MD5 of the files without the last layer, for the networks that Keras scales colors for.
_WITHOUT_TOP: dict[str, str] = {
    "EfficientNetB0": "50bc09e76180e00e4465e1a485ddc09d",
    "EfficientNetB1": "74c4e6b3e1f6a1eea24c589628592432",
    "EfficientNetB2": "111f8e2ac8aa800a7a99e3239f7bfb39",
    "EfficientNetB3": "af6d107764bb5b1abb91932881670226",
    "EfficientNetB4": "ebc24e6d6c33eaebbd558eafbeedf1ba",
    "EfficientNetB5": "38879255a25d3c92d5e44e04ae6cec6f",
    "EfficientNetB6": "9ecce42647a20130c1f39a5d4cb75743",
    "EfficientNetB7": "cbcfe4450ddf6f3ad90b1b398090fe4a",
}


def is_published(name: str, file: Path) -> bool:
    """Whether a file holds the published weights of a network; of EfficientNet, also without the last layer.

    Raises:
        OSError: the file cannot be read.
    """
    return any(source.is_copy(file) for source in (PUBLISHED[name], Source("", (), md5=_WITHOUT_TOP.get(name, ""))))
