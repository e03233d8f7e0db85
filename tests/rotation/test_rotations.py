"""Ten ordinary rotations as fast as the ring permits, under traffic: no valid token is refused.

A key is published before it signs and kept for as long as its tokens live, so that takes an hour
with the settings of a shop. Here tokens live 6 s and the grace is 12 s, the least that users takes
(checks.suite; docs/operations.md, "Keys"): a rotation each 18 s.
"""

import re
import subprocess
import sys
import time

from readers import Reader, reading

from shopper.ops import ROOT

ROTATIONS, READERS = 10, 3
RUN = [sys.executable, str(ROOT / "deploy" / "souk"), "run", "users", "--"]
ROTATE = [*RUN, "python", "manage.py", "rotate_signing_key", "--wait"]


def rotate() -> str:
    """Rotate as soon as the ring permits; return the id of the key that signs from then on."""
    done = subprocess.run(ROTATE, check=True, capture_output=True, text=True, timeout=600)
    return re.findall(r"Signing with (\S+)\.", done.stdout)[0]


def test_ten_rotations_under_traffic_refuse_no_valid_token(shop):
    readers = [Reader(shop) for _ in range(READERS)]
    began = time.monotonic()

    with reading(readers):
        signed = [rotate() for _ in range(ROTATIONS)]
        last = shop.register()

    assert [each for reader in readers for each in reader.refused] == []
    assert len(set(signed)) == ROTATIONS
    assert shop.call("GET", "/api/orders/", last).status_code == 200
    for reader in readers:
        assert reader.answers.keys() == {200}
    used = set.union(*(reader.key_ids for reader in readers))
    # Each key has signed for a while; the first signed before, the last may just have begun.
    assert set(signed[:-1]) <= used
    reads = sum(reader.answers[200] for reader in readers)
    print(f"{ROTATIONS} rotations in {time.monotonic() - began:.0f} s, {reads} reads")
