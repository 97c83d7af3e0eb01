"""A rule has one sentence, whatever way it was written, and no other rule has it."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from random import Random  # noqa: TID251 - reproducible by seed

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from policy import Agreement, Rule, parse_ruleset, parse_vocabulary
from policy.say import agreement_sentence, reworded, sentence, sentences
from policy.truth import Line
from policy.wording import word
from tests.policy.test_example import RULESET, VOCABULARY
from tests.policy.worlds import AGREEMENTS, EXAMPLE_RULES, rules_text
from tests.policy.worlds import VOCABULARY as SMALL_TEXT

SMALL = parse_vocabulary(SMALL_TEXT, source="vocabulary")
RULES = {rule.id: rule for rule in RULESET.rules}

# Names and values that are made of the words and signs by which sentences go on.
HOSTILE = parse_vocabulary(
    """
bulletin:
  category: {one of: ["a", "a or b", "b", "a, marked TLP b", "a” or “b"]}
  TLP: {ordered: ["b", "at b", "b and c", "c"]}
  "TLP is b": {one of: ["c", "b and c", "is known", "known"]}
  caveats: {set of: ["b", "c (or not known)", "c"]}
  "x": {set of: ["y includes b", "b"]}
  "x includes y": {set of: ["b", "z"]}
agency:
  kind: {one of: ["agency", "b", "b whose status is c", "agency b"]}
  status: {one of: ["c", "c (or not known)", "c, because: b"]}
  law enforcement: {one of: ["yes", "no"]}
  federal: {one of: ["yes", "no", "maybe"]}
  28 CFR 23 agreement: {set of: ["yes", "no"]}
  pact: {set of: ["b", "b in force"], dated: true}
  "pact b": {set of: ["b", "b in force", "in force"]}
relation:
  serves the area: {key: area, index: serves}
  "b is yes": {key: area, index: id}
  "b": {key: home, index: home}
obligation:
  precedence: {highest of: ["b", "b, under c: d"]}
  onward: {strictest of: ["b", "c"]}
  "c": {strictest of: ["d", "d e"]}
  "c: d": {strictest of: ["e", "d e"]}
  least: {least: duration}
  strip: {union: ["b", "b and c", "c"]}
  handling note: {union: text}
