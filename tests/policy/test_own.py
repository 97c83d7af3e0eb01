"""An agency's own rules only narrow what the exchange's rules share, by the oracle, for any rules and any directory."""

from dataclasses import dataclass, replace
from functools import cached_property
from random import Random  # noqa: TID251 - reproducible by seed

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy import PolicyError, compile_rules, explain, parse_ruleset, parse_vocabulary
from policy.cases import run_cases_by
from policy.own import blocks_always, carried, narrow
from tests.policy.guarantees import as_strict
from tests.policy.oracle import NO, YES, Oracle
from tests.policy.worlds import AGREEMENTS, MOMENTS, VOCABULARY, World, rule_text, world

seeds = st.integers(min_value=0, max_value=2**32)
few = settings(max_examples=30, deadline=None)
HEAD = "policy: own\nversion: 1\nrules:\n"


@dataclass
class Own:
    """A random exchange and one agency's own rules."""

    world: World
    text: str

    @cached_property
    def deciders(self):
        exchange = self.world.decider()
        own = parse_ruleset(self.text, exchange.vocabulary, source="own", beside=exchange.ruleset)
        return exchange, narrow(exchange, own, at=self.world.at)

    @cached_property
    def oracles(self):
        # An agency has no dates of its own; the oracle reads every file alone.
        return self.world.oracle(), Oracle(VOCABULARY, self.text + AGREEMENTS, self.world.agencies, self.world.at)


def own_world(seed, **sizes):
    random = Random(seed)
    effects = [random.choice(["never", "never", "require"]) for _ in range(random.randint(1, 4))]
    rules = [rule_text(random, f"OWN-{number}", effect) for number, effect in enumerate(effects)]
    return Own(world(seed, **{"agencies": 14, "portions": 8, "rules": 9, **sizes}), HEAD + "".join(rules))


def raw_duties(oracle, portion, agency):
    """The duties of all rules that oblige the agency, as they are written."""
    wanted = {"share": YES, "always": YES, "require": NO + 1}
    return [
        rule.get("with", {})
        for rule in oracle.file["rules"]
        if rule["effect"] in wanted and oracle.rule_truth(rule, portion, agency) >= wanted[rule["effect"]]
    ]


@few
@given(seeds)
def test_own_rules_and_the_exchanges_together_decide_as_the_oracle_does(seed):
    made = own_world(seed)
    _, narrowed = made.deciders
    exchange_oracle, own_oracle = made.oracles
    for portion in made.world.portions:
        decision = narrowed.decide(portion)
        grouped = {agency: duties for duties, members in decision.groups() for agency in members}
        for agency in made.world.agencies:
            shared, granting, always, blocking, _ = exchange_oracle.judge(portion, agency)
            own_blocking = [] if always else own_oracle.judge(portion, agency)[3]
            assert decision.reaches(agency) is (shared and not own_blocking)
            assert list(decision.blocked_by(agency)) == sorted([*blocking, *own_blocking])
            assert (agency in decision.withheld) is bool(granting and (blocking or own_blocking))
            if decision.reaches(agency):
                duties = exchange_oracle.join(
                    raw_duties(exchange_oracle, portion, agency) + raw_duties(own_oracle, portion, agency)
                )
                assert dict(decision.obligations(agency)) == duties == dict(grouped[agency])


@few
@given(seeds)
def test_own_rules_never_widen_an_audience_and_never_loosen_a_duty(seed):
    made = own_world(seed)
    exchange, narrowed = made.deciders
    vocabulary = made.oracles[0].vocabulary
    for portion in made.world.portions:
        for cut_off in (False, True):
            before, after = exchange.decide(portion, cut_off=cut_off), narrowed.decide(portion, cut_off=cut_off)
            assert set(after.audience) <= set(before.audience)
            for agency in after.audience:
                duties = after.obligations(agency)
                for name, value in before.obligations(agency).items():
                    assert as_strict(vocabulary, name, duties.get(name), value), name


@few
@given(seeds)
def test_own_rules_keep_nobody_from_what_an_always_rule_delivers(seed):
    made = own_world(seed)
    exchange, narrowed = made.deciders
    for portion in made.world.portions:
        before, after = exchange.decide(portion), narrowed.decide(portion)
        for agency in before.audience:
            always = made.oracles[0].judge(portion, agency)[2]
            assert after.reaches(agency) or not always
        assert after.blocked_always == before.blocked_always


