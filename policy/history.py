"""Recorded portions: what the rules saw of each portion that was submitted, never its text; for replay."""

from dataclasses import dataclass
from datetime import datetime

from policy.vocabulary import Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One portion of one bulletin as it was decided.

    Attributes:
        bulletin: its control number, which says whose it is.
        portion: the portion's id within it.
        at: when it was decided; agreements are judged as of then.
        precedence: as submitted.
        attributes: what the rules saw, no more.
    """

    bulletin: str
    portion: str
    originator: str
    at: datetime
    precedence: str
    attributes: Attributes
