"""Finding a process's child by name: the nats-server that the hub runs, so that the scenario can kill it."""

from __future__ import annotations

from pathlib import Path


def child_named(parent: int | None, name: str, *, proc: Path = Path("/proc")) -> int | None:
    """The process id of the living child of `parent` with this command name; None when there is none."""
    if parent is None:
        return None
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it ended while we looked
        # proc(5): pid (comm) state ppid …; comm may itself hold spaces and brackets.
        command, _, rest = words.partition("(")[2].rpartition(")")
        state, of, *_ = rest.split()
        if command == name and int(of) == parent and state != "Z":
            return int(entry.name)
    return None
