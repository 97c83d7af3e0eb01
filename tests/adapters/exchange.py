"""The rules and agencies of the worked example, asked what they would do with what an adapter made."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from adapters import city_police, fusion_center, jttf, state_police
from adapters.process import Kind
from adapters.settings import Settings, load
from broker.model import Submission, document_of, new_id, parse_bulletin, portion_attributes
from policy import compile_rules, parse_agencies, parse_ruleset, parse_vocabulary

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "adapters" / "examples"
RULES = ROOT / "policy" / "rules.example"
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)

KIND_OF = {
    "chicago-pd": city_police.KIND,
    "springfield-pd": city_police.KIND,
    "il-state-police": state_police.KIND,
    "jttf-springfield": jttf.KIND,
    "jttf-chicago": jttf.KIND,
    "il-fusion": fusion_center.KIND,
    "north-il-fusion": fusion_center.KIND,
}

VOCABULARY = parse_vocabulary((RULES / "vocabulary.yaml").read_text(), source="vocabulary.yaml")
RULESET = parse_ruleset((RULES / "rules.yaml").read_text(), VOCABULARY, source="rules.yaml")
AGENCIES = parse_agencies((RULES / "agencies.yaml").read_text(), VOCABULARY, source="agencies.yaml")
DECIDER = compile_rules(RULESET, VOCABULARY, AGENCIES, at=NOW)


def settings_of(agency: str) -> Settings:
    kind = KIND_OF[agency]
    return load(EXAMPLES / agency / "adapter.toml", reads=kind.reads, writes=frozenset(kind.writers))


def kind_of(agency: str) -> Kind:
    return KIND_OF[agency]


def translate(agency: str, raw: bytes):
    return kind_of(agency).translator(settings_of(agency))(raw, NOW)


def example(path: str):
    """The intent of an example feed; its folder is the agency."""
    file = EXAMPLES / path
    return translate(file.parent.name, file.read_bytes())


def submitted(body) -> Submission:
    return parse_bulletin(body, vocabulary=VOCABULARY, now=NOW)


def decisions(body, *, requester: str | None = None):
    """Per portion: who gets it, and which agencies are withheld by which never rules."""
    submission = submitted(body)
    agency = submission.agency
    bulletin = submission.accept(new_id(NOW, bytes, agency), f"{agency.upper()}-2026-000001", NOW)
    found = {}
    for portion in bulletin.portions:
        attributes = portion_attributes(
            document_of(bulletin, portion),
            origin=AGENCIES[agency],
            named=frozenset(person.agency for person in bulletin.named),
            approved=frozenset(bulletin.approved),
            requester=requester,
            vocabulary=VOCABULARY,
        )
        decision = DECIDER.decide(attributes)
        found[portion.id] = (sorted(set(decision.audience) - {agency}), dict(decision.withheld))
    return found
