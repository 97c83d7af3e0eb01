from __future__ import annotations

from adapters.jttf import main
from adapters.process import settings_argument

main(settings_argument("adapters.jttf"))
