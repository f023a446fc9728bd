"""``mapping.json``: a mapping as a file, bound to its application and to the machine's topology.

Routes are channel numbers, so a file holds a fingerprint of nodes, ports, channels and endpoints
and is refused for a machine that is wired otherwise. Latencies and other figures may differ.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping as MappingABC
from pathlib import Path
from typing import Any

import numpy as np

from chipsim.errors import MappingError
from chipsim.machine.model import Machine
from chipsim.machine.programmed import program
from chipsim.machine.route import Branch, Route
from chipsim.mapping import lookup_files
from chipsim.mapping.application import Application, Net, Vertex
from chipsim.mapping.check import check
from chipsim.mapping.check_lookup import check_lookup
from chipsim.mapping.check_tables import check_tables
from chipsim.mapping.keys import KeyBlock
from chipsim.mapping.mapping import Mapping
from chipsim.mapping.outlets import outlets
from chipsim.mapping.tables import RouterTable, as_int, as_words

FORMAT = "chipsim-mapping/1"

_WIRING = (
    "node_branching",
    "node_routing",
    "port_node",
    "port_kind",
    "channel_node",
    "channel_port",
    "endpoint_kind",
    "endpoint_chip",
    "endpoint_x",
    "endpoint_y",
    "endpoint_index",
    "endpoint_port",
    "endpoint_dma_port",
    "endpoint_sink",
)


def fingerprint(machine: Machine) -> str:
    """Return 16 hex digits over the machine's wiring: what a route's numbers mean."""
    digest = hashlib.blake2b(digest_size=8)
    for name in _WIRING:
        array = np.asarray(getattr(machine, name)).astype("<i4")
        digest.update(f"{name} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def to_json(mapping: Mapping) -> dict[str, Any]:
    """Return a mapping as plain JSON values.

    Raises
    ------
    MappingError
        If a vertex or net is called by anything but a text or an integer.
    """
    application, machine = mapping.application, mapping.machine
    names = [v.name for v in application.vertices] + [n.name for n in application.nets]
    problems = [
        f"{name!r} is of type {type(name).__name__}; a file holds names that are text or integers"
        for name in names
        if not isinstance(name, str | int) or isinstance(name, bool)
    ]
    if problems:
        raise MappingError(f"mapping of application {application.name!r}", problems)
    return {
        "format": FORMAT,
        "machine": {"name": machine.name, "wiring": fingerprint(machine)},
        "placer": mapping.placer,
        "router": mapping.router,
        "seed": mapping.seed,
        "application": {
            "name": application.name,
            "transport": application.transport,
            "vertices": [_vertex_json(vertex) for vertex in application.vertices],
            "nets": [_net_json(net) for net in application.nets],
            **_constraints_json(application),
        },
        "placement": [
            {"vertex": name, "place": list(_place(machine, endpoint))}
            for name, endpoint in mapping.placement.items()
        ],
        "routes": [
            {"net": name, "keys": list(mapping.keys[name]), "routes": [_route_json(r) for r in rs]}
            for name, rs in mapping.routes.items()
        ],
        "tables": [_table_json(table) for table in (mapping.tables or {}).values()],
        "lookup": lookup_files.to_json(machine, mapping.plans),
    }


def write(mapping: Mapping, path: str | Path) -> None:
    """Write a mapping as JSON, one vertex, net and route a line; same mapping, same bytes."""
    document = to_json(mapping)
    application = document.pop("application")
    lines = [f" {json.dumps(key)}: {json.dumps(document[key])}," for key in _HEAD]
    lines.append(
        ' "application": {'
        f'"name": {json.dumps(application["name"])}, '
        f'"transport": {json.dumps(application["transport"])},'
    )
    lines += [
        f'  "{key}": {json.dumps(application[key])},'
        for key in ("together", "apart")
        if key in application
    ]
    lines += [*_rows("vertices", application["vertices"]), ","]
    lines += [*_rows("nets", application["nets"]), " },"]
    lines += [*_rows("placement", document["placement"]), ","]
    lines += [*_rows("routes", document["routes"]), ","]
    lines += _rows("tables", document["tables"])
    if document["lookup"]:
        lines += [",", *_rows("lookup", document["lookup"])]
    Path(path).write_text("\n".join(["{", *lines, "}", ""]), encoding="utf-8")


_HEAD = ("format", "machine", "placer", "router", "seed")


def _rows(key: str, rows: list[Any]) -> list[str]:
    body = ",\n".join(f"  {json.dumps(row)}" for row in rows)
    return [f" {json.dumps(key)}: [", *([body] if rows else []), " ]"]


def read(path: str | Path, machine: Machine, application: Application | None = None) -> Mapping:
    """Read a mapping, bind it to a machine and check it.

    Parameters
    ----------
    path : str or Path
    machine : Machine
        Must be wired as the machine that the mapping was made for.
    application : Application, optional
        What is to be run; must have the same vertices and nets as the mapping's. By default the
        application in the file.

    Raises
    ------
    MappingError
        If the file cannot be read, does not belong to machine or application, or does not pass
        :func:`chipsim.mapping.check.check` and, where it holds tables,
        :func:`chipsim.mapping.check_tables.check_tables`.
    """
    subject = f"mapping file {path}"
    document = _load(path, subject)
    try:
        return _bound(document, path, machine, application)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, IndexError) as error:
        raise MappingError(
            subject,
            [f"is damaged ({type(error).__name__}: {error}); write it anew with `chipsim map`"],
        ) from error


def _bound(
    document: dict[str, Any], path: str | Path, machine: Machine, application: Application | None
) -> Mapping:
    """Return the mapping that a document holds, on a machine; values of wrong types raise."""
    held, written = document["machine"], document["application"]
    own = Application(
        str(written["name"]),
        tuple(Vertex(**row) for row in written["vertices"]),
        tuple(Net(**row) for row in written["nets"]),
        written["transport"],
        tuple(written.get("together", ())),
        tuple(written.get("apart", ())),
    )
    problems = _other_machine(machine, str(held["name"]), str(held["wiring"]))
    problems += _other_application(application, own)
    if problems:
        raise MappingError(f"mapping file {path}", problems)
    bound = own if application is None else application
    placement = {
        row["vertex"]: machine.endpoint_at(*map(int, row["place"])) for row in document["placement"]
    }
    routes = {
        row["net"]: tuple(_route(route) for route in row["routes"]) for row in document["routes"]
    }
    keys = {row["net"]: KeyBlock(*map(int, row["keys"])) for row in document["routes"]}
    rows = {int(row["node"]): row["entries"] for row in document.get("tables", [])}
    tables = {node: _table(machine, node, entries) for node, entries in rows.items()} or None
    plans = lookup_files.from_json(machine, document.get("lookup", []))
    if plans:
        machine = program(machine, plans)
        check_lookup(machine, plans, by=f"from {path}")
    check(bound, machine, placement, routes, keys, by=f"from {path}")
    if tables is not None:
        check_tables(bound, machine, placement, routes, keys, tables, by=f"from {path}")
    return Mapping(
        bound,
        machine,
        {vertex.name: placement[vertex.name] for vertex in bound.vertices},
        {net.name: routes[net.name] for net in bound.nets},
        {net.name: keys[net.name] for net in bound.nets},
        str(document["placer"]),
        str(document["router"]),
        int(document["seed"]),
        tables=tables,
        plans=plans,
    )


def _load(path: str | Path, subject: str) -> dict[str, Any]:
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise MappingError(subject, [f"cannot be read: {reason}; check the path"]) from error
    except ValueError as error:
        raise MappingError(subject, [f"is no JSON: {error}"]) from error
    found = document.get("format") if isinstance(document, MappingABC) else None
    if found != FORMAT:
        raise MappingError(subject, [f"has format {found!r}; expected {FORMAT!r}"])
    return dict(document)


def _other_machine(machine: Machine, name: str, wiring: str) -> list[str]:
    if wiring == fingerprint(machine):
        return []
    return [
        f"was made for {name} with wiring {wiring}; this {machine.name} has wiring "
        f"{fingerprint(machine)}: map the application again"
    ]


def _other_application(application: Application | None, own: Application) -> list[str]:
    if application is None:
        return []
    problems = []
    for what, ours, theirs in (
        ("vertex", application.vertex_by_name, own.vertex_by_name),
        ("net", application.net_by_name, own.net_by_name),
    ):
        lacking = [name for name in ours if name not in theirs]
        more = [name for name in theirs if name not in ours]
        problems += [f"lacks {what} {name!r} of the application" for name in lacking]
        problems += [f"has {what} {name!r}, which the application lacks" for name in more]
    return problems


def _place(machine: Machine, endpoint: int) -> tuple[int, int, int, int]:
    """Return (x, y, number in the tile, chip), the arguments of ``endpoint_at``."""
    return (
        int(machine.endpoint_x[endpoint]),
        int(machine.endpoint_y[endpoint]),
        int(machine.endpoint_index[endpoint]),
        int(machine.endpoint_chip[endpoint]),
    )


def _constraints_json(application: Application) -> dict[str, Any]:
    rows = {"together": application.together, "apart": application.apart}
    return {key: [list(row) for row in value] for key, value in rows.items() if value}


def _vertex_json(vertex: Vertex) -> dict[str, Any]:
    row: dict[str, Any] = {"name": vertex.name, "sram_bytes": dict(vertex.sram_bytes)}
    optional = {
        "cycles_per_tick": vertex.cycles_per_tick,
        "splittable": vertex.splittable or None,
        "group": vertex.group,
        "fixed": None if vertex.place is None else list(vertex.place),
        "label": vertex.label or None,
    }
    return row | {key: value for key, value in optional.items() if value is not None}


def _net_json(net: Net) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": net.name,
        "source": net.source,
        "sinks": list(net.sinks),
        "kind": net.kind,
        "key_bits": net.key_bits,
        "payload_bits": net.payload_bits,
    }
    optional = {
        "transport": net.transport,
        "packets_per_tick": dict(net.packets_per_tick) or None,
        "dma": net.dma or None,
        "packet": None if net.packet == "mc" else net.packet,
    }
    return row | {key: value for key, value in optional.items() if value is not None}


def _route_json(route: Route) -> dict[str, Any]:
    stages = [[list(branch) for branch in stage] for stage in route.stages]
    row: dict[str, Any] = {"port": route.port, "payload_bits": route.payload_bits}
    if route.memory:
        row["memory"] = True
    if route.packet != "mc":
        row["packet"] = route.packet
    return row | {"stages": stages}


def _table_json(table: RouterTable) -> dict[str, Any]:
    columns = (table.key, table.mask, table.net, table.came_by)
    return {
        "node": table.node,
        "entries": [
            [*numbers, f"{as_int(route):#x}"]
            for *numbers, route in zip(*(c.tolist() for c in columns), table.route, strict=True)
        ],
    }


def _table(machine: Machine, node: int, rows: list[list[Any]]) -> RouterTable:
    known = outlets(machine)
    if node not in known.nodes:
        raise ValueError(f"node {node} has no table")
    here = known[node]
    routes = [int(row[4], 16) for row in rows]
    if any(route < 0 or route >> here.bits for route in routes):
        raise ValueError(f"node {node}: an entry's route has more than {here.bits} bits")

    def column(at: int, kind: Any) -> Any:
        return np.array([int(row[at]) for row in rows], dtype=kind)

    return RouterTable(
        here,
        column(0, np.uint32),
        column(1, np.uint32),
        as_words(routes, here.bits),
        column(2, np.int32),
        column(3, np.int32),
    )


def _route(row: dict[str, Any]) -> Route:
    stages = tuple(
        tuple(Branch(int(channel), int(following)) for channel, following in stage)
        for stage in row["stages"]
    )
    return Route(
        int(row["port"]),
        stages,
        int(row["payload_bits"]),
        bool(row.get("memory", False)),
        str(row.get("packet", "mc")),
    )