@few
@given(seeds)
def test_no_rule_of_an_agencys_own_that_is_let_through_can_meet_an_always_rule(seed):
    made = own_world(seed)
    exchange, narrowed = made.deciders
    own = narrowed.own.ruleset
    refused = blocks_always(exchange.ruleset, exchange.vocabulary, own)
    kept = replace(own, rules=tuple(rule for rule in own.rules if rule.id not in refused))
    alone = narrow(exchange, kept, at=made.world.at).own
    for portion in made.world.portions:
        own_blocks = alone.decide(portion)
        for agency in made.world.agencies:
            if made.oracles[0].judge(portion, agency)[2]:
                assert own_blocks.blocked_by(agency) == ()


@few
@given(seeds, st.sampled_from(MOMENTS[1:]))
def test_own_rules_that_depend_on_dates_follow_the_clock(seed, moment):
    made = own_world(seed)
    narrowed = Own(replace(made.world, at=moment), made.text).deciders[1]
    started = Own(replace(made.world, at=MOMENTS[1]), made.text).deciders[1]
    for portion in made.world.portions:
        assert started.at(moment).decide(portion).audience == narrowed.decide(portion).audience


# --- another release of the vocabulary


CHANGES = (
    ('one of: [a, b, "NO"]', 'one of: [c, b, a, "NO", d]'),
    ('one of: [a, b, "NO"]', 'one of: [b, "NO"]'),
    ("ordered: [LOW, MID, HIGH]", "ordered: [LOW, HIGH, MID, TOP]"),
    ("  tlp: {ordered: [LOW, MID, HIGH]}\n", ""),
    ("set of: [X, Y, Z]", "set of: [X, Y]"),
    ("kind: {one of: [city, state, fed]}", "kind: {set of: [city, state, fed]}"),
    ("level: {ordered: [one, two, three]}", "level: {ordered: [two, three, four]}"),
    ("  tags: {set of: [t, u]}\n", ""),
    ("tags: {set of: [t, u]}", "tags: {set of: [t, u, v]}"),
    ("pact: {set of: [P-1, P-2], dated: true}", "pact: {set of: [P-1, P-2]}"),
    ("named: {key: named, index: id}", "named: {key: area, index: counties}"),
    ("  same region: {key: region, index: region}\n", ""),
    ("  onward: {strictest of: [public, own, nobody]}\n", ""),
    ("precedence: {highest of: [ROUTINE, PRIORITY, FLASH]}", "precedence: {highest of: [ROUTINE, FLASH]}"),
)


SHARES = """policy: all
version: 1
rules:
- rule: S everything
  effect: share
  when: anything
  to: everyone
  because: a test
"""
NEW_WORDS = {"topic": ["c", "d"], "tlp": ["TOP"], "caveats": [frozenset({"X", "Z"})]}
NEW_RECORDS = {"tags": ["v"], "level": ["four"], "kind": [frozenset({"city", "fed"})]}


def over(vocabulary, own, agencies, at):
    exchange = compile_rules(parse_ruleset(SHARES, vocabulary, source="rules"), vocabulary, agencies, at=at)
    return narrow(exchange, own, at=at)


def sprinkled(random, records, words):
    for record in records:
        name = random.choice(sorted(words))
        yield {**record, name: random.choice(words[name])} if random.random() < 0.4 else record


@settings(max_examples=60, deadline=None)
@given(seeds, st.sampled_from(CHANGES))
def test_own_rules_forbid_and_oblige_under_a_new_vocabulary_wherever_they_were_signed_to(seed, change):
    made = own_world(seed)
    own, random = made.deciders[1].own.ruleset, Random(seed)
    before, after = (parse_vocabulary(text, source="v") for text in (VOCABULARY, VOCABULARY.replace(*change)))
    assert before != after
    found = carried(own, before, after, own.agreements)
    agencies = dict(zip(made.world.agencies, sprinkled(random, made.world.agencies.values(), NEW_RECORDS), strict=True))
    signed = over(before, own, agencies, made.world.at)
    now = over(after, found.ruleset, agencies, made.world.at)
    for portion in sprinkled(random, made.world.portions, NEW_WORDS):
        was, is_now = signed.decide(portion), now.decide(portion)
        assert set(is_now.audience) <= set(was.audience)
        for agency in is_now.audience:
            duties = is_now.obligations(agency)
            for name, value in was.obligations(agency).items():
                assert as_strict(made.oracles[0].vocabulary, name, duties.get(name), value), name


def test_a_vocabulary_that_says_the_same_carries_own_rules_word_for_word():
    made = own_world(7)
    own = made.deciders[1].own.ruleset
    vocabulary = parse_vocabulary(VOCABULARY, source="v")

    found = carried(own, vocabulary, parse_vocabulary(VOCABULARY, source="w"), own.agreements)

    assert found.ruleset == own
    assert found.adapted == ()


