"""The guarantees of the decision as plain checks over one random world; the sabotage tests show that each can fail."""

from dataclasses import replace
from random import Random  # noqa: TID251 - reproducible by seed

from policy import Decider, compile_rules
from tests.policy.oracle import NO, UNKNOWN, YES


def agrees_with_the_oracle(world):
    """Returns (decisions, shared, withheld) that were compared."""
    decider, oracle = world.decider(), world.oracle()
    counts = [0, 0, 0]
    for portion in world.portions:
        decision = decider.decide(portion)
        audience = set(decision.audience)
        grouped = {agency: duties for duties, members in decision.groups() for agency in members}
        assert sorted(grouped) == list(decision.audience)
        for agency in world.agencies:
            shared, granting, always, blocking, duties = oracle.judge(portion, agency)
            assert (agency in audience) is shared, (portion, agency)
            assert list(decision.granted_by(agency)) == granting
            assert list(decision.blocked_by(agency)) == blocking
            withheld = bool(granting and blocking)
            assert (agency in decision.withheld) is withheld
            assert (agency in decision.blocked_always) is bool(always and blocking)
            if withheld:
                assert list(decision.withheld[agency]) == blocking
            if shared:
                assert dict(decision.obligations(agency)) == duties
                assert dict(grouped[agency]) == duties
            counts[0] += 1
            counts[1] += shared
            counts[2] += withheld
    return counts


def never_is_never_crossed(world):
    """No decision shares with an agency that a never rule possibly matches."""
    decider, oracle = world.decider(), world.oracle()
    nevers = [rule for rule in oracle.file["rules"] if rule["effect"] == "never"]
    for portion in world.portions:
        for agency in decider.decide(portion).audience:
            for rule in nevers:
                assert oracle.rule_truth(rule, portion, agency) == NO, (rule["rule"], portion, agency)


def nothing_is_shared_by_default(world):
    """Every recipient has a share or always rule that surely matches."""
    decider, oracle = world.decider(), world.oracle()
    grants = [rule for rule in oracle.file["rules"] if rule["effect"] in ("share", "always")]
    for portion in world.portions:
        for agency in decider.decide(portion).audience:
            assert any(oracle.rule_truth(rule, portion, agency) == YES for rule in grants), (portion, agency)


def every_possible_requirement_binds(world):
    """A recipient whom a require rule possibly matches has its duties, at least as strict."""
    decider, oracle = world.decider(), world.oracle()
    requires = [rule for rule in oracle.file["rules"] if rule["effect"] == "require"]
    for portion in world.portions:
        decision = decider.decide(portion)
        for agency in decision.audience:
            duties = decision.obligations(agency)
            for rule in requires:
                if oracle.rule_truth(rule, portion, agency) >= UNKNOWN:
                    required = oracle.join([rule["with"]])
                    for name, value in required.items():
                        assert as_strict(oracle.vocabulary, name, duties.get(name), value), (rule["rule"], name)


def as_strict(vocabulary, name, value, than):
    how = vocabulary["obligation"][name]
    if value is None:
        return False
    if "least" in how:
        return value <= than
    if "union" in how:
        return set(than) <= set(value)
    ranks = how.get("highest of") or how.get("strictest of")
    return ranks.index(value) >= ranks.index(than)


def forgetting_never_adds_a_recipient(world):
    """Removing an attribute of the portion, or of one agency, or replacing it by a word nobody knows, adds nobody."""
    decider = world.decider()
    for portion in world.portions:
        before = set(decider.decide(portion).audience)
        for name in portion:
            less = {key: value for key, value in portion.items() if key != name}
            assert set(decider.decide(less).audience) <= before, (portion, name)
            assert set(decider.decide({**portion, name: ""}).audience) <= before, (portion, name)
    random = Random(1)
    for agency in random.sample(sorted(world.agencies), 4):
        record = world.agencies[agency]
        for name in record:
            less = {key: value for key, value in record.items() if key != name}
            other = recompiled(decider, {**world.agencies, agency: less})
            for portion in world.portions:
                before, after = set(decider.decide(portion).audience), set(other.decide(portion).audience)
                assert after <= before, (agency, name)
                assert before - after <= {agency}, (agency, name)


def order_does_not_matter(world):
    decider = world.decider()
    rules = list(decider.ruleset.rules)
    Random(3).shuffle(rules)
    other = compile_rules(
        replace(decider.ruleset, rules=tuple(rules)), decider.vocabulary, decider.agencies, at=decider.moment
    )
    for portion in world.portions:
        one, two = decider.decide(portion), other.decide(portion)
        assert one.audience == two.audience
        assert one.withheld == two.withheld
        assert [(dict(duties), members) for duties, members in one.groups()] == [
            (dict(duties), members) for duties, members in two.groups()
        ]


def recompiled(decider: Decider, agencies):
    return compile_rules(decider.ruleset, decider.vocabulary, agencies, at=decider.moment)
