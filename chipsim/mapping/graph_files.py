"""Application graphs from files: vertices and nets, node-link JSON, METIS, edge lists.

Edges become one multicast net per vertex where all its out-weights are equal; where they differ
the caller says what is meant.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from chipsim.errors import MappingError, did_you_mean
from chipsim.mapping.application import Application, Name, Net, Vertex
from chipsim.mapping.edge_files import (
    LIST_SUFFIXES,
    METIS_SUFFIXES,
    EdgeGraph,
    read_edge_list,
    read_metis,
)
from chipsim.mapping.generators import PHASE

Edges: TypeAlias = Literal["multicast-max", "2pin"]
EDGES: tuple[Edges, ...] = ("multicast-max", "2pin")

_TOP_KEYS = ("vertices", "nets", "together", "apart", "fixed")
_NET_KEYS = ("source", "sinks", "weight", "name")
_FORMS = (
    'expected {"vertices": [0, 1], "nets": [{"source": 0, "sinks": [1], "weight": 7}]} or '
    'networkx node-link JSON ({"nodes": [{"id": 0}], "edges": [{"source": 0, "target": 1}]})'
)


def read_graph(path: str | Path, edges: Edges | None = None) -> Application:
    """Read an application graph.

    Parameters
    ----------
    path : str or Path
        JSON of one of two forms, METIS (``.metis``, ``.graph``), or an edge list (``.csv``,
        ``.tsv``, ``.edges``, ``.txt``; see :mod:`chipsim.mapping.edge_files`). Weights are packets
        per tick, 1 where none is given.
    edges : str, optional
        For a graph of edges whose vertices have out-edges of several weights: ``multicast-max``
        makes one net per vertex with the greatest of them, ``2pin`` one net per edge.

    Returns
    -------
    Application
        Named after the file; a packet of a net reaches all its sinks (``router_multicast``).

    Raises
    ------
    MappingError
        Naming all problems of the file at once.
    """
    subject = f"graph {path}"
    problems: list[str] = []
    suffix = Path(path).suffix.lower()
    if suffix in (*METIS_SUFFIXES, *LIST_SUFFIXES):
        read = read_metis if suffix in METIS_SUFFIXES else read_edge_list
        graph = read(_text(Path(path), subject), problems)
        return _finished(path, *_of_edges(graph, edges, problems), problems)
    document = _load(Path(path), subject)
    vertices: list[Vertex] = []
    nets: list[Net] = []
    constraints: dict[str, Any] = {}
    if isinstance(document, dict) and "nets" in document:
        problems += [
            f"unknown key {key!r}{hint}"
            for key in document
            if key not in _TOP_KEYS and "mean" in (hint := did_you_mean(key, _TOP_KEYS))
        ]
        vertices, nets = list(_vertices(document, problems)), list(_nets(document, problems))
        vertices = _fixed(document, vertices, problems)
        constraints = {key: _lists(document, key, problems) for key in ("together", "apart")}
    elif isinstance(document, dict) and "nodes" in document:
        vertices, nets = _node_link(document, edges, problems)
    else:
        problems.append(f"has neither nets nor nodes; {_FORMS}")
    return _finished(path, vertices, nets, problems, constraints)


def _finished(
    path: str | Path,
    vertices: list[Vertex],
    nets: list[Net],
    problems: list[str],
    constraints: dict[str, Any] | None = None,
) -> Application:
    subject = f"graph {path}"
    if problems:
        raise MappingError(subject, problems)
    try:
        return Application(
            Path(path).stem,
            tuple(vertices),
            tuple(nets),
            "router_multicast",
            **(constraints or {}),
        )
    except MappingError as error:
        raise MappingError(subject, error.problems) from error


def _text(path: Path, subject: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise MappingError(subject, [f"cannot be read: {reason}; check the path"]) from error
    except UnicodeDecodeError as error:
        raise MappingError(subject, ["is no UTF-8 text; " + _FORMS]) from error


def _load(path: Path, subject: str) -> Any:
    try:
        return json.loads(_text(path, subject))
    except json.JSONDecodeError as error:
        raise MappingError(
            subject, [f"is no JSON: {error.msg} in line {error.lineno}; {_FORMS}"]
        ) from error
    except (ValueError, RecursionError) as error:  # a number too long, lists too deep
        raise MappingError(subject, [f"is no JSON that can be read: {error}; {_FORMS}"]) from error


def _of_edges(
    graph: EdgeGraph, edges: Edges | None, problems: list[str]
) -> tuple[list[Vertex], list[Net]]:
    for name, weight in graph.sends.items():
        graph.out[name] = dict.fromkeys(graph.out[name], weight)
    vertices = [Vertex(name, cycles_per_tick=graph.cycles.get(name)) for name in graph.out]
    return vertices, _edge_nets(graph.out, edges, problems)


def _is_name(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _list(document: dict[str, Any], key: str, problems: list[str]) -> list[Any]:
    rows = document.get(key, [])
    if isinstance(rows, list):
        return rows
    problems.append(f"{key} is {rows!r:.40}; expected a list")
    return []


def _vertices(document: dict[str, Any], problems: list[str]) -> Iterator[Vertex]:
    if "vertices" not in document:
        problems.append("has nets but no vertices; list all vertices under that name")
    for number, name in enumerate(_list(document, "vertices", problems)):
        if _is_name(name):
            yield Vertex(name)
        else:
            problems.append(f"vertices[{number}] is {name!r:.40}; expected a text or an integer")


def _fixed(document: dict[str, Any], vertices: list[Vertex], problems: list[str]) -> list[Vertex]:
    """Give vertices the places that ``fixed`` states for them."""
    found = {vertex.name: vertex for vertex in vertices}
    for number, row in enumerate(_list(document, "fixed", problems)):
        where = f"fixed[{number}]"
        if not isinstance(row, dict) or set(row) != {"vertex", "place"}:
            problems.append(
                f'{where} is {row!r:.60}; expected {{"vertex": 0, "place": [x, y, pe, chip]}}'
            )
            continue
        name, place = row["vertex"], row["place"]
        if not _is_name(name) or name not in found:
            hint = did_you_mean(str(name), map(str, found))
            problems.append(
                f"{where}: {name!r:.40} is no vertex{hint if 'did you mean' in hint else ''}"
            )
        elif not (
            isinstance(place, list)
            and 2 <= len(place) <= 4
            and all(isinstance(n, int) and not isinstance(n, bool) for n in place)
        ):
            problems.append(
                f"{where}: place is {place!r:.40}; expected [x, y], [x, y, pe] or [x, y, pe, chip]"
            )
        else:
            found[name] = replace(found[name], fixed=tuple(place))
    return [found[vertex.name] for vertex in vertices]


def _lists(document: dict[str, Any], key: str, problems: list[str]) -> tuple[tuple[Name, ...], ...]:
    """Return the lists of vertices under ``together`` or ``apart``."""
    found = []
    for number, row in enumerate(_list(document, key, problems)):
        if isinstance(row, list) and all(map(_is_name, row)):
            found.append(tuple(row))
        else:
            problems.append(f"{key}[{number}] is {row!r:.60}; expected a list of vertices")
    return tuple(found)


def _nets(document: dict[str, Any], problems: list[str]) -> Iterator[Net]:
    for number, row in enumerate(_list(document, "nets", problems)):
        where = f"nets[{number}]"
        if not isinstance(row, dict):
            problems.append(f"{where} is {row!r:.40}; expected an object with source and sinks")
            continue
        found = [
            f"{where}: unknown key {key!r}{did_you_mean(key, _NET_KEYS)}"
            for key in row
            if key not in _NET_KEYS
        ]
        found += [f"{where}: has no {key}" for key in ("source", "sinks") if key not in row]
        sinks, weight = row.get("sinks", []), row.get("weight", 1)
        if not isinstance(sinks, list):
            found.append(f"{where}: sinks is {sinks!r:.40}; expected a list of vertices")
            sinks = []
        ends = [("source", row.get("source", 0)), *(("sink", sink) for sink in sinks)]
        ends.append(("name", row.get("name", 0)))
        found += [
            f"{where}: {what} is {value!r:.40}; expected a text or an integer"
            for what, value in ends
            if not _is_name(value)
        ]
        if not _is_weight(weight):
            found.append(f"{where}: weight is {weight!r:.40}; expected a number of at least 0")
        problems += found
        if not found:
            name = row.get("name", number)
            yield Net(name, row["source"], tuple(sinks), packets_per_tick={PHASE: float(weight)})


def _is_weight(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 <= value < float("inf")  # type: ignore[operator]


def _node_link(
    document: dict[str, Any], edges: Edges | None, problems: list[str]
) -> tuple[list[Vertex], list[Net]]:
    names: dict[Name, None] = {}
    for number, row in enumerate(_list(document, "nodes", problems)):
        name = row.get("id") if isinstance(row, dict) else None
        if not _is_name(name):
            problems.append(f'nodes[{number}] is {row!r:.40}; expected {{"id": text or integer}}')
        elif name in names:
            problems.append(f"nodes[{number}]: id {name!r} is given twice; name each node once")
        else:
            names[name] = None
    # networkx has called this list both ways.
    key = "links" if "links" in document else "edges"
    out: dict[Name, dict[Name, float]] = {name: {} for name in names}
    for number, row in enumerate(_list(document, key, problems)):
        found = list(_edge_problems(f"{key}[{number}]", row, names))
        problems += found
        if found:
            continue
        ways = [(row["source"], row["target"])]
        if not document.get("directed", False) and row["source"] != row["target"]:
            ways.append((row["target"], row["source"]))
        for a, b in ways:  # parallel edges add up
            out[a][b] = out[a].get(b, 0.0) + float(row.get("weight", 1))
    return [Vertex(name) for name in names], _edge_nets(out, edges, problems)


def _edge_problems(where: str, row: Any, names: dict[Name, None]) -> Iterator[str]:
    if not isinstance(row, dict):
        yield f"{where} is {row!r:.40}; expected an object with source and target"
        return
    for end in ("source", "target"):
        if end not in row:
            yield f"{where}: has no {end}"
        elif not _is_name(row[end]) or row[end] not in names:
            yield f"{where}: {end} {row[end]!r:.40} is no node"
    if not _is_weight(row.get("weight", 1)):
        yield f"{where}: weight is {row['weight']!r:.40}; expected a number of at least 0"


def _edge_nets(
    out: dict[Name, dict[Name, float]], edges: Edges | None, problems: list[str]
) -> list[Net]:
    unequal = [name for name, sinks in out.items() if len(set(sinks.values())) > 1]
    if unequal and edges is None:
        have = "1 vertex has" if len(unequal) == 1 else f"{len(unequal)} vertices have"
        problems.append(
            f"{have} out-edges of several weights, {unequal[0]!r} first; say "
            "--edges multicast-max (one net per vertex, the greatest weight) or --edges 2pin "
            "(one net per edge)"
        )
        return []
    rows: list[tuple[Name, tuple[Name, ...], float]] = []
    for name, sinks in out.items():
        if edges == "2pin":
            rows += [(name, (sink,), weight) for sink, weight in sinks.items()]
        elif sinks:
            rows.append((name, tuple(sinks), max(sinks.values())))
    return [
        Net(number, source, ends, packets_per_tick={PHASE: weight})
        for number, (source, ends, weight) in enumerate(rows)
    ]
