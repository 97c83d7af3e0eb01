"""docker-compose.yml, the Dockerfile and deploy/ agree with each other and with the settings they set."""

import configparser
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from broker.gateway.settings import Settings
from broker.ops.hub import HubSettings
from broker.relay.config import MAX_PAYLOAD
from broker.relay.process import server_binary
from broker.relay.subjects import gateway_name

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
NODES = sorted(name for name in SERVICES if name.startswith("nats-"))
GATEWAYS = sorted(SERVICES.keys() - {*NODES, "hub"})


def mounted(service: str, inside: str) -> Path | None:
    """Find the file of this repository that stands at a path inside a container."""
    for volume in SERVICES[service]["volumes"]:
        source, target = volume.split(":")[:2]
        if source.startswith("./") and inside.startswith(target):
            return ROOT / source / inside.removeprefix(target).lstrip("/")
    return None


def test_there_are_three_nodes_a_hub_and_a_gateway_for_every_agency() -> None:
    assert NODES == ["nats-1", "nats-2", "nats-3"]
    agencies = yaml.safe_load((ROOT / "policy/rules.example/agencies.yaml").read_text())
    hosted = [
        agency
        for name in GATEWAYS
        for agency in tomllib.loads((ROOT / f"deploy/gateways/{name}.toml").read_text())["gateway"]["agencies"]
    ]
    assert sorted(hosted) == sorted(agencies)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_is_of_the_one_image_confined_restarted_and_has_a_health_check(name) -> None:
    service = SERVICES[name]
    assert service["build"] == {"context": ".", "dockerfile": "Dockerfile"}
    assert (service["restart"], service["read_only"], service["cap_drop"]) == ("unless-stopped", True, ["ALL"])
    test = service["healthcheck"]["test"]
    assert test[0] == "CMD"
    if test[1] == "python":
        compile(test[3], "healthcheck", "exec")
    assert "ports" not in service  # nothing is reachable from outside unless somebody decides so


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_the_configuration_that_a_command_names_exists(name) -> None:
    command = SERVICES[name]["command"]
    config = mounted(name, command[-1])
    assert config is not None
    assert config.is_file()
    assert command[:-1] in (["nats-server", "-c"], ["tearline", "hub"], ["tearline", "gateway"])


@pytest.mark.parametrize("name", GATEWAYS)
def test_a_gateways_settings_are_known_and_complete(name) -> None:
    table = tomllib.loads((ROOT / f"deploy/gateways/{name}.toml").read_text())["gateway"]
    given = {variable.removeprefix("TEARLINE_").lower() for variable in SERVICES[name]["environment"]}
    settings = Settings.model_validate({**table, "root": "sha256:" + "0" * 64})
    assert given == {"root"}
    assert settings.name == gateway_name(name)
    assert [url.removeprefix("nats://").removesuffix(":4222") for url in settings.relay] == NODES
    inside = [settings.data, settings.keys, settings.tokens, settings.tls_certificate, settings.tls_key]
    assert all(str(path).startswith("/var/lib/tearline/") for path in inside)


def test_the_hubs_settings_are_known_and_its_accounts_file_is_the_one_the_nodes_include() -> None:
    table = tomllib.loads((ROOT / "deploy/hub.toml").read_text())["hub"]
    settings = HubSettings.model_validate({**table, "root": "sha256:" + "0" * 64})
    assert settings.replicas == len(settings.servers) == len(NODES)
    volumes = dict(volume.split(":")[:2] for volume in SERVICES["hub"]["volumes"])
    assert str(settings.accounts_file) == f"{volumes['accounts']}/accounts.conf"
    for name in NODES:
        assert "accounts:/etc/tearline/nats/accounts:ro" in SERVICES[name]["volumes"]


def test_only_the_nodes_are_on_the_network_of_the_routes_and_only_they_know_its_password() -> None:
    assert [name for name in SERVICES if "routes" in SERVICES[name]["networks"]] == NODES
    knowing = [name for name in SERVICES if "ROUTE_PASSWORD" in str(SERVICES[name]["environment"])]
    assert knowing == NODES
    assert COMPOSE["networks"]["routes"] == {"internal": True}


def test_every_volume_and_network_that_is_used_is_declared() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service["volumes"]}
    assert {name for name in used if not name.startswith("./")} == COMPOSE["volumes"].keys()
    assert {name for service in SERVICES.values() for name in service["networks"]} == COMPOSE["networks"].keys()


def test_the_nodes_file_syncs_always_and_takes_what_gateways_send() -> None:
    text = (ROOT / "deploy/nats/node.conf").read_text()
    assert "sync_interval: always" in text
    assert f"max_payload: {MAX_PAYLOAD}" in text
    variables = set(re.findall(r"\$(TEARLINE_\w+)", text))
    for name in NODES:
        assert SERVICES[name]["environment"].keys() == variables


def test_nats_server_accepts_the_nodes_file(tmp_path) -> None:
    for name in ("node.conf", "tls.conf"):
        (tmp_path / name).write_text((ROOT / "deploy/nats" / name).read_text())
    (tmp_path / "accounts").mkdir()
    (tmp_path / "accounts/accounts.conf").write_text("accounts {}\n")
    environment = {
        name: value.replace("${TEARLINE_ROUTE_PASSWORD:?}", "0123456789abcdef")
        for name, value in SERVICES["nats-1"]["environment"].items()
    }
    done = subprocess.run(
        [server_binary(), "-t", "-c", str(tmp_path / "node.conf")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_dockerfile_copies_what_exists_and_runs_as_nobody_special() -> None:
    text = (ROOT / "Dockerfile").read_text()
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        assert all((ROOT / name).exists() for name in source.split())
    assert "\nUSER tearline\n" in text
    requires = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    versions = re.findall(r"FROM python:3\.(\d+)-slim", text)
    assert len(versions) == 2
    assert all(int(version) >= int(requires.removeprefix(">=3.")) for version in versions)


@pytest.mark.parametrize("unit", sorted((ROOT / "deploy/systemd").glob("*.service")), ids=lambda path: path.name)
def test_a_systemd_unit_runs_a_command_that_exists_and_is_confined(unit) -> None:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read_string(unit.read_text())
    service = parser["Service"]
    assert re.match(r"/opt/tearline/bin/tearline (hub|gateway|adapter) ", service["ExecStart"])
    assert service["Restart"] == "always"
    assert service["User"].startswith("tearline-")
    assert (service["NoNewPrivileges"], service["ProtectSystem"], service["UMask"]) == ("yes", "strict", "0077")
