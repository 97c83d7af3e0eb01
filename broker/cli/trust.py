"""Who is who: `keys`, `agency`, `token`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from broker.cli.errors import USAGE, Stop, TearlineGroup
from broker.cli.output import data, json_data, table, words

_COMMAND = TearlineGroup.command_class
_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
_JSON = click.option("--json", "as_json", is_flag=True, help="Data for machines.")
_SCOPES = ("publish", "read", "acknowledge", "observe")


@click.group(cls=TearlineGroup)
def keys() -> None:
    """Make an agency's keys where they stay, and show the public part that officers sign.

    \b
    Examples:
      tearline keys new peoria-pd --gateway peoria-pd --folder keys
      tearline keys show keys/peoria-pd.json
    """


@keys.command(cls=_COMMAND)
@click.argument("agency")
@click.option("--gateway", metavar="NAME", help="Also make the NATS identity of this gateway, if it has none yet.")
@click.option("--officer", metavar="PERSON", help="Make the key file of an officer of that agency instead.")
@click.option("--folder", type=_FOLDER, default=Path("keys"), show_default=True)
@click.option("--kem", type=click.Choice(["ML-KEM-1024+P-384", "ML-KEM-768+X25519"]), default="ML-KEM-1024+P-384")
@_JSON
def new(agency: str, gateway: str | None, officer: str | None, folder: Path, kem: str, as_json: bool) -> None:
    """Make the keys of AGENCY: files of mode 0600 that never leave this machine.

    \b
    Examples:
      tearline keys new peoria-pd --gateway peoria-pd
      tearline keys new il-state-police --officer d-example --folder officers
    """
    from broker.ops import keyring

    made = keyring.make(agency, gateway=gateway, officer=officer, folder=folder, kem=kem)
    if as_json:
        json_data({"files": [str(path) for path in made]})
    else:
        for path in made:
            words(f"made {path}")
        words("back them up where only the agency can read them; nobody else can make them again")


@keys.command(cls=_COMMAND)
@click.argument("file", type=_FILE)
def show(file: Path) -> None:
    """Show the public part of a key FILE as JSON: what an entry in the directory is made of. No secret is shown.

    \b
    Example:
      tearline keys show keys/peoria-pd.json > peoria-pd.public.json
    """
    from broker.ops import keyring

    json_data(keyring.public_part(file))


@click.group(cls=TearlineGroup)
def agency() -> None:
    """The signed directory: who is a member, with which attributes, keys and contacts.

    \b
    Examples:
      tearline agency list --releases run/demo/releases --root sha256:…
      tearline agency add peoria-pd.entry.json --releases releases --root sha256:… \\
        --officer officers/a.json --officer officers/b.json
    """


@agency.command(cls=_COMMAND, name="list")
@click.option("--releases", type=_FOLDER, required=True, help="A folder of releases, for example of a gateway.")
@click.option("--root", required=True, help="Fingerprint of the exchange's root.")
@_JSON
def list_(releases: Path, root: str, as_json: bool) -> None:
    """List the members as the newest verified directory has them.

    \b
    Example:
      tearline agency list --releases run/demo/releases --root "$(cat run/demo/root.txt)"
    """
    from broker.ops import authority

    rows = authority.members(releases, root)
    if as_json:
        json_data(rows)
        return
    columns = ("agency", "gateway", "kind", "status", "")
    cells = [
        (row["agency"], row["gateway"], row["kind"] or "?", row["status"] or "?", "REVOKED" if row["revoked"] else "")
        for row in rows
    ]
    table(columns, cells)


@agency.command(cls=_COMMAND)
@click.argument("entry", type=_FILE)
@click.option("--releases", type=_FOLDER, required=True, help="The hub's folder of releases; gets the new one.")
@click.option("--root", required=True, help="Fingerprint of the exchange's root.")
@click.option("--officer", "officers", type=_FILE, multiple=True, required=True, help="Key file; give two or more.")
@click.option(
    "--days", type=click.IntRange(1, 366), default=90, show_default=True, help="How long the release is valid."
)
@_JSON
def add(entry: Path, releases: Path, root: str, officers: tuple[Path, ...], days: int, as_json: bool) -> None:
    """Sign the next directory release, with the agency of ENTRY added or replaced.

    ENTRY is JSON: agency, gateway, gateway_key, attributes (words of the vocabulary), contacts {duty, alternate}, and
    the public keys that `tearline keys show` printed. Two officers of different agencies sign. The hub publishes the
    release; every gateway checks it for itself.

    \b
    Example:
      tearline agency add peoria-pd.entry.json --releases hub/releases --root sha256:… \\
        --officer officers/a.json --officer officers/b.json
    """
    from broker.ops import authority

    try:
        document = json.loads(entry.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Stop(USAGE, f"`{entry}` is not JSON") from error
    release = authority.add_agency(document, releases=releases, root=root, officers=officers, days=days)
    if as_json:
        json_data(release)
    else:
        words(f"directory {release['number']} signed by {', '.join(release['signers'])}: {release['file']}")


@click.group(cls=TearlineGroup)
def token() -> None:
    """Adapter tokens: each is bound to one agency and to scopes; the gateway keeps only its hash.

    \b
    Examples:
      tearline token new --agency peoria-pd --scope publish --scope read --tokens tokens.json --out peoria.token
      tearline token revoke 3f0c9a… --tokens tokens.json
    """


_TOKENS = click.option(
    "--tokens", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The gateway's file of hashes."
)


@token.command(cls=_COMMAND, name="new")
@click.option("--agency", "owner", required=True, metavar="AGENCY")
@click.option("--scope", "scopes", type=click.Choice(_SCOPES), multiple=True, required=True)
@click.option("--name", default="adapter", show_default=True, help="What it is for, shown in lists.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it here, mode 0600, not to stdout.")
@_TOKENS
@_JSON
def new_token(owner: str, scopes: tuple[str, ...], name: str, out: Path | None, tokens: Path, as_json: bool) -> None:
    """Make a token. It is shown once; the gateway can only recognise it.

    \b
    Example:
      tearline token new --agency peoria-pd --scope read --scope acknowledge --tokens tokens.json --out peoria.token
    """
    from broker.gateway.tokens import create
    from broker.ops.private import write_private

    secret, grant = create(tokens, agency=owner, scopes=scopes, name=name)
    if out is not None:
        write_private(out, secret + "\n")
    if as_json:
        json_data({"id": grant.id, "agency": grant.agency, "scopes": sorted(grant.scopes), "file": str(out or "")})
    elif out is None:
        data(secret)
    words(f"token {grant.id} for {grant.agency}: {', '.join(sorted(grant.scopes))}")


@token.command(cls=_COMMAND)
@click.argument("token_id")
@_TOKENS
@_JSON
def revoke(token_id: str, tokens: Path, as_json: bool) -> None:
    """Revoke the token with this id; the gateway refuses it from the next request on.

    \b
    Example:
      tearline token revoke 3f0c9a… --tokens tokens.json
    """
    from broker.gateway.tokens import revoke as revoke_token

    grant = revoke_token(tokens, token_id)
    if grant is None:
        raise Stop(USAGE, f"there is no token `{token_id}` in `{tokens}`")
    if as_json:
        json_data({"id": grant.id, "agency": grant.agency, "revoked": True})
    words(f"token {grant.id} of {grant.agency} is revoked")
