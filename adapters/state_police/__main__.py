from __future__ import annotations

from adapters.process import settings_argument
from adapters.state_police import main

main(settings_argument("adapters.state_police"))
