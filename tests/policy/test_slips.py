"""What an officer mistypes is told with the line where it stands, what is wrong and what would be right."""

import pytest

from policy import PolicyError, parse_agencies, parse_ruleset
from tests.policy.test_refusals import RULE, VOCABULARY, ruleset
from tests.policy.worlds import EXAMPLE_RULES

WHEN, TO, SHARE = "{TLP: GREEN}\n  to", "to:\n  - kind: JTTF", "  effect: share\n"
BECAUSE, DUTY, END = "because: reason\n- rule: R2", "onward: own agency", "2026-12-31"

SLIPS = {
    "a tab": (SHARE, "\teffect: share\n", "hidden-character", 5, "a tab is not allowed here"),
    "a blank from a web page": (SHARE, "  effect:\u00a0share\n", "hidden-character", 5, "type a plain blank"),
    "one blank too few": (SHARE, " effect: share\n", "not-yaml", 5, "column 2, the line above in column 3"),
    "two blanks too many": (SHARE, "    effect: share\n", "not-yaml", 5, "start in the same column"),
    "no blanks at all": (SHARE, "effect: share\n", "not-yaml", 6, "start in the same column"),
    "a line of an item in no column": (
        "- kind: JTTF", "- kind: JTTF\n   status: active", "not-yaml", 9, "column 4, the line above in column 5"),
    "a line of an item under its dash": (
        "- kind: JTTF", "- kind: JTTF\n  status: active", "unknown-key", 9, "indent it under the item of 'to:'"),
    "a condition in the column of when": (
        SHARE, "  effect: share\n  TLP: RED\n", "unknown-key", 6, "indent it under 'when:'"),
    "a duty in the column of with": (SHARE, "  effect: share\n  onward: nobody\n", "unknown-key", 6, "under 'with:'"),
    "no blank after a colon": (SHARE, "  effect:share\n", "not-yaml", 5, "after the colon: 'effect: share'"),
    "no colon": (SHARE, "  effect share\n", "not-yaml", 5, "this line has no colon: write 'name: value'"),
    "no blank after a dash": ("- rule: R2 second", "-rule: R2 second", "not-yaml", 10, "write a blank after '-'"),
    "an asterisk for a dash": ("- rule: R2 second", "* rule: R2 second", "not-yaml", 10, "begins with '- '"),
    "no dash before a rule": ("- rule: R2 second", "  rule: R2 second", "duplicate-key", 10, "starts with '- '"),
    "no dash before a recipient": ("  - kind: JTTF", "    kind: JTTF", "not-a-list", 8, "each starting with '- '"),
    "a colon in a reason": (
        BECAUSE, "because: law: 28 CFR 23\n- rule: R2", "not-yaml", 9, 'quotes: because: "law: 28 CFR 23"'),
    "a bracket never closed": (WHEN, "{TLP: [GREEN}\n  to", "not-yaml", 6, "write ']' at its end"),
    "a brace never closed": (WHEN, "{TLP: GREEN\n  to", "not-yaml", 6, "write '}' at its end"),
    "a quote never closed": (BECAUSE, 'because: "reason\n- rule: R2', "not-yaml", 9, "the quote that opens here"),
    "a text that begins with a sign": (BECAUSE, "because: @legal\n- rule: R2", "not-yaml", 9, "put it in quotes"),
    "a reason over several lines": (BECAUSE, "because: |\n    long\n- rule: R2", "block-text", 9, "on one line"),
    "no reason after its colon": (BECAUSE, "because:\n- rule: R2", "empty-value", 9, "write a value or remove"),
    "a list where a text belongs": (BECAUSE, "because: [a, b]\n- rule: R2", "not-text", 9, "single value, not a list"),
    "values with or between": (WHEN, "{TLP: GREEN or AMBER}\n  to", "unknown-value", 6, "a list: [GREEN, AMBER]"),
    "values with a semicolon between": (
        WHEN, "{category: cyber; narcotics}\n  to", "unknown-value", 6, "a list: [cyber, narcotics]"),
    "at most with a capital": (WHEN, "{TLP: At most GREEN}\n  to", "unknown-value", 6, "did you mean 'at most GREEN'?"),
    "up to for at most": (WHEN, "{TLP: up to GREEN}\n  to", "unknown-value", 6, "did you mean 'at most GREEN'?"),
    "a sign for at least": (WHEN, "{TLP: '>= GREEN'}\n  to", "unknown-value", 6, "did you mean 'at least GREEN'?"),
    "at most of nothing": (WHEN, "{TLP: at most}\n  to", "unknown-value", 6, "did you mean 'at most AMBER'?"),
    "at most in a list": (WHEN, "{TLP: [at most GREEN]}\n  to", "unknown-value", 6, "stands alone, not in a list"),
    "at most of what has no order": (WHEN, "{caveats: at most LES}\n  to", "not-ordered", 6, "list the values"),
    "conditions with dashes": (WHEN, "\n  - TLP: GREEN\n  to", "not-a-mapping", 7, "lines without '-'"),
    "always for anything": (WHEN, "always\n  to", "not-a-condition", 6, "write 'anything', or lines such as"),
    "everybody for everyone": (TO, "to: everybody", "not-a-condition", 7, "write 'everyone', or a list of lines"),
    "everyone in a list": (TO, "to: [everyone]", "not-a-mapping", 7, "write 'to: everyone', not a list"),
    "an agency by its id": (TO, "to:\n  - chicago-pd", "not-a-mapping", 8, "no rule names an agency by its id"),
    "true for yes": ("kind: JTTF", "serves the area: true", "unknown-value", 8, "did you mean yes?"),
    "false for no": ("kind: JTTF", "law enforcement: false", "unknown-value", 8, "did you mean no?"),
    "allow for share": ("effect: share", "effect: allow", "unknown-effect", 5, "did you mean share?"),
    "deny for never": ("effect: never", "effect: deny", "unknown-effect", 11, "did you mean never?"),
    "an id with a colon": ("rule: R2 second", "rule: 'R2: second'", "rule-id", 10, "its id and a blank"),
    "ids with a comma between": ("yields to: [R2]", "yields to: R2, R3", "unknown-rule", 20, "a list: [R2, R3]"),
    "a duty without its name": ("with: {onward: own agency}", "with: FLASH", "not-a-mapping", 26, "'name: value'"),
    "minutes cut short": (DUTY, "acknowledge within: 10 min", "not-a-duration", 26, "did you mean '10 minutes'?"),
    "hours without a blank": (DUTY, "retain for: 1h", "not-a-duration", 26, "did you mean '1 hour'?"),
    "months": (DUTY, "retain for: 2 months", "not-a-duration", 26, "months differ in length: count in days"),
    "a time that is no whole number": (DUTY, "retain for: 1.5 hours", "not-a-duration", 26, "a whole number"),
    "a date with the day first": (END, "31.12.2026", "not-a-date", 29, "did you mean 2026-12-31?"),
    "a date with the month first": (END, "12/31/2026", "not-a-date", 29, "did you mean 2026-12-31?"),
    "a date with a digit missing": (END, "2026-12-1", "not-a-date", 29, "did you mean 2026-12-01?"),
    "a day that does not exist": (END, "2026-11-31", "not-a-date", 29, "there is no such day"),
    "a time without its zone": (END, "2026-12-31 18:00", "not-a-date", 29, "'2026-12-31T18:00Z' for UTC"),
    "dates in a sentence": (
        "{from: 2024-01-01, until: 2026-12-31}", "2024 to 2026", "not-a-mapping", 29, "{from: 2026-01-01, until:"),
    "an agreement without an end": (", until: 2026-12-31", "", "missing-until", 29, "has no 'until:'"),
    "an agreement without dates": (
        "kind: JTTF", "agreement: BORDER-TASK-2025", "undated-agreement", 8, "give it dates under 'agreements:'"),
    "a case that reaches nobody in words": (
        "reaches exactly: []", "reaches exactly: nobody", "agency-id", 33, "[] is nobody"),
    "duties of a case without whose": (
        "reaches exactly: []", "reaches exactly: []\n  with: {onward: nobody}", "not-a-mapping", 34, "whose duties"),
    "withheld from without by which": (
        "reaches exactly: []", "reaches exactly: []\n  withheld from: [x-pd]", "not-a-mapping", 34, "by which never"),
    "a file in two documents": ("policy: one rule\n", "policy: one rule\n---\n", "several-documents", 2, "remove the"),
}  # fmt: skip


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_told_with_its_line_and_with_what_would_be_right(slip):
    was, now, code, line, says = SLIPS[slip]
    assert RULE.count(was) == 1
    with pytest.raises(PolicyError) as refused:
        ruleset(RULE.replace(was, now))
    assert (refused.value.code, refused.value.line) == (code, line)
    assert says in refused.value.message
    assert refused.value.more == ()
    assert "\n" not in str(refused.value)


