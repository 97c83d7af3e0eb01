"""What one rule matches, as boxes an officer can read: for each thing that a line can ask, the answers that will do."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias, final

from policy.agreements import SKEW, Agreement
from policy.proof.logic import Formula, Logic
from policy.proof.meaning import Meaning
from policy.proof.words import Words
from policy.rules import Rule
from policy.truth import Line, Side
from policy.vocabulary import AGENCY_ID, Property

NOT_STATED = "(not stated)"
NOT_KNOWN = "(not known)"
YES, NO = "yes", "no"

# So many pieces are no answer to the question what changed; the caller then says it more coarsely.
_TOO_MANY = 64


# Compared and hashed as the object that it is: a ground has each question once, and boxes are compared all the time.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """What a line asks: the value of a property, whether a set has any of `wanted`, or whether a relation holds.

    A question about a set is another one when its words or its agreements' dates are others. Questions about different
    things are answered independently of each other; `about` names those things. A relation does not depend on the one
    value of a property that is its key: whatever this is, the agency's index may have it, lack it or be missing.
    """

    side: Side
    name: str
    answers: frozenset[str]
    about: tuple[tuple[str, str], ...]
    wanted: frozenset[str] | None = None
    known: frozenset[str] | None = None
    dates: tuple[Agreement, ...] = ()


# A question that is not in a box may be answered in any way.
Box: TypeAlias = Mapping[Question, frozenset[str]]


@final
class Questions:
    """The questions that the rules of all meanings of one ground ask."""

    def __init__(self, logic: Logic, words: Words, meanings: Sequence[Meaning]) -> None:
        self._logic = logic
        self._words = words
        self._meanings = meanings
        self._known: dict[tuple[object, ...], Question] = {}

    def boxes(self, meaning: Meaning, rule: Rule) -> list[Box]:
        """The rule as one box for each item of `to:`, by the polarity of its effect; fewer where they can be one."""
        surely = rule.effect in ("share", "always")
        return merged(
            MappingProxyType(dict(self._answered(meaning, line, surely=surely) for line in (*rule.when, *item)))
            for item in rule.to
        )

    def _answered(self, meaning: Meaning, line: Line, *, surely: bool) -> tuple[Question, frozenset[str]]:
        if line.side == "relation":
            return self._relation(meaning, line), line.values if surely else line.values | {NOT_KNOWN}
        known = (meaning.vocabulary.bulletin if line.side == "portion" else meaning.vocabulary.agency)[line.name]
        if known.kind == "set of":
            return self._set(meaning, line, known), frozenset((YES,) if surely else (YES, NOT_STATED))
        values = (self._words.bulletin if line.side == "portion" else self._words.agency)[line.name].values
        every = frozenset((*values, NOT_STATED))
        question = self._once(side=line.side, name=line.name, answers=every, about=())
        return question, line.values if surely else every - (frozenset(known.values) - line.values)

    def _relation(self, meaning: Meaning, line: Line) -> Question:
        relation = meaning.vocabulary.relation[line.name]
        # An id is always known, and free names meet it or not as they please.
        index = () if relation.index == AGENCY_ID else (("agency", relation.index),)
        return self._once(
            side=line.side,
            name=line.name,
            answers=frozenset((YES, NO, NOT_KNOWN)),
            about=(("portion", relation.key), *index),
            known=meaning.vocabulary.keys[relation.key],
        )

    def _set(self, meaning: Meaning, line: Line, known: Property) -> Question:
        return self._once(
            side=line.side,
            name=line.name,
            answers=frozenset((YES, NO, NOT_STATED)),
            about=((line.side, line.name), *((("moment", ""),) if known.dated else ())),
            wanted=line.values,
            known=frozenset(known.values),
            dates=meaning.dates(line.values) if known.dated else (),
        )

    def _once(
        self,
        *,
        side: Side,
        name: str,
        answers: frozenset[str],
        about: tuple[tuple[str, str], ...],
        wanted: frozenset[str] | None = None,
        known: frozenset[str] | None = None,
        dates: tuple[Agreement, ...] = (),
    ) -> Question:
        key = (side, name, wanted, known, dates)
        if key not in self._known:
            self._known[key] = Question(
                side=side, name=name, answers=answers, about=about, wanted=wanted, known=known, dates=dates
            )
        return self._known[key]

    def formula(self, box: Box) -> Formula:
        """The box as a formula; each question is asked of the side that it comes from."""
        return self._logic.all_of(
            self._logic.any_of(_answer(self._logic, self._meanings, question, answer) for answer in sorted(answers))
            for question, answers in box.items()
            if answers != question.answers
        )


def _answer(logic: Logic, meanings: Sequence[Meaning], question: Question, answer: str) -> Formula:
    meaning = next((one for one in meanings if _asked_by(one, question)), meanings[0])
    if question.side == "relation":
        truth = meaning.relation(meaning.vocabulary.relation[question.name])
    elif question.wanted is None:
        stated = meaning.stated(question.side, question.name, question.answers - {NOT_STATED})
        return logic.negate(logic.any_of(stated.values())) if answer == NOT_STATED else stated[answer]
    else:
        truth = meaning.line(Line(side=question.side, name=question.name, values=question.wanted, text="", line=0))
    if answer == YES:
        return truth.surely
    return logic.negate(truth.possibly) if answer == NO else logic.all_of((truth.possibly, logic.negate(truth.surely)))


def _asked_by(meaning: Meaning, question: Question) -> bool:
    """Whether this side reads the question as it was meant."""
    vocabulary = meaning.vocabulary
    if question.side == "relation":
        relation = vocabulary.relation.get(question.name)
        return relation is not None and vocabulary.keys[relation.key] == question.known
    if question.wanted is None:
        return True
    known: Property | None = (vocabulary.bulletin if question.side == "portion" else vocabulary.agency).get(
        question.name
    )
    if known is None or frozenset(known.values) != question.known:
        return False
    return not known.dated or meaning.dates(question.wanted) == question.dates


def minus(box: Box, others: Iterable[Box]) -> list[Box] | None:
    """What of a box is in none of the others, as largest boxes that may overlap; None if these are too many."""
    pieces = [box]
    for other in others:
        pieces = [part for piece in pieces for part in _outside(piece, other)]
        if len(pieces) > _TOO_MANY:
            return None
    return merged(pieces)


def _outside(box: Box, other: Box) -> list[Box]:
    pieces: list[Box] = []
    for question, admitted in other.items():
        answers = box.get(question, question.answers)
        if answers.isdisjoint(admitted):
            return [box]
        if answers - admitted:
            pieces.append(MappingProxyType({**box, question: answers - admitted}))
    return pieces


def overlap(one: Box, other: Box) -> Box | None:
    """What is in both; None if the answer to some question cannot be in both."""
    if any(question in one and one[question].isdisjoint(answers) for question, answers in other.items()):
        return None
    return MappingProxyType(
        {**one, **{question: one.get(question, answers) & answers for question, answers in other.items()}}
    )


def tangled(box: Box) -> bool:
    """Whether some answers may depend on each other, so that only the solver knows if they fit together.

    Where every question may be answered by yes they all can: a set has room for all members, and dates may overlap.
    """
    dates = [agreement for question in box for agreement in question.dates]
    if dates and max(one.start for one in dates) + SKEW >= min(one.end for one in dates) - SKEW:
        return True
    denied = {subject for question, answers in box.items() if YES not in answers for subject in question.about}
    subjects = [subject for question in box for subject in question.about]
    return any(subjects.count(subject) > 1 for subject in denied)


def merged(parts: Iterable[Box]) -> list[Box]:
    """The same portions and agencies in fewer boxes: two that differ in one question only become one."""
    found: list[Box] = []
    for part in parts:
        box = part
        while (other := next((one for one in found if _union(one, box) is not None), None)) is not None:
            found.remove(other)
            box = _union(other, box) or box
        found.append(box)
    return found


def _union(one: Box, other: Box) -> Box | None:
    """One box for both, where that adds nothing."""
    differing = [
        question
        for question in {**one, **other}
        if one.get(question, question.answers) != other.get(question, question.answers)
    ]
    if not differing:
        return one
    if len(differing) == 1:
        (question,) = differing
        answers = one.get(question, question.answers) | other.get(question, question.answers)
        return MappingProxyType({**one, **other, question: answers})
    inner = next((a for a, b in ((one, other), (other, one)) if _within(a, b)), None)
    return None if inner is None else other if inner is one else one


def _within(one: Box, other: Box) -> bool:
    return all(one.get(question, question.answers) <= answers for question, answers in other.items())
