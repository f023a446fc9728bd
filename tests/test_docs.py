"""What the documentation says is done: its code runs, its output is what comes out.

- Every ``python`` block of README.md, CONTRIBUTING.md and docs/*.md is executed, one namespace a
  file, in an empty directory.
- Every ``console`` block is read as ``$ command`` lines, each followed by what it prints. Commands
  of ``chipsim`` (also as ``uv run chipsim``) are run in the same directory and compared; ``...``
  stands for anything. Other commands (git, pip, pytest) are left alone.
- ``<!-- docs: skip: WHY -->`` on the line before a block leaves it out, ``<!-- docs: nightly -->``
  leaves it to the nightly run; a skipped ``chipsim`` command must still be one that parses.
- Links to files of the project must lead to one.
- Examples in docstrings (``>>>``) are executed too.
"""

from __future__ import annotations

import doctest
import importlib
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from chipsim.cli.main import command_parser
from chipsim.errors import ChipsimError

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    str(p.relative_to(ROOT))
    for p in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
)

MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("chipsim", "eventprop_apps")
    for path in (ROOT / package).rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

FENCE = re.compile(
    r"(?:^<!--[ ]docs:[ ](?P<mark>skip|nightly)(?::[ ](?P<why>.*?))?[ ]-->\n)?"
    r"^(?P<fence>```+)(?P<language>\w+)\n(?P<body>.*?)^(?P=fence)[ ]*$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)(?:#[^)\s]*)?\)")


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: str
    line: int
    language: str
    mark: str
    why: str
    body: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(text: str, page: str) -> list[Block]:
    """Return the fenced blocks of a page; ``line`` is that of the first line inside."""
    return [
        Block(
            page=page,
            line=text.count("\n", 0, found.start("body")) + 1,
            language=found["language"],
            mark=found["mark"] or "",
            why=found["why"] or "",
            body=found["body"],
        )
        for found in FENCE.finditer(text)
    ]


def sessions(block: Block) -> list[tuple[str, str]]:
    """Return the (command, expected output) pairs of a console block.

    A command ends with its line, or goes on after a backslash.
    """
    pairs: list[tuple[str, str]] = []
    for part in re.split(r"^\$ ", block.body, flags=re.MULTILINE)[1:]:
        lines = part.split("\n")
        words = [lines.pop(0)]
        while words[-1].endswith("\\"):
            words.append(lines.pop(0))
        command = " ".join(word.rstrip("\\").strip() for word in words)
        pairs.append((command, "\n".join(lines)))
    return pairs


def chipsim_words(command: str) -> list[str] | None:
    """Return the arguments of a chipsim command, None for other programs."""
    words = shlex.split(command, comments=True)
    if words[:2] == ["uv", "run"]:
        words = words[2:]
    if words and Path(words[0]).name == "chipsim":
        return words[1:]
    return None


def run(words: list[str], where: Path) -> str:
    """Run ``chipsim`` with ``words`` and return all it printed; a failure is one of the test."""
    # The source tree comes first, so that this also works where chipsim is not installed.
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "chipsim", *words],
        cwd=where,
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    # 2 is a message to the user, which a page may well show.
    assert done.returncode in (0, 2), f"exit status {done.returncode}\n{done.stdout}"
    return done.stdout


def matches(want: str, got: str) -> bool:
    """Return whether ``got`` is what a page shows; white space counts as one blank."""
    return doctest.OutputChecker().check_output(want, got, FLAGS)


def check_page(page: str, where: Path, marks: tuple[str, ...]) -> None:
    """Execute the blocks of a page that carry one of ``marks``, in ``where``."""
    namespace: dict[str, object] = {"__name__": "__docs__"}
    for block in blocks((ROOT / page).read_text(encoding="utf-8"), page):
        if block.mark not in marks:
            continue
        if block.language == "python":
            # Blank lines in front make a traceback name the page's own line.
            source = "\n" * (block.line - 1) + block.body
            exec(compile(source, str(ROOT / page), "exec"), namespace)
        elif block.language == "console":
            for command, want in sessions(block):
                words = chipsim_words(command)
                if words is None:
                    continue
                got = run(words, where)
                assert matches(want, got), f"{block}: `{command}` printed\n{got}\nnot\n{want}"


@pytest.mark.parametrize("page", PAGES)
def test_page_is_true(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_page(page, tmp_path, ("",))


@pytest.mark.nightly
@pytest.mark.parametrize("page", PAGES)
def test_long_page_is_true(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_page(page, tmp_path, ("", "nightly"))


@pytest.mark.parametrize("page", PAGES)
def test_commands_not_run_here_parse(page: str) -> None:
    for block in blocks((ROOT / page).read_text(encoding="utf-8"), page):
        if block.mark == "skip":
            assert block.why, f"{block}: say why it is skipped, `<!-- docs: skip: WHY -->`"
        if block.language != "console" or not block.mark:
            continue
        for command, _ in sessions(block):
            words = chipsim_words(command)
            if not words or words[0].startswith("-"):
                continue
            try:
                _, parser = command_parser(words[0])
                parser.parse_strictly(words[1:])
            except ChipsimError as error:
                pytest.fail(f"{block}: `{command}`: {error}")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = re.sub(FENCE, "", (ROOT / page).read_text(encoding="utf-8"))
    dead = [link for link in LINK.findall(text) if not ((ROOT / page).parent / link).exists()]
    assert not dead, f"{page}: no such file: {', '.join(dead)}"


def test_index_lists_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    listed = set(LINK.findall(index))
    pages = {p.removeprefix("docs/") for p in PAGES if p.startswith("docs/")} - {"index.md"}
    assert pages <= listed, f"docs/index.md does not list {sorted(pages - listed)}"


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples_are_true(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(module), optionflags=FLAGS)
    assert result.failed == 0, f"{result.failed} of {result.attempted} examples; see above"


def test_links_are_found() -> None:
    text = "[a](a.md) [b](b.md#part) [c](#here) [d](https://example.org/x) ![e](e.png)"
    assert LINK.findall(text) == ["a.md", "b.md", "e.png"]


EXAMPLE = """\
# Page

```python
x = 1
```

<!-- docs: skip: takes an hour -->
```console
$ uv run chipsim run yinyang \\
    --seed 3
epoch 1 ...
$ git clone somewhere
```
"""


def test_blocks_are_found_with_line_and_mark() -> None:
    first, second = blocks(EXAMPLE, "page.md")
    assert (first.language, first.line, first.mark, first.body) == ("python", 4, "", "x = 1\n")
    assert (str(second), second.mark, second.why) == ("page.md:9", "skip", "takes an hour")
    (command, want), (other, _) = sessions(second)
    assert chipsim_words(command) == ["run", "yinyang", "--seed", "3"]
    assert want == "epoch 1 ...\n"
    assert chipsim_words(other) is None


@pytest.mark.parametrize(
    ("want", "got", "same"),
    [
        ("a ... c\n", "a b c\n", True),
        ("a   c\n", "a c\n", True),
        ("a c\n", "a b c\n", False),
        ("...\nlast\n", "one\ntwo\nlast\n", True),
        ("", "something\n", False),
    ],
)
def test_output_is_compared(want: str, got: str, same: bool) -> None:
    assert matches(want, got) is same


def test_a_false_page_fails(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nassert 1 == 2\n```\n")
    with pytest.raises(AssertionError):
        check_page(str(page), tmp_path, ("",))
    page.write_text("```console\n$ chipsim --version\nchipsim 99\n```\n")
    with pytest.raises(AssertionError, match="printed"):
        check_page(str(page), tmp_path, ("",))
