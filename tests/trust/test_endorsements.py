"""A second officer signs at another desk: what counts as one, and every way to look like one."""

import functools
import pathlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.seal import SigningKeys, cbor, encrypt_release, sign_document, unverified_payload
from broker.trust import Minted, TrustError, TrustStore, endorse
from broker.trust.endorsement import MAX_ENDORSEMENTS, split
from broker.trust.release import NO_HASH, Conditions, Release, read_draft, read_release, release_payload
from broker.trust.rules import read_rules, rules_content
from tests.trust.exchange import (
    AVERY,
    AVERY_AGAIN,
    BEATING,
    BLAKE,
    CASEY,
    LATER,
    NOW,
    PREVIEW,
    RULES,
    STRANGER,
    VOCABULARY,
    agency_keys,
    directory,
    founded,
    put_in_force,
    root,
    rules,
)


@functools.cache
def first() -> Minted:
    return rules()


def draft(*officers: Any, text: str = RULES, release_type: Any = "rules", preview: bytes = PREVIEW) -> bytes:
    """Rules 2 as these officers signed them at one desk."""
    payload = release_payload(
        release_type,
        rules_content(VOCABULARY, text),
        root=root(),
        previous=first().release,
        created=NOW,
        expires=LATER,
        conditions=Conditions(preview=preview),
    )
    return sign_document(payload, [one.signing for one in officers], release_type)


@functools.cache
def drafted() -> bytes:
    return draft(AVERY)


def endorsed(document: bytes, *officers: Any, release_type: str = "rules") -> bytes:
    for one in officers:
        document = endorse(document, release_type, one.signing)
    return document


def refusal(document: bytes) -> str:
    with pytest.raises(TrustError) as refused:
        read_release(document, root())
    return refused.value.code


@pytest.fixture
def store(tmp_path: pathlib.Path) -> TrustStore:
    opened = TrustStore(tmp_path / "releases", root().fingerprint)
    for minted in (founded(), directory(), first()):
        opened.offer(minted.sealed, now=NOW)
    put_in_force(opened)
    return opened


def test_two_desks_sign_what_one_desk_would_have(store: TrustStore) -> None:
    together = read_release(draft(AVERY, BLAKE), root())
    apart = read_release(endorsed(drafted(), BLAKE), root())
    assert (apart.hash, apart.signers, apart.confirmed) == (together.hash, ("avery", "blake"), True)

    sealed = encrypt_release(root().fingerprint, endorsed(drafted(), BLAKE))
    assert store.offer(sealed, now=NOW) is not None
    # The other way to have signed it is the same release, not another one under its number.
    assert store.offer(encrypt_release(root().fingerprint, draft(AVERY, BLAKE)), now=NOW) is None
    assert store.sealed("rules", 2) != sealed  # sealed anew, the same inside
    assert TrustStore(store._chains._folder, root().fingerprint).staged("rules") == apart


def test_a_third_signature_is_welcome_and_changes_nothing() -> None:
    assert read_release(endorsed(drafted(), BLAKE, CASEY), root()).signers == ("avery", "blake", "casey")


