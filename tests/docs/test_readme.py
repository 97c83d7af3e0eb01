"""The README says everything there is to set and to call, and its tour is what the API takes."""

import dataclasses
import re
from datetime import timedelta
from pathlib import Path

import click
import pytest

import adapters.settings
from broker.cli import main
from broker.demo.expectation import load_expectation
from broker.demo.verdict import judge
from broker.gateway.settings import Settings
from broker.model import parse_bulletin, parse_json
from broker.ops.clock import now
from broker.ops.exchange import settings_names
from broker.ops.hub import HubSettings
from policy import parse_vocabulary
from tests.demo.evidence_of import perfect

TOP = Path(__file__).parents[2]
README = (TOP / "README.md").read_text(encoding="utf-8")


def section(title: str, end: str) -> str:
    start = README.index(title)
    return README[start : README.index(end, start + len(title))]


def rows(text: str) -> dict[str, list[str]]:
    """The first cell of every table row, and the others."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[0].startswith("`"):
            found[cells[0].strip("`")] = cells[1:]
    return found


def leaves(command: click.Command, path: tuple[str, ...] = ()):
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from leaves(command.get_command(context, name), (*path, name))
    else:
        yield " ".join(path)


@pytest.mark.parametrize("command", sorted(leaves(main)))
def test_every_command_is_in_the_readme(command: str) -> None:
    named = rows(section("## The command line", "## Run it for real"))

    assert any(re.match(rf"tearline {command}( [A-Z]|$)", row) for row in named)


def test_the_readme_names_no_command_that_does_not_exist() -> None:
    known = set(leaves(main))

    for row in rows(section("## The command line", "## Run it for real")):
        assert " ".join(word for word in row.split()[1:] if word.islower() and not word.startswith("-")) in known, row


def test_every_setting_of_the_exchange_file_is_in_the_readme() -> None:
    assert set(rows(section("**Exchange file**", "**Gateway**"))) == set(settings_names())


@pytest.mark.parametrize(
    ("title", "end", "model"), [("**Gateway**", "**Hub**", Settings), ("**Hub**", "**Adapter**", HubSettings)]
)
def test_every_setting_of_gateway_and_hub_is_in_the_readme(title, end, model) -> None:
    documented = rows(section(title, end))

    assert set(documented) == set(model.model_fields)
    for name, field in model.model_fields.items():
        assert documented[name][1] == field.description
        assert (documented[name][0] == "required") == field.is_required()


def test_every_setting_of_an_adapter_is_in_the_readme() -> None:
    text = section("**Adapter**", "## The demo's verdict")
    classes = [
        one
        for one in vars(adapters.settings).values()
        if dataclasses.is_dataclass(one) and one.__module__ == "adapters.settings"
    ]

    assert set(rows(text)) == {field.name for field in dataclasses.fields(adapters.settings.Settings)}
    for one in classes:
        for field in dataclasses.fields(one):
            assert f"`{field.name}`" in text, f"{one.__name__}.{field.name}"


def test_the_verdicts_fields_are_the_documented_ones() -> None:
    text = section("## The demo's verdict", "## Glossary")
    expectation = load_expectation()
    evidence = dataclasses.replace(perfect(expectation), inboxes={"nobody": perfect(expectation).inboxes["il-fusion"]})
    verdict = judge(expectation, evidence).as_json()

    assert {row.removesuffix("[]") for row in rows(text)} == set(verdict)
    for name in ("expected", "unexpected", "refused"):
        assert verdict[name], name
        documented = next(cells[0] for row, cells in rows(text).items() if row == f"{name}[]")
        for field in verdict[name][0]:
            assert f"`{field}`" in documented, f"{name}: {field}"


def test_the_bulletin_of_the_tour_is_one_that_the_api_takes() -> None:
    text = section("cat > bolo.json <<'JSON'\n", "\nJSON\n").removeprefix("cat > bolo.json <<'JSON'\n")
    expires = (now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    vocabulary = parse_vocabulary(
        (TOP / "policy" / "rules.example" / "vocabulary.yaml").read_text(encoding="utf-8"), source="vocabulary.yaml"
    )

    submission = parse_bulletin(parse_json(text.replace("EXPIRES", expires).encode()), vocabulary=vocabulary, now=now())

    assert submission.agency == "il-state-police"


def test_every_file_the_readme_points_at_exists() -> None:
    for path in (
        "docs/wire-format.md",
        "adapters/README.md",
        "deploy/systemd/tearline-hub.service",
        "docker-compose.yml",
    ):
        assert path.rpartition("/")[2] in README
        assert (TOP / path).exists(), path


def test_the_makefile_has_the_targets_that_the_readme_names() -> None:
    makefile = (TOP / "Makefile").read_text(encoding="utf-8")

    for target in set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
