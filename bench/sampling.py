"""How the deciders are timed, on a machine that others use too."""

from collections.abc import Callable, Sequence
from time import process_time_ns
from typing import TypeVar

_T = TypeVar("_T")

#: What the figures of `best_of` are, in words.
METHOD = (
    "processor time; of every portion the best of {passes} runs, then over all portions; `every run` is over all runs"
)


def best_of(values: Sequence[_T], work: Callable[[_T], object], passes: int) -> dict[str, float]:
    """Percentiles in microseconds of processor time over the best of `passes` runs of each value, and over every run.

    The best run is what the work costs; the rest is what other programs on the machine cost it.
    """
    best = [0] * len(values)
    every: list[int] = []
    for number in range(passes):
        for place, value in enumerate(values):
            start = process_time_ns()
            work(value)
            took = process_time_ns() - start
            every.append(took)
            best[place] = took if number == 0 else min(took, best[place])
    return {
        "p50": _percentile(best, 50),
        "p99": _percentile(best, 99),
        "every_run_p50": _percentile(every, 50),
        "every_run_p99": _percentile(every, 99),
    }


def best_seconds(work: Callable[[], object], passes: int) -> float:
    """The least processor time of `passes` runs, in seconds."""
    return min(_seconds(work) for _ in range(passes))


def _seconds(work: Callable[[], object]) -> float:
    start = process_time_ns()
    work()
    return (process_time_ns() - start) / 1e9


def _percentile(took: Sequence[int], percent: int) -> float:
    return round(sorted(took)[len(took) * percent // 100] / 1e3, 1)
