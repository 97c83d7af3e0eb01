"""Proofs about rules, for every possible portion, agency and moment: for the officers' desk, never on a gateway.

Needs the extra `officer` (z3). Nothing else in `policy` imports this room.
"""

from policy.proof.compare import compare
from policy.proof.lint import lint
from policy.proof.narrow import narrows_only

__all__ = ["compare", "lint", "narrows_only"]
