"""Two editions of the rules over one portion, one agency and one moment, and what the solver finds between them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, final

from policy.comparison import SOME_AGENCY, AudienceVerdict, Edition, Witness
from policy.decide import Decider, compile_rules
from policy.errors import PolicyError
from policy.obligations import Obligations
from policy.proof.logic import Formula, Logic, Model
from policy.proof.meaning import Meaning, Whens
from policy.proof.moment import Moment
from policy.proof.portion import Portion
from policy.proof.record import AnyRecord, OneRecord
from policy.proof.words import words_of
from policy.rules import Ruleset
from policy.vocabulary import Attributes

_NOBODY = Ruleset(name="nobody", version=1, rules=(), agreements={}, cases=())


@dataclass(frozen=True, slots=True)
class Audiences:
    """Who gets more and who gets less, with an example of each."""

    widening: Witness | None
    narrowing: Witness | None

    @property
    def verdict(self) -> AudienceVerdict:
        if self.widening is not None:
            return "WIDENS" if self.narrowing is None else "WIDENS AND NARROWS"
        return "SAME" if self.narrowing is None else "NARROWS"


@final
class Ground:
    """The facts that several questions share: a portion, a moment, and any agency or the named ones."""

    def __init__(self, *editions: Edition, records: tuple[tuple[str, Attributes], ...] | None = None) -> None:
        self.logic = Logic()
        self.words = words_of([edition.vocabulary for edition in editions], records)
        self.portion = Portion(self.logic, self.words)
        agreements = [dated for edition in editions for dated in edition.ruleset.agreements.values()]
        self.moment = Moment(self.logic, agreements)
        # Editions and their vocabularies go by their addresses, so they are kept.
        self._editions = editions
        self._whens: dict[int, Whens] = {}
        self._members = frozenset(agency for agency, _ in records or ())
        self._deciders: dict[int, dict[datetime | None, Decider]] = {}

    def anyone(self) -> AnyRecord:
        """Any agency; one such for all meanings of one ground."""
        return AnyRecord(self.logic, self.words, self.portion)

    def meaning(self, edition: Edition, record: AnyRecord | OneRecord, *, member: bool = True) -> Meaning:
        """What one of the editions means for an agency; who is no member gets nothing by any rule."""
        if id(edition) not in self._whens:
            self._whens[id(edition)] = Whens(self.logic, edition.vocabulary, self.portion)
        return Meaning(
            self.logic,
            vocabulary=edition.vocabulary,
            ruleset=edition.ruleset if member else _NOBODY,
            portion=self.portion,
            whens=self._whens[id(edition)],
            record=record,
            moment=self.moment,
        )

    def decider(self, edition: Edition, at: datetime | None) -> Decider:
        """The decider of production over those of the named agencies that an edition has."""
        known = self._deciders.setdefault(id(edition), {})
        if not known:
            members = {name: edition.agencies[name] for name in self._members & edition.agencies.keys()}
            known[None] = compile_rules(edition.ruleset, edition.vocabulary, members, at=None)
        if at is not None and at not in known:
            known[at] = known[None].at(at)
        return known[at]

    def example(self, *formulas: Formula, record: AnyRecord | None) -> Model | None:
        """As everyday an example as there is."""
        wishes = [self.moment.known, *self.portion.natural, *(record.natural if record is not None else ())]
        return self.logic.example(*formulas, prefer=wishes)


@final
class Sides:
    """Both editions for any agency, or for one whose record is known on both sides (None where it is no member)."""

    def __init__(
        self, ground: Ground, before: Edition, after: Edition,
        *, agency: str | None = None, records: tuple[Attributes | None, Attributes | None] = (None, None),
    ) -> None:  # fmt: skip
        self.ground = ground
        self.logic = ground.logic
        self.editions = (before, after)
        self.agency = SOME_AGENCY if agency is None else agency
        self.records = records
        self._anyone = ground.anyone() if agency is None else None
        self.before = self._meaning(before, records[0])
        self.after = self._meaning(after, records[1])

    def _meaning(self, edition: Edition, record: Attributes | None) -> Meaning:
        if self._anyone is not None:
            return self.ground.meaning(edition, self._anyone)
        one = OneRecord(self.logic, self.ground.portion, self.agency, record or {})
        return self.ground.meaning(edition, one, member=record is not None)

    def witness(self, *formulas: Formula) -> Witness | None:
        """An example of what `formulas` say, as a real portion and agency; None if there can be none."""
        model = self.ground.example(*formulas, record=self._anyone)
        if model is None:
            return None
        known = self.records[0] if self.records[1] is None else self.records[1]
        record = self._anyone.read(model) if self._anyone is not None else known or {}
        return Witness(
            portion=self.ground.portion.read(model, self.agency),
            agency=None if self._anyone is not None else self.agency,
            record=record,
            at=self.ground.moment.read(model),
        )

    def decided(self, witness: Witness, side: Literal[0, 1]) -> Obligations | None:
        """The duties under which the decider of production shares a witness on one side; None if it does not."""
        edition = self.editions[side]
        if self._anyone is not None:
            anyone = {self.agency: witness.record}
            decider = compile_rules(edition.ruleset, edition.vocabulary, anyone, at=witness.at)
        else:
            decider = self.ground.decider(edition, witness.at)
        shared, duties = decider.admits(witness.portion, self.agency)
        return duties if shared else None

    def audiences(self) -> Audiences:
        """Who gets more, and who gets less, with examples that the production decider confirms.

        Raises:
            PolicyError: if an example is decided otherwise in production than in the proof.
        """
        widening = self.witness(self.after.shared, self.logic.negate(self.before.shared))
        narrowing = self.witness(self.before.shared, self.logic.negate(self.after.shared))
        self._confirm(widening, (False, True))
        self._confirm(narrowing, (True, False))
        return Audiences(widening, narrowing)

    def _confirm(self, witness: Witness | None, expected: tuple[bool, bool]) -> None:
        if witness is None:
            return
        before, after = self.decided(witness, 0), self.decided(witness, 1)
        if (before is not None, after is not None) != expected:
            raise mismatch("an audience")


def mismatch(what: str) -> PolicyError:
    """Proof and production disagree: nothing that follows may be believed, so nothing is shown."""
    return PolicyError("proof-mismatch", f"the decider does not confirm what the proof found of {what}")
