"""What a reader sees is what the rules mean: every YAML convenience that hides something is refused with its line."""

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from policy import PolicyError
from policy.strict_yaml import Fields, Items, Text, load

PARSERS = [yaml.BaseLoader, *([yaml.CBaseLoader] if yaml.__with_libyaml__ else [])]


def plain(node):
    match node:
        case Text(text=text):
            return text
        case Items(items=items):
            return [plain(item) for item in items]
        case Fields(entries=entries):
            return {key: plain(value) for key, (_, value) in entries.items()}


@pytest.mark.parametrize(
    ("word", "text"),
    [("NO", "NO"), ("yes", "yes"), ("null", "null"), ("~", "~"), ("1.10", "1.10"), ("0x1F", "0x1F"),
     ("12:30:00", "12:30:00"),
     ("2024-01-01", "2024-01-01"), ("'yes'", "yes"), ('"OR"', "OR"), ("1_000", "1_000"), (".inf", ".inf"), ("=", "=")],
)  # fmt: skip
def test_every_scalar_stays_the_text_that_was_written(word, text):
    assert plain(load(f"key: {word}\n", source="t")) == {"key": text}


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("a: 1\nb: 2\na: 3\n", "duplicate-key", 3),
        ("a: 1\n'a': 3\n", "duplicate-key", 2),
        ("a: {b: 1, b: 2}\n", "duplicate-key", 1),
        ("a: 1\nb: &x 2\n", "anchor", 2),
        ("a: &x [1]\n", "anchor", 1),
        ("a: 1\nb: *x\n", "alias", 2),
        ("a: !!str 1\n", "tag", 1),
        ("a: !!python/object/apply:os.system [ls]\n", "tag", 1),
        ("a: ! 1\n", "tag", 1),
        ("!!map {a: 1}\n", "tag", 1),
        ("a: 1\n<<: {b: 1}\n", "merge-key", 2),
        ("%YAML 1.1\n---\na: 1\n", "directive", 1),
        ("a: 1\n---\nb: 1\n", "several-documents", 2),
        ("", "empty-text", None),
        ("# only a remark\n", "empty-text", None),
        ("a:\n", "empty-value", 1),
        ("a: 1\nb: ''\n", "empty-value", 2),
        ("a: [b, ]\nc: [,]\n", "not-yaml", 2),
        ("a: |\n  text\n", "block-text", 1),
        ("a: >\n  text\n", "block-text", 1),
        ("? [a]\n: 1\n", "key-not-text", 1),
        ("a: 1\n\tb: 2\n", "hidden-character", 2),
        ("a: 1\nb: x\u202ey\n", "hidden-character", 2),
        ("a: \u200bb\n", "hidden-character", 1),
        ("a: b\u00a0c\n", "hidden-character", 1),
        ("\ufeffa: 1\n", "hidden-character", 1),
        ("a: b\u2028c: d\n", "hidden-character", 1),
        ("a: b\rc: d\n", "hidden-character", 1),
        ("a: \ud800\n", "hidden-character", 1),
        ('a: 1\nb: "x\\u202Ey"\n', "hidden-character", 2),
        ('a: "x\\ny"\n', "hidden-character", 1),
        ('a: "\\0"\n', "hidden-character", 1),
        ('a: "\\UFFFFFFFF"\n', "not-yaml", None),
        ("a: 'b\n", "not-yaml", None),
        ("a: b: c\n", "not-yaml", 1),
        ("[" * 13 + "]" * 13, "too-deep", 1),
        ("[" * 100_000, "too-deep", 1),
        ("{a: " * 100_000, "too-deep", 1),
        ("a: " + "x" * 501, "too-long", 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("parser", PARSERS)
def test_refused_with_a_code_and_the_line(text, code, line, parser):
    with pytest.raises(PolicyError) as refused:
        load(text, source="rules.yaml", loader=parser)
    assert refused.value.code == code
    if line is not None:
        assert refused.value.line == line
        assert str(refused.value).startswith(f"rules.yaml:{line}: ")


def test_a_text_beyond_the_limit_is_refused_before_it_is_parsed(monkeypatch):
    monkeypatch.setattr("policy.strict_yaml.MAX_TEXT", 10)
    with pytest.raises(PolicyError, match="longer than 10 characters"):
        load("a: 12345678", source="t")


def test_the_line_ends_of_another_system_are_accepted():
    assert plain(load("a: 1\r\nb: [x,\r\n y]\r\n", source="t")) == {"a": "1", "b": ["x", "y"]}


yaml_pieces = st.lists(
    st.sampled_from(
        ["a", "b", "NO", ": ", ":", "- ", "-", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ", ", '"', "'", "#", " # ",
         "&x ", "*x", "!t ", "|", ">", "? ", "---", "...", "%",
         "@", "`", "<<", "\\", "\r\n", "é", "\t", " ", "\\u202e", "~"]
    ),
    max_size=25,
).map("".join)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=60), yaml_pieces))
@example('a: "\\UFFFFFFFF"')
@example("[b? *x%]")
@example("\ud800")
@example("a: *\n")
def test_any_text_gives_a_value_or_a_policy_error_and_both_yaml_parsers_give_the_same(text):
    outcomes = []
    for parser in PARSERS:
        try:
            outcomes.append(plain(load(text, source="t", loader=parser)))
        except PolicyError:
            outcomes.append(PolicyError)
    assert all(outcome == outcomes[0] for outcome in outcomes), outcomes
