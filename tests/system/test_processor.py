"""The name and the instructions of the processor, as Linux lists them."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from simtool.system.processor import has_bfloat16, processor_name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 sse\n", True),
        ("flags\t\t: fpu amx_bf16 amx_tile\n", True),
        ("Features\t: fp asimd svebf16 bf16 i8mm\n", True),
        ("flags\t\t: fpu avx2 avx512f\nbugs\t\t: bf16\n", False),
        ("processor\t: 0\n", None),
    ],
)
def test_bfloat16_is_a_flag_of_x86_or_arm(text: str, expected: bool | None, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert has_bfloat16(tmp_path / "cpuinfo") is expected


def test_without_a_list_it_is_unknown(tmp_path: Path) -> None:
    assert has_bfloat16(tmp_path / "cpuinfo") is None


def test_the_name_is_that_of_linux_else_the_architecture(tmp_path: Path) -> None:
    assert processor_name(tmp_path / "cpuinfo") == platform.machine()
    (tmp_path / "cpuinfo").write_text("model\t\t: 17\nmodel name\t: Intel(R)  Xeon(R) Gold 6448Y \nflags\t: fpu\n")
    assert processor_name(tmp_path / "cpuinfo") == "Intel(R) Xeon(R) Gold 6448Y"
