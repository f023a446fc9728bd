"""Graphs as lists of edges: METIS files, and CSV or white-space separated edge lists.

METIS (G. Karypis, "METIS: a software package for partitioning unstructured graphs", manual 5.1,
section 4.1.1): a header ``vertices edges [format [weights]]``, then a line per vertex with its
neighbours, counted from 1; lines that begin with % are comments. The graph is undirected and each
edge stands in two lines. Of the format's digits, 1 says that edges have weights, 10 that vertices
have (work, taken as cycles per tick), 100 that vertices have sizes (what they send, taken as the
weight of their nets).

Edge lists: ``source,target[,weight]`` a line, separated by comma, semicolon, tab or blanks, with or
without a header of these names; each line is a directed edge, a line with a source only is a vertex
without edges. Lines that begin with # or % are comments.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from chipsim.mapping.application import Name

METIS_SUFFIXES = (".metis", ".graph")
LIST_SUFFIXES = (".csv", ".tsv", ".edges", ".txt")

_HEADERS = {"source": 0, "src": 0, "from": 0, "target": 1, "dst": 1, "to": 1, "weight": 2}


@dataclass
class EdgeGraph:
    """What a file of edges holds.

    Attributes
    ----------
    out : dict of name to (dict of name to float)
        Weight of every edge, by source and target; every vertex is a key.
    cycles : dict of name to float
        Work of vertices [cycles per tick], where given.
    sends : dict of name to float
        Weight of all edges of a vertex, where it is given per vertex.
    """

    out: dict[Name, dict[Name, float]]
    cycles: dict[Name, float] = field(default_factory=dict)
    sends: dict[Name, float] = field(default_factory=dict)


def _numbered(text: str, comments: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.lstrip().startswith(tuple(comments)):
            yield number, line


# ----------------------------------------------------------------------------------------- METIS
def read_metis(text: str, problems: list[str]) -> EdgeGraph:
    """Read a METIS graph; what is wrong is appended to ``problems``."""
    rows = list(_numbered(text, "%"))
    while rows and not rows[0][1].strip():
        rows.pop(0)
    if not rows:
        problems.append("is empty; expected a header of vertices and edges")
        return EdgeGraph({})
    head = _header(rows[0][1], problems)
    if head is None:
        return EdgeGraph({})
    count, edges, flags = head
    lines = rows[1:]
    while len(lines) > count and not lines[-1][1].strip():
        lines.pop()
    if len(lines) != count:
        problems.append(f"has {len(lines)} lines of vertices, its header says {count}")
        return EdgeGraph({})
    graph = EdgeGraph({vertex: {} for vertex in range(count)})
    for vertex, (number, line) in enumerate(lines):
        _metis_line(graph, vertex, number, line.split(), flags, problems)
    if not problems:
        _metis_whole(graph, edges, problems)
    return graph


def _header(line: str, problems: list[str]) -> tuple[int, int, str] | None:
    words = line.split()
    if not 2 <= len(words) <= 4 or not all(word.isascii() and word.isdigit() for word in words):
        problems.append(f"header is {line.strip()!r:.40}; expected VERTICES EDGES [FORMAT [1]]")
        return None
    flags = words[2].zfill(3) if len(words) > 2 else "000"
    if len(flags) != 3 or set(flags) - set("01"):
        problems.append(f"format is {words[2]!r:.40}; expected three digits 0 or 1, such as 011")
        return None
    if len(words) > 3 and (words[3] != "1" or flags[1] != "1"):
        problems.append(
            f"states {words[3]:.20} weights a vertex in format {flags}; one weight, with format "
            "010 or 011, is read"
        )
        return None
    if flags[0] == "1" and flags[2] == "1":
        problems.append(
            "has sizes of vertices and weights of edges; both would be the weight of a net: leave "
            "one of them out"
        )
        return None
    return int(words[0]), int(words[1]), flags


def _metis_line(
    graph: EdgeGraph, vertex: int, number: int, words: list[str], flags: str, problems: list[str]
) -> None:
    values: list[int] = []
    for word in words:
        if not (word.isascii() and word.isdigit() and len(word) < 19):
            problems.append(f"line {number}: {word!r:.40} is no whole number of at least 0")
            return
        values.append(int(word))
    for flag, where in ((flags[0], graph.sends), (flags[1], graph.cycles)):
        if flag == "1":
            if not values:
                problems.append(f"line {number}: is too short; its vertex has a weight or size")
                return
            where[vertex] = float(values.pop(0))
    step = 2 if flags[2] == "1" else 1
    if len(values) % step:
        problems.append(f"line {number}: its last neighbour has no weight")
        return
    for at in range(0, len(values), step):
        other = values[at] - 1
        if not 0 <= other < len(graph.out):
            problems.append(
                f"line {number}: neighbour {values[at]} is no vertex; they are numbered 1 to "
                f"{len(graph.out)}"
            )
        elif other == vertex:
            problems.append(f"line {number}: vertex {vertex + 1} is its own neighbour")
        elif other in graph.out[vertex]:
            problems.append(f"line {number}: names neighbour {values[at]} twice")
        else:
            graph.out[vertex][other] = float(values[at + 1]) if step == 2 else 1.0


def _metis_whole(graph: EdgeGraph, edges: int, problems: list[str]) -> None:
    for a, row in graph.out.items():
        for b, weight in row.items():
            back = graph.out[b].get(a)
            if back is None:
                problems.append(f"vertex {_one(a)} names {_one(b)}, which does not name {_one(a)}")
            elif back != weight and _before(a, b):
                problems.append(
                    f"the edge of vertices {_one(a)} and {_one(b)} has weights {weight:g} and "
                    f"{back:g}; expected the same twice"
                )
    found = sum(map(len, graph.out.values()))
    if not problems and found != 2 * edges:
        problems.append(f"has {found // 2} edges, its header says {edges}")


# ----------------------------------------------------------------------------------------- lists
def read_edge_list(text: str, problems: list[str]) -> EdgeGraph:
    """Read an edge list; what is wrong is appended to ``problems``. Parallel edges add up."""
    rows = [(n, _split(line)) for n, line in _numbered(text, "#%") if line.strip()]
    columns = {0: 0, 1: 1, 2: 2}
    if rows and _is_header(rows[0][1]):
        found = _columns(rows.pop(0)[1], problems)
        if found is None:
            return EdgeGraph({})
        columns = found
    if not rows:
        problems.append("holds no edges; expected lines of SOURCE,TARGET[,WEIGHT]")
        return EdgeGraph({})
    edges: list[tuple[str, str | None, float]] = []
    for number, words in rows:
        edge = _edge(number, words, columns, problems)
        if edge is not None:
            edges.append(edge)
    names = dict.fromkeys(n for a, b, _ in edges for n in ((a,) if b is None else (a, b)))
    called = _called(list(names))
    graph = EdgeGraph({name: {} for name in called.values()})
    for a, b, weight in edges:
        if b is not None:
            row = graph.out[called[a]]
            row[called[b]] = row.get(called[b], 0.0) + weight
    return graph


def _split(line: str) -> list[str]:
    for separator in (",", ";", "\t"):
        if separator in line:
            return [word.strip().strip('"') for word in line.split(separator)]
    return line.split()


def _is_header(words: list[str]) -> bool:
    return len(words) >= 2 and all(word.lower() in _HEADERS for word in words[:2])


def _columns(words: list[str], problems: list[str]) -> dict[int, int] | None:
    """Return the column of source (0), target (1) and weight (2)."""
    found: dict[int, int] = {}
    for column, word in enumerate(words):
        role = _HEADERS.get(word.lower())
        if role is not None:
            if role in found:
                problems.append(f"header: column {word!r:.40} stands there twice")
                return None
            found[role] = column
    if 0 not in found or 1 not in found:
        problems.append("header: expected the columns source and target, and perhaps weight")
        return None
    return found


def _edge(
    number: int, words: list[str], columns: dict[int, int], problems: list[str]
) -> tuple[str, str | None, float] | None:
    def word(role: int) -> str:
        column = columns.get(role)
        return words[column] if column is not None and column < len(words) else ""

    source, target, weight = word(0), word(1), word(2)
    if not source:
        problems.append(f"line {number}: has no source")
        return None
    if not target:
        return source, None, 0.0
    try:
        value = float(weight) if weight else 1.0
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        problems.append(f"line {number}: weight is {weight!r:.40}; expected a number of at least 0")
        return None
    return source, target, value


def _called(words: list[str]) -> dict[str, Name]:
    """Return vertices' names: integers, ascending, if all are; else texts, as first mentioned."""
    whole = all(w.isascii() and w.lstrip("-").isdigit() and len(w) < 19 for w in words)
    if not whole:
        return {word: word for word in words}
    numbers: dict[str, Name] = {word: int(word) for word in words}
    return dict(sorted(numbers.items(), key=lambda item: int(item[0])))


def _one(vertex: Name) -> int:
    return int(str(vertex)) + 1


def _before(a: Name, b: Name) -> bool:
    return int(str(a)) < int(str(b))
