from __future__ import annotations

from adapters.fusion_center import main
from adapters.process import settings_argument

main(settings_argument("adapters.fusion_center"))
