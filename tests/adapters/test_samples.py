"""Real documents and known attacks: each is taken or refused with a code, and nothing else ever happens."""

from __future__ import annotations

import json

import pytest

from adapters.errors import DocumentRefusedError
from adapters.formats import cap, eido, stix
from adapters.formats.stix_marking import Level
from adapters.worker import check_whole
from broker.model import Tlp
from tests.adapters import exchange


def outcome(parse, raw):
    try:
        parse(raw)
    except DocumentRefusedError as refused:
        assert refused.code  # noqa: PT017 - refused or not, both are right
        return refused.code
    return "taken"


def files(folder):
    return [path for path in sorted(folder.iterdir()) if path.suffix != ".md"]


def test_cap_samples_are_judged_as_the_schema_and_the_prose_judge_them(samples):
    verdicts = json.loads((samples / "cap" / "verdicts.json").read_bytes())
    for path in files(samples / "cap"):
        valid = verdicts.get(path.name, {}).get("cap12_xsd_valid") is True
        # XSD-valid, but an Update without references: CAP 1.2 §3.2.1 in prose.
        expected = valid and path.name != "google__canada_errors.cap"
        assert (outcome(cap.parse, path.read_bytes()) == "taken") is expected, path.name


def test_cap_samples_survive_a_round_trip(samples):
    for path in files(samples / "cap"):
        if outcome(cap.parse, path.read_bytes()) == "taken":
            alert = cap.parse(path.read_bytes())
            again = cap.parse(cap.write(alert))
            assert again.infos == alert.infos
            assert again.identity == alert.identity


def test_eido_samples(samples):
    found = {path.name: outcome(eido.parse, path.read_bytes()) for path in files(samples / "eido")}
    taken = {name for name, code in found.items() if code == "taken"}
    assert taken == {
        "eidolib__EidoWithJcard.json",
        "eidolib__NotifyWithEido.json",
        "eidolib__SampleCallTransferEido.json",
    }
    assert set(found.values()) == {"taken", "not-an-eido"}


def test_stix_samples_are_taken_with_a_persons_marking_and_refused_without_one(samples):
    codes = set()
    for path in files(samples / "stix"):
        if path.suffix == ".json":
            raw = path.read_bytes()
            codes.add(outcome(stix.parse, raw))
            found = outcome(lambda raw: stix.parse(raw, unmarked=Level(Tlp.AMBER)), raw)
            assert found in {"taken", "classified", "stix-empty", "stix-version", "not-json", "not-stix"}, path.name
    assert codes == {"taken", "missing-marking", "classified", "stix-empty", "stix-version", "not-json", "not-stix"}


@pytest.mark.parametrize("name", ["common__acs-use-case-1.json", "common__acs-use-case-3.json"])
def test_a_classified_acs_use_case_is_refused(samples, name):
    assert outcome(stix.parse, (samples / "stix" / name).read_bytes()) == "classified"


def test_recorded_stix_validator_cases(samples):
    for path in sorted((samples / "stix").glob("*.jsonl")):
        for line in path.read_text().splitlines():
            case = json.loads(line)
            outcome(lambda raw: stix.parse(raw, unmarked=Level(Tlp.AMBER)), case["instance"].encode())


@pytest.mark.parametrize("agency", ["chicago-pd", "il-fusion", "jttf-chicago"])
@pytest.mark.parametrize(
    "folder", ["hostile-xml", "hostile-json", "cap", "eido", "stix", "misp", "niem", "edxl", "hostile-text"]
)
def test_an_adapter_survives_every_sample(samples, agency, folder):
    translate = exchange.kind_of(agency).translator(exchange.settings_of(agency))
    for path in files(samples / folder):
        if path.is_file():
            raw = path.read_bytes()
            outcome(check_whole, raw)
            outcome(lambda raw: translate(raw, exchange.NOW), raw)


def test_hostile_json_is_refused_where_the_suite_says_so(samples):
    for path in files(samples / "hostile-json"):
        if "__n_" in path.name:
            assert outcome(check_whole, path.read_bytes()) != "taken", path.name


def test_every_hostile_xml_with_a_doctype_is_refused(samples):
    for path in files(samples / "hostile-xml"):
        raw = path.read_bytes()
        if b"<!DOCTYPE" in raw:
            assert outcome(check_whole, raw) == "doctype", path.name