def test_a_duty_that_nobody_can_be_given_any_more_becomes_a_never_rule_and_is_told():
    exchange = parse_ruleset(SHARES, parse_vocabulary(VOCABULARY, source="v"), source="rules")
    before = parse_vocabulary(VOCABULARY, source="v")
    after = parse_vocabulary(VOCABULARY.replace("  onward: {strictest of: [public, own, nobody]}\n", ""), source="v")
    text = HEAD + rule("OWN-1", "require", "topic: a", "  with: {onward: own}\n")
    own = parse_ruleset(text, before, source="own", beside=exchange)

    found = carried(own, before, after, {})

    assert [one.effect for one in found.ruleset.rules] == ["never"]
    assert found.adapted == ("OWN-1",)
    assert over(after, found.ruleset, {"g1": {}}, None).decide({"topic": "a"}).withheld == {"g1": ("OWN-1",)}


# --- what may be written


def rule(name, effect, when, rest=""):
    return (
        f"- rule: {name} of ours\n  effect: {effect}\n  because: we say so\n  when: {{{when}}}\n  to: everyone\n{rest}"
    )


@pytest.mark.parametrize("effect", ["share", "always"])
def test_own_rules_that_share_are_refused_where_they_stand(effect):
    exchange = world(3).decider()

    with pytest.raises(PolicyError, match=f"own:4: OWN-1 is {effect}: an agency's own rules only forbid") as caught:
        parse_ruleset(
            HEAD + rule("OWN-1", effect, "topic: a"), exchange.vocabulary, source="own", beside=exchange.ruleset
        )

    assert caught.value.code == "own-not-narrow"


def test_own_rules_under_an_id_of_the_exchange_are_refused():
    exchange = world(3).decider()

    with pytest.raises(PolicyError, match="'Q0' is the exchange's") as caught:
        parse_ruleset(
            HEAD + rule("Q0", "never", "topic: a"), exchange.vocabulary, source="own", beside=exchange.ruleset
        )

    assert caught.value.code == "own-id"


def test_rules_of_the_exchange_under_an_id_of_an_agencys_own_are_refused():
    with pytest.raises(PolicyError) as caught:
        parse_ruleset(HEAD + rule("OWN-1", "never", "topic: a"), parse_vocabulary(VOCABULARY, source="v"), source="r")

    assert caught.value.code == "reserved-id"


def test_dates_of_an_agencys_own_are_refused():
    exchange = world(3).decider()
    text = HEAD + rule("OWN-1", "never", "topic: a") + AGREEMENTS

    with pytest.raises(PolicyError) as caught:
        parse_ruleset(text, exchange.vocabulary, source="own", beside=exchange.ruleset)

    assert caught.value.code == "unknown-key"


def test_more_than_two_hundred_own_rules_are_refused():
    exchange = world(3).decider()
    text = HEAD + "".join(rule(f"OWN-{number}", "never", "topic: a") for number in range(201))

    with pytest.raises(PolicyError, match="more than 200 rules"):
        parse_ruleset(text, exchange.vocabulary, source="own", beside=exchange.ruleset)


# --- whoever asks why


def example():
    vocabulary = parse_vocabulary(VOCABULARY, source="v")
    text = (
        HEAD
        + rule("OWN-1", "never", "topic: a")
        + "tests:\n- test: nobody gets a\n  bulletin: {topic: a}\n  reaches nobody because of: OWN-1\n"
        + "- test: b goes out\n  bulletin: {topic: b}\n  reaches exactly: [g1]\n"
    )
    exchange = compile_rules(parse_ruleset(SHARES, vocabulary, source="rules"), vocabulary, {"g1": {}}, at=None)
    return narrow(exchange, parse_ruleset(text, vocabulary, source="own", beside=exchange.ruleset), at=None), "g1"


def test_an_explanation_names_the_own_rule_that_holds_a_portion_back():
    narrowed, agency = example()

    found = explain(narrowed, {"topic": "a"}, agency)

    assert (found.outcome, found.blocked_by) == ("withheld", ("OWN-1",))
    assert any("OWN-1 (of ours) forbids it, because: we say so" in sentence for sentence in found.sentences())


def test_cases_of_own_rules_are_decided_together_with_the_exchanges_rules():
    narrowed, _ = example()

    assert [one.passed for one in run_cases_by(narrowed, narrowed.ruleset.cases)] == [True, True]
