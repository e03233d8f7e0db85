"""The pages tell the truth about the repository: what they point at is there."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted((REPOSITORY / "docs").glob("*.md")),
]
RECORDS = sorted((REPOSITORY / "docs" / "adr").glob("*.md"))
LINK = re.compile(r"\]\(([^)#\s]+)(?:#([^)\s]+))?\)")
CODE = re.compile(r"`([^`\n]+)`")
#: First parts by which a word in code is known as a path of this repository.
FOLDERS = sorted(
    path.name for path in REPOSITORY.iterdir() if path.is_dir() and path.name[0] != "."
)
NOT_PLAIN = re.compile(r"[<>{}…$ ]|\.\.\.")
ADR = re.compile(r"docs/adr/(\d{4}[\w-]*)")
#: Records of decisions that later ones have replaced name what was there at their time.
SOURCES = ("*.py", "*.js", "*.template", "*.yaml", "*.toml", "*.sh", "Makefile", ".env.example")


def paths_named(text: str) -> set[str]:
    """Words in code that begin with a folder of the repository, without a line number or an
    argument.
    """
    # A test's name stands behind its file's.
    words = {word.partition("::")[0] for code in CODE.findall(text) for word in code.split()}
    plain = {word.rstrip(".,:;") for word in words if not NOT_PLAIN.search(word)}
    return {word for word in plain if "/" in word and word.split("/")[0] in FOLDERS}


def is_there(path: str) -> bool:
    """`X` in a path stands for any service; a star for anything."""
    pattern = path.strip("/").replace("/X/", "/*/").replace("/X", "/*")
    return any(REPOSITORY.glob(pattern))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_that_a_page_names_exist(page: Path) -> None:
    named = paths_named(page.read_text())

    assert sorted(path for path in named if not is_there(path)) == []


@pytest.mark.parametrize("page", [*PAGES, *RECORDS], ids=lambda page: page.name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    links = [(target, anchor) for target, anchor in LINK.findall(text) if "://" not in target]

    missing = [target for target, _ in links if not (page.parent / target).exists()]
    assert missing == []
    lost = [
        f"{target}#{anchor}"
        for target, anchor in links
        if anchor and anchor not in anchors((page.parent / target).read_text())
    ]
    assert lost == []


def anchors(text: str) -> set[str]:
    """The anchors that a page's headings have."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


def test_decision_records_that_the_code_cites_exist() -> None:
    known = {path.stem for path in RECORDS}
    cited = {
        (str(path.relative_to(REPOSITORY)), name)
        for folder in (*FOLDERS, "")
        for pattern in SOURCES
        for path in ((REPOSITORY / folder).rglob(pattern) if folder else REPOSITORY.glob(pattern))
        if "node_modules" not in path.parts
        for name in ADR.findall(path.read_text())
    }

    assert cited
    assert sorted(place for place in cited if place[1] not in known) == []


def test_invariants_that_are_named_are_defined() -> None:
    page = (REPOSITORY / "docs" / "architecture.md").read_text()
    defined = set(re.findall(r"^\| (I\d+) \|", page, re.MULTILINE))
    audit = [*(REPOSITORY / "tools" / "audit").glob("*.py")]
    checked = {name for path in audit for name in re.findall(r"\"(I\d+)\"", path.read_text())}

    assert checked == defined