def test_every_mistaken_rule_and_agreement_of_a_file_is_told_at_once():
    text = (
        RULE.replace("version: 1", "version: one")
        .replace("{TLP: GREEN}\n  to", "{TLP: REDD}\n  to")
        .replace("status: suspended", "status: suspendd")
        .replace("onward: own agency", "onwards: own agency")
        .replace("2026-12-31", "31.12.2026")
    )
    with pytest.raises(PolicyError) as refused:
        ruleset(text)
    faults = [refused.value, *refused.value.more]
    assert [(fault.line, fault.code) for fault in faults] == [
        (2, "not-a-version"), (6, "unknown-value"), (14, "unknown-value"), (26, "unknown-obligation"),
        (29, "not-a-date"),
    ]  # fmt: skip
    assert all(str(fault).startswith(f"rules.yaml:{fault.line}: ") for fault in faults)


def test_what_depends_on_a_mistaken_rule_is_not_told_as_a_mistake_of_its_own():
    """R2 cannot be read, so nothing is said of R3 that yields to it or of a case that names it."""
    text = RULE.replace("status: suspended", "status: suspendd").replace(
        "reaches exactly: []", "reaches nobody because of: R2"
    )
    with pytest.raises(PolicyError) as refused:
        ruleset(text)
    assert (refused.value.line, refused.value.more) == (14, ())


