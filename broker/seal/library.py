"""Which library does the arithmetic: for `tearline doctor`, which tells an auditor."""

from importlib.metadata import version

from cryptography.hazmat.backends.openssl import backend


def sealing_library() -> tuple[str, bool]:
    """The library under the seal in words, and whether its OpenSSL runs with the FIPS provider."""
    return f"cryptography {version('cryptography')} with {backend.openssl_version_text()}", bool(backend._fips_enabled)  # noqa: SLF001 - there is no public flag
