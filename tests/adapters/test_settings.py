from __future__ import annotations

import dataclasses
import re

import pytest

from adapters import settings
from adapters.errors import SettingsError
from adapters.settings import load
from tests.adapters import exchange

MINIMAL = 'agency = "chicago-pd"\ngateway = "http://127.0.0.1:7443"\ntoken_file = "token"\nfolder = "feed"\n'
ALL = frozenset({"json", "eido", "cap", "stix"})


def loaded(tmp_path, text, reads=ALL):
    path = tmp_path / "adapter.toml"
    path.write_text(text)
    return load(path, reads=reads, writes=ALL)


def test_relative_paths_start_at_the_settings_file(tmp_path):
    settings = loaded(tmp_path, MINIMAL)
    assert settings.token_file == tmp_path / "token"
    assert settings.folder == tmp_path / "feed"


REFUSED = {
    "an unknown setting": ("purpos = 'x'\n", "unknown-setting"),
    "an unknown setting in a section": ("[defaults]\npurpos = 'x'\n", "unknown-setting"),
    "an unknown setting in a marking": ("[eido.marking]\ntlp = 'AMBER'\ncaveat = ['LES']\n", "unknown-setting"),
    "a marking that does not exist": ("[eido.marking]\ntlp = 'ORANGE'\n", "bad-setting"),
    "a missing marking": ("[eido]\n", "bad-setting"),
    "a gateway in clear beyond loopback": ("", "plaintext-gateway"),
    "a restricted alert made wide": ("[cap.restricted]\ntlp = 'GREEN'\n", "cap-marking-too-wide"),
    "a private alert made wide": ("[cap.private]\ntlp = 'AMBER'\n", "cap-marking-too-wide"),
    "a site nobody could find": (
        "[[protected_sites]]\nname='a'\nprotectee='b'\ncounties=['c']\ntearline='d'\ntearline_approved_by='e'\n",
        "site-without-place",
    ),
    "a tearline nobody approved": (
        "[[protected_sites]]\nname='a'\nprotectee='b'\ncounties=['c']\nphones=['1']\ntearline='d'\n",
        "bad-setting",
    ),
    "no TOML": ("[[", "settings-malformed"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_settings_that_could_surprise_stop_the_start(tmp_path, name):
    text, code = REFUSED[name]
    base = MINIMAL.replace("127.0.0.1", "gateway.example") if code == "plaintext-gateway" else MINIMAL
    with pytest.raises(SettingsError) as refused:
        loaded(tmp_path, base + text)
    assert refused.value.code == code


def test_a_section_for_a_format_the_adapter_does_not_read_is_unknown(tmp_path):
    with pytest.raises(SettingsError) as refused:
        loaded(tmp_path, MINIMAL + "[stix.words]\npurpose = 'x'\n", reads=frozenset({"json"}))
    assert refused.value.code == "unknown-setting"


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(SettingsError) as refused:
        load(tmp_path / "none.toml", reads=ALL, writes=ALL)
    assert refused.value.code == "settings-missing"


def test_the_readme_names_every_setting():
    readme = (exchange.ROOT / "adapters" / "README.md").read_text()
    sections = (
        settings.Settings,
        settings.Words,
        settings.MarkingSetting,
        settings.StixSetting,
        settings.ProtectedSite,
    )
    missing = [
        field.name
        for section in sections
        for field in dataclasses.fields(section)
        if not re.search(rf"\b{field.name}\b", readme)
    ]
    assert missing == []
