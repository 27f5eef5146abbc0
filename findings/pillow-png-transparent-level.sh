#!/usr/bin/env bash
# Pillow 13.0.0, Python 3.11: Pillow compares the transparent level of a PNG with pixels of a different scale.
#
# A PNG without an alpha channel can name one transparent gray level or colour (chunk tRNS), in the bit depth of the
# file. Pillow scales the pixels of 2-bit and 4-bit gray images to 0..255 and reduces 16-bit RGB to 8 bits, but it does
# not scale the transparent level. As a result, convert("RGBA") makes the wrong pixels transparent, or none.
#
# Each image below has two pixels; the first is transparent. By the PNG specification (section 11.3.1.1), the alpha
# values are 0 and 255.
# Observed:
#   gray, 2 bits:  level 2, pixels [170, 85], alpha [255, 255]
#   gray, 4 bits:  level 7, pixels [119, 17], alpha [255, 255]
#   gray, 8 bits:  level 7, pixels [7, 1], alpha [0, 255]
#   RGB, 16 bits:  level (4660, 4660, 4660), pixels [(18, 18, 18), (1, 1, 1)], alpha [255, 255]
#
# Exit code 0: the behaviour is unchanged. Other exit codes: it has changed, or the package cannot be installed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check pillow==13.0.0
cat > "$place/check.py" <<'PY'
import io
import struct
import zlib

from PIL import Image


def png(bits, color, row, transparent):
    """A PNG of 2 x 1 pixels; row holds the bytes of the pixels."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 2, 1, bits, color, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"tRNS", transparent), (b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


IMAGES = {
    "gray, 2 bits:": png(2, 0, bytes([0b10_01_0000]), struct.pack(">H", 2)),
    "gray, 4 bits:": png(4, 0, bytes([0x71]), struct.pack(">H", 7)),
    "gray, 8 bits:": png(8, 0, bytes([7, 1]), struct.pack(">H", 7)),
    "RGB, 16 bits:": png(16, 2, struct.pack(">6H", *[0x1234] * 3, *[0x0101] * 3), struct.pack(">3H", *[0x1234] * 3)),
}
found = {}
for name, content in IMAGES.items():
    with Image.open(io.BytesIO(content)) as image:
        alpha = [image.convert("RGBA").getpixel((x, 0))[3] for x in (0, 1)]
        pixels = [image.getpixel((x, 0)) for x in (0, 1)]
        print(f"{name}  level {image.info['transparency']}, pixels {pixels}, alpha {alpha}")
        found[name] = alpha
wrong = {name for name, alpha in found.items() if alpha != [0, 255]}
raise SystemExit(0 if wrong == set(IMAGES) - {"gray, 8 bits:"} else 1)
PY
"$place/venv/bin/python" "$place/check.py"