def test_every_mistaken_case_is_told_once_the_rules_are_sound():
    text = RULE + (
        "- {test: second, bulletin: {TLP: PURPLE}, reaches exactly: []}\n"
        "- {test: third, bulletin: {TLP: RED}, reaches nobody because of: R1}\n"
        "- {test: a case, bulletin: {TLP: RED}, reaches exactly: []}\n"
    )
    with pytest.raises(PolicyError) as refused:
        ruleset(text)
    assert [fault.code for fault in (refused.value, *refused.value.more)] == [
        "unknown-value", "unknown-rule", "duplicate-case",
    ]  # fmt: skip


def test_every_mistaken_agency_is_told_at_once():
    text = "a-pd: {status: suspendd}\nb-pd: {kind: city police}\nC-PD: {kind: city police}\nd-pd: {serves: [IL-COKO]}\n"
    with pytest.raises(PolicyError) as refused:
        parse_agencies(text, VOCABULARY, source="agencies.yaml")
    assert [fault.line for fault in (refused.value, *refused.value.more)] == [1, 3, 4]


def test_a_file_that_is_wrong_throughout_does_not_bury_the_officer():
    broken = EXAMPLE_RULES.replace("effect: ", "efect: ")
    many = "policy: p\nversion: 1\nrules:\n" + "".join(
        f"- {{rule: R{number} x, effect: deny, when: anything, to: everyone, because: x}}\n" for number in range(500)
    )
    for text, count in ((broken, 23), (many, 50)):
        with pytest.raises(PolicyError) as refused:
            parse_ruleset(text, VOCABULARY, source="rules.yaml")
        assert 1 + len(refused.value.more) == count
