"""The subject grammar: names to subjects and back (DESIGN 8).

    env.<from>.<to>.<precedence|RECEIPT>        release.<kind>.<number>        beat.now        report.<gateway>

`from` and `to` are gateway names. A subject is a postal address, never an identity: the signature inside is.
Names are refused, not escaped, so that no dot, wildcard or control character can ever widen an address.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal, NewType, TypeAlias

from broker.relay.errors import RelayError

GatewayName = NewType("GatewayName", str)
Precedence: TypeAlias = Literal["FLASH", "IMMEDIATE", "PRIORITY", "ROUTINE"]
Kind: TypeAlias = Literal["envelope", "receipts"]
ReleaseType: TypeAlias = Literal["directory", "rules", "trial", "root"]

BEAT_SUBJECT: Final = "beat.now"
RECEIPT: Final = "RECEIPT"
PRECEDENCES: Final[tuple[Precedence, ...]] = ("FLASH", "IMMEDIATE", "PRIORITY", "ROUTINE")
RELEASE_TYPES: Final[tuple[ReleaseType, ...]] = ("directory", "rules", "trial", "root")

# A DNS label: also safe as a consumer name, an account name and a file name. 63 is the label limit (RFC 1035 §2.3.4).
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_DIGITS: Final = re.compile(r"[0-9]+")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeSubject:
    """Where an envelope or a batch of receipts goes; `precedence` is None for receipts."""

    sender: GatewayName
    recipient: GatewayName
    precedence: Precedence | None

    @property
    def kind(self) -> Kind:
        return "receipts" if self.precedence is None else "envelope"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSubject:
    """Where a numbered release of the directory, the rules or the root lies."""

    type: ReleaseType
    number: int


def gateway_name(text: str) -> GatewayName:
    """Admit a gateway name.

    Raises:
        RelayError: `bad-gateway-name`; wildcards, dots, spaces and upper case have no place in a subject token, and a
            mere number could be taken for one of those in an acknowledgement subject.
    """
    if not _NAME.fullmatch(text) or _DIGITS.fullmatch(text):
        raise RelayError("bad-gateway-name", "a gateway name is 1 to 63 of a-z, 0-9 and inner hyphens, not only digits")
    return GatewayName(text)


def envelope_subject(sender: str, recipient: str, precedence: str) -> str:
    """Address an envelope. Refuses bad names and unknown precedences."""
    if precedence not in PRECEDENCES:
        raise RelayError("bad-precedence", "precedence is FLASH, IMMEDIATE, PRIORITY or ROUTINE")
    return f"env.{gateway_name(sender)}.{gateway_name(recipient)}.{precedence}"


def receipt_subject(sender: str, recipient: str) -> str:
    """Address a batch of receipts."""
    return f"env.{gateway_name(sender)}.{gateway_name(recipient)}.{RECEIPT}"


def release_subject(kind: str, number: int) -> str:
    """Address a release. Numbers start at 1."""
    if kind not in RELEASE_TYPES:
        raise RelayError("bad-release", "a release is of type directory, rules, trial or root")
    if not _NUMBER.fullmatch(str(number)):
        raise RelayError("bad-release", "a release number is a positive integer")
    return f"release.{kind}.{number}"


def report_subject(gateway: str) -> str:
    """Where a gateway says which releases it has in force."""
    return f"report.{gateway_name(gateway)}"


def parse_subject(subject: str) -> EnvelopeSubject | ReleaseSubject:
    """Read a subject back; exactly the subjects that the functions above make are admitted.

    Raises:
        RelayError: `bad-subject`, `bad-gateway-name`, `bad-precedence` or `bad-release`.
    """
    match subject.split("."):
        case ["env", sender, recipient, "RECEIPT"]:
            return EnvelopeSubject(sender=gateway_name(sender), recipient=gateway_name(recipient), precedence=None)
        case ["env", sender, recipient, precedence] if precedence in PRECEDENCES:
            return EnvelopeSubject(
                sender=gateway_name(sender),
                recipient=gateway_name(recipient),
                precedence=precedence,
            )
        case ["release", kind, number] if kind in RELEASE_TYPES and _NUMBER.fullmatch(number):
            return ReleaseSubject(type=kind, number=int(number))
        case _:
            raise RelayError("bad-subject", "not a subject of this exchange")
