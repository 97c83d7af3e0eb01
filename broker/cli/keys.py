"""Keys made and shown: `keys`."""

from __future__ import annotations

from pathlib import Path

import click

from broker.cli.asking import Asking, passphrase_files
from broker.cli.errors import USAGE, Stop, TearlineGroup
from broker.cli.output import data, json_data, words

_COMMAND = TearlineGroup.command_class
_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
_JSON = click.option("--json", "as_json", is_flag=True, help="Data for machines.")


@click.group(cls=TearlineGroup)
def keys() -> None:
    """Make an agency's or an officer's keys where they stay, and show the public part.

    \b
    Examples:
      tearline keys new peoria-pd --gateway peoria-pd --folder keys
      tearline keys show keys/peoria-pd.json
      tearline keys new il-state-police --officer d-example --folder officers
      tearline keys passphrase officers/d-example.json
    """


@keys.command(cls=_COMMAND)
@click.argument("agency")
@click.option("--gateway", metavar="NAME", help="Also make the NATS identity of this gateway, if it has none yet.")
@click.option("--officer", metavar="PERSON", help="Make the key file of an officer of that agency instead.")
@click.option("--folder", type=_FOLDER, default=Path("keys"), show_default=True)
@click.option("--kem", type=click.Choice(["ML-KEM-1024+P-384", "ML-KEM-768+X25519"]), default="ML-KEM-1024+P-384")
@passphrase_files
@_JSON
def new(
    agency: str,
    gateway: str | None,
    officer: str | None,
    folder: Path,
    kem: str,
    passphrase_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Make the keys of AGENCY: files of mode 0600 that never leave this machine.

    An officer's file is sealed under a passphrase of at least 12 characters, which is asked for twice.

    \b
    Examples:
      tearline keys new peoria-pd --gateway peoria-pd
      tearline keys new il-state-police --officer d-example --folder officers
    """
    from broker.ops import keyring

    if officer is not None and gateway is not None:
        raise Stop(USAGE, "--officer makes the file of a person, --gateway that of a machine; one at a time")
    if officer is not None:
        made = [keyring.make_officer(agency, officer, folder=folder, new=Asking(passphrase_files).new)]
    else:
        made = keyring.make(agency, gateway=gateway, folder=folder, kem=kem)
    if as_json:
        json_data({"files": [str(path) for path in made]})
        return
    for path in made:
        words(f"made {path}")
    words("back them up where only their owner can read them; nobody else can make them again")


@keys.command(cls=_COMMAND)
@click.argument("agency")
@click.option("--officer", metavar="PERSON", required=True, help="The officer of that agency who holds the token.")
@click.option("--module", metavar="FILE", required=True, help="The token's PKCS#11 module, by its absolute path.")
@click.option("--token", "label", metavar="LABEL", required=True, help="The label of the token.")
@click.option("--key", metavar="LABEL", help="The label of the new key on it.  [default: tearline-PERSON]")
@click.option("--folder", type=_FOLDER, default=Path("officers"), show_default=True)
@passphrase_files
@_JSON
def token(
    agency: str,
    officer: str,
    module: str,
    label: str,
    key: str | None,
    folder: Path,
    passphrase_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Make the keys of an officer of AGENCY on a PKCS#11 token: the Ed25519 key never leaves it.

    The ML-DSA-65 key, which tokens do not have yet, is in the officer's file under a passphrase. To sign, the officer
    needs the file, its passphrase, the token and its PIN. Asked for here: the PIN, then the new passphrase twice.

    \b
    Example:
      tearline keys token il-fusion --officer f-example --module /usr/lib/softhsm/libsofthsm2.so --token "F. Example"
    """
    from broker.officer.signers import make_token_officer
    from broker.ops import keyring
    from broker.ops.clock import now
    from broker.trust import TokenPlace

    path = keyring.officer_path(folder, officer)
    place = TokenPlace(module=module, token=label, key=key or f"tearline-{officer}")
    asking = Asking(passphrase_files)
    pin, passphrase = asking(place.question), asking.new(f"new passphrase of {officer}")
    make_token_officer(officer, agency, path, place=place, pin=pin, passphrase=passphrase, created=now())
    if as_json:
        json_data({"files": [str(path)], "token": label, "key": place.key})
        return
    words(f"made {path}, and the key {place.key} on the token {label}")
    words("a lost token is a lost key: keep another officer's keys ready")


@keys.command(cls=_COMMAND)
@click.argument("file", type=_FILE)
@passphrase_files
@_JSON
def passphrase(file: Path, passphrase_files: tuple[Path, ...], as_json: bool) -> None:
    """Change the passphrase of an officer's FILE; the keys in it stay the same.

    Copies of the old file still open with the old passphrase: destroy them.

    \b
    Example:
      tearline keys passphrase officers/d-example.json
    """
    from broker.ops import keyring

    asking = Asking(passphrase_files)
    person = keyring.change(file, old=asking, new=asking.new)
    if as_json:
        json_data({"file": str(file), "person": person})
    else:
        words(f"the passphrase of {person} is changed; destroy every copy of the old file")


@keys.command(cls=_COMMAND)
@click.argument("file", type=_FILE)
@click.option(
    "--gateway-key", type=_FILE, help="With this, the public entry for the directory: the gateway's key file."
)
@click.option("--duty", help='Duty contact for the entry: "name, telephone".')
@click.option("--alternate", help='Alternate contact: "name, telephone"; late bulletins escalate to it.')
@click.option(
    "--officer",
    "officers",
    type=_FILE,
    multiple=True,
    help="An officer's file: may sign the agency's own rules. May be given again.",
)
def show(
    file: Path, gateway_key: Path | None, duty: str | None, alternate: str | None, officers: tuple[Path, ...]
) -> None:
    """Show the fingerprints in a key FILE, or the public entry that officers sign. No secret is shown.

    \b
    Examples:
      tearline keys show keys/peoria-pd.json
      tearline keys show keys/peoria-pd.json --gateway-key keys/peoria-pd.nkey.json \\
        --duty "Duty desk, +1 309 555 0100" --alternate "Watch commander, +1 309 555 0199" > peoria-pd.entry.json
    """
    from broker.ops import keyring

    if gateway_key is None:
        json_data(keyring.public_part(file))
        return
    if not duty or not alternate:
        raise Stop(USAGE, "an entry needs --duty and --alternate: whom to telephone, and whom next")
    data(keyring.entry(file, gateway_key=gateway_key, duty=duty, alternate=alternate, officers=officers).rstrip("\n"))
