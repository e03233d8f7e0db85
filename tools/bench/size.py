"""Memory of the whole stack, and lines of code per part."""

import ast
import io
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from bench.table import Figure
from native import processes
from native.layout import Layout
from shopper.ops import ROOT, Ops

MEBIBYTE = 1024 * 1024
PARTS = {
    "servicekit": "services/servicekit",
    "users": "services/users",
    "products": "services/products",
    "orders": "services/orders",
    "gateway": "gateway",
    "souk": "deploy/souk",
    "native": "deploy/native",
    "compose": "deploy/compose",
    "shopper": "tools/shopper",
    "demo": "tools/demo",
    "audit": "tools/audit",
    "backup": "tools/backup",
    "bench": "tools/bench",
    "e2e": "tests/e2e",
    "faults": "tests/faults",
    "repository": "tests/repository",
}
COMMENTS = {".js": "//", ".template": "#", ".conf": "#"}


def measure_memory(ops: Ops) -> list[Figure]:
    """Return the PSS of the stack's processes: each shared page counted once, in all."""
    layout = Layout(ops.state.resolve())
    by_name: dict[str, float] = defaultdict(float)
    found = processes.living()
    for pid in processes.of_stack(layout):
        if pid in found:
            by_name[found[pid].info["name"]] += processes.memory([pid]) / MEBIBYTE
    rows = [
        Figure(name, "MiB", [size])
        for name, size in sorted(by_name.items(), key=lambda item: -item[1])
    ]
    return [Figure("whole stack", "MiB", [sum(by_name.values())], goal="<= 2,560"), *rows]


def measure_code() -> list[Figure]:
    """Return lines of code per part (no blank lines, comments or docstrings), its tests apart."""
    code, tests = Counter[str](), Counter[str]()
    for part, folder in PARTS.items():
        for file in _files(ROOT / folder):
            is_test = "tests" in file.relative_to(ROOT).parts
            (tests if is_test else code)[part] += code_lines(file)
    figures = [
        Figure(f"{part}", f"lines, {tests[part]} of tests", [float(code[part])]) for part in PARTS
    ]
    total = Figure("all", f"lines, {sum(tests.values())} of tests", [float(sum(code.values()))])
    return [*figures, total]


def code_lines(file: Path) -> int:
    """Return how many lines of a file hold code."""
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        mark = COMMENTS[file.suffix]
        return sum(
            bool(line.strip()) and not line.strip().startswith((mark, "*", "/*"))
            for line in text.splitlines()
        )
    return len(_python_lines(text) - _docstring_lines(text))


def _python_lines(text: str) -> set[int]:
    skipped = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in skipped:
            lines.update(range(token.start[0], token.end[0] + 1))
    return lines


def _docstring_lines(text: str) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
        ):
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                lines.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return lines


def _files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        hidden = any(
            part.startswith(".") or part == "__pycache__" for part in file.relative_to(ROOT).parts
        )
        if (
            file.is_file()
            and not hidden
            and "migrations" not in file.parts
            and file.suffix in (".py", *COMMENTS)
        ):
            yield file