@pytest.mark.parametrize(
    ("document", "code"),
    [
        pytest.param(drafted, "too-few-persons", id="a single signature"),
        pytest.param(lambda: endorsed(drafted(), AVERY), "too-few-persons", id="one's own approval"),
        pytest.param(lambda: endorsed(drafted(), AVERY_AGAIN), "too-few-persons", id="two keys of one person"),
        pytest.param(lambda: endorsed(draft(BLAKE), CASEY), "too-few-agencies", id="a colleague"),
        pytest.param(lambda: endorsed(drafted(), STRANGER), "bad-signature", id="an unknown key"),
        pytest.param(lambda: endorsed(drafted(), BLAKE, STRANGER), "bad-signature", id="an unknown key beside enough"),
        pytest.param(lambda: endorsed(draft(STRANGER), AVERY, BLAKE), "bad-signature", id="an unknown author"),
        pytest.param(lambda: approved_with(BEATING), "wrong-role", id="the beat key"),
        pytest.param(lambda: approved_with(agency_keys("il-fusion").signing), "bad-signature", id="a member's key"),
        pytest.param(lambda: moved(endorsed(draft(CASEY, text=RULES + "\n"), BLAKE)), "other-endorsement",
                     id="an endorsement of other rules"),
        pytest.param(lambda: endorsed(drafted(), BLAKE, release_type="directory"), "bad-signature",
                     id="an endorsement of a directory"),
        pytest.param(lambda: cbor.encode([drafted(), [draft(BLAKE)]]), "bad-signature", id="a release as endorsement"),
        pytest.param(lambda: cbor.encode([drafted(), []]), "not-a-release", id="no endorsement in their place"),
        pytest.param(lambda: cbor.encode([drafted(), [b"x"] * (MAX_ENDORSEMENTS + 1)]), "not-a-release", id="too many"),
        pytest.param(lambda: cbor.encode([drafted(), ["text"]]), "not-a-release", id="words in their place"),
        pytest.param(lambda: endorsed(drafted(), BLAKE) + b"\x00", "not-a-release", id="a byte more"),
        pytest.param(lambda: cbor.encode([endorsed(drafted(), BLAKE), approvals()]), "not-a-release", id="twice over"),
        pytest.param(lambda: endorsed(draft(AVERY, preview=NO_HASH), BLAKE), "no-preview", id="what nobody saw"),
    ],
)  # fmt: skip
def test_refused(document: Any, code: str) -> None:
    assert refusal(document()) == code


def approvals() -> Any:
    return list(split(endorsed(drafted(), BLAKE))[1])


def approved_with(keys: SigningKeys) -> bytes:
    """The very words of an endorsement, signed by somebody who is no officer."""
    words = unverified_payload(split(endorsed(drafted(), BLAKE))[1][0])
    return cbor.encode([drafted(), [sign_document(words, [keys], "rules endorsement")]])


def moved(document: bytes) -> bytes:
    """The endorsements of a document under another draft."""
    return cbor.encode([drafted(), list(split(document)[1])])


def test_an_endorsement_is_bound_to_every_byte_of_what_it_approves() -> None:
    """The approver saw one text; the author cannot put another one under the approval."""
    for text in (RULES + "\n", RULES.replace("R01", "R00", 1)):
        assert refusal(cbor.encode([draft(AVERY, text=text), approvals()])) == "other-endorsement"
    assert refusal(cbor.encode([draft(AVERY, preview=bytes(31) + b"\x01"), approvals()])) == "other-endorsement"


@settings(max_examples=50, deadline=None)
@given(st.integers(0), st.integers(1, 255))
def test_no_flipped_byte_is_believed(place: int, flip: int) -> None:
    document = bytearray(endorsed(drafted(), BLAKE))
    place %= len(document)
    document[place] ^= flip
    with pytest.raises(TrustError):
        read_release(bytes(document), root())


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from([AVERY, AVERY_AGAIN, BLAKE, CASEY]), max_size=4), st.sampled_from([AVERY, BLAKE, CASEY])
)
def test_enough_is_two_persons_of_two_agencies_and_nothing_else(approvers: list[Any], author: Any) -> None:
    signed = {author.person: author.agency} | {one.person: one.agency for one in approvers}
    enough = len(signed) >= 2 and len(set(signed.values())) >= 2
    release = read_draft(endorsed(draft(author), *approvers), root())
    assert release.confirmed == enough
    if enough:
        assert isinstance(read_release(endorsed(draft(author), *approvers), root()), Release)
    else:
        assert refusal(endorsed(draft(author), *approvers)) in {"too-few-persons", "too-few-agencies"}


def test_a_draft_is_in_no_chain(store: TrustStore) -> None:
    before = store.staged_rules
    with pytest.raises(TrustError) as refused:
        store.offer(encrypt_release(root().fingerprint, drafted()), now=NOW)
    assert refused.value.code == "too-few-persons"
    assert store.staged_rules == before
    assert read_rules(read_draft(drafted(), root())).number == 2
