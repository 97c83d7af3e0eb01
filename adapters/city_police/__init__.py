"""City police: 911 incidents (EIDO 1.0) and alerts (CAP 1.2) in and out, and bulletins as JSON."""

from __future__ import annotations

from pathlib import Path

from adapters.city_police.inbound import translator
from adapters.city_police.outbound import WRITERS
from adapters.process import Kind, run

KIND = Kind(name="city-police", reads=frozenset({"json", "eido", "cap"}), writers=WRITERS, translator=translator)


def main(path: Path) -> None:
    """Run until SIGTERM with the settings in this TOML file."""
    run(KIND, path)
