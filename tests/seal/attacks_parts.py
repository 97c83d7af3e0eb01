"""Attacks on audience, rules and parts (steps 13 to 18)."""

from __future__ import annotations

import sys
from dataclasses import replace

from broker.seal import (
    Addressee,
    Hold,
    SealError,
    Terms,
    Unsealed,
    envelope,
    manifest,
    padding,
    parts,
    primitives,
)
from broker.seal.parts import derive
from tests.seal.attack import (
    anew,
    attack,
    chosen_iv,
    encrypted,
    for_another_place,
    padded_otherwise,
    put,
)
from tests.seal.exchange import (
    CITY,
    FUSION,
    JTTF,
    MALLORY,
    OUTSIDER,
    STATE,
    Forger,
    accept,
    content_for,
    draft,
    envelope_for,
    forged_envelope,
    receive,
    sealed,
)
from tests.seal.salamander_attack import salamander

# 13. The audience.


@attack("not-in-audience")
def a_member_brings_in_an_outsider() -> Unsealed:
    """The fusion center passes all it has, place and path included, to an agency the city did not address."""
    one = sealed()
    mine = content_for(one.source, FUSION)
    return receive(forged_envelope(one, OUTSIDER, mine), OUTSIDER)


@attack("not-in-audience")
def a_member_loosens_anothers_obligations() -> Unsealed:
    """It knows all keys and even, here, the other's seed, place and path: the signed root still says otherwise."""
    one = sealed()
    loose = Terms(obligations={2: {"onward": "anyone"}})
    return receive(forged_envelope(one, STATE, content_for(one.source, STATE, terms=loose)), STATE)


@attack("not-in-audience")
def a_member_takes_a_portion_from_another() -> Unsealed:
    """Fewer keys than the leaf."""
    one = sealed()
    keys = {0: one.secrets.keys[0], 2: one.secrets.keys[2]}
    honest = content_for(one.source, FUSION)
    terms = replace(honest.terms, obligations={2: honest.terms.obligations[2]})
    return receive(forged_envelope(one, FUSION, replace(honest, keys=keys, terms=terms)), FUSION)


@attack("not-in-audience")
def a_member_gives_another_a_portion() -> Unsealed:
    """More keys than the leaf: the tearline's recipient gets the full version."""
    one = sealed()
    keys = dict(enumerate(one.secrets.keys))
    return receive(forged_envelope(one, STATE, content_for(one.source, STATE, keys=keys)), STATE)


@attack("not-in-audience")
def a_member_adds_a_reference() -> Unsealed:
    one = sealed()
    references = content_for(one.source, FUSION).references
    return receive(forged_envelope(one, STATE, content_for(one.source, STATE, references=references)), STATE)


@attack("not-in-audience")
def a_member_tells_another_it_is_approved() -> Unsealed:
    one = sealed()
    honest = content_for(one.source, STATE)
    content = replace(honest, terms=replace(honest.terms, approved=True))
    return receive(forged_envelope(one, STATE, content), STATE)


@attack("not-in-audience")
def a_place_beyond_the_tree() -> Unsealed:
    one = sealed()
    place = content_for(one.source, STATE).place + 16
    return receive(forged_envelope(one, STATE, content_for(one.source, STATE, place=place)), STATE)


@attack("not-in-audience")
def an_inner_node_passed_off_as_a_leaf() -> Unsealed:
    """A shorter path: the digest would have to be a node's."""
    one = sealed()
    path = content_for(one.source, STATE).path[32:]
    return receive(forged_envelope(one, STATE, content_for(one.source, STATE, path=path)), STATE)


@attack("not-in-audience")
def the_seed_of_another_recipient() -> Unsealed:
    one = sealed()
    other = content_for(one.source, JTTF).seed
    return receive(forged_envelope(one, STATE, content_for(one.source, STATE, seed=other)), STATE)


# 14. Rules and directory.


def floor(made: manifest.Manifest) -> None:
    if made.rules[0] < 8:
        raise SealError("rules-floor")


def not_yet(made: manifest.Manifest) -> None:
    if made.directory > 2:
        raise Hold("newer-directory")


@attack("rules-floor", off=put(sys.modules[__name__], "floor", accept))
def decided_under_rules_older_than_the_floor() -> Unsealed:
    return receive(envelope_for(sealed(), FUSION), FUSION, accept_rules=floor)


