"""A real PKCS#11 token in a temporary folder: SoftHSM2, where it is installed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

MODULES = (
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib64/softhsm/libsofthsm2.so"),
    Path("/usr/lib64/pkcs11/libsofthsm2.so"),
)
PIN = "4711 0815"
LABELS = ("Avery", "Blake", "Casey")


def module() -> str:
    """The path of the module; skips where there is none."""
    found = next((path for path in MODULES if path.exists()), None)
    if found is None or shutil.which("softhsm2-util") is None:
        pytest.skip("SoftHSM2 is not installed (apt-get install softhsm2)")
    return str(found)


def make_tokens(folder: Path) -> None:
    """Make a token for each label; a process's SoftHSM reads its configuration once, so there is one for all tests."""
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    for label in LABELS:
        subprocess.run(
            ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "so-" + PIN],
            check=True,
            capture_output=True,
            timeout=30,
        )
