"""How long an officer waits: the proofs against a rules file, and the whole preview of a change but its replay."""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from time import process_time
from typing import Any

from bench.replaying import editions
from policy import Attributes, Vocabulary
from policy.preview import Preview, Source, preview

_SMALL = 20
_NOWHERE = Source(files={})


def run(vocabulary: Vocabulary, agencies: Mapping[str, Attributes], *, rules: int) -> dict[str, Any]:
    """Lint and preview the change of `replaying.widened` under 20 national rules and under `rules`, in processor time.

    The preview proves the change, lints the rules as they would be, says what they say and runs the cases over the
    whole directory. Without z3 (the extra `officer`) nothing is proved and every figure is None.
    """
    figures: dict[str, Any] = {}
    for count, named in ((_SMALL, "20_rules"), (rules, "200_rules")):
        linted, previewed, verdict = _measure(vocabulary, agencies, count) if find_spec("z3") else (None, None, None)
        figures |= {f"lint_{named}_s": linted, f"preview_{named}_s": previewed, f"verdict_{named}": verdict}
    return figures


def _measure(vocabulary: Vocabulary, agencies: Mapping[str, Attributes], count: int) -> tuple[float, float, str]:
    # The solver is not everywhere; with it, these are functions of the officers' desk.
    compare, lint = import_module("policy.proof.compare").compare, import_module("policy.proof.lint").lint
    before, after = editions(vocabulary, agencies, rules=count)
    start = process_time()
    lint(after.ruleset, vocabulary)
    linted = process_time()
    made: Preview = preview(
        before,
        after,
        sources=(_NOWHERE, _NOWHERE),
        comparison=compare(before, after),
        findings=lint(after.ruleset, vocabulary),
    )
    return round(linted - start, 2), round(process_time() - linted, 2), made.comparison.verdict()
