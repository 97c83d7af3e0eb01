"""What a failure means to a shell: one place maps every error of the rooms to an exit status and a sentence."""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

import click
from typing_extensions import override

from adapters.errors import GatewayError, GatewayRefusedError, GatewayUnreachableError
from adapters.errors import SettingsError as ClientSettingsError
from broker.cli.output import data, fail_words

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
REFUSED: Final = 3
UNREACHABLE: Final = 4

_UNPROCESSABLE: Final = 422
_CONFLICT: Final = 409

# Whose fault it is decides the status: a coded error of ours that comes from what the person gave is usage.
_USAGE_ERRORS: Final = frozenset(
    {
        "SettingsError",
        "ExchangeError",
        "TokenError",
        "TrustError",
        "PolicyError",
        "Refusal",
        "SealError",
        "HubError",
        "StartError",
        "GroundError",
    }
)


# A look at the rules that did not turn out well: not what the person typed is wrong.
_FAILED_CHECKS: Final = frozenset({"does-not-pass", "preview-differs", "other-verdict"})


class Stop(click.ClickException):
    """Ends the command with a status; `words` go to stderr, `facts` (with --json) to stdout."""

    def __init__(self, status: int, words: str, facts: dict[str, Any] | None = None) -> None:
        super().__init__(words)
        self.status = status
        self.facts = facts

    @override
    def show(self, file: Any = None) -> None:
        """Words to stderr, the facts to stdout when the caller is a machine."""
        del file
        context = click.get_current_context(silent=True)
        if context is not None and context.find_root().meta.get("tearline.json"):
            data(json.dumps(self.facts if self.facts is not None else {"ok": False, "detail": self.format_message()}))
        fail_words(self.format_message())


def refused(error: GatewayRefusedError) -> Stop:
    """A gateway's refusal: its sentence, and for a bulletin nobody may have, who was kept from it by which rule."""
    status = REFUSED if error.status in (_UNPROCESSABLE, _CONFLICT) else USAGE
    lines = [f"refused: {error.code}" + (f" at {error.pointer}" if error.pointer else "")]
    lines.append("  " + (error.detail or error.title))
    withheld = error.extra.get("withheld")
    if isinstance(withheld, list):
        lines += [f"  {row.get('agency')} {row.get('portion')}: {', '.join(row.get('rules', ()))}" for row in withheld]
    facts = {"ok": False, "code": error.code, "title": error.title, "detail": error.detail, **error.extra}
    return Stop(status, "\n".join(lines), facts)


def as_stop(error: Exception) -> Stop | None:
    """The end that an error of the rooms means, or None for one that is a fault of ours."""
    if isinstance(error, GatewayRefusedError):
        return refused(error)
    if isinstance(error, GatewayUnreachableError):
        return Stop(UNREACHABLE, f"unreachable: {error}", {"ok": False, "code": "unreachable", "detail": str(error)})
    if isinstance(error, GatewayError):
        return Stop(UNREACHABLE, str(error))
    if isinstance(error, ClientSettingsError) or type(error).__name__ in _USAGE_ERRORS:
        # A text with several mistakes is refused for all of them at once.
        faults = [error, *getattr(error, "more", ())]
        told = [{"code": getattr(one, "code", "settings"), "detail": str(one)} for one in faults]
        facts = {"ok": False, **told[0], **({"more": told[1:]} if told[1:] else {})}
        status = FAILED if told[0]["code"] in _FAILED_CHECKS else USAGE
        return Stop(status, "\n".join(one["detail"] for one in told), facts)
    return None


class _Mapped(click.Command):
    """A command whose errors become exit statuses."""

    @override
    def invoke(self, ctx: click.Context) -> Any:
        if ctx.params.get("as_json"):
            ctx.find_root().meta["tearline.json"] = True
        try:
            return super().invoke(ctx)
        except Stop as stop:
            stop.show()
            ctx.exit(stop.status)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            raise click.exceptions.Exit(130) from None
        except BrokenPipeError:
            # `tearline inbox | head` is no error; the shell has closed the pipe and nobody reads on.
            raise click.exceptions.Exit(OK) from None
        except Exception as error:  # noqa: BLE001 - one place decides what each error means to a shell
            _end(error, ctx)


def _end(error: Exception, ctx: click.Context) -> NoReturn:
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    stop = as_stop(error)
    if stop is None:
        raise error
    stop.show()
    ctx.exit(stop.status)


class TearlineGroup(click.Group):
    """A group whose commands map errors to exit statuses."""

    command_class = _Mapped
    group_class = type  # a group in a group is of the same kind
