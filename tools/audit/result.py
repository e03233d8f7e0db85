"""What one check found."""

from dataclasses import dataclass, field

SHOWN = 20


@dataclass
class Result:
    """`invariant` is the name in the list of docs/operations.md; `counts` says what was looked at;
    `advice` what to do.
    """

    invariant: str
    title: str
    counts: str
    disagreements: list[str] = field(default_factory=list)
    advice: str = ""

    def lines(self) -> list[str]:
        """Return one line, and the first disagreements below it with what to do."""
        state = f"{len(self.disagreements)} DISAGREE" if self.disagreements else "ok"
        lines = [f"{self.invariant:<4} {state:<12} {self.title}: {self.counts}"]
        lines += [f"       {each}" for each in self.disagreements[:SHOWN]]
        if len(self.disagreements) > SHOWN:
            lines.append(f"       … and {len(self.disagreements) - SHOWN} more")
        if self.disagreements and self.advice:
            lines.append(f"       → {self.advice}")
        return lines