""",
    source="hostile",
)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("R09",
         ("R09 shares a bulletin about officer safety, marked TLP at most AMBER+STRICT and for the purpose officer "
         "safety with any city police, county sheriff, state police, tribal police, transit police or campus police in "
         "the same region; it is sent as IMMEDIATE, to be acknowledged within 30 minutes, to be kept for at most 30 "
         "days, under the onward limit own agency, because: Regional BOLO agreement.")),
        ("R02",
         ("R02 always shares a bulletin about threat to a public official with each of these: (1) any city police that "
         "protects the person; (2) any state police that serves the area; (3) any JTTF that serves the area; (4) any "
         "fusion center that serves the area; only R01, R04, R05, R06, R07, R08, R10, R14 and R15 may hold it back; it "
         "is sent as FLASH, to be acknowledged within 10 minutes, under the onward limit own agency, because: "
         "Protective intelligence procedure; mayors' security guidance of 2021.")),
        ("R10",
         ("R10 never shares any bulletin with any agency whose status is suspended (or not known), because: Security "
         "officer's suspension order.")),
        ("R05",
         ("R05 never shares a bulletin with the caveat ORCON (or not known) with any agency not approved by "
         "the originator (or not known) and that is not the originator (or not known), because: ORCON; "
         "third-agency rule.")),
        ("R12",
         ("R12 adds duties to a bulletin from CA, IL, NJ, OR or WA (or not known) for anyone; it is not to be used for "
         "civil immigration enforcement, because: State law of the originator.")),
    ],
)  # fmt: skip
def test_a_rule_reads_as_one_english_sentence(rule, said):
    assert sentence(RULES[rule], VOCABULARY) == said


@pytest.mark.parametrize("rule", RULESET.rules, ids=lambda rule: rule.id)
def test_what_is_not_known_is_said_of_rules_that_fire_on_it_and_of_no_other(rule):
    lines = len(rule.when) + sum(len(item) for item in rule.to)
    said = sentence(rule, VOCABULARY).count("(or not known)")
    assert said == (lines if rule.effect in ("never", "require") else 0)


@pytest.mark.parametrize(
    ("written", "also"),
    [
        ("TLP: at most AMBER", "TLP: [AMBER, CLEAR, GREEN]"),
        ("TLP: at least AMBER+STRICT", "TLP: [RED, AMBER+STRICT]"),
        ("TLP: at most CLEAR", "TLP: CLEAR"),
        ("TLP: at most RED", "TLP: at least CLEAR"),
        ("caveats: [LES, SOURCE]", "caveats: [SOURCE, LES]"),
    ],
)
def test_what_means_the_same_reads_the_same(written, also):
    text = "policy: p\nversion: 1\nrules:\n- {rule: R x, effect: share, when: {%s}, to: everyone, because: x}\n"
    one, other = (parse_ruleset(text % line, VOCABULARY, source="r").rules[0] for line in (written, also))
    assert sentence(one, VOCABULARY) == sentence(other, VOCABULARY)


def shuffled(text, random):
    """The same rules in another order of everything: rules, lines, items, values, duties."""
    return yaml.safe_dump(_shuffled(yaml.load(text, Loader=yaml.BaseLoader), random), sort_keys=False)


def _shuffled(node, random):
    if isinstance(node, dict):
        entries = [(key, _shuffled(value, random)) for key, value in node.items()]
        return dict(random.sample(entries, len(entries)))
    if isinstance(node, list):
        return random.sample([_shuffled(item, random) for item in node], len(node))
    return node


@settings(max_examples=60, deadline=None)
@given(st.integers(min_value=0, max_value=10**6))
def test_the_order_in_which_rules_are_written_never_changes_a_sentence(seed):
    random = Random(seed)
    text = rules_text(random, 6)
    one, other = (parse_ruleset(way, SMALL, source="r") for way in (text, shuffled(text, random)))
    assert sentences(one, SMALL) == sentences(other, SMALL)
    assert reworded(sentences(one, SMALL), sentences(other, SMALL)) == ()


def test_the_order_of_the_example_does_not_matter_either():
    rules = EXAMPLE_RULES[: EXAMPLE_RULES.index("tests:")]
    other = parse_ruleset(shuffled(rules, Random(1)), VOCABULARY, source="r")
    assert sentences(other, VOCABULARY) == sentences(RULESET, VOCABULARY)


def lines_of(vocabulary, side):
    properties = vocabulary.bulletin if side == "portion" else vocabulary.agency
    choices = [(side, name, known.values) for name, known in properties.items()]
    if side == "agency":
        choices += [("relation", name, ("yes", "no")) for name in vocabulary.relation]

    def line(choice):
        kind, name, values = choice
        wanted = st.frozensets(st.sampled_from(values), min_size=1, max_size=1 if kind == "relation" else None)
        return wanted.map(lambda held: Line(side=kind, name=name, values=held, text="", line=1))

    return st.lists(st.sampled_from(choices).flatmap(line), max_size=3, unique_by=lambda one: one.name).map(tuple)


def duties_of(vocabulary):
    notes = ["b", "b” and “c", "b, to be kept for at most 1 day", "c"]

    def value(obligation):
        if obligation.kind == "least":
            return st.sampled_from([1, 60, 3600, 90])
        if obligation.kind == "union":
            words = st.frozensets(st.sampled_from(obligation.values or notes), min_size=1)
            return words.map(lambda held: tuple(sorted(held)))
        return st.sampled_from(obligation.values)

    return st.fixed_dictionaries({}, optional={name: value(known) for name, known in vocabulary.obligation.items()})


@st.composite
def rules_of(draw, vocabulary):
    effect = draw(st.sampled_from(["share", "always", "never", "require"]))
    reasons = ["b", "b.", "x, because: b", "x; it is sent as b, because: b"]
    return Rule(
        id="R1", name="R1 x", effect=effect, line=1,
        when=draw(lines_of(vocabulary, "portion")),
        to=tuple(draw(st.lists(lines_of(vocabulary, "agency"), min_size=1, max_size=3))),
        obligations={} if effect == "never" else draw(duties_of(vocabulary)),
        yields_to=tuple(draw(st.lists(st.sampled_from(["N1", "N2"]), unique=True))) if effect == "always" else (),
        because=draw(st.sampled_from(reasons)),
    )  # fmt: skip


def meaning(rule):
    """All that a rule says, with nothing of the order in which it says it."""
    return (
        rule.effect, frozenset(rule.when), frozenset(frozenset(item) for item in rule.to),
        frozenset(rule.obligations.items()), frozenset(rule.yields_to), rule.because,
    )  # fmt: skip


def altered(rule, other, part):
    """One part of a rule as in another one: rules that differ in a single place are the ones that could read alike."""
    if part == "to":
        return replace(rule, to=(*rule.to[1:], *other.to))
    if part == "lines":
        return replace(rule, to=(*rule.to[:-1], other.to[0]))
    if part == "effect":
        return replace(rule, effect=other.effect, yields_to=other.yields_to, obligations=other.obligations)
    return replace(rule, **{part: getattr(other, part)})


PARTS = ["when", "to", "lines", "effect", "obligations", "yields_to", "because"]


@settings(max_examples=250, deadline=None)
@given(
    rule=rules_of(HOSTILE),
    other=rules_of(HOSTILE),
    parts=st.lists(st.sampled_from(PARTS), min_size=1, max_size=2, unique=True),
)
def test_rules_of_different_meaning_never_have_the_same_sentence(rule, other, parts):
    second = rule
    for part in parts:
        second = altered(second, other, part)
    if rule.effect != "always":
        rule = replace(rule, yields_to=())
    if second.effect != "always":
        second = replace(second, yields_to=())
    same = sentence(rule, HOSTILE) == sentence(second, HOSTILE)
    assert same is (meaning(rule) == meaning(second))


def test_no_two_of_many_single_lines_read_alike():
    """All lines that a hostile vocabulary has, each alone: the sentences are as many as the meanings."""
    seen = {}
    for side, properties in (("portion", HOSTILE.bulletin), ("agency", HOSTILE.agency)):
        for name, known in properties.items():
            for bits in range(1, 1 << len(known.values)):
                values = frozenset(value for place, value in enumerate(known.values) if bits >> place & 1)
                line = Line(side=side, name=name, values=values, text="", line=1)
                rule = Rule(
                    id="R1", name="R1", effect="share", line=1, because="b", obligations={}, yields_to=(),
                    when=(line,) if side == "portion" else (), to=((),) if side == "portion" else ((line,),),
                )  # fmt: skip
                assert seen.setdefault(sentence(rule, HOSTILE), meaning(rule)) == meaning(rule)
    assert len(seen) == sum(
        (1 << len(known.values)) - 1 for known in (*HOSTILE.bulletin.values(), *HOSTILE.agency.values())
    )


def test_a_word_that_could_be_taken_for_the_sentence_stands_in_quotes():
    assert word("threat to a public official") == "threat to a public official"
    assert word("hate crime and extremism") == "“hate crime and extremism”"
    assert word("x, marked TLP CLEAR") == "“x, marked TLP CLEAR”"
    assert word("x” or “y") == "“x”” or “y”"
    assert word("agency") == "“agency”"


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (datetime(2024, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC),
         "The agreement X is in force from 2024-01-01 until the end of 2026-12-31 (UTC)."),
        (datetime(2024, 1, 1, 6, 30, tzinfo=UTC), datetime(2026, 12, 31, 18, 0, 1, tzinfo=UTC),
         "The agreement X is in force from 2024-01-01 06:30 until 2026-12-31 18:00:01 (UTC)."),
    ],
)  # fmt: skip
def test_an_agreement_reads_as_one_sentence(start, end, said):
    assert agreement_sentence(Agreement(name="X", start=start, end=end)) == said


def test_agreements_with_other_dates_read_otherwise():
    text = "policy: p\nversion: 1\nrules:\n- {rule: R x, effect: share, when: anything, to: everyone, because: x}\n"
    dates = ["2026-03-01", "2026-03-02", "2026-03-01T00:01Z", "2026-03-01T23:59:59Z", "2026-03-01T18:00-06:00"]
    said = {
        sentences(
            parse_ruleset(text + AGREEMENTS.replace("until: 2026-06-30", f"until: {end}"), SMALL, source="r"), SMALL
        )
        for end in (date.replace("2026-03", "2026-07") for date in dates)
    }
    # 18:00 at minus six hours is the midnight after the first: the same moment as the date without a time.
    assert len(said) == len(dates) - 1


def test_a_change_is_told_by_the_sentences_that_are_new_gone_or_different():
    before = sentences(RULESET, VOCABULARY)
    edited = (
        EXAMPLE_RULES.replace("acknowledge within: 30 minutes", "acknowledge within: 4 hours")
        .replace("until: 2027-02-28", "until: 2028-02-28")
        .replace("- rule: R19 A public", "- rule: R20 A public")
        .replace("rule: R18 A request", "rule: R18 Any request")
    )
    changes = reworded(before, sentences(parse_ruleset(edited, VOCABULARY, source="r"), VOCABULARY))
    kinds = [(one.about, one.before is not None, one.after is not None) for one in changes]
    assert kinds == [
        ("R09", True, True), ("R18", True, True), ("R19", True, False), ("R20", False, True),
        ("BORDER-TASK-2025", True, True),
    ]  # fmt: skip
    assert re.search("within 30 minutes", changes[0].before.text)
    assert re.search("within 4 hours", changes[0].after.text)


def test_every_sentence_of_the_example_is_one_line_that_ends():
    for one in sentences(RULESET, VOCABULARY):
        assert "\n" not in one.text
        assert one.text.endswith(".")
        assert one.text.isprintable()
