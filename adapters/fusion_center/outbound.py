"""What a fusion center's platform can load."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from adapters.formats import stix_out
from adapters.outbound import JSON_WRITER, Writer

WRITERS: Final[Mapping[str, Writer]] = MappingProxyType(
    {"json": JSON_WRITER, "stix": Writer(suffix="stix.json", write=stix_out.write)}
)
