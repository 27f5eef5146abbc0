"""The scale of a float16 loss falls after an overflow, and grows after many finite steps."""

from __future__ import annotations

from simtool.training.state import LossScale


def test_only_float16_is_scaled() -> None:
    assert LossScale.of("float32").after(False) == LossScale.of("bfloat16").after(True) == LossScale(1.0)
    assert LossScale.of("float16").value == 2**15


def test_the_scale_is_halved_by_an_overflow_and_never_below_one() -> None:
    scale = LossScale.of("float16")
    for _ in range(15):
        assert scale.value > 1
        scale = scale.after(False)
    assert scale.value == scale.after(False).value == 1


def test_the_scale_is_doubled_after_two_thousand_good_steps_in_a_row() -> None:
    scale = LossScale(8.0, good=1998, dynamic=True)
    assert scale.after(True) == LossScale(8.0, 1999, True)
    assert scale.after(True).after(True) == LossScale(16.0, 0, True)
    assert scale.after(True).after(False) == LossScale(4.0, 0, True)
