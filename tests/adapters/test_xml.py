from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import DocumentRefusedError
from adapters.formats import xml
from adapters.formats.xml import Element

BOMB = b'<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><a>&c;</a>'
ATTACKS = {
    "billion laughs": (BOMB, "doctype"),
    "external entity": (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "doctype"),
    "external subset": (b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>', "doctype"),
    "lower case doctype": (b"<!doctype a><a/>", "doctype"),
    "doctype behind a comment": (b"<!-- > --><!DOCTYPE a><a/>", "doctype"),
    "doctype behind an instruction": (b"<?x <a> ?>\n<!DOCTYPE a><a/>", "doctype"),
    "doctype behind a declaration and a mark": (b'\xef\xbb\xbf<?xml version="1.0"?> <!DOCTYPE a><a/>', "doctype"),
    "doctype in UTF-16": ('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a><a/>'.encode("utf-16"), "xml-encoding"),
    "doctype in UTF-16 without a mark": ("<!DOCTYPE a><a/>".encode("utf-16-le"), "xml-encoding"),
    "doctype in UTF-7": (b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a+AD4-<a/>', "xml-encoding"),
    "an encoding behind 300 spaces": (b'<?xml version="1.0"' + b" " * 300 + b'encoding="UTF-7"?><a/>', "xml-encoding"),
    "doctype in EBCDIC": ("<!DOCTYPE a><a/>".encode("cp037"), "xml-encoding"),
    "an entity without a doctype": (b"<a>&x;</a>", "not-xml"),
    "a million levels": (b"<a>" * 20_000, "not-xml"),
    "deep but whole": (b"<a>" * 60 + b"</a>" * 60, "too-deep"),
    "too many elements": (b"<a>" + b"<b/>" * 20_001 + b"</a>", "too-many-elements"),
    "too many attributes": (b"<a " + b" ".join(b'x%d=""' % n for n in range(100)) + b"/>", "too-many-attributes"),
    "too large": (b"<a>" + b" " * (450 * 1024) + b"</a>", "too-large"),
    "nothing": (b" \n", "empty"),
    "two roots": (b"<a/><a/>", "not-xml"),
    "a NUL": (b"<a>\0</a>", "xml-encoding"),
    "half a document": (b"<a><b>", "not-xml"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_on_the_parser_is_refused_by_name(name):
    raw, code = ATTACKS[name]
    with pytest.raises(DocumentRefusedError) as refused:
        xml.parse(raw)
    assert refused.value.code == code


def test_xinclude_and_schema_locations_are_only_text():
    raw = (
        b'<a xmlns:xi="http://www.w3.org/2001/XInclude" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        b'xsi:schemaLocation="http://127.0.0.1:9/a.xsd"><xi:include href="file:///etc/passwd"/></a>'
    )
    root = xml.parse(raw)
    assert [child.local for child in root.children] == ["include"]
    assert root.children[0].text == ""


def test_the_words_of_a_doctype_in_text_are_text():
    assert xml.parse(b"<a><![CDATA[<!DOCTYPE a>]]></a>").text == "<!DOCTYPE a>"


def test_the_parser_settings_alone_refuse_a_doctype_that_slips_past_the_scan(monkeypatch):
    monkeypatch.setattr(xml, "_scan_prolog", lambda raw: None)
    with pytest.raises(DocumentRefusedError) as refused:
        xml.parse(b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>')
    assert refused.value.code == "doctype"


def test_no_error_repeats_the_document():
    with pytest.raises(DocumentRefusedError) as refused:
        xml.parse(b"<a>SECRETSECRETSECRET<b></a>")
    assert "SECRET" not in str(refused.value)
    assert refused.value.__cause__ is None


names = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
texts = st.text(max_size=20).map(lambda text: xml._NOT_XML.sub("", text).replace("\r", "").strip())
trees = st.recursive(
    st.builds(Element, names, texts, st.just(()), st.dictionaries(names, texts, max_size=2)),
    lambda inner: st.builds(Element, names, st.just(""), st.lists(inner, min_size=1, max_size=3).map(tuple)),
    max_leaves=12,
)


@given(trees)
def test_what_is_written_is_read_back(tree):
    def plain(element):
        attributes = {name: value.replace("\n", " ").replace("\t", " ") for name, value in element.attributes.items()}
        return (element.tag, element.text, attributes, tuple(map(plain, element.children)))

    read = xml.parse(xml.serialise(tree))
    assert plain(read)[0] == plain(tree)[0]
    assert [e.text for e in read.walk()] == [e.text for e in tree.walk()]


@given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(lambda text: ("<a>" + text + "</a>").encode())))
def test_any_bytes_give_a_tree_or_a_coded_refusal(raw):
    try:
        xml.parse(raw)
    except DocumentRefusedError as refused:
        assert refused.code  # noqa: PT017 - refused or not, both are right
