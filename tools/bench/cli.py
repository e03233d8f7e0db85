"""The command: measure the sections asked for, print a table for each."""

import argparse
import sys
import time
from pathlib import Path

from bench.anchor import baseline
from bench.bulk import measure_bulk
from bench.catalogue import measure_catalogue
from bench.identity import measure_identity
from bench.latency import measure_latency
from bench.live import measure_live
from bench.neighbours import measure_neighbours
from bench.purchase import measure_purchases
from bench.relay import measure_relay
from bench.scale import SIZES, measure_scale
from bench.scene import Scene, set_scene
from bench.size import measure_code, measure_memory
from bench.table import Figure, print_table
from bench.wrk import WrkMissing
from shopper.ops import Ops, StackUnknown, load_ops

SECTIONS = ("purchase", "latency", "relay", "catalogue", "neighbours", "scale", "memory", "code")
#: They leave the shop with more than the others measure: another catalogue, many accounts.
ON_REQUEST = ("bulk", "live", "identity")
WITHOUT_SCENE = {"scale", "memory", "code", "identity"}
KNOWN = (*SECTIONS, *ON_REQUEST)
TABLES = {
    "relay": ("relay", measure_relay),
    "neighbours": ("customers beside an attacker", measure_neighbours),
    "bulk": ("many prices at once", measure_bulk),
    "live": ("waiting and following", measure_live),
}


def main() -> int:
    """Return 0 when everything was measured; whether a goal is reached is for the reader."""
    options = _parser().parse_args()
    wanted = options.sections or list(SECTIONS)
    unknown = set(wanted) - set(KNOWN)
    if unknown:
        print(
            f"bench: no section {', '.join(sorted(unknown))}; there are {', '.join(KNOWN)}",
            file=sys.stderr,
        )
        return 2
    started = time.monotonic()
    try:
        _measure(wanted, load_ops(options.state), options)
    except (StackUnknown, WrkMissing) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    print(f"\ntook {time.monotonic() - started:.0f} s; median of {options.runs} (least to most)")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench", description="Measure the running shop and its anchors."
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(KNOWN))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=6, help="length of one load (default: 6)")
    parser.add_argument("--state", type=Path, help="the stack's state folder (default: .souk)")
    parser.add_argument(
        "--sizes",
        type=_sizes,
        default=SIZES,
        help="of scale: numbers of products (default: 1000,100000,1000000)",
    )
    parser.add_argument(
        "--keep", action="store_true", help="of scale: keep the catalogues for the next run"
    )
    return parser


def _sizes(text: str) -> list[int]:
    """Read `--sizes`: of fewer than a thousand products, pages would not be full."""
    sizes = [int(size) for size in text.split(",")]
    if min(sizes) < 1000:
        raise argparse.ArgumentTypeError("at least 1000 products")
    return sizes


def _measure(wanted: list[str], ops: Ops, options: argparse.Namespace) -> None:
    bounds = {"runs": options.runs, "seconds": options.seconds}
    scene = set_scene(ops) if set(wanted) - WITHOUT_SCENE else None
    half = 0.0
    if scene and {"purchase", "catalogue"} & set(wanted):
        half = _with_anchor(wanted, scene, bounds)
    if scene and "latency" in wanted:
        rates = {"idle, 20/s": 20.0, "200/s": 200.0, "500/s": 500.0}
        if half:
            rates[f"half load, {half:.0f}/s"] = half
        print_table("placed to confirmed", measure_latency(scene, rates, **bounds))
    for name, (title, measure) in TABLES.items():
        if scene and name in wanted:
            print_table(title, measure(scene, **bounds))
    if "scale" in wanted:
        measure_scale(ops, options.sizes, keep=options.keep, **bounds)
    if "identity" in wanted:
        print_table("who has an account", measure_identity(ops))
    _measure_size(wanted, ops)


def _measure_size(wanted: list[str], ops: Ops) -> None:
    if "memory" in wanted:
        print_table("memory (PSS)", measure_memory(ops))
    if "code" in wanted:
        print_table("lines of code", measure_code())


def _with_anchor(wanted: list[str], scene: Scene, bounds: dict[str, int]) -> float:
    """Measure what is compared with the baseline; return half of the confirmed rate."""
    purchases: list[Figure] = []
    with baseline(scene.ops) as anchor:
        if "purchase" in wanted:
            purchases = measure_purchases(scene, anchor, **bounds)
            print_table("purchase, 16 clients", purchases)
        if "catalogue" in wanted:
            print_table("catalogue, 16 clients", measure_catalogue(scene, anchor, **bounds))
    confirmed = next(
        (each.median for each in purchases if each.name.startswith("confirmed end to end, 1000")),
        0.0,
    )
    return confirmed / 2
