"""A preview: what stands against a change, what is said of its cases, and that it follows from its inputs alone."""

import json
from dataclasses import replace

import pytest

from policy.preview import History, Source, preview
from policy.preview_document import document
from tests.policy.comparisons import comparison, dropped_line, finding, looser, suspension
from tests.policy.recordings import example, narcotics, recorded, threat
from tests.policy.test_replay import dropped_line as dropped
from tests.policy.test_replay import suspended
from tests.policy.worlds import EXAMPLE_AGENCIES, EXAMPLE_RULES

SOURCES = (Source(files={"rules.yaml": "aa"}, rules=41, directory=7), Source(files={"rules.yaml": "bb"}))
HIDTA = "HIDTA sharing works now"


def made(before, after, **changes):
    given = {"sources": SOURCES, "comparison": comparison(), "findings": ()}
    return preview(before, after, **{**given, **changes})


def cases(shown):
    return {case.name: case for case in shown.cases}


def test_a_change_to_nothing_passes_and_says_the_same():
    shown = made(example(), example())

    assert shown.passed
    assert {(case.kind, case.before, case.after, case.failure) for case in shown.cases} == {
        ("kept", "holds", "holds", False)
    }
    assert shown.sentences == ()
    assert shown.untouched == ((), ())
    assert document(shown)["verdict"] == "SAME (proved)"


def test_widening_alone_does_not_fail_a_change():
    shown = made(example(), dropped(), comparison=dropped_line(example(), dropped()))

    assert shown.passed
    assert document(shown)["discloses_more"] is True


def test_a_case_that_fails_now_is_a_failure():
    rules = EXAMPLE_RULES.replace("reaches exactly: [cook-sheriff]", "reaches exactly: [lake-sheriff]", 1)

    shown = made(example(), example(rules=rules))

    case = cases(shown)[HIDTA]
    assert not shown.passed
    assert (case.kind, case.before, case.after, case.failure) == ("rewritten", "holds", "fails", True)
    assert case.as_before == "holds"
    assert "lake-sheriff" in case.detail


def test_a_case_whose_agency_left_is_a_failure_and_one_whose_agency_never_came_waits():
    agencies = EXAMPLE_AGENCIES.replace("\ncook-sheriff:\n", "\ncook-county-sheriff:\n", 1)

    left = made(example(), example(agencies=agencies))

    assert (cases(left)[HIDTA].before, cases(left)[HIDTA].after) == ("holds", "fails")
    agencies = EXAMPLE_AGENCIES.replace("\nspringfield-mayor:\n", "\nspringfield-mayors-office:\n", 1)
    agencies = agencies.replace("kind: mayor's office", "kind: oversight board", 1)
    left = made(example(), example(agencies=agencies))
    never = made(example(agencies=agencies), example(agencies=agencies))
    name = "the mayor's office gets the tearline only"
    assert (cases(left)[name].after, cases(left)[name].failure, left.passed) == ("waits", True, False)
    assert (cases(never)[name].after, cases(never)[name].failure) == ("waits", False)


def test_a_removed_case_is_named_and_tried_as_it_was():
    start = EXAMPLE_RULES.index(f"- test: {HIDTA}")
    end = EXAMPLE_RULES.index("- test: and stops by itself")
    without = EXAMPLE_RULES[:start] + EXAMPLE_RULES[end:]
    harmful = without.replace(
        "  - agreement: HIDTA-2024\n    28 CFR 23 agreement: yes\n", "  - kind: campus police\n", 1
    )

    harmless_removal = cases(made(example(), example(rules=without)))[HIDTA]
    harmful_removal = cases(made(example(), example(rules=harmful)))[HIDTA]

    assert (harmless_removal.kind, harmless_removal.after, harmless_removal.as_before) == ("removed", None, "holds")
    assert (harmful_removal.as_before, harmful_removal.failure) == ("fails", False)
    assert "does not reach cook-sheriff" in harmful_removal.detail


def test_an_added_case_has_no_before():
    more = EXAMPLE_RULES.replace(f"- test: {HIDTA}", "- test: another name", 1)

    found = cases(made(example(), example(rules=more)))

    assert (found["another name"].kind, found["another name"].before) == ("added", None)
    assert found[HIDTA].kind == "removed"


