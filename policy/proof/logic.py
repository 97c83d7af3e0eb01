"""The one place that speaks to z3: propositions over named yes-or-no facts, and questions about them.

Everything that rules can say is finite once a moment is read as its place among the dates of the agreements, so there
is no arithmetic: one incremental solver is asked again and again under assumptions. What it finds depends on the order
of what it is told, so whoever builds formulas sorts: a proof is made once, hashed and made again elsewhere.
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias, final

import z3

from policy.errors import PolicyError

# A constant truth folds away before the solver sees it; anything else is z3's `BoolRef`, which has no types.
Formula: TypeAlias = "bool | z3.BoolRef"

# A proof over 200 rules takes seconds. What takes minutes is reported as unproved, never as the same.
_TIMEOUT_MS = 120_000


@final
class Model:
    """One possible world, as the truth of every fact in it."""

    def __init__(self, model: z3.ModelRef, declared: dict[int, z3.FuncDecl]) -> None:
        self._model = model
        self._declared = declared

    def holds(self, fact: Formula) -> bool:
        """Whether a fact is true in this world; one that plays no part is false."""
        if isinstance(fact, bool):
            return fact
        declared = self._declared.get(_address(fact))
        if declared is None:
            declared = self._declared[_address(fact)] = fact.decl().as_func_decl()
        context = fact.ctx_ref()
        found = z3.Z3_model_get_const_interp(context, self._model.model, declared)
        # A null pointer stands for a fact that plays no part.
        return bool(found) and bool(z3.Z3_get_bool_value(context, found) == z3.Z3_L_TRUE)


@final
class Logic:
    """Facts, what is known to hold between them, and the solver. Equal formulas are one object."""

    def __init__(self) -> None:
        # A context of its own, so that two proofs may run in two threads.
        self._context = z3.Context()
        self._solver = z3.SolverFor("QF_FD", ctx=self._context)
        # What does not matter comes out as no: examples hold as few members as they can.
        self._solver.set("phase", "always_false")
        self._solver.set("timeout", _TIMEOUT_MS)
        self._required: list[Formula] = []
        self._made: dict[tuple[bool, frozenset[int]], z3.BoolRef] = {}
        self._facts: dict[str, z3.BoolRef] = {}
        self._declared: dict[int, z3.FuncDecl] = {}
        self._named: dict[int, z3.BoolRef] = {}
        # An address is only that of one term while the term lives.
        self._alive: list[z3.BoolRef] = []

    def fact(self, name: str) -> Formula:
        """A yes-or-no fact; the same name is the same fact."""
        if name not in self._facts:
            self._facts[name] = z3.Bool(name, self._context)
        return self._facts[name]

    def require(self, formula: Formula) -> None:
        """Only worlds where `formula` holds are possible."""
        self._required.append(formula)
        self._solver.add(formula)

    def at_most_one(self, facts: Sequence[Formula]) -> None:
        """At most one of `facts` holds in any possible world."""
        if len(facts) > 1:
            self.require(z3.AtMost(*facts, 1))

    @property
    def required(self) -> Sequence[Formula]:
        """All that holds in every possible world, names included: for whoever checks the model by other means."""
        return self._required

    def negate(self, formula: Formula) -> Formula:
        if isinstance(formula, bool):
            return not formula
        return z3.Not(formula)

    def all_of(self, formulas: Iterable[Formula]) -> Formula:
        """AND; of nothing it is true."""
        return self._join(formulas, conjunction=True)

    def any_of(self, formulas: Iterable[Formula]) -> Formula:
        """OR; of nothing it is false."""
        return self._join(formulas, conjunction=False)

    def implies(self, formula: Formula, consequence: Formula) -> Formula:
        return self.any_of((self.negate(formula), consequence))

    def _join(self, formulas: Iterable[Formula], *, conjunction: bool) -> Formula:
        parts: dict[int, z3.BoolRef] = {}
        for formula in formulas:
            if isinstance(formula, bool):
                if formula is not conjunction:
                    return formula
                continue
            parts[_address(formula)] = formula
        if not parts:
            return conjunction
        if len(parts) == 1:
            return next(iter(parts.values()))
        key = (conjunction, frozenset(parts))
        if key not in self._made:
            self._alive.extend(parts.values())
            terms = (z3.Ast * len(parts))(*(part.as_ast() for part in parts.values()))
            make = z3.Z3_mk_and if conjunction else z3.Z3_mk_or
            self._made[key] = z3.BoolRef(make(self._context.ref(), len(parts), terms), self._context)
        return self._made[key]

    def named(self, formula: Formula) -> Formula:
        """A fact that stands for `formula`, to be assumed without encoding it again."""
        if isinstance(formula, bool):
            return formula
        number = _address(formula)
        if number not in self._named:
            name = z3.Bool(f"#{len(self._named)}", self._context)
            self.require(name == formula)
            self._named[number] = name
        return self._named[number]

    def possible(self, *formulas: Formula) -> bool:
        """Whether some possible world satisfies all `formulas`.

        Raises:
            PolicyError: if the solver gives up, which proves nothing.
        """
        assumptions = self._assumptions(formulas)
        return assumptions is not None and self._check(assumptions)

    def example(self, *formulas: Formula, prefer: Sequence[Formula] = ()) -> Model | None:
        """A possible world that satisfies all `formulas`, and of `prefer` what comes easily; None if there is none.

        Raises:
            PolicyError: if the solver gives up.
        """
        assumptions = self._assumptions(formulas)
        if assumptions is None:
            return None
        wished = {_address(wish): wish for wish in prefer if not isinstance(wish, bool)}
        while not self._check([*assumptions, *wished.values()]):
            refused = {_address(term) for term in self._solver.unsat_core()}
            if refused.isdisjoint(wished):
                return None
            wished = {number: wish for number, wish in wished.items() if number not in refused}
        return Model(self._solver.model(), self._declared)

    def _assumptions(self, formulas: Iterable[Formula]) -> list[z3.BoolRef] | None:
        """The formulas as assumptions; None when one of them is plainly false."""
        named = []
        for formula in formulas:
            if formula is False:
                return None
            if not isinstance(formula, bool):
                named.append(formula if self._is_literal(formula) else self.named(formula))
        return named

    @staticmethod
    def _is_literal(formula: z3.BoolRef) -> bool:
        inner = formula.arg(0) if z3.is_not(formula) else formula
        return bool(z3.is_const(inner))

    def _check(self, assumptions: Sequence[z3.BoolRef]) -> bool:
        answer = self._solver.check(*assumptions)
        if answer == z3.unknown:
            raise PolicyError("not-proved", f"the solver gave up: {self._solver.reason_unknown()}")
        return bool(answer == z3.sat)


def _address(term: z3.BoolRef) -> int:
    """Equal terms of one context are one object of z3; to compare addresses is much cheaper than to ask for its id."""
    return int(term.ast.value)
