"""Previews for tests: of the example exchange, with a comparison written by hand."""

from dataclasses import replace

from broker.officer.previewing import Previewed, seal
from policy.preview import History, Source, preview
from tests.policy.comparisons import dropped_line, finding, looser, suspension
from tests.policy.recordings import example, narcotics, recorded, threat
from tests.policy.test_replay import dropped_line as dropped

FILES = {"vocabulary.yaml": "aa" * 32, "rules.yaml": "bb" * 32, "agencies.yaml": "cc" * 32}


def full(history=None) -> Previewed:
    """A preview that has something of everything."""
    before, after = example(), dropped()
    comparison = dropped_line(before, after)
    comparison = replace(
        comparison,
        duties="LOOSENED",
        duty_changes=(looser(comparison.widening),),
        agencies=(suspension(before, after, "lake-sheriff"),),
        narrowing=comparison.widening,
    )
    if history is None:
        history = [recorded(narcotics(), originator="chicago-pd", number=number) for number in range(1, 20)]
        history.append(recorded(threat(), originator="chicago-pd", number=20, precedence="FLASH"))
    return seal(
        preview(
            before,
            after,
            sources=(Source(files=FILES, rules=41, directory=7), Source(files={**FILES, "rules.yaml": "dd" * 32})),
            comparison=comparison,
            findings=[finding()],
            recorded=history,
            history=[History(sha256="ee" * 32, portions=len(history))],
        )
    )
