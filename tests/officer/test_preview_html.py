"""The report of a preview: one file that loads nothing, runs nothing, and shows every foreign word as text."""

import base64
import copy
import hashlib
import re
from collections import Counter
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.officer.preview_html import page
from tests.officer.previews import full

FULL = full()
HOSTILE = [
    "<script>alert(1)</script>",
    "</style><script>",
    "\"'><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "<!--",
    "]]>",
    "&lt;b&gt;",
    "\u202edesrever",
    "\x00\x1b[31m",
]


class Tags(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.seen = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, tuple(attrs)))

    def handle_data(self, data):
        self.text += data


def read(html):
    tags = Tags()
    tags.feed(html)
    tags.close()
    return tags


def poisoned(document, poison):
    """The document with the poison in every text that an officer, an agency or a submitter can write."""
    told = copy.deepcopy(document)

    def words(value):
        """The words of an example's attributes; which attributes they are, the report knows by name."""
        shown = value.get("attributes")
        return {"attributes": [[name, one + poison] for name, one in shown]} if isinstance(shown, list) else {}

    def walk(value):
        match value:
            case dict():
                return {name: one if name in FIXED else walk(one) for name, one in value.items()} | words(value)
            case list():
                return [walk(one) for one in value]
            case str():
                return value + poison
            case _:
                return value

    return walk(told)


# What the program itself writes, from a closed list of words.
FIXED = {"audience", "duties", "direction", "kind", "effect", "by_precedence"}


def states_kept(told):
    """The closed words of a case, which `poisoned` must not touch."""
    for case, clean in zip(told["cases"], FULL.document["cases"], strict=True):
        case |= {name: clean[name] for name in ("before", "after", "as_before")}
    return told


@pytest.mark.parametrize("poison", HOSTILE)
def test_a_hostile_name_is_shown_and_never_obeyed(poison):
    clean = read(page(FULL.document, FULL.sha256))

    html = page(states_kept(poisoned(FULL.document, poison)), FULL.sha256)

    tags = read(html)
    assert Counter(tag for tag, _ in tags.seen) == Counter(tag for tag, _ in clean.seen)
    assert not any(name.startswith("on") for _, attributes in tags.seen for name, _ in attributes)
    assert "\u202e" not in html
    assert "\x1b" not in html
    assert ("7 * 7" in tags.text) is ("7 * 7" in poison)


@settings(max_examples=40, deadline=None)
@given(st.text(alphabet="<>&\"'`={}%/!-x \n\t\u2028\u202e", max_size=12))
def test_no_text_makes_an_element_or_an_attribute(poison):
    clean = read(page(FULL.document, FULL.sha256))

    tags = read(page(states_kept(poisoned(FULL.document, poison)), FULL.sha256))

    assert [tag for tag, _ in tags.seen] == [tag for tag, _ in clean.seen]
    assert [[name for name, _ in attrs] for _, attrs in tags.seen] == [
        [name for name, _ in attrs] for _, attrs in clean.seen
    ]


def test_the_report_loads_nothing_and_runs_nothing():
    html = page(FULL.document, FULL.sha256)

    tags = {tag for tag, _ in read(html).seen}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "a", "svg"}
    assert not re.search(r"(?i)https?:|//[a-z]|url\(|@import|javascript:", html)
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)[1]
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert " style=" not in html


def test_the_report_says_the_verdict_first_and_in_words():
    text = read(page(FULL.document, FULL.sha256)).text

    told = [text.index(words) for words in ("WIDENS; duties LOOSENED (proved)", "Does not pass", "Rule by rule")]
    assert told == sorted(told)
    assert "Somebody could get more than before" in text
    assert FULL.sha256 in text


def test_every_table_has_a_caption_and_every_header_says_what_it_heads():
    seen = read(page(FULL.document, FULL.sha256)).seen

    tags = Counter(tag for tag, _ in seen)
    assert tags["table"] == tags["caption"] > 4
    assert all(dict(attributes).get("scope") in {"row", "col"} for tag, attributes in seen if tag == "th")
    assert ("html", (("lang", "en"),)) in seen


def test_gains_and_losses_carry_their_sign():
    text = " ".join(read(page(FULL.document, FULL.sha256)).text.split())

    assert "+19" in text
    assert "newly get (+) and would no longer get (\N{MINUS SIGN})" in text


def test_the_same_document_gives_the_same_report():
    assert page(FULL.document, FULL.sha256) == page(copy.deepcopy(FULL.document), FULL.sha256)
