"""Each guarantee's check notices when the thing that it guards is taken out of the product."""

from datetime import timedelta

import pytest

from policy import agreements, decide, decision, index, truth
from policy.compile import POSSIBLY, SURELY, PortionTables
from policy.decide import Decider
from tests.policy import guarantees
from tests.policy.worlds import world

SEEDS = range(40)


def never_rules_are_ignored(patch):
    mask = Decider._mask
    patch.setattr(Decider, "_mask", lambda self, *effects: 0 if "never" in effects else mask(self, *effects))


def never_rules_need_certainty(patch):
    patch.setattr(decide, "NEVERS_READ", SURELY)


def share_rules_match_on_a_perhaps(patch):
    patch.setattr(decide, "GRANTS_READ", POSSIBLY)


def require_rules_need_certainty(patch):
    patch.setattr(decide, "REQUIRES_READ", SURELY)


def the_audience_forgets_who_is_blocked(patch):
    original = decision.Decision.__init__

    def forgetful(self, **given):
        original(self, **{**given, "blocked": 0})

    patch.setattr(decision.Decision, "__init__", forgetful)


def not_keeps_sure_and_possible_in_place(patch):
    def look_up(self, slot, portion, memo):
        sure, possible = self.index.related(self._relations[slot >> 1], portion)
        everyone = self.index.everyone
        return (sure, possible) if slot & 1 else (everyone ^ sure, everyone ^ possible)

    patch.setattr(Decider, "_look_up", look_up)


def a_missing_key_means_no(patch):
    related = index.AgencyIndex.related
    patch.setattr(
        index.AgencyIndex,
        "related",
        lambda self, relation, portion: related(self, relation, portion) if relation.key in portion else (0, 0),
    )


def a_missing_marking_is_no_marking(patch):
    speaking = PortionTables.speaking
    patch.setattr(PortionTables, "speaking", lambda self, portion: (speaking(self, portion)[0],) * 2)


def an_unknown_value_is_false(patch):
    original = truth.property_truth
    sure = lambda *given: original(*given) if original(*given) is truth.Truth.YES else truth.Truth.NO  # noqa: E731
    patch.setattr(index, "property_truth", sure)


def an_unknown_member_is_overlooked(patch):
    patch.setattr(index, "known_members", lambda value, domain: (truth.known_members(value, domain)[0], True))


def clocks_are_trusted_to_the_second(patch):
    patch.setattr(agreements, "SKEW", timedelta(0))


def the_last_rule_wins(patch):
    original = decide.Decider._match
    patch.setattr(Decider, "_match", lambda self, *given: original(self, *given)[-1:])


@pytest.mark.parametrize(
    ("sabotage", "guarantee"),
    [
        (never_rules_are_ignored, guarantees.never_is_never_crossed),
        (never_rules_are_ignored, guarantees.agrees_with_the_oracle),
        (never_rules_need_certainty, guarantees.never_is_never_crossed),
        (never_rules_need_certainty, guarantees.forgetting_never_adds_a_recipient),
        (never_rules_need_certainty, guarantees.agrees_with_the_oracle),
        (share_rules_match_on_a_perhaps, guarantees.nothing_is_shared_by_default),
        (share_rules_match_on_a_perhaps, guarantees.forgetting_never_adds_a_recipient),
        (require_rules_need_certainty, guarantees.every_possible_requirement_binds),
        (require_rules_need_certainty, guarantees.agrees_with_the_oracle),
        (the_audience_forgets_who_is_blocked, guarantees.never_is_never_crossed),
        (not_keeps_sure_and_possible_in_place, guarantees.never_is_never_crossed),
        (not_keeps_sure_and_possible_in_place, guarantees.nothing_is_shared_by_default),
        (a_missing_marking_is_no_marking, guarantees.never_is_never_crossed),
        (a_missing_marking_is_no_marking, guarantees.forgetting_never_adds_a_recipient),
        (a_missing_key_means_no, guarantees.forgetting_never_adds_a_recipient),
        (a_missing_key_means_no, guarantees.agrees_with_the_oracle),
        (an_unknown_value_is_false, guarantees.never_is_never_crossed),
        (an_unknown_member_is_overlooked, guarantees.agrees_with_the_oracle),
        (clocks_are_trusted_to_the_second, guarantees.agrees_with_the_oracle),
        (the_last_rule_wins, guarantees.order_does_not_matter),
    ],
)
def test_the_check_fails_when_its_guard_is_removed(sabotage, guarantee, monkeypatch):
    sabotage(monkeypatch)
    with pytest.raises(AssertionError):
        over_many_worlds(guarantee)


def over_many_worlds(guarantee):
    for seed in SEEDS:
        guarantee(world(seed, agencies=25, portions=15, rules=10))
