"""The first signal is a request to stop; a later signal changes nothing, unless a person presses Ctrl-C again."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from simtool.training.outcome import Preempted, Preemption


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1", "SIGINT"])
def test_a_signal_is_remembered_and_the_process_continues(name: str) -> None:
    with Preemption() as preemption:
        assert preemption.requested is None
        os.kill(os.getpid(), signal.Signals[name])
        assert preemption.requested == name


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_scheduler_that_repeats_its_signal_does_not_end_a_process_that_saves(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with Preemption() as preemption:
        for _ in range(3):
            os.kill(os.getpid(), number)
            now[0] += 60
        assert preemption.requested == number.name


def test_a_second_interrupt_acts_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with Preemption() as preemption:
        os.kill(os.getpid(), signal.SIGINT)
        now[0] += 5
        os.kill(os.getpid(), signal.SIGTERM)
        assert preemption.requested == "SIGINT"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_that_is_sent_twice_at_once_is_one_request() -> None:
    with Preemption() as preemption:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert preemption.requested == "SIGINT"


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)]
    with Preemption():
        os.kill(os.getpid(), signal.SIGTERM)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)] == before


def test_outside_of_the_main_thread_signals_are_left_alone() -> None:
    found: list[str | None] = []

    def run() -> None:
        with Preemption() as preemption:
            found.append(preemption.requested)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [None]


def test_saved_and_run_me_again_is_exit_code_85() -> None:
    assert Preempted("saved").exit_code == 85
