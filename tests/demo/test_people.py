"""What the persons of the scenario write fits the table and the border of the API."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.demo import people
from broker.demo.expectation import load_expectation
from broker.model import Refusal, parse_bulletin, parse_json
from policy import parse_vocabulary

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SOME_ID = "0193a5e0-7c00-7000-8000-000000000001"
EXPECTATION = load_expectation()
RULES = Path(__file__).parents[2] / "policy" / "rules.example"
VOCABULARY = parse_vocabulary((RULES / "vocabulary.yaml").read_text(encoding="utf-8"), source="vocabulary.yaml")

WRITTEN = {
    "assessment": people.assessment(NOW),
    "question": people.question(NOW),
    "answer": people.answer(NOW, to=SOME_ID),
    "sighting": people.sighting(NOW, of=SOME_ID),
    "withdrawn": people.withdrawn(NOW),
    "overdue": people.overdue(NOW),
    "intelligence": people.intelligence(NOW),
    "juvenile": people.juvenile(NOW),
    "controlled": people.controlled(NOW),
}
ILLEGAL = {
    "no-suspicion": people.no_suspicion(NOW),
    "red-without-names": people.red_without_names(NOW),
    "protected-activity": people.protected_activity(NOW),
}


@pytest.mark.parametrize("key", WRITTEN)
def test_a_persons_bulletin_holds_the_words_of_the_table_and_is_taken(key: str) -> None:
    expected = EXPECTATION.by_key(key)
    document = WRITTEN[key]

    submission = parse_bulletin(parse_json(json.dumps(document).encode()), vocabulary=VOCABULARY, now=NOW)

    assert submission.agency == expected.originator
    for phrase in expected.says.values():
        assert sum(phrase in portion.content for portion in submission.portions) == 1
    assert len(submission.portions) == len(expected.says)


@pytest.mark.parametrize("key", ILLEGAL)
def test_an_illegal_submission_is_refused_with_the_code_of_the_table(key: str) -> None:
    expected = next(one for one in EXPECTATION.refused if one.key == key)

    with pytest.raises(Refusal) as caught:
        parse_bulletin(parse_json(json.dumps(ILLEGAL[key]).encode()), vocabulary=VOCABULARY, now=NOW)

    assert caught.value.code == expected.code
    assert any(expected.says in portion["content"] for portion in ILLEGAL[key]["portions"])


def test_the_correction_is_told_apart_from_what_it_corrects() -> None:
    old, new = people.assessment(NOW), people.assessment_corrected(NOW)
    for key, document in (("assessment", old), ("assessment-corrected", new)):
        for phrase in EXPECTATION.by_key(key).says.values():
            assert [phrase in json.dumps(one) for one in (old, new)] == [one is document for one in (old, new)]
