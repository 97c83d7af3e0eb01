import copy
from collections.abc import Callable
from typing import Any

import pytest

from broker.model import Bulletin, Submission, control_number, new_id, parse_bulletin
from policy.vocabulary import Vocabulary, parse_vocabulary
from tests.model.examples import DOCUMENT, FULL, NOW, RULES, Read


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return parse_vocabulary((RULES / "vocabulary.yaml").read_text(), source="vocabulary.yaml")


@pytest.fixture
def document() -> dict[str, Any]:
    return copy.deepcopy(DOCUMENT)


@pytest.fixture
def full() -> dict[str, Any]:
    return copy.deepcopy(FULL)


@pytest.fixture
def read(vocabulary: Vocabulary) -> Read:
    def parse(document: Any, *, live: bool = True) -> Submission:
        return parse_bulletin(document, vocabulary=vocabulary, now=NOW, live=live)

    return parse


@pytest.fixture
def accepted(read: Read) -> Callable[[Any], Bulletin]:
    def accept(document: Any) -> Bulletin:
        submission = read(document)
        ident = new_id(NOW, bytes, submission.agency)
        return submission.accept(ident, control_number("springfield-pd", 2026, 123), NOW)

    return accept
