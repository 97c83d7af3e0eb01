"""What a city police department's systems can load."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from adapters.formats import cap_out, eido_out
from adapters.outbound import JSON_WRITER, Writer

WRITERS: Final[Mapping[str, Writer]] = MappingProxyType(
    {
        "json": JSON_WRITER,
        "eido": Writer(suffix="eido.json", write=eido_out.write),
        "cap": Writer(suffix="cap.xml", write=cap_out.write),
    }
)
