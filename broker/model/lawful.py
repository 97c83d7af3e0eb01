"""What may not be shared, whatever the rules say: the refusals that law and the standards demand of the originator.

These are checked once, at the originator's border, because what they need (the predicate, the review) never travels.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from broker.model.refusal import Refusal
from broker.model.values import SarReview, Submission
from broker.model.words import NON_CRIMINAL_BEHAVIORS, Kind, Status, Tlp

#: Transit life (DESIGN 5); the KEM keys that open a bulletin are destroyed after it.
MAX_TRANSIT: Final = timedelta(days=30)
#: 28 CFR 23.20(h): review and validation at most every five years.
MAX_PREDICATE_AGE: Final = timedelta(days=5 * 365)
#: A date has no zone, so "today" may have begun elsewhere already.
_DATE_SKEW: Final = timedelta(days=1)

_PROTECTED: Final = "first-amendment activity only"
_SAR_CLASSES: Final = frozenset({"suspicious activity", "ISE-SAR"})
_SAR_PRODUCTS: Final = frozenset({"SAR", "ISE-SAR"})
#: What each kind must be about; a correction keeps the product of what it corrects.
_PRODUCT_OF: Final = {Kind.REQUEST: "RFI", Kind.RESPONSE: "RFI-RESPONSE", Kind.FEEDBACK: "FEEDBACK"}


def check_lawful(said: Submission, *, now: datetime, live: bool) -> None:
    """Refuse what DESIGN 5 says is refused at the border.

    Raises:
        Refusal: `exercise-on-live-exchange`, `protected-activity-only`, `reasonable-suspicion-missing`,
            `reasonable-suspicion-stale`, `sar-behaviors-missing`, `sar-facts-missing`, `sar-submitter-missing`,
            `sar-reviewer-missing`, `sar-reviewer-is-submitter`, `red-without-named-persons`, `dl-only-without-list`,
            and those of `_check_kind`.
    """
    if live and said.status not in {Status.ACTUAL, Status.SYSTEM}:
        raise Refusal("exercise-on-live-exchange", "/status", "only Actual (and System, for canaries) enters here")
    _check_kind(said)
    _check_predicate(said, now)
    if said.info_class in _SAR_CLASSES or said.product in _SAR_PRODUCTS or said.sar is not None:
        _check_sar(said.sar)
    for index, portion in enumerate(said.portions):
        place = f"/portions/{index}"
        if portion.content_basis == _PROTECTED:
            raise Refusal("protected-activity-only", f"{place}/content_basis", "28 CFR 23.20(b)")
        if portion.effective.tlp is Tlp.RED and not said.named:
            raise Refusal("red-without-named-persons", f"{place}/marking", "TLP:RED is for named persons (FIRST)")
        if "DL ONLY" in (portion.effective.dissemination or ()) and not said.named:
            raise Refusal("dl-only-without-list", f"{place}/marking", "DL ONLY needs its list of named recipients")


def check_timely(said: Submission, *, now: datetime) -> None:
    """Refuse times that no transit can meet.

    Raises:
        Refusal: `expired`, `expires-too-far`, `due-passed`, `due-after-expires`.
    """
    if said.expires <= now:
        raise Refusal("expired", "/expires", "it expires before it is sent")
    if said.expires > now + MAX_TRANSIT:
        raise Refusal("expires-too-far", "/expires", f"it expires within {MAX_TRANSIT.days} days")
    if said.due is not None and said.due <= now:
        raise Refusal("due-passed", "/due", "it was due before it is sent")
    if said.due is not None and said.due > said.expires:
        raise Refusal("due-after-expires", "/due", "it is due after it expires")


def _check_kind(said: Submission) -> None:
    """Refuse a kind without what makes it one.

    Raises:
        Refusal: `no-portions`, `recall-with-portions`, `kind-product-mismatch`, `missing-reference`,
            `reference-not-allowed`.
    """
    if said.kind is Kind.RECALL and said.portions:
        raise Refusal("recall-with-portions", "/portions", "a recall carries no text")
    if said.kind is not Kind.RECALL and not said.portions:
        raise Refusal("no-portions", "/portions", "at least one portion is needed")
    if said.kind in _PRODUCT_OF and said.product != _PRODUCT_OF[said.kind]:
        raise Refusal("kind-product-mismatch", "/product", "the product does not fit the kind")
    of_product = {product: kind for kind, product in _PRODUCT_OF.items()}.get(said.product)
    if of_product is not None and said.kind not in {of_product, Kind.CORRECTION, Kind.RECALL}:
        raise Refusal("kind-product-mismatch", "/kind", "the kind does not fit the product")
    references = said.references
    _check_reference("supersedes", references.supersedes, needed={Kind.CORRECTION}, kind=said.kind)
    _check_reference("recalls", references.recalls, needed={Kind.RECALL}, kind=said.kind)
    if references.in_reply_to is None and said.kind in {Kind.RESPONSE, Kind.FEEDBACK}:
        raise Refusal("missing-reference", "/references/in_reply_to", "it names the bulletin it answers")


def _check_reference(name: str, value: object | None, *, needed: Collection[Kind], kind: Kind) -> None:
    if value is None and kind in needed:
        raise Refusal("missing-reference", f"/references/{name}", f"a {kind} names the bulletin it is about")
    if value is not None and kind not in needed:
        raise Refusal("reference-not-allowed", f"/references/{name}", "this kind has no such reference")


def _check_predicate(said: Submission, now: datetime) -> None:
    predicate = said.reasonable_suspicion
    if predicate is None:
        if said.info_class == "criminal intelligence":
            raise Refusal("reasonable-suspicion-missing", "/reasonable_suspicion", "28 CFR 23.20(a) and (c)")
        return
    place = "/reasonable_suspicion/date"
    if predicate.date > (now + _DATE_SKEW).date():
        raise Refusal("bad-date", place, "the date is in the future")
    if predicate.date < (now - MAX_PREDICATE_AGE).date():
        raise Refusal("reasonable-suspicion-stale", place, "28 CFR 23.20(h): validated at most five years ago")


def _check_sar(sar: SarReview | None) -> None:
    """ISE-SAR Functional Standard 1.5.5 Part B: nine behaviours are lawful in themselves."""
    if sar is None or not sar.behaviors:
        raise Refusal("sar-behaviors-missing", "/sar/behaviors", "a report of suspicious activity names the behaviour")
    if not set(sar.behaviors) & set(NON_CRIMINAL_BEHAVIORS.values()):
        return
    if sar.articulable_facts is None:
        raise Refusal("sar-facts-missing", "/sar/articulable_facts", "the behaviour is lawful: state the facts")
    if sar.submitter is None:
        raise Refusal("sar-submitter-missing", "/sar/submitter", "the submitter is named")
    if sar.reviewer is None:
        raise Refusal("sar-reviewer-missing", "/sar/reviewer", "a second, trained person reviews it")
    if _same_person(sar.submitter, sar.reviewer):
        raise Refusal("sar-reviewer-is-submitter", "/sar/reviewer", "the reviewer is another person")


def _same_person(one: str, other: str) -> bool:
    """Compare names as people write them: case, spaces and dots make nobody another person."""
    plain = [" ".join(name.replace(".", " ").split()).casefold() for name in (one, other)]
    return plain[0] == plain[1]
