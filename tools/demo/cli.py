"""The command: read the file, carry out the plan, print the report."""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path

from demo.lines import NotRetailFile, read_retail_file
from demo.ownshop import own_shop_plan
from demo.plan import Plan
from demo.progress import Progress
from demo.replay import Replay
from demo.report import Outcome, report_data, report_lines
from demo.retail import plan_replay
from shopper.accounts import Account, Session
from shopper.api import Api, Refused, ShopAway
from shopper.clientlog import ClientLog, default_client_log
from shopper.ops import Ops, StackUnknown, load_ops


def main() -> int:
    """Return 0 if everything added up, 1 if not (also if nothing in the file could be used), 2 if
    it could not be tried.
    """
    options = _parser().parse_args()
    ops = load_ops(options.state)
    try:
        plan = _plan(options)
        outcome = Outcome(plan) if plan.is_empty else asyncio.run(_run(plan, ops, options))
    except (NotRetailFile, OSError, StackUnknown) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    except (ShopAway, Refused) as error:
        print(
            f"demo: {error}\ndemo: broken off; what was done stays, run it again to go on",
            file=sys.stderr,
        )
        return 1
    print("\n".join(report_lines(outcome)))
    if options.report:
        _write_report(options.report, outcome)
    return 1 if outcome.disagreements() else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="demo", description="Fill the shop through its public API."
    )
    parser.add_argument(
        "--file", type=Path, help="a file in the columns of an edition of Online Retail"
    )
    parser.add_argument(
        "--dates",
        choices=["day-first", "month-first"],
        help="how to read dates such as 12/1/2010 (default: found from the whole file)",
    )
    parser.add_argument(
        "--stock", type=int, help="units of each new product (default: enough for the file)"
    )
    parser.add_argument("--state", type=Path, help="the stack's state folder (default: .souk)")
    parser.add_argument("--parallel", type=int, default=8, help="calls at a time (default: 8)")
    parser.add_argument(
        "--settle", type=float, default=240.0, help="seconds to wait for the last outcome"
    )
    parser.add_argument(
        "--patience", type=float, default=300.0, help="seconds that one call may be repeated for"
    )
    parser.add_argument(
        "--client-log",
        type=Path,
        help="what the shop accepted, for the audit (default: in the state folder)",
    )
    parser.add_argument(
        "--report", type=Path, help="write the report as JSON, with everything left out"
    )
    return parser


def _plan(options: argparse.Namespace) -> Plan:
    if options.file is None:
        return own_shop_plan()
    dates = options.dates and options.dates.replace("-", " ")
    progress = Progress("lines", 0)
    try:
        file = read_retail_file(options.file, dates=dates, on_record=progress.step)
    finally:
        progress.close()
    return plan_replay(file, stock=options.stock)


async def _run(plan: Plan, ops: Ops, options: argparse.Namespace) -> Outcome:
    log = ClientLog(options.client_log or default_client_log(ops.state))
    outcome = Outcome(plan)
    async with Api(
        ops.gateway, parallel=options.parallel, patience_seconds=options.patience
    ) as api:
        staff = Session(api, Account(ops["STAFF_EMAIL"], ops["STAFF_PASSWORD"]))
        replay = Replay(api, staff, outcome, log, parallel=options.parallel, settle=options.settle)
        try:
            await replay.run()
        finally:
            log.close()
    return outcome


def _write_report(file: Path, outcome: Outcome) -> None:
    plan = outcome.plan
    data = report_data(outcome) | {
        "left_out": {
            "lines": [asdict(each) for each in plan.skipped_lines],
            "invoices": [asdict(each) for each in plan.skipped_invoices],
            "codes": [asdict(each) for each in plan.skipped_codes],
            "returns": [asdict(each) for each in plan.excess_returns],
            "orders": [asdict(each) for each in outcome.unavailable()],
        }
    }
    file.write_text(json.dumps(data, indent=1), encoding="utf-8")
