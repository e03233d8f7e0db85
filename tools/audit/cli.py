"""The command: wait until the shop is at rest, look once, say what disagrees."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from audit import clients, events, fulfilment, payments, saga, stock
from audit.result import Result
from audit.sources import Sources, open_sources, wait_for_rest
from shopper.clientlog import default_client_log
from shopper.ops import ROOT, StackUnknown, load_ops


def checks(logs: list[Path]) -> list[Callable[[Sources], Result]]:
    """Return all checks, in the order of their names."""
    return [
        stock.conservation,
        stock.never_negative,
        stock.ledger,
        saga.settled,
        events.published,
        events.effect_once,
        lambda sources: clients.answered_is_durable(sources, logs),
        clients.idempotency,
        saga.agreement,
        events.nothing_vanishes,
        saga.history,
        saga.money,
        fulfilment.units,
        payments.agreement,
    ]


def main() -> int:
    """Return 0 if everything agrees, 1 if something does not, 2 if it could not be looked at."""
    options = _parser().parse_args()
    ops = load_ops(options.state)
    logs = options.client_log or [default_client_log(ops.state)]
    try:
        with open_sources(ops, ROOT / "deploy" / "topology.json", options.settle) as sources:
            return _audit(sources, [log for log in logs if log.exists()])
    except (StackUnknown, psycopg.OperationalError, OSError) as error:
        print(f"audit: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="audit", description="Check that databases and broker agree."
    )
    parser.add_argument("--state", type=Path, help="the stack's state folder (default: .souk)")
    parser.add_argument(
        "--settle", type=float, default=45.0, help="seconds to wait for the shop to come to rest"
    )
    parser.add_argument(
        "--client-log",
        type=Path,
        action="append",
        help="what clients were told (default: the demo's, in the state folder)",
    )
    return parser


def _audit(sources: Sources, logs: list[Path]) -> int:
    started = time.monotonic()
    at_rest = wait_for_rest(sources)
    waited = time.monotonic() - started
    if not at_rest:
        print(
            f"not at rest after {waited:.0f} s: orders in flight are left out where they would"
            " disagree by nature"
        )
    sources.snapshot()
    results = [check(sources) for check in checks(logs)]
    for result in results:
        print("\n".join(result.lines()))
    wrong = [result.invariant for result in results if result.disagreements]
    took = f"waited {waited:.1f} s, looked {time.monotonic() - started - waited:.1f} s"
    print(f"\n{'DISAGREES: ' + ', '.join(wrong) if wrong else 'clean: everything agrees'} ({took})")
    return 1 if wrong else 0
