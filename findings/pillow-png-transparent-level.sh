#!/usr/bin/env bash
# Pillow 13.0.0, Python 3.11: the transparent level of a PNG is compared with pixels of another scale.
#
# A PNG without an alpha channel can name one gray level, or one colour, that is transparent (chunk tRNS). Its numbers
# are those of the file's bit depth. Pillow scales the pixels of 2- and 4-bit gray to 0..255, and cuts 16-bit RGB down
# to 8 bits, but keeps the level as the file has it. So convert("RGBA") makes the wrong pixels transparent, or none.
#
# Each of the images below has two pixels, the first of which is the transparent one. By the PNG specification
# (section 11.3.1.1) their alphas are 0 and 255.
# Seen:
#   gray, 2 bits:  level 2, pixels [170, 85], alpha [255, 255]
#   gray, 4 bits:  level 7, pixels [119, 17], alpha [255, 255]
#   gray, 8 bits:  level 7, pixels [7, 1], alpha [0, 255]
#   RGB, 16 bits:  level (4660, 4660, 4660), pixels [(18, 18, 18), (1, 1, 1)], alpha [255, 255]
#
# Exit code 0: still so. Anything else: the behaviour has changed, or the package cannot be installed.
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
    """A PNG of 2 x 1 pixels, its row of pixels given as bytes."""

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
