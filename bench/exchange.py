"""A real exchange to measure: hub, nats-server and gateways as processes, made by the demo's own means."""

import contextlib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from adapters.client import GatewayClient
from broker.demo.ground import Ground, examples, prepare
from broker.demo.run import clients_of
from broker.ops.clock import now
from broker.ops.exchange import plan
from broker.ops.supervise import Supervisor
from broker.ops.up import Reporter, running

SENDER = "chicago-pd"
# The protectors of the mayor of Springfield: four agencies at four gateways.
RECIPIENTS = ("springfield-pd", "il-state-police", "il-fusion", "jttf-springfield")
GATEWAYS = ("chicago-pd", "springfield-pd", "il-state-police", "il-fusion", "jttf")

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A running exchange."""

    ground: Ground
    supervisor: Supervisor
    clients: Mapping[str, GatewayClient]
    gateways: tuple[str, ...]

    def pids(self) -> dict[str, int]:
        """The process id of every gateway."""
        found = {name: self.supervisor.pid(f"gateway-{name}") for name in self.gateways}
        return {name: pid for name, pid in found.items() if pid is not None}


@contextlib.asynccontextmanager
async def exchange(gateways: Collection[str], say: Say) -> AsyncIterator[Exchange]:
    """Bring up these gateways of the example exchange; the folder is removed afterwards.

    Raises:
        SuperviseError: something did not come up.
    """
    keys, rules = examples()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TEARLINE_BENCH_FOLDER")) as folder:
        ground = prepare(
            Path(folder) / "run",
            keys=keys,
            rules=rules,
            now=now(),
            gateways=gateways,
            adapters=False,
            retry_seconds=(30.0, 120.0, 600.0),
        )
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TEARLINE_")}
        made = plan(ground.exchange, environ=environ)
        say(f"starting {len(made.children)} processes ...")
        async with running(made, Reporter(lambda _: None, say)) as supervisor, clients_of(ground) as clients:
            yield Exchange(ground=ground, supervisor=supervisor, clients=clients, gateways=tuple(gateways))


def rss_mb(pid: int) -> float:
    """Resident memory of a process (proc(5), statm)."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE / 1e6


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used, user and system (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def quantile(values: Collection[float], share: float) -> float:
    """The value that `share` of all do not exceed; NaN of nothing."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 3) if ordered else float("nan")


def monotonic_ms() -> float:
    """One clock for both ends of a measurement."""
    return time.monotonic_ns() / 1e6
