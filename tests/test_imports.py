"""Imports run downward through the layers of the design, and extras are imported lazily."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("chipsim", "eventprop_apps", "topologies")

# From the bottom up; a part imports from its own row and from those above it in this table.
LAYERS = (
    ("units", "errors", "seeds", "compiled", "registry"),
    ("machine",),
    ("mapping", "trace"),
    ("network",),
    ("sim",),
    ("analysis", "plots"),
    ("experiment", "sweep", "testing", "cli"),
)
RANK = {part: rank for rank, row in enumerate(LAYERS) for part in row}
TOP = len(LAYERS)  # chipsim/__init__.py and __main__.py stand above everything

# Distributions that bring other modules than their name says. llvmlite is numba's own foundation.
MODULES = {
    "numba": ("numba", "llvmlite"),
    "scikit-learn": ("sklearn",),
    "dask": ("dask", "distributed"),
}


@dataclass(frozen=True)
class Import:
    """One imported module, and where."""

    path: Path
    line: int
    text: str
    target: str
    lazy: bool

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text.strip()}"


def imports(source: str, path: Path) -> list[Import]:
    """Return every import of a module, with names resolved and laziness seen.

    ``path`` is relative to the root. An import is lazy in a function or under ``TYPE_CHECKING``.
    """
    lines = source.splitlines()
    found: list[Import] = []

    def visit(node: ast.AST, lazy: bool) -> None:
        line = getattr(node, "lineno", 1)
        text = lines[line - 1] if lines else ""
        found.extend(Import(path, line, text, target, lazy) for target in _targets(node, path))
        inner = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.body:
                visit(child, True)
            for child in node.orelse:
                visit(child, inner)
            return
        for child in ast.iter_child_nodes(node):
            visit(child, inner)

    visit(ast.parse(source), False)
    return found


def _targets(node: ast.AST, path: Path) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            package = path.parts[:-1]
            above = package[: len(package) - node.level + 1]
            base = ".".join([*above, *([node.module] if node.module else [])])
        for alias in node.names:
            # `from chipsim import registry` names a module, `from chipsim.x import f` need not:
            # a longer name never hides the part it belongs to.
            yield f"{base}.{alias.name}"
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        name = ast.unparse(node.func).rsplit(".", 1)[-1]
        if name in ("import_module", "__import__"):
            yield str(node.args[0].value)


def rank(module: tuple[str, ...]) -> int:
    """Return the layer of a dotted module of chipsim, as a tuple of its parts."""
    return RANK.get(module[1], TOP) if len(module) > 1 else TOP


def problems(source: str, path: Path) -> list[str]:
    """Return one line per import that breaks a rule."""
    own = path.with_suffix("").parts
    core, extras = modules_of_dependencies(testing=own[:2] == ("chipsim", "testing"))
    wrong = []
    for found in imports(source, path):
        target = tuple(found.target.split("."))
        root = target[0]
        if root == "chipsim":
            if own[0] == "topologies":
                wrong.append(f"{found}  <- topologies is data and imports nothing of ours")
            elif own[0] == "chipsim" and rank(target) > rank(own) and len(target) > 1:
                known = target[1] in RANK
                why = "is above it" if known else "is not a part that the layers name"
                wrong.append(f"{found}  <- in chipsim.{own[1]}: {target[1]} {why}")
        elif root == "eventprop_apps":
            if own[0] != "eventprop_apps":
                wrong.append(f"{found}  <- chipsim knows nothing of what runs on it")
        elif root in sys.stdlib_module_names or root in core or root == "topologies":
            continue
        elif root not in extras:
            wrong.append(f"{found}  <- {root} is declared nowhere in pyproject.toml")
        elif not found.lazy:
            wrong.append(f"{found}  <- {root} is an extra: import it in the function that needs it")
    return wrong


@cache
def modules_of_dependencies(testing: bool) -> tuple[set[str], set[str]]:
    """Return the modules of the core dependencies and of the extras.

    What tests need (hypothesis) is an extra for ``chipsim.testing`` only.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    def modules(requirements: list[str]) -> set[str]:
        names = (re.split(r"[^\w-]", requirement)[0] for requirement in requirements)
        return {module for name in names for module in MODULES.get(name, (name,))}

    groups = project["optional-dependencies"]
    left_out = {"all"} if testing else {"all", "test"}
    needed = [r for name in groups if name not in left_out for r in groups[name]]
    return modules(project["dependencies"]), modules(needed)


