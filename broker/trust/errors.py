"""The errors of this room: what cannot be trusted, with a code for the operator."""

from __future__ import annotations


class TrustError(Exception):
    """A key file, a root or a release is refused.

    `code` is stable and kebab-case; the message names files, agencies, numbers and persons, never a key.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class UnknownAgencyError(TrustError, LookupError):
    """The directory has no such agency; a `LookupError` for those who only look names up."""

    def __init__(self, agency: str) -> None:
        super().__init__("unknown-agency", f"the directory has no agency `{agency}`")
