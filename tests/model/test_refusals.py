"""Every refusal at the border, by name: one fact is broken, one code and one place come back."""

import copy
from typing import Any

import pytest

from broker.model import Refusal
from tests.model.examples import DOCUMENT, FULL, Read

REPLY = "01920000-0000-7000-8000-000000000001"
STIX = "application/stix+json;version=2.1"
SAR = {"behaviors": ["photography"], "articulable_facts": "three days", "submitter": "A", "reviewer": "B"}
SUSPICION = FULL["reasonable_suspicion"]


def changed(path: str, value: Any) -> dict[str, Any]:
    """The lawful bulletin with one place set, or removed when the value is `...`."""
    document: Any = copy.deepcopy(DOCUMENT)
    target = document
    *steps, last = path.split("/")
    for step in steps:
        target = target[int(step)] if isinstance(target, list) else target.setdefault(step, {})
    if value is ...:
        del target[last]
    else:
        target[last] = value
    return document


def portion(**fields: Any) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    document["portions"][0].update(fields)
    return document


def marked(**fields: Any) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    document["portions"][0]["marking"].update(fields)
    return document


def whole(**fields: Any) -> dict[str, Any]:
    return copy.deepcopy(DOCUMENT) | fields


REFUSALS: list[tuple[str, dict[str, Any], str, str]] = [
    ("no marking", changed("portions/0/marking", ...), "missing-marking", "/portions/0/marking"),
    ("a null marking", changed("portions/0/marking", None), "missing-marking", "/portions/0/marking"),
    ("no TLP", changed("portions/0/marking/tlp", ...), "missing-marking", "/portions/0/marking/tlp"),
    (
        "no classification",
        changed("portions/0/marking/classification", ...),
        "missing-marking",
        "/portions/0/marking/classification",
    ),
    ("no purpose", changed("purpose", ...), "missing-purpose", "/purpose"),
    ("no originator", changed("agency", ...), "missing-originator", "/agency"),
    ("no control official", changed("control_official", ...), "missing-control-official", "/control_official"),
    ("a blank control official", changed("control_official", "  "), "missing-control-official", "/control_official"),
    ("no expiry", changed("expires", ...), "missing-field", "/expires"),
    ("secret", marked(classification="S"), "classified", "/portions/0/marking/classification"),
    ("top secret", marked(classification="TS"), "classified", "/portions/0/marking/classification"),
    (
        "a classification word",
        marked(classification="UNCLASSIFIED"),
        "classified",
        "/portions/0/marking/classification",
    ),
    (
        "a classification line in the text",
        portion(content="(S//NF) He lives there."),
        "classified",
        "/portions/0/content",
    ),
    ("a banner in the text", portion(content="x\nTOP SECRET//SI\ny"), "classified", "/portions/0/content"),
    ("RED without names", marked(tlp="RED"), "red-without-named-persons", "/portions/0/marking"),
    (
        "RED named to an agency only",
        marked(tlp="RED") | {"named": [{"agency": "il-fusion"}]},
        "red-without-named-persons",
        "/named/0/person",
    ),
    (
        "RED as a line of the text without names",
        portion(content="TLP:RED\nHe lives there."),
        "red-without-named-persons",
        "/portions/0/marking",
    ),
    (
        "criminal intelligence without reasonable suspicion",
        whole(info_class="criminal intelligence"),
        "reasonable-suspicion-missing",
        "/reasonable_suspicion",
    ),
    (
        "a predicate without its basis",
        whole(reasonable_suspicion={**SUSPICION, "basis": None}),
        "reasonable-suspicion-missing",
        "/reasonable_suspicion/basis",
    ),
    (
        "a predicate with a blank basis",
        whole(reasonable_suspicion={**SUSPICION, "basis": " \n"}),
        "reasonable-suspicion-missing",
        "/reasonable_suspicion/basis",
    ),
    (
        "a predicate never validated in five years",
        whole(reasonable_suspicion={**SUSPICION, "date": "2021-11-01"}),
        "reasonable-suspicion-stale",
        "/reasonable_suspicion/date",
    ),
    (
        "a predicate of tomorrow",
        whole(reasonable_suspicion={**SUSPICION, "date": "2026-11-30"}),
        "bad-date",
        "/reasonable_suspicion/date",
    ),
    (
        "a predicate of no day",
        whole(reasonable_suspicion={**SUSPICION, "date": "2026-02-30"}),
        "bad-date",
        "/reasonable_suspicion/date",
    ),
    (
        "speech and nothing else",
        portion(content_basis="first-amendment activity only"),
        "protected-activity-only",
        "/portions/0/content_basis",
    ),
    ("a SAR without behaviours", whole(product="SAR"), "sar-behaviors-missing", "/sar/behaviors"),
    ("an ISE-SAR by class only", whole(info_class="ISE-SAR"), "sar-behaviors-missing", "/sar/behaviors"),
    (
        "photography without facts",
        whole(product="SAR", sar={**SAR, "articulable_facts": None}),
        "sar-facts-missing",
        "/sar/articulable_facts",
    ),
    (
        "photography with blank facts",
        whole(product="SAR", sar={**SAR, "articulable_facts": " "}),
        "sar-facts-missing",
        "/sar/articulable_facts",
    ),
    (
        "photography submitted by nobody",
        whole(product="SAR", sar={**SAR, "submitter": None}),
        "sar-submitter-missing",
        "/sar/submitter",
    ),
    (
        "photography reviewed by nobody",
        whole(product="SAR", sar={**SAR, "reviewer": None}),
        "sar-reviewer-missing",
        "/sar/reviewer",
    ),
    (
        "photography reviewed by its submitter, spelt otherwise",
        whole(product="SAR", sar={**SAR, "submitter": "Ofc. D. Example", "reviewer": "ofc D  example"}),
        "sar-reviewer-is-submitter",
        "/sar/reviewer",
    ),
    (
        "a behaviour of no standard",
        whole(sar={**SAR, "behaviors": ["loitering"]}),
        "not-in-vocabulary",
        "/sar/behaviors/0",
    ),
    ("immigration status", whole(immigration_status="unknown"), "immigration-status", ""),
    ("citizenship of a person", portion(citizenship="x"), "immigration-status", "/portions/0"),
    ("an alien number", whole(area={"alien_number": "A1"}), "immigration-status", "/area"),
    ("asylum records", marked(cui=["ASYL"]), "immigration-status", "/portions/0/marking/cui"),
    ("an exercise", whole(status="Exercise"), "exercise-on-live-exchange", "/status"),
    ("a test", whole(status="Test"), "exercise-on-live-exchange", "/status"),
    ("a draft", whole(status="Draft"), "exercise-on-live-exchange", "/status"),
    ("a status of no standard", whole(status="Real"), "not-in-vocabulary", "/status"),
    ("an unknown field", whole(priority="high"), "unknown-field", ""),
    ("an unknown field with null", whole(priority=None), "unknown-field", ""),
    ("an unknown field of a marking", marked(releasable_to=["x"]), "unknown-field", "/portions/0/marking"),
    ("an unknown field of a portion", portion(derived_from="p2"), "unknown-field", "/portions/0"),
    ("an unknown product", whole(product="GOSSIP"), "not-in-vocabulary", "/product"),
    ("an unknown purpose", whole(purpose="curiosity"), "not-in-vocabulary", "/purpose"),
    ("an unknown category", whole(category="rumour"), "not-in-vocabulary", "/category"),
    ("an unknown information class", whole(info_class="secret"), "not-in-vocabulary", "/info_class"),
    ("an unknown precedence", whole(precedence="URGENT"), "not-in-vocabulary", "/precedence"),
    ("an unknown kind", whole(kind="memo"), "not-in-vocabulary", "/kind"),
    ("a TLP of version 1", marked(tlp="WHITE"), "not-in-vocabulary", "/portions/0/marking/tlp"),
    ("a caveat nobody knows", marked(caveats=["EYES"]), "not-in-vocabulary", "/portions/0/marking/caveats/0"),
    (
        "a control nobody knows",
        marked(dissemination=["FAMILY"]),
        "not-in-vocabulary",
        "/portions/0/marking/dissemination/0",
    ),
    ("a CUI category nobody knows", marked(cui=["XYZ"]), "not-in-vocabulary", "/portions/0/marking/cui/0"),
    ("a caveat twice", marked(caveats=["LES", "LES"]), "duplicate-value", "/portions/0/marking/caveats"),
    ("caveats that are no list", marked(caveats="LES"), "wrong-type", "/portions/0/marking/caveats"),
    ("a version nobody knows", portion(version="short"), "not-in-vocabulary", "/portions/0/version"),
    ("DL ONLY without a list", marked(dissemination=["DL ONLY"]), "dl-only-without-list", "/portions/0/marking"),
    ("a county nobody knows", whole(area={"counties": ["IL-NOWHERE"]}), "not-in-vocabulary", "/area/counties/0"),
    ("a county by name and code", whole(area={"counties": ["17031", "IL-COOK"]}), "duplicate-value", "/area/counties"),
    ("an open polygon", whole(area={"polygon": "1,1 2,2 3,3 4,4"}), "bad-shape", "/area/polygon"),
    ("a polygon off the earth", whole(area={"polygon": "91,1 2,2 3,3 91,1"}), "bad-shape", "/area/polygon"),
    ("a circle without radius", whole(area={"circle": "1,1"}), "bad-shape", "/area/circle"),
    ("no portions", whole(portions=[]), "no-portions", "/portions"),
    ("absent portions", changed("portions", ...), "no-portions", "/portions"),
    (
        "seventeen portions",
        whole(portions=[{**DOCUMENT["portions"][0], "id": f"p{n}"} for n in range(17)]),
        "too-many-portions",
        "/portions",
    ),
    ("two portions of one id", whole(portions=DOCUMENT["portions"] * 2), "duplicate-portion", "/portions"),
    ("an empty text", portion(content=" \n"), "empty-content", "/portions/0/content"),
    ("an escape sequence for terminals", portion(content="a\x1b[2Jb"), "control-character", "/portions/0/content"),
    ("two lines as an official", whole(control_official="A\nB"), "control-character", "/control_official"),
    ("a reversed official", whole(control_official="A\u202eB"), "control-character", "/control_official"),
    ("an official with spaces around", whole(control_official=" A"), "bad-text", "/control_official"),
    ("a name as long as a letter", whole(control_official="A" * 201), "text-too-long", "/control_official"),
    ("a picture", portion(media_type="image/png"), "media-type-unknown", "/portions/0/media_type"),
    ("a web page", portion(media_type="text/html"), "media-type-unknown", "/portions/0/media_type"),
    (
        "XML with a document type",
        portion(media_type="application/cap+xml", content='<!DOCTYPE a SYSTEM "x"><a/>'),
        "doctype",
        "/portions/0/content",
    ),
    ("JSON that is none", portion(media_type="application/json", content="{"), "not-json", "/portions/0/content"),
    (
        "embedded JSON with a key twice",
        portion(media_type=STIX, content='{"type":"bundle","type":"report"}'),
        "duplicate-key",
        "/portions/0/content",
    ),
    ("expired", whole(expires="2026-11-22T09:00:00Z"), "expired", "/expires"),
    ("expiring in 31 days", whole(expires="2026-12-23T09:00:00Z"), "expires-too-far", "/expires"),
    ("a time without offset", whole(expires="2026-11-25T00:00:00"), "bad-time", "/expires"),
    ("a time of no calendar", whole(expires="2026-13-25T00:00:00Z"), "bad-time", "/expires"),
    ("due before it is sent", whole(due="2026-11-22T08:00:00Z"), "due-passed", "/due"),
    ("due after it expires", whole(due="2026-11-26T00:00:00Z"), "due-after-expires", "/due"),
    ("an agency of no form", whole(agency="Springfield PD"), "bad-agency", "/agency"),
    ("a subject as an agency", whole(agency="a.>"), "bad-agency", "/agency"),
    ("an approved agency of no form", whole(approved=["*"]), "bad-agency", "/approved/0"),
    ("a grade of no scale", whole(grading={"source": "G", "information": 1}), "not-in-vocabulary", "/grading/source"),
    (
        "a credibility of no scale",
        whole(grading={"source": "A", "information": 7}),
        "not-in-vocabulary",
        "/grading/information",
    ),
    (
        "a credibility of true",
        whole(grading={"source": "A", "information": True}),
        "not-in-vocabulary",
        "/grading/information",
    ),
    ("half a grading", whole(grading={"source": "A"}), "missing-field", "/grading/information"),
    ("a recall with a text", whole(kind="recall", references={"recalls": REPLY}), "recall-with-portions", "/portions"),
    ("a recall of nothing", whole(kind="recall", portions=[]), "missing-reference", "/references/recalls"),
    ("a correction of nothing", whole(kind="correction"), "missing-reference", "/references/supersedes"),
    (
        "an answer to nothing",
        whole(kind="response", product="RFI-RESPONSE"),
        "missing-reference",
        "/references/in_reply_to",
    ),
    ("feedback on nothing", whole(kind="feedback", product="FEEDBACK"), "missing-reference", "/references/in_reply_to"),
    ("a bulletin that recalls", whole(references={"recalls": REPLY}), "reference-not-allowed", "/references/recalls"),
    (
        "a bulletin that supersedes",
        whole(references={"supersedes": REPLY}),
        "reference-not-allowed",
        "/references/supersedes",
    ),
    ("a reference of no id", whole(references={"in_reply_to": "BOLO 7"}), "bad-id", "/references/in_reply_to"),
    (
        "a reference in capitals",
        whole(references={"in_reply_to": REPLY.replace("-", "-A", 1)}),
        "bad-id",
        "/references/in_reply_to",
    ),
    ("a question that is a BOLO", whole(kind="request"), "kind-product-mismatch", "/product"),
    ("a bulletin that is a question", whole(product="RFI"), "kind-product-mismatch", "/kind"),
    (
        "a digest of no length",
        whole(source_document={"format": "x", "sha256": "ab"}),
        "bad-digest",
        "/source_document/sha256",
    ),
    ("a number as a text", whole(purpose=7), "wrong-type", "/purpose"),
    ("a text as a portion", whole(portions=["hello"]), "wrong-type", "/portions/0"),
    ("too many names", whole(approved=["a"] * 501), "too-many-items", "/approved"),
]


