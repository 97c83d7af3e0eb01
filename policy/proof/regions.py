"""Boxes in words: `category: narcotics; TLP: AMBER or GREEN; agency 28 CFR 23 agreement: (not stated) or no`."""

from policy.agreements import Agreement
from policy.proof.boxes import NO, NOT_STATED, YES, Box, Question
from policy.proof.words import Words

# A list longer than this is said by what is missing from it, where that is short.
_LONG = 5


def in_words(words: Words, box: Box) -> str:
    """One line; `any portion and agency` for the box without bounds."""
    places = {("portion", name): place for place, name in enumerate(words.bulletin)}
    places |= {("agency", name): len(places) + place for place, name in enumerate(words.agency)}
    bounded = [question for question, answers in box.items() if answers != question.answers]
    ordered = sorted(bounded, key=lambda one: (places.get((one.side, one.name), len(places)), _key(one)))
    return "; ".join(_clause(question, box[question], ordered) for question in ordered) or "any portion and agency"


def _key(question: Question) -> tuple[str, list[str], str]:
    return question.name, sorted(question.wanted or ()), str(question.dates)


def _clause(question: Question, answers: frozenset[str], beside: list[Question]) -> str:
    if question.wanted is None:
        prefix = "agency " if question.side == "agency" else ""
        return f"{prefix}{question.name}: {_values(answers, question.answers)}"
    if question.dates:
        twice = sum((one.name, one.wanted) == (question.name, question.wanted) for one in beside) > 1
        return _dated(question, answers, say_dates=twice)
    prefix = "agency " if question.side == "agency" else ""
    wanted = sorted(question.wanted)
    said = [NOT_STATED] if NOT_STATED in answers else []
    said += [f"none of {', '.join(wanted)}" if len(wanted) > 1 else f"not {wanted[0]}"] if NO in answers else []
    said += wanted if YES in answers else []
    return f"{prefix}{question.name}: {' or '.join(said)}"


def _values(answers: frozenset[str], every: frozenset[str]) -> str:
    missing = every - answers
    if len(answers) > _LONG and len(missing) < len(answers):
        return f"any but {', '.join(sorted(missing))}"
    return " or ".join(sorted(answers))


_FORCE = {
    frozenset((YES,)): "in force",
    frozenset((YES, NOT_STATED)): "in force or not known to be",
    frozenset((NO,)): "not in force",
    frozenset((NO, NOT_STATED)): "not surely in force",
    frozenset((NOT_STATED,)): "not known to be in force",
    frozenset((YES, NO)): "known to be in force or not",
}


def _dated(question: Question, answers: frozenset[str], *, say_dates: bool) -> str:
    names = " or ".join(sorted(question.wanted or ()))
    dates = f" ({' and '.join(_dates(one) for one in question.dates)})" if say_dates else ""
    return f"{question.name} {names}{dates}, {_FORCE[answers]}"


def _dates(agreement: Agreement) -> str:
    return f"{agreement.start:%Y-%m-%d %H:%M} to {agreement.end:%Y-%m-%d %H:%M}"
