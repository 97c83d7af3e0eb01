"""What may be shared with whom: vocabulary, rules, decisions, explanations. Pure: no I/O, no clock, no keys."""

from policy.agencies import check_agency, parse_agencies
from policy.agreements import SKEW, Agreement
from policy.cases import CaseResult, run_cases, untouched_rules
from policy.decide import Decider, compile_rules
from policy.decision import Decision
from policy.errors import PolicyError
from policy.explain import Explanation, NearestMiss, RuleReport, explain
from policy.findings import LineReport
from policy.obligations import Obligations, ObligationValue, describe_obligations, join_obligations
from policy.parse_rules import parse_ruleset
from policy.rules import Case, Rule, Ruleset
from policy.vocabulary import STATES, Attributes, Property, Value, Vocabulary, is_agency_id, parse_vocabulary

__all__ = [
    "SKEW",
    "STATES",
    "Agreement",
    "Attributes",
    "Case",
    "CaseResult",
    "Decider",
    "Decision",
    "Explanation",
    "LineReport",
    "NearestMiss",
    "ObligationValue",
    "Obligations",
    "PolicyError",
    "Property",
    "Rule",
    "RuleReport",
    "Ruleset",
    "Value",
    "Vocabulary",
    "check_agency",
    "compile_rules",
    "describe_obligations",
    "explain",
    "is_agency_id",
    "join_obligations",
    "parse_agencies",
    "parse_ruleset",
    "parse_vocabulary",
    "run_cases",
    "untouched_rules",
]