@pytest.mark.parametrize(("document", "code", "pointer"), [pytest.param(*row[1:], id=row[0]) for row in REFUSALS])
def test_is_refused(document: dict[str, Any], code: str, pointer: str, read: Read) -> None:
    with pytest.raises(Refusal) as refused:
        read(document)
    assert (refused.value.code, refused.value.pointer) == (code, pointer)


@pytest.mark.parametrize("value", ["text", 7, None, [], True])
def test_what_is_no_object_is_no_bulletin(value: object, read: Read) -> None:
    with pytest.raises(Refusal) as refused:
        read(value)
    assert refused.value.code == "wrong-type"


def test_portions_that_could_never_be_sealed_are_refused(read: Read) -> None:
    portions = [{**DOCUMENT["portions"][0], "id": f"p{n}", "content": "é" * 20_000} for n in range(16)]
    with pytest.raises(Refusal) as refused:
        read(whole(portions=portions))
    assert (refused.value.code, refused.value.pointer) == ("too-large", "/portions")


def test_a_refusal_repeats_nothing_of_the_bulletin(read: Read) -> None:
    canary = "CANARY-7f3a9c1e5b2d4860"
    for document in (
        whole(purpose=canary),
        whole(**{canary: 1}),
        whole(agency=canary),
        portion(content="{" + canary, media_type="application/json"),
        portion(media_type=canary),
        portion(**{canary: canary}),
        marked(caveats=[canary]),
        whole(expires=canary),
        whole(area={"polygon": canary}),
        whole(references={canary: canary}),
    ):
        with pytest.raises(Refusal) as refused:
            read(document)
        assert canary not in str(refused.value)
        assert refused.value.__cause__ is None
        assert refused.value.__context__ is None or refused.value.__suppress_context__


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(whole(status="System"), id="a canary of the exchange itself"),
        pytest.param(whole(references={"in_reply_to": REPLY}, kind="response", product="RFI-RESPONSE"), id="an answer"),
        pytest.param(whole(kind="request", product="RFI"), id="a question"),
        pytest.param(whole(kind="sighting"), id="a sighting without a reference"),
        pytest.param(
            whole(kind="correction", product="RFI", references={"supersedes": REPLY}), id="a corrected question"
        ),
        pytest.param(whole(kind="recall", portions=[], references={"recalls": REPLY}), id="a recall"),
        pytest.param(
            whole(product="SAR", sar={"behaviors": ["expressed or implied threat"]}), id="a criminal behaviour"
        ),
        pytest.param(whole(product="SAR", sar=SAR), id="photography, with facts and a second person"),
        pytest.param(
            whole(info_class="criminal intelligence", reasonable_suspicion=SUSPICION), id="with its predicate"
        ),
        pytest.param(marked(tlp="RED") | {"named": [{"agency": "il-fusion", "person": "B"}]}, id="RED to a person"),
        pytest.param(whole(area={"counties": ["48001"]}), id="a real county the vocabulary does not name"),
        pytest.param(
            portion(content="They said TLP:RED was wrong, and (S) too."), id="a marking mentioned in a sentence"
        ),
    ],
)
def test_is_taken(document: dict[str, Any], read: Read) -> None:
    read(document)


def test_an_exercise_enters_an_exercise(read: Read) -> None:
    assert str(read(whole(status="Exercise"), live=False).status) == "Exercise"
