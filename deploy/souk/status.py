"""`make status`: a table of processes, and what each service says of itself."""

from collections.abc import Mapping, Sequence

from souk.readiness import Finding


def show(rows: Sequence[Sequence[object]], findings: Mapping[str, Finding], footer: str) -> None:
    """Print rows (the header first; two columns of words, then numbers, then notes), the rest."""
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [f"{cell!s:{'<' if n < 2 else '>'}{widths[n]}}" for n, cell in enumerate(row[:-1])]
        print("  ".join([*cells, str(row[-1])]).rstrip())
    print()
    for name, found in findings.items():
        print(f"{name:<{widths[0]}}  {found}")
    print(f"\n{footer}")


def duration(seconds: float) -> str:
    """Return H:MM:SS."""
    minutes, rest = divmod(max(int(seconds), 0), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
