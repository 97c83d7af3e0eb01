"""Made-up portions of bulletins, the same for the same seed: what an exchange decides on an ordinary day."""

from collections.abc import Mapping, Sequence
from random import Random  # noqa: TID251 - reproducible by seed; nothing here is secret

from policy import Attributes, Value, Vocabulary
from policy.truth import members

MISSING = 0.01
UNKNOWN = 0.005
# What a submission says that no vocabulary holds: a slip, or the word of a newer release.
_NO_WORD = "not in the vocabulary"

# How often of a hundred, and what such a bulletin says: category, products, information classes, basis, purpose.
_SUBJECTS = (
    (24, "officer safety", ("BOLO", "OSB"), ("investigative",), "criminal predicate", "officer safety"),
    (20, "violent crime", ("BOLO", "SAB"), ("investigative", "criminal intelligence"), "criminal predicate",
     "criminal investigation"),
    (12, "narcotics", ("SAB", "RFI", "RFI-RESPONSE"), ("criminal intelligence",), "criminal predicate",
     "criminal investigation"),
    (7, "firearms trafficking", ("SAB", "RFI"), ("criminal intelligence", "investigative"), "criminal predicate",
     "criminal investigation"),
    (4, "human trafficking", ("SAB", "RFI"), ("criminal intelligence",), "criminal predicate",
     "criminal investigation"),
    (6, "missing person", ("BOLO", "CAP-ALERT"), ("public safety",), "public safety", "protection of life"),
    (6, "threat to a public official", ("THREAT",), ("investigative", "tip or lead"), "criminal predicate",
     "protection of life"),
    (5, "targeted violence", ("THREAT", "TIP"), ("tip or lead", "suspicious activity"), "suspicious activity",
     "protection of life"),
    (4, "domestic violent extremism", ("SAR", "ISE-SAR", "SETA"), ("suspicious activity", "ISE-SAR"),
     "suspicious activity", "counter-terrorism"),
    (3, "international terrorism", ("SAR", "ISE-SAR"), ("suspicious activity", "ISE-SAR"), "suspicious activity",
     "counter-terrorism"),
    (3, "hate crime", ("HATE", "SITREP"), ("investigative",), "criminal predicate", "hate crime and extremism"),
    (2, "special event", ("SETA", "SITREP"), ("public safety",), "public safety", "special event security"),
    (2, "critical infrastructure", ("SAR", "CAP-ALERT"), ("suspicious activity",), "suspicious activity",
     "counter-terrorism"),
    (1, "cyber", ("SAB", "FEEDBACK"), ("investigative",), "criminal predicate", "criminal investigation"),
    (1, "civil disorder", ("SITREP",), ("public safety",), "first-amendment activity only", "special event security"),
)  # fmt: skip
_TLP = {"CLEAR": 8, "GREEN": 27, "AMBER": 47, "AMBER+STRICT": 12, "RED": 6}
_CAVEATS = {"LES": 0.6, "FOUO": 0.15, "ORCON": 0.04, "JUVENILE": 0.03, "US-PERSON": 0.25, "SOURCE": 0.05}
_DISSEMINATION = {"FED ONLY": 0.01, "NOFORN": 0.05, "DL ONLY": 0.01}
_ORIGINATORS = ("city police", "county sheriff", "state police", "fusion center", "JTTF", "transit police")


def national_portions(
    agencies: Mapping[str, Attributes],
    vocabulary: Vocabulary,
    *,
    count: int,
    seed: int = 1,
    missing: float = MISSING,
    unknown: float = UNKNOWN,
) -> list[Attributes]:
    """`count` portions by agencies of the directory.

    Every attribute is left out with probability `missing`, and is a word outside the vocabulary with probability
    `unknown`.
    """
    random = Random(seed)
    ids = sorted(agencies)
    originators = [
        agency for agency in ids if agencies[agency].get("kind") in _ORIGINATORS and "state" in agencies[agency]
    ]
    protectees = sorted({name for record in agencies.values() for name in record.get("protects", ())})
    region_of: dict[str, Value] = {}
    for record in agencies.values():
        if len(record.get("serves", ())) == 1 and "region" in record:
            region_of.update(dict.fromkeys(record["serves"], record["region"]))
    areas = sorted(vocabulary.area)
    portions: list[Attributes] = []
    for _ in range(count):
        originator = random.choice(originators)
        served = sorted(agencies[originator].get("serves", ())) or areas
        area = random.sample(served, min(len(served), random.choice((1, 1, 1, 1, 2, 3))))
        portion = _about(random, ids, protectees) | {
            "origin state": agencies[originator]["state"],
            "originator": originator,
            "area": frozenset(area),
        }
        if area[0] in region_of:
            portion["region"] = region_of[area[0]]
        portions.append(_with_holes(random, vocabulary, portion, missing, unknown))
    return portions


def _about(random: Random, ids: Sequence[str], protectees: Sequence[str]) -> dict[str, Value]:
    """What a portion says, whoever sends it from wherever."""
    _, category, products, classes, basis, purpose = random.choices(_SUBJECTS, [row[0] for row in _SUBJECTS])[0]
    tearline = random.random() < 0.3
    caveats = {name for name, chance in _CAVEATS.items() if random.random() < chance}
    tlp = random.choices(tuple(_TLP), tuple(_TLP.values()))[0]
    product = random.choice(products)
    portion: dict[str, Value] = {
        "product": product,
        "category": category,
        "information class": random.choice(classes),
        "TLP": "GREEN" if tearline else tlp,
        "version": "tearline" if tearline else "full",
        "caveats": frozenset() if tearline else frozenset(caveats),
        "dissemination": frozenset(name for name, chance in _DISSEMINATION.items() if random.random() < chance),
        "content basis": basis,
        "purpose": purpose,
        "traffic": "Actual",
        "named": frozenset(random.sample(ids, 2) if tlp == "RED" and not tearline else ()),
        "approved": frozenset(random.sample(ids, 3) if "ORCON" in caveats else ()),
    }
    if category == "threat to a public official":
        portion["protectee"] = random.choice(protectees)
    if product in ("RFI-RESPONSE", "FEEDBACK"):
        portion["requester"] = random.choice(ids)
    return portion


def _with_holes(
    random: Random, vocabulary: Vocabulary, portion: Mapping[str, Value], missing: float, unknown: float
) -> Attributes:
    holed: dict[str, Value] = {}
    for name, value in portion.items():
        chance = random.random()
        if chance < missing:
            continue
        if chance < missing + unknown:
            known = vocabulary.bulletin.get(name)
            several = known is None or known.kind == "set of"
            holed[name] = frozenset((*members(value), _NO_WORD)) if several else _NO_WORD
            continue
        holed[name] = value
    return holed