@attack("newer-directory", off=put(sys.modules[__name__], "not_yet", accept))
def decided_under_a_directory_i_do_not_have_yet() -> Unsealed:
    return receive(envelope_for(sealed(), FUSION), FUSION, accept_rules=not_yet)


# 15. to 17. The parts.


@attack("part-count")
def a_part_the_manifest_does_not_list() -> Unsealed:
    forger = Forger(raw_parts=lambda made: [*made, made[-1]])
    return receive(forged_envelope(forger.forge()), FUSION)


@attack("part-count", off=("part-count",), then="part-digest")
def the_parts_swapped_and_one_dropped() -> Unsealed:
    forger = Forger(raw_parts=lambda made: [made[0], made[2]])
    return receive(forged_envelope(forger.forge(), STATE), STATE)


@attack("part-count")
def a_recipient_who_is_given_none_of_the_portions() -> Unsealed:
    one = Forger(draft=draft(audience=(Addressee(agency=STATE, parts=()),))).forge()
    return receive(forged_envelope(one, STATE), STATE)


@attack("part-digest")
def a_part_another_than_the_signed_one() -> Unsealed:
    """The part not given to me was exchanged: I cannot read it, and refuse all the same, as everyone will."""

    def swapped(made: list[bytes]) -> list[bytes]:
        return [made[0], made[1][:-1] + bytes((made[1][-1] ^ 1,)), made[2]]

    return receive(forged_envelope(Forger(raw_parts=swapped).forge(), STATE), STATE)


@attack("key-commitment", off=("key-commitment", "part-iv"))
def one_ciphertext_that_reads_differently_for_two_recipients() -> Unsealed:
    return salamander().victim()


@attack("key-commitment", off=put(parts, "context_hash", lambda hh, _: parts.primitives.sha256(hh)))
def a_part_of_another_passed_off_as_ones_own_under_a_copied_header() -> Unsealed:
    """Mallory, a member, signs the city's header and the city's part 1, key and commitment included, as her own."""
    city = sealed(parts=(b"what the city found out",), audience=(Addressee(agency=MALLORY, parts=(1,)),))
    stolen = envelope.decode_body(city.body)[1]
    commitment = derive(city.secrets.keys[1], parts.context_hash(city.secrets.hh, CITY), 1).commitment
    forger = Forger(
        sender=MALLORY,
        raw_header=lambda _: city.header,
        keys=lambda made: [made[0], city.secrets.keys[1]],
        portion=lambda _, __: stolen,
        manifest=lambda made: replace(made, portions=((primitives.sha256(stolen), commitment),)),
        draft=draft(parts=(b"mine",), audience=(Addressee(agency=STATE, parts=(1,)),)),
    )
    return receive(forged_envelope(forger.forge(), STATE), STATE)


@attack("part-iv")
def an_iv_of_the_senders_choosing_in_a_part() -> Unsealed:
    return receive(forged_envelope(anew(2, chosen_iv), STATE), STATE)


@attack("part-open", off=put(parts, "_context", lambda *_: b""))
def a_part_encrypted_for_another_place() -> Unsealed:
    """Key, commitment, IV, digest and signature are right; the ciphertext names another place."""
    return receive(forged_envelope(anew(2, for_another_place), STATE), STATE)


def zeros(_: Forger, index: int, __: bytes) -> bytes:
    return encrypted(_, index, bytes(256), index)


@attack("part-padding", off=put(padding, "unpad", lambda padded, _: padded.rstrip(b"\x00")[:-1]))
def a_part_of_zeros_without_the_paddings_mark() -> Unsealed:
    return receive(forged_envelope(anew(2, zeros), STATE), STATE)


@attack("part-padding")
def a_part_padded_beyond_its_bucket() -> Unsealed:
    return receive(forged_envelope(anew(2, padded_otherwise), STATE), STATE)


# 18. The recipient's own re-check.


def refuses(_: Unsealed) -> None:
    raise SealError("recheck-refused")


@attack("recheck-refused", off=put(sys.modules[__name__], "refuses", accept))
def a_portion_my_own_rules_refuse() -> Unsealed:
    return receive(envelope_for(sealed(), FUSION), FUSION, recheck=refuses)
