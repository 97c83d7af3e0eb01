"""The demo's lines: one per delivery, refusal and withheld portion, as they happen. Words, so they go to stderr."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich.console import Console
from rich.text import Text

from broker.demo.verdict import Verdict

_STYLES: Final = {"FLASH": "bold red", "IMMEDIATE": "yellow", "PRIORITY": "cyan", "ROUTINE": "dim"}


class Lines:
    """Writes the lines; colours vanish with NO_COLOR or without a terminal."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, words: str, style: str = "") -> None:
        """A sentence."""
        self._console.print(Text(words, style=style))

    def act(self, words: str) -> None:
        """A heading: what happens next in the scenario."""
        self._console.print(Text(f"\n{words}", style="bold"))

    def delivered(
        self,
        *,
        at: datetime,
        precedence: str,
        product: str,
        number: str,
        sender: str,
        recipient: str,
        portions: Sequence[str],
        rules: Sequence[str],
        milliseconds: float,
        receipt: str,
    ) -> None:
        """One delivery: bulletin, from and to, which portions, precedence, rule, milliseconds, receipt."""
        line = Text(f"{_clock(at)}  ")
        line.append(f"{precedence:<9}", style=_STYLES.get(precedence, ""))
        line.append(f" {product:<12} {number:<32} {sender} → {recipient}")
        line.append(f"  {'+'.join(portions)}  {' '.join(rules)}  {milliseconds:.0f} ms  ")
        line.append(receipt, style="green")
        self._console.print(line)

    def rung(self, *, at: datetime, number: str, recipient: str, rung: str, person: str, note: str) -> None:
        """A person's act (or a purge) that the originator has a signed receipt of."""
        line = Text(f"{_clock(at)}  ")
        line.append(f"{rung:<13}", style="green")
        line.append(f"{number:<41} {recipient}" + (f": {person}" if person else "") + (f" ({note})" if note else ""))
        self._console.print(line)

    def withheld(self, *, number: str, sender: str, recipient: str, portion: str, reasons: Sequence[str]) -> None:
        """One portion that did not go to an agency, and the never rules that held it back."""
        line = Text(" " * 14)
        line.append("withheld ", style="magenta")
        line.append(f" {number:<45} {sender} ↛ {recipient}  {portion}  {'; '.join(reasons)}")
        self._console.print(line)

    def refused(self, *, what: str, sender: str, code: str, reason: str, rules: Sequence[str]) -> None:
        """One submission that was refused, and why."""
        line = Text(" " * 14)
        line.append("refused  ", style="magenta")
        line.append(f" {sender}: {what}: {code}: {reason}" + (f" ({', '.join(rules)})" if rules else ""))
        self._console.print(line)

    def verdict(self, verdict: Verdict) -> None:
        """The invariants with how they were checked, what went wrong, and the sentence."""
        self.act("What was checked, from the signed receipts and the decrypted inboxes of every agency")
        for one in verdict.invariants:
            line = Text("  ")
            line.append("holds " if one.ok else "BROKEN", style="green" if one.ok else "bold red")
            line.append(f"  {one.name}: {one.how}")
            self._console.print(line)
        for arrival in verdict.expected:
            if not arrival.happened:
                self.say(f"  missing: {arrival.bulletin} to {arrival.recipient}: {arrival.detail}", "bold red")
        for stray in verdict.unexpected:
            self.say(
                f"  unexpected: {stray['bulletin']}/{stray['portion']} at {stray['agency']}: {stray['why']}", "bold red"
            )
        for row in verdict.refused:
            if not row["ok"]:
                self.say(f"  not refused as expected: {row['submission']} ({row['code']})", "bold red")
        self.say("")


def _clock(at: datetime) -> str:
    return at.astimezone().strftime("%H:%M:%S.") + f"{at.microsecond // 1000:03d}"
