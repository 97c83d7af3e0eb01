"""The raw baseline counts every delivery and reports its quantiles."""

from bench.raw_nats import run


async def test_the_raw_baseline_delivers_everything_and_reports_milliseconds() -> None:
    figures = await run(20, 2, 2048, 1)
    assert (figures["deliveries"], figures["expected"], figures["failed"]) == (40, 40, 0)
    assert 0 < figures["p50"] <= figures["p99"]
