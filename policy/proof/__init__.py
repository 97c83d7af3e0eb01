"""Proofs about rules, for every possible portion, agency and moment: for the officers' desk, never on a gateway.

Needs the extra `officer` (z3). Nothing else in `policy` imports this room.
"""
