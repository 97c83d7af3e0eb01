from __future__ import annotations

from adapters.city_police import main
from adapters.process import settings_argument

main(settings_argument("adapters.city_police"))