def sources() -> list[Path]:
    return sorted(p.relative_to(ROOT) for name in PACKAGES for p in (ROOT / name).rglob("*.py"))


def test_imports_run_downward_and_extras_are_lazy() -> None:
    wrong = [line for path in sources() for line in problems((ROOT / path).read_text(), path)]
    assert not wrong, "\n" + "\n".join(wrong)


def test_parts_of_chipsim_form_no_circle() -> None:
    graph: nx.DiGraph[str] = nx.DiGraph()
    where = {}
    for path in sources():
        own = path.with_suffix("").parts
        if own[0] != "chipsim" or own[1] not in RANK:
            continue
        for found in imports((ROOT / path).read_text(), path):
            root, _, rest = found.target.partition(".")
            part = rest.partition(".")[0]
            if root == "chipsim" and part in RANK and part != own[1]:
                graph.add_edge(own[1], part)
                where[own[1], part] = str(found)
    circles = [
        "\n".join(where[a, b] for a, b in zip(circle, circle[1:] + circle[:1], strict=True))
        for circle in nx.simple_cycles(graph)
    ]
    assert not circles, "\n" + "\n\n".join(circles)


def test_every_part_has_a_layer() -> None:
    parts = {p.stem for p in (ROOT / "chipsim").glob("*.py")} - {"__init__", "__main__"}
    parts |= {p.parent.name for p in (ROOT / "chipsim").glob("*/__init__.py")}
    assert parts <= set(RANK), f"give these a layer: {sorted(parts - set(RANK))}"


@pytest.mark.parametrize(
    ("path", "source", "says"),
    [
        ("chipsim/machine/a.py", "from chipsim.sim import pe", "machine/a.py:1: from chipsim.sim"),
        ("chipsim/machine/a.py", "def f():\n    import chipsim.network.api", ":2: "),
        ("chipsim/machine/a.py", "from ..network import api", "network is above it"),
        ("chipsim/units.py", "from chipsim import machine", "machine is above it"),
        ("chipsim/cli/run.py", "import eventprop_apps.kernels", "nothing of what runs on it"),
        ("chipsim/cli/run.py", "import_module('eventprop_apps.x')", "nothing of what runs on it"),
        ("chipsim/analysis/a.py", "import matplotlib.pyplot as plt", "matplotlib is an extra"),
        ("eventprop_apps/a.py", "from sklearn import datasets", "sklearn is an extra"),
        ("eventprop_apps/a.py", "def f():\n    import torch", "torch is declared nowhere"),
        ("topologies/__init__.py", "import chipsim.units", "topologies is data"),
        ("chipsim/sim/a.py", "def f():\n    import hypothesis", "hypothesis is declared nowhere"),
        ("chipsim/testing/a.py", "import hypothesis", "hypothesis is an extra"),
        ("chipsim/sim/a.py", "from chipsim.nowhere import x", "not a part that the layers name"),
    ],
)
def test_the_rules_catch(path: str, source: str, says: str) -> None:
    (line,) = problems(source, Path(path))
    assert says in line


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("chipsim/sim/a.py", "from chipsim.machine.model import Machine\nimport numpy as np"),
        ("chipsim/machine/a.py", "from . import model\nfrom chipsim.units import cycles"),
        ("chipsim/machine/a.py", "from .model import Machine"),
        ("chipsim/analysis/a.py", "def f():\n    import matplotlib.pyplot"),
        ("chipsim/analysis/a.py", "if TYPE_CHECKING:\n    import matplotlib"),
        (
            "eventprop_apps/a.py",
            "from chipsim.sim.pe import PE\nfrom eventprop_apps import kernels",
        ),
        ("chipsim/testing/a.py", "def f():\n    import hypothesis"),
        ("chipsim/__main__.py", "from chipsim.cli.main import main"),
    ],
)
def test_the_rules_allow(path: str, source: str) -> None:
    assert problems(source, Path(path)) == []
