from __future__ import annotations

import pytest

from simtool.system.amounts import AmountError, bytes_of


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("2G", 2 << 30),
        ("500m", 500 << 20),
        (" 1.5 GiB ", 3 << 29),
        ("3GB", 3 * 10**9),
        ("64K", 1 << 16),
        ("1t", 1 << 40),
        ("4096", 4096),
        ("4096B", 4096),
    ],
)
def test_amounts_are_written_as_for_slurm(text: str, amount: int) -> None:
    assert bytes_of(text) == amount


@pytest.mark.parametrize("text", ["", "G", "-2G", "2 apples", "0", "1e9", "2GG", "inf"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(AmountError, match="is not an amount of memory; write for example 500M or 2G"):
        bytes_of(text)
