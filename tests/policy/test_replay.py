"""The replay says what deciding each portion for each agency, slowly and one at a time, would have said."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy import PolicyError
from policy.counting import Counter as SeatCounter
from policy.history import WINDOW
from policy.ledger import AGENCIES_SHOWN, MARKINGS_SHOWN
from policy.replay import replay
from policy.showing import marking_of, strictness
from policy.tallying import EXAMPLES_SHOWN
from tests.policy.guarantees import as_strict
from tests.policy.oracle import Oracle
from tests.policy.recordings import (
    AROUND,
    NOON,
    PRECEDENCES,
    edition,
    example,
    narcotics,
    random_history,
    recorded,
    threat,
)
from tests.policy.worlds import EXAMPLE_AGENCIES, EXAMPLE_RULES, VOCABULARY, world

SEEDS = st.integers(0, 2**32)


def slowly(before, after, history):
    """Every difference, found one agency and one portion at a time: (effect, bulletin, portion, agency)."""
    found = []
    sides = [Oracle(VOCABULARY, one.rules, one.agencies, None) for one in (before, after)]
    for one in history:
        for agency in {*before.agencies, *after.agencies} - {one.originator}:
            outcomes = []
            for oracle in sides:
                oracle.at = one.at
                there = agency in oracle.agencies and one.originator in oracle.agencies
                judged = oracle.judge(one.attributes, agency) if there else (False, [], [], [], {})
                outcomes.append((judged[0], judged[4]))
            found += [(effect, one.bulletin, one.portion, agency) for effect in effects(sides[0], *outcomes)]
    return found


def effects(oracle, before, after):
    (had, was), (has, now) = before, after
    if had != has:
        return ["disclosed" if has else "withdrawn"]
    if not had:
        return []
    names = {*was, *now}
    looser = any(name in was and not as_strict(oracle.vocabulary, name, now.get(name), was[name]) for name in names)
    stricter = any(name in now and not as_strict(oracle.vocabulary, name, was.get(name), now[name]) for name in names)
    return ["loosened"] * looser + ["tightened"] * stricter


def two_worlds(seed):
    """Two editions that share some agencies, one with a changed record, and some rules."""
    one, other = world(seed, agencies=9, portions=14, rules=8), world(seed + 1, agencies=9, portions=1, rules=8)
    agencies = {**one.agencies, "g3": other.agencies["g3"], "g90": other.agencies["g5"]}
    del agencies["g7"]
    return one, replace(other, agencies=agencies)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_a_replay_equals_deciding_each_portion_for_each_agency_slowly(seed):
    before, after = two_worlds(seed)
    history = random_history(seed, before.portions, before.agencies)

    result = replay(edition(before.rules, before.agencies), edition(after.rules, after.agencies), history)

    expected = slowly(before, after, history)
    for effect in ("disclosed", "withdrawn", "loosened", "tightened"):
        of_it = [found for found in expected if found[0] == effect]
        tally = getattr(result, effect)
        assert tally.deliveries == len(of_it)
        assert tally.portions == len({found[1:3] for found in of_it})
        assert tally.bulletins == len({found[1] for found in of_it}) == sum(tally.by_precedence.values())
        assert tally.agencies == len({found[3] for found in of_it})
    assert result.changes is bool(expected)
    gained, lost = (
        Counter(found[3] for found in expected if found[0] == effect) for effect in ("disclosed", "withdrawn")
    )
    rows = {row.agency: row for row in result.matrix.rows}
    assert rows.keys() == gained.keys() | lost.keys()
    for agency, row in rows.items():
        assert sum(cell.gained for cell in row.cells) == gained[agency]
        assert sum(cell.lost for cell in row.cells) == lost[agency]
    for found in result.examples:
        for agency in found.agencies:
            assert (found.effect, found.bulletin, found.portion, agency) in expected


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_the_sums_of_the_matrix_are_its_totals(seed):
    before, after = two_worlds(seed)
    history = random_history(seed, before.portions * 3, before.agencies)

    result = replay(edition(before.rules, before.agencies), edition(after.rules, after.agencies), history)

    matrix = result.matrix
    for place, total in enumerate(matrix.total):
        assert sum(row.cells[place].gained for row in matrix.rows) == total.gained
        assert sum(row.cells[place].lost for row in matrix.rows) == total.lost
    assert sum(total.gained for total in matrix.total) == result.disclosed.deliveries
    assert sum(total.lost for total in matrix.total) == result.withdrawn.deliveries


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_the_same_edition_twice_changes_nothing_whatever_was_recorded(seed):
    one = world(seed, agencies=9, portions=12, rules=8)
    history = random_history(seed, one.portions, one.agencies)

    result = replay(edition(one.rules, one.agencies), edition(one.rules, one.agencies), history)

    assert not result.changes
    assert result.matrix.rows == ()
    assert result.examples == ()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2**70 - 1), max_size=60))
def test_a_counter_counts_each_seat_as_often_as_it_was_added(sets):
    counter = SeatCounter()
    for bits in sets:
        counter.add(bits)

    plain = Counter(seat for bits in sets for seat in range(70) if bits >> seat & 1)
    assert dict(counter.counts()) == dict(plain)
    assert counter.total == plain.total()
    assert all(counter.of(seat) == plain[seat] for seat in range(72))
    assert counter.seats == sum(1 << seat for seat in plain)


# --- the example exchange


def dropped_line():
    """The HIDTA rule without the line about 28 CFR 23."""
    rules = EXAMPLE_RULES.replace(
        "  - agreement: HIDTA-2024\n    28 CFR 23 agreement: yes\n", "  - agreement: HIDTA-2024\n"
    )
    assert rules != EXAMPLE_RULES
    return example(rules=rules)


def suspended(agency):
    head, record = EXAMPLE_AGENCIES.split(f"\n{agency}:\n")
    return example(agencies=f"{head}\n{agency}:\n" + record.replace("status: active", "status: suspended", 1))


def test_a_dropped_line_newly_discloses_to_those_whom_it_kept_out():
    history = [recorded(narcotics(), originator="chicago-pd", number=number) for number in (1, 2)]

    result = replay(example(), dropped_line(), history)

    assert (result.disclosed.bulletins, result.disclosed.deliveries) == (2, 4)
    assert [row.agency for row in result.matrix.rows] == ["ero-chicago", "lake-sheriff"]
    assert result.matrix.markings == ("AMBER",)
    first = result.examples[0]
    assert (first.effect, first.agencies, first.rules) == ("disclosed", ("ero-chicago", "lake-sheriff"), ("R11",))
    assert first.before == ()
    assert "retain for 1 year" in first.after


def test_suspending_an_agency_says_how_many_flash_bulletins_it_would_have_missed():
    history = [
        *(recorded(threat(), originator="chicago-pd", number=number) for number in range(1, 13)),
        recorded(narcotics(), originator="chicago-pd", number=13),
    ]

    result = replay(example(), suspended("springfield-pd"), history, about=["springfield-pd", "peoria-pd"])

    # Submitted as ROUTINE; rule R02 makes a FLASH of it.
    rows = {row.agency: row for row in result.matrix.rows}
    assert rows["springfield-pd"].stopped == {"FLASH": 12}
    assert rows["springfield-pd"].started == {}
    assert rows["peoria-pd"].stopped == {}
    assert result.withdrawn.by_precedence == {"FLASH": 12}
    assert result.examples[0].rules == ("R10",)
    assert not result.disclosed.deliveries


def test_a_looser_duty_is_seen_where_the_audience_is_the_same():
    rules = EXAMPLE_RULES.replace("acknowledge within: 10 minutes, onward: own agency", "acknowledge within: 1 hour", 1)
    result = replay(example(), example(rules=rules), [recorded(threat(), originator="chicago-pd")])

    assert (result.loosened.deliveries, result.tightened.deliveries) == (4, 0)
    assert not result.disclosed.deliveries
    (shown,) = result.examples
    assert "acknowledge within 10 minutes" in shown.before
    assert "acknowledge within 1 hour" in shown.after


def test_a_bulletin_that_still_arrives_in_part_is_not_a_stopped_one():
    rules = EXAMPLE_RULES.replace("when: {caveats: JUVENILE, version: full}", "when: {version: full}", 1)
    portions = [
        recorded(threat(), originator="chicago-pd", portion="full"),
        recorded(threat(version="tearline"), originator="chicago-pd", portion="line"),
    ]

    result = replay(example(), example(rules=rules), portions)

    assert result.withdrawn.portions == 1
    assert all(row.stopped == {} for row in result.matrix.rows)
    assert all(sum(cell.lost for cell in row.cells) == 1 for row in result.matrix.rows)


def test_an_originator_never_counts_as_its_own_recipient():
    history = [recorded(threat(originator="il-fusion"), originator="il-fusion")]

    result = replay(example(), suspended("il-fusion"), history)

    assert not result.changes


def test_an_agency_that_left_sends_nothing_any_more():
    agencies = EXAMPLE_AGENCIES[: EXAMPLE_AGENCIES.index("\nnewtown-pd:")]
    attributes = threat(originator="newtown-pd")
    history = [recorded(attributes, originator="newtown-pd"), recorded(threat(), originator="gone-pd")]

    result = replay(example(), example(agencies=agencies), history)

    assert (result.strangers, result.departed) == (1, 1)
    assert (result.portions, result.bulletins) == (1, 1)
    assert result.withdrawn.deliveries == 4


def test_a_moved_originator_is_decided_with_where_it_moved_to():
    bolo = threat(category="officer safety", purpose="officer safety", region="IL-C", originator="il-state-police")
    head, record = EXAMPLE_AGENCIES.split("\nil-state-police:\n")
    moved = example(agencies=f"{head}\nil-state-police:\n" + record.replace("region: IL-C", "region: IL-N", 1))
    history = [recorded(bolo, originator="il-state-police")]

    heedless = replay(example(), moved, history)
    result = replay(example(), moved, history, origin={"region": "region", "origin state": "state"})

    assert not heedless.changes
    assert {row.agency for row in result.matrix.rows if row.cells[0].gained} == {
        "chicago-pd",
        "cook-sheriff",
        "lake-sheriff",
    }
    assert {row.agency for row in result.matrix.rows if row.cells[0].lost} == {"springfield-pd"}


def test_an_origin_that_is_no_longer_stated_is_unknown_and_discloses_nothing():
    bolo = threat(category="officer safety", purpose="officer safety", region="IL-C", originator="il-state-police")
    head, record = EXAMPLE_AGENCIES.split("\nil-state-police:\n")
    moved = example(agencies=f"{head}\nil-state-police:\n" + record.replace("  region: IL-C\n", "", 1))

    result = replay(example(), moved, [recorded(bolo, originator="il-state-police")], origin={"region": "region"})

    assert not result.disclosed.deliveries
    assert result.withdrawn.deliveries == 1


def test_only_the_last_thirty_days_are_replayed():
    moments = [NOON - WINDOW, NOON - WINDOW + timedelta(milliseconds=1), NOON, NOON + timedelta(days=1)]
    history = [
        recorded(narcotics(), originator="chicago-pd", number=number, at=at) for number, at in enumerate(moments, 1)
    ]

    result = replay(example(), dropped_line(), history, until=NOON)

    assert (result.portions, result.since, result.until) == (2, moments[1], NOON)
    assert replay(example(), dropped_line(), history).portions == 2


def test_nothing_recorded_replays_to_nothing():
    result = replay(example(), dropped_line(), [])

    assert (result.portions, result.since, result.until, result.changes) == (0, None, None, False)


def test_what_two_gateways_exported_twice_counts_once_and_a_contradiction_is_refused():
    one = recorded(narcotics(), originator="chicago-pd")

    assert replay(example(), dropped_line(), [one, one]).portions == 1
    with pytest.raises(PolicyError) as refused:
        replay(example(), dropped_line(), [one, replace(one, attributes=threat())])
    assert refused.value.code == "recorded-twice"


def test_each_portion_is_judged_by_the_agreements_of_its_day():
    late = NOON.replace(year=2027)
    history = [
        recorded(narcotics(), originator="chicago-pd", number=1, at=late - timedelta(days=20)),
        recorded(narcotics(), originator="chicago-pd", number=2, at=NOON),
        recorded(narcotics(), originator="chicago-pd", number=3, at=NOON - timedelta(days=1)),
    ]

    assert replay(example(), dropped_line(), history, until=NOON).disclosed.bulletins == 2
    assert replay(example(), dropped_line(), history, until=late).disclosed.bulletins == 0


def test_many_agencies_and_markings_end_in_a_row_and_a_column_for_the_rest():
    base = world(11, agencies=AGENCIES_SHOWN + 40, portions=1)
    share = "policy: all\nversion: 1\nrules:\n- rule: A everything\n  effect: share\n  when: anything\n"
    share += "  to: everyone\n  because: x\n"
    nothing = share.replace("when: anything", "when: {topic: a}")
    markings = [frozenset(), *(frozenset({one}) for one in "XYZ")]
    history = [
        recorded({"TLP": tlp, "caveats": caveats}, number=4 * place + other)
        for place, tlp in enumerate(["LOW", "MID", "HIGH", "PURPLE"])
        for other, caveats in enumerate(markings)
    ]
    vocabulary = VOCABULARY.replace("tlp:", "TLP:")

    result = replay(edition(nothing, base.agencies, vocabulary), edition(share, base.agencies, vocabulary), history)

    matrix = result.matrix
    assert len(matrix.markings) == MARKINGS_SHOWN
    assert matrix.markings[0] == "LOW"
    assert matrix.markings[-1] is None
    assert len(matrix.rows) == AGENCIES_SHOWN + 1
    assert (matrix.rows[-1].agency, matrix.rows[-1].agencies) == (None, 39)
    assert sum(cell.gained for row in matrix.rows for cell in row.cells) == 16 * 99 == result.disclosed.deliveries
    assert sum(sum(row.started.values()) for row in matrix.rows) == 16 * 99
    assert len(result.examples) == EXAMPLES_SHOWN


def test_the_most_urgent_examples_come_first():
    history = [
        recorded(narcotics(), originator="chicago-pd", number=number, precedence=PRECEDENCES[number % 3])
        for number in range(40)
    ]

    shown = replay(example(), dropped_line(), history).examples

    assert [one.precedence for one in shown] == ["FLASH"] * EXAMPLES_SHOWN


def test_no_name_of_a_person_and_no_unknown_word_is_in_what_a_replay_shows():
    attributes = narcotics(protectee="SECRETNAME", named=frozenset({"SECRETAGENT"}), region="SECRETPLACE")
    odd = {**attributes, "product": "SECRETWORD", "traffic": "SECRETTRAFFIC"}
    history = [
        recorded(attributes, originator="chicago-pd", number=1),
        recorded(odd, originator="chicago-pd", number=2),
    ]

    result = replay(example(), dropped_line(), history)

    assert result.disclosed.bulletins == 2
    assert "SECRET" not in repr(result)
    assert "unknown product" in result.examples[1].attributes.values()


def test_a_marking_that_is_not_stated_or_not_known_is_said_to_be_so():
    words = example().vocabulary

    assert marking_of(words, threat(caveats=frozenset({"ORCON", "LES"}))) == "AMBER, LES, ORCON"
    assert marking_of(words, threat(TLP="PURPLE", caveats=frozenset({"SECRET"}))) == "unknown TLP, unknown caveats"
    assert marking_of(words, {}) == "TLP not stated, dissemination not stated, caveats not stated"
    markings = ["unknown TLP", "RED, LES", "AMBER", "CLEAR, LES"]
    assert sorted(markings, key=lambda marking: strictness(words, marking)) == markings[::-1]


def test_the_moments_of_the_tests_cross_a_boundary():
    assert min(AROUND) < max(AROUND)
    assert max(AROUND) - min(AROUND) < WINDOW
