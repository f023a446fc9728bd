"""The kernels' cache is named by everything that compiled code holds."""

from __future__ import annotations

import ast
from pathlib import Path

from chipsim.compiled import kernel_sources

ROOT = Path(__file__).resolve().parent.parent


def constants_imported(path: Path) -> list[tuple[str, str]]:
    """Return module and name of each constant that a source imports, found in its syntax tree."""
    return [
        (node.module, alias.name)
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        if alias.name.isupper() and node.module.split(".")[0] in ("chipsim", "eventprop_apps")
    ]


def test_every_constant_that_a_kernel_source_imports_is_in_the_hash():
    sources = kernel_sources()
    missing = [
        f"{path.relative_to(ROOT)}: {name} of {module}"
        for path in sources
        for module, name in constants_imported(path)
        if ROOT / (module.replace(".", "/") + ".py") not in sources
        and ROOT / module.replace(".", "/") / "__init__.py" not in sources
    ]
    assert not missing
    assert ROOT / "eventprop_apps/kernels/state.py" in sources  # holds constants, no kernel


def test_constants_of_constants_count_and_other_imports_do_not(tmp_path):
    texts = {
        "chipsim/kernel.py": "from chipsim.compiled import compiled\n"
        "from chipsim.limits import (\n    LIMIT,\n)\nfrom chipsim.other import helper\n",
        "chipsim/limits.py": "from eventprop_apps.basics import BASE\nLIMIT = BASE + 1\n",
        "chipsim/other.py": "from chipsim.unused import UNUSED\n",
        "chipsim/unused.py": "UNUSED = 1\n",
        "eventprop_apps/basics.py": "BASE = 1\n",
    }
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    found = [str(path.relative_to(tmp_path)) for path in kernel_sources(tmp_path)]
    assert found == ["chipsim/kernel.py", "chipsim/limits.py", "eventprop_apps/basics.py"]
