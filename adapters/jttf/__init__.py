"""Joint Terrorism Task Force: bulletins as JSON from a watched folder and into one."""

from __future__ import annotations

from pathlib import Path

from adapters.outbound import JSON_WRITER
from adapters.process import Kind, json_translator, run

KIND = Kind(name="jttf", reads=frozenset({"json"}), writers={"json": JSON_WRITER}, translator=json_translator)


def main(path: Path) -> None:
    """Run until SIGTERM with the settings in this TOML file."""
    run(KIND, path)