def test_an_old_case_about_a_duty_that_is_gone_is_not_tried():
    before = example()
    gone = {name: one for name, one in before.vocabulary.obligation.items() if name != "handling note"}
    rules = tuple(rule for rule in before.ruleset.rules if "handling note" not in rule.obligations)
    case = replace(before.ruleset.cases[0], name="old", obligations={"il-fusion": {"handling note": ("x",)}})
    old = replace(before, ruleset=replace(before.ruleset, cases=(*before.ruleset.cases, case)))
    after = replace(
        before, vocabulary=replace(before.vocabulary, obligation=gone), ruleset=replace(before.ruleset, rules=rules)
    )

    found = cases(made(old, after))["old"]

    assert (found.kind, found.as_before) == ("removed", None)


def test_a_proved_fault_keeps_a_change_from_passing():
    shown = made(example(), example(), findings=[finding()])

    assert not shown.passed
    assert document(shown)["findings"][0]["code"] == "blocks-always"


def test_a_rule_that_no_case_touches_is_named():
    rule = "- rule: R77 nobody asked\n  effect: share\n  when: {product: TIP}\n"
    rule += "  to:\n  - kind: tribal police\n  because: x\n\n"
    after = example(rules=EXAMPLE_RULES.replace("# Locked section", rule + "# Locked section", 1))

    shown = made(example(), after)

    assert shown.untouched == ((), ("R77",))
    (told,) = document(shown)["rules"]
    assert (told["rule"], told["before"]) == ("R77", None)
    assert told["after"].startswith("R77 shares")


def test_a_changed_agreement_is_told_in_words():
    after = example(rules=EXAMPLE_RULES.replace("until: 2026-12-31", "until: 2027-12-31", 1))

    (told,) = document(made(example(), after))["agreements"]

    assert told["agreement"] == "HIDTA-2024"
    assert "2026-12-31" in told["before"]
    assert "2027-12-31" in told["after"]


def test_a_suspension_says_what_it_would_have_stopped():
    before, after = example(), suspended("springfield-pd")
    history = [recorded(threat(), originator="chicago-pd", number=number) for number in range(1, 13)]
    proved = comparison(audience="NARROWS", agencies=(suspension(before, after, "springfield-pd"),))

    (told,) = document(made(before, after, comparison=proved, recorded=history))["agencies"]

    assert told["replayed"] == {"started": [], "stopped": [["FLASH", 12]]}


def test_without_recordings_nothing_is_replayed_and_with_none_of_them_in_time_that_is_said():
    assert document(made(example(), example()))["replay"] is None
    assert document(made(example(), example(), recorded=[]))["replay"]["since"] is None


def everything(*, shuffled=False):
    before, after = example(), dropped()
    history = [recorded(narcotics(), originator="chicago-pd", number=number) for number in range(1, 9)]
    files = [History(sha256="cc", portions=4), History(sha256="dd", portions=4)]
    proved = dropped_line(before, after)
    proved = replace(proved, duties="LOOSENED", duty_changes=(looser(proved.widening),))
    return made(
        before,
        after,
        comparison=proved,
        findings=[finding()],
        recorded=history[::-1] if shuffled else history,
        history=files[::-1] if shuffled else files,
    )


def test_a_preview_follows_from_its_inputs_and_not_from_their_order():
    assert json.dumps(document(everything())) == json.dumps(document(everything(shuffled=True)))


def test_a_document_is_json_without_fractions():
    def plain(value):
        match value:
            case dict():
                return all(isinstance(name, str) and plain(one) for name, one in value.items())
            case list():
                return all(map(plain, value))
            case _:
                return value is None or isinstance(value, str | int)

    told = document(everything())
    assert plain(told)
    assert json.loads(json.dumps(told)) == told


@pytest.mark.parametrize("secret", ["SECRETNAME", "<script>alert(1)</script>"])
def test_no_free_word_of_a_recording_is_in_the_document(secret):
    history = [recorded(narcotics(protectee=secret, region=secret, product=secret), originator="chicago-pd")]

    told = document(made(example(), dropped(), recorded=history))

    assert told["replay"]["disclosed"]["portions"] == 1
    assert secret not in json.dumps(told, ensure_ascii=False)
