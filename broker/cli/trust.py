"""Who may take part: `agency`, `token`."""

from __future__ import annotations

from pathlib import Path

import click

from broker.cli.agency_change import COMMANDS as DIRECTORY_CHANGES
from broker.cli.asking import Asking, passphrase_files
from broker.cli.errors import USAGE, Stop, TearlineGroup
from broker.cli.output import data, json_data, table, words

_COMMAND = TearlineGroup.command_class
_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
_JSON = click.option("--json", "as_json", is_flag=True, help="Data for machines.")
_SCOPES = ("publish", "read", "acknowledge", "observe", "rules")


_RELEASES = click.option(
    "--releases", type=_FOLDER, required=True, help="A folder of releases: the hub's or a gateway's."
)
_ROOT = click.option("--root", required=True, help="Fingerprint of the exchange's root.")
_OFFICERS = click.option(
    "--officer", "officers", type=_FILE, multiple=True, required=True, help="An officer's file; of two agencies."
)


@click.group(cls=TearlineGroup)
def agency() -> None:
    """The signed directory: who is a member, with which attributes, keys and contacts.

    \b
    Examples:
      tearline agency found illinois --rules policy/rules.example --releases releases \\
        --officer officers/a.json --officer officers/b.json
      tearline agency add peoria-pd.entry.json --attributes agencies.yaml --releases releases --root sha256:… \\
        --officer officers/a.json --officer officers/b.json
      tearline agency list --releases run/demo/releases --root "$(cat run/demo/root.txt)"
    """


@agency.command(cls=_COMMAND)
@click.argument("exchange")
@click.option("--rules", type=_FOLDER, required=True, help="Folder with vocabulary.yaml and rules.yaml.")
@_RELEASES
@_OFFICERS
@passphrase_files
@_JSON
def found(
    exchange: str,
    rules: Path,
    releases: Path,
    officers: tuple[Path, ...],
    passphrase_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Found EXCHANGE: officers of two agencies sign its root and its first rules.

    What is printed is the root's fingerprint. Give it to every member by hand: it is all they need to trust.

    \b
    Example:
      tearline agency found illinois --rules policy/rules.example --releases releases \\
        --officer officers/a.json --officer officers/b.json
    """
    from broker.officer import authority

    made = authority.found(exchange, rules=rules, releases=releases, officers=officers, ask=Asking(passphrase_files))
    if as_json:
        json_data(made)
    else:
        words(f"exchange {exchange} founded by {', '.join(made['signers'])}; its root's fingerprint:")
        data(made["root"])


@agency.command(cls=_COMMAND, name="list")
@_RELEASES
@_ROOT
@_JSON
def list_(releases: Path, root: str, as_json: bool) -> None:
    """List the members as the newest verified directory has them.

    \b
    Example:
      tearline agency list --releases run/demo/releases --root "$(cat run/demo/root.txt)"
    """
    from broker.officer import authority

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
@click.option("--attributes", type=_FILE, required=True, help="What the officers vouch for: agencies.yaml.")
@_RELEASES
@_ROOT
@_OFFICERS
@passphrase_files
@_JSON
def add(
    entry: Path,
    attributes: Path,
    releases: Path,
    root: str,
    officers: tuple[Path, ...],
    passphrase_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Sign the next directory release, with the agency of ENTRY added or replaced.

    ENTRY is what `tearline keys show --gateway-key` printed at the agency. Two officers of different agencies sign. A
    hub that watches the folder publishes the release; every gateway checks it for itself.

    \b
    Example:
      tearline agency add peoria-pd.entry.json --attributes agencies.yaml --releases releases --root sha256:… \\
        --officer officers/a.json --officer officers/b.json
    """
    from broker.officer import authority

    release = authority.add_agency(
        entry.read_bytes(),
        attributes=attributes,
        releases=releases,
        root=root,
        officers=officers,
        ask=Asking(passphrase_files),
    )
    if as_json:
        json_data(release)
    else:
        words(f"directory {release['number']} with {release['agency']}, signed by {', '.join(release['signers'])}")


for _change in DIRECTORY_CHANGES:
    agency.add_command(_change)


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
    from broker.trust.files import create_private

    if out is not None and out.exists():
        raise Stop(USAGE, f"`{out}` exists and is not overwritten")
    secret, grant = create(tokens, agency=owner, scopes=scopes, name=name)
    if out is not None:
        create_private(out, secret.encode() + b"\n")
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
