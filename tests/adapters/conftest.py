from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.adapters.fake_gateway import FakeGateway


@pytest.fixture
async def gateway():
    fake = FakeGateway()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
def samples() -> Path:
    folder = os.environ.get("TEARLINE_SAMPLES")
    if not folder:
        pytest.skip("TEARLINE_SAMPLES is not set")
    return Path(folder)
