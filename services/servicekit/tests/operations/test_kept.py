"""What a process keeps of what it has made."""

from concurrent.futures import ThreadPoolExecutor

from servicekit.operations.kept import ENTRY_BYTES, Kept

BODY = b"x" * 1000


def room(entries: int) -> Kept:
    return Kept(max_bytes=entries * (ENTRY_BYTES + len(BODY)))


def test_what_was_not_asked_for_longest_goes_first() -> None:
    kept = room(3)
    kept.put(dict.fromkeys("abc", BODY))

    kept.get("a")
    kept.put({"d": BODY})

    assert list(kept.get("abcd")) == ["a", "c", "d"]


def test_entry_is_replaced_and_counted_once() -> None:
    kept = room(2)

    for _ in range(10):
        kept.put({"a": BODY})
    kept.put({"b": BODY})

    assert kept.get("ab") == {"a": BODY, "b": BODY}


def test_what_has_no_room_at_all_is_not_kept() -> None:
    kept = Kept(max_bytes=len(BODY))

    kept.put({"a": BODY})

    assert kept.get("a") == {}
    kept.put({"b": b"x" * 10})
    assert list(kept.get("b")) == ["b"]


def test_room_is_right_after_many_at_once() -> None:
    kept = room(4)

    def work() -> None:
        for number in range(300):
            kept.put({str(number % 7): BODY, str(number % 5): BODY})
            kept.get(["1", "2"])

    with ThreadPoolExecutor(4) as threads:
        for each in [threads.submit(work) for _ in range(4)]:
            each.result()
    kept.put(dict.fromkeys("wxyz", BODY))
    assert len(kept.get("wxyz0123456")) == 4
