"""The kinds of adapters there are, by the name the command line knows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from adapters import city_police, fusion_center, jttf, state_police

ADAPTERS: Final[Mapping[str, Callable[[Path], None]]] = MappingProxyType(
    {
        "city-police": city_police.main,
        "state-police": state_police.main,
        "jttf": jttf.main,
        "fusion-center": fusion_center.main,
    }
)
