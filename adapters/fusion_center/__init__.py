"""Fusion center: STIX 2.1 bundles in and out; questions and their answers as JSON."""

from __future__ import annotations

from pathlib import Path

from adapters.fusion_center.inbound import translator
from adapters.fusion_center.outbound import WRITERS
from adapters.process import Kind, run

KIND = Kind(name="fusion-center", reads=frozenset({"json", "stix"}), writers=WRITERS, translator=translator)


def main(path: Path) -> None:
    """Run until SIGTERM with the settings in this TOML file."""
    run(KIND, path)
