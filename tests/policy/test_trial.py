"""What rules on trial would have done otherwise: as the oracle finds it, added up without loss."""

from datetime import UTC, datetime, timedelta
from random import Random  # noqa: TID251 - reproducible by seed

from hypothesis import given, settings
from hypothesis import strategies as st

from policy import compile_rules, parse_ruleset, parse_vocabulary
from policy.difference import DutyBook
from policy.history import Recorded
from policy.trial import judge, summed
from tests.policy.guarantees import as_strict
from tests.policy.oracle import Oracle
from tests.policy.worlds import VOCABULARY, rules_text, world

seeds = st.integers(min_value=0, max_value=2**32)
START = datetime(2026, 5, 1, tzinfo=UTC)
RANKS = ("FLASH", "PRIORITY", "ROUTINE")


def tried(seed, *, leaving=()):
    """A world, its portions as bulletins, and what a random trial makes of each; some agencies leave half-way."""
    made = world(seed, agencies=12, portions=12, rules=8)
    trial = rules_text(Random(seed + 1), 8)
    vocabulary = parse_vocabulary(VOCABULARY, source="v")
    found = []
    for number, portion in enumerate(made.portions):
        late = number >= len(made.portions) // 2
        agencies = {name: one for name, one in made.agencies.items() if not (late and name in leaving)}
        sides = [
            compile_rules(parse_ruleset(text, vocabulary, source="r"), vocabulary, agencies, at=made.at)
            for text in (made.rules, trial)
        ]
        recorded = Recorded(
            bulletin=f"G1-2026-{number // 2 + 1:06d}",
            portion=f"p{number % 2}",
            originator="g1",
            at=START + timedelta(minutes=number),
            precedence=RANKS[number % 3],
            attributes=portion,
        )
        before, after = (side.decide(portion) for side in sides)
        book = DutyBook(vocabulary, vocabulary)
        found.append((recorded, agencies, judge(recorded, before, after, book=book, index=sides[0].index)))
    return made, trial, vocabulary, found


def by_the_oracle(made, trial, recorded, agencies):
    """Agencies that gain, lose, are looser and are stricter bound; the originator is none of them."""
    was, now = (Oracle(VOCABULARY, text, agencies, made.at) for text in (made.rules, trial))
    sets = {"gained": set(), "lost": set(), "loosened": set(), "tightened": set()}
    for agency in agencies:
        if agency == recorded.originator:
            continue
        had, _, _, _, old = was.judge(recorded.attributes, agency)
        has, _, _, _, new = now.judge(recorded.attributes, agency)
        if has and not had:
            sets["gained"].add(agency)
        if had and not has:
            sets["lost"].add(agency)
        if had and has:
            if not all(as_strict(was.vocabulary, name, new.get(name), value) for name, value in old.items()):
                sets["loosened"].add(agency)
            if not all(as_strict(was.vocabulary, name, old.get(name), value) for name, value in new.items()):
                sets["tightened"].add(agency)
    return sets


def named(bits, ids):
    return {agency for place, agency in enumerate(ids) if bits >> place & 1}


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_a_trial_differs_where_the_oracle_says_that_it_does(seed):
    made, trial, _, found = tried(seed)
    for recorded, agencies, differing in found:
        expected = by_the_oracle(made, trial, recorded, agencies)
        actual = {
            name: named(getattr(differing.difference, name), differing.ids) if differing else set() for name in expected
        }
        assert actual == expected


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_the_figures_of_a_trial_are_the_sums_of_its_portions_also_across_directories(seed):
    made, trial, vocabulary, found = tried(seed, leaving=("g0", "g3", "g5"))
    expected = [by_the_oracle(made, trial, recorded, agencies) for recorded, agencies, _ in found]

    replayed = summed(
        [differing for _, _, differing in found if differing],
        bulletins=6,
        portions=12,
        since=START,
        until=START,
        vocabulary=vocabulary,
    )

    pairs = {"disclosed": "gained", "withdrawn": "lost", "loosened": "loosened", "tightened": "tightened"}
    for effect, name in pairs.items():
        tally = getattr(replayed, effect)
        touched = [(recorded, sets[name]) for (recorded, _, _), sets in zip(found, expected, strict=True) if sets[name]]
        assert tally.portions == len(touched)
        assert tally.deliveries == sum(len(agencies) for _, agencies in touched)
        assert tally.agencies == len(set().union(*(agencies for _, agencies in touched)))
        assert (
            tally.bulletins == len({recorded.bulletin for recorded, _ in touched}) == sum(tally.by_precedence.values())
        )
        for example in (one for one in replayed.examples if one.effect == effect):
            agencies = next(a for r, a in touched if (r.bulletin, r.portion) == (example.bulletin, example.portion))
            assert set(example.agencies) <= agencies
            assert len(example.agencies) + example.more == len(agencies)
            assert example.rules
    for row in replayed.matrix.rows:
        assert sum(cell.gained for cell in row.cells) == sum(row.agency in sets["gained"] for sets in expected)
        assert sum(cell.lost for cell in row.cells) == sum(row.agency in sets["lost"] for sets in expected)


def test_of_a_trial_with_many_differences_the_most_urgent_are_shown():
    _, _, vocabulary, found = tried(11)
    differing = [one for _, _, one in found if one] * 40

    replayed = summed(differing, bulletins=6, portions=480, since=None, until=None, vocabulary=vocabulary)

    for effect in ("disclosed", "withdrawn"):
        shown = [RANKS.index(one.precedence) for one in replayed.examples if one.effect == effect]
        assert len(shown) <= 12
        assert shown == sorted(shown)
