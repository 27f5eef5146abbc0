"""The learning rate equals that of Keras's schedules."""

from __future__ import annotations

import pytest

from simtool.tensorflow import load_tensorflow
from simtool.training.schedules import learning_rates
from simtool.training.settings import Settings


@pytest.mark.parametrize("growth", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("factor", [1.0, 0.8])
@pytest.mark.parametrize("floor", [0.0, 0.1])
def test_cosine_restarts_equal_those_of_keras(growth: float, factor: float, floor: float) -> None:
    load_tensorflow()
    import keras

    settings = Settings(
        epochs=100,
        learning_rate=1e-3,
        schedule="cosine-restarts",
        first_period=2,
        period_growth=growth,
        restart_factor=factor,
        final_fraction=floor,
    )
    rate = learning_rates(settings, steps_per_epoch=5)
    theirs = keras.optimizers.schedules.CosineDecayRestarts(1e-3, 10, growth, factor, floor)
    # At a restart their float32 may fall on either side of it.
    steps = [step for step in range(0, 500, 7) if rate(step) < 0.99e-3 * factor]
    assert len(steps) > 20
    assert [rate(step) for step in steps] == pytest.approx([float(theirs(step)) for step in steps], rel=2e-4, abs=1e-8)


def test_restarts_come_where_the_periods_end() -> None:
    rate = learning_rates(Settings(epochs=70, schedule="cosine-restarts", first_period=10, learning_rate=1.0), 4)
    assert [step for step in range(280) if rate(step) == 1.0] == [0, 40, 120]


def test_the_cosine_equals_that_of_keras_and_ends_with_the_last_epoch() -> None:
    load_tensorflow()
    import keras

    settings = Settings(epochs=10, learning_rate=0.2, schedule="cosine", warmup_steps=8, final_fraction=0.05)
    rate = learning_rates(settings, steps_per_epoch=5)
    theirs = keras.optimizers.schedules.CosineDecay(0.2, 42, 0.05)
    assert [rate(8 + step) for step in range(60)] == pytest.approx(
        [float(theirs(step)) for step in range(60)], rel=1e-5
    )
    assert rate(50) == pytest.approx(0.01)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "cosine-restarts"])
def test_the_warm_up_grows_linearly_to_the_highest_rate(schedule: str) -> None:
    settings = Settings(epochs=10, learning_rate=0.4, warmup_steps=4).changed(schedule=schedule)
    rate = learning_rates(settings, steps_per_epoch=10)
    assert [rate(step) for step in range(5)] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4])
    assert max(rate(step) for step in range(100)) == pytest.approx(0.4)
