"""Everything that the page shows of one run, as plain values; the page's script draws it."""

from __future__ import annotations

from chipsim.analysis.report import facts
from chipsim.analysis.report.batch import BatchPass
from chipsim.analysis.report.grants import GrantPass
from chipsim.analysis.report.loads import LoadPass
from chipsim.analysis.report.packets import PacketPass
from chipsim.analysis.report.rows import GRANTS, Json, row_count
from chipsim.analysis.run import Run
from chipsim.errors import UnknownFigureError

_LEVEL = "not recorded: {why}"


def gather(run: Run, name: str) -> Json:
    """Return what the page shows of a run.

    Parameters
    ----------
    run : Run
    name : str
        What the page calls it.

    Returns
    -------
    dict
        ``missing`` names for each part that the run cannot show why; every other value is what
        the run's files hold, times in picoseconds. Nothing of the host is in it but the versions.

    Raises
    ------
    TraceError
        If the run's files are broken, of another program or version, or its machine is unknown.

    Notes
    -----
    Linear in the rows of the trace; memory does not grow with it, but for distinct latencies.
    """
    missing: dict[str, str] = {}
    page: Json = {
        "name": name,
        "experiment": str(run.experiment.get("experiment", run.summary.get("experiment", "run"))),
        "state": run.status.state,
        "level": run.level,
        "notes": list(run.notes),
        "span": run.span_ps,
        "headline": facts.headline(run.summary),
        "settings": facts.settings(run),
        "summary": facts.summary_rows(run),
        "versions": run.summary.get("versions", {}),
        "rows": {data: row_count(run, data) for data in run.datasets},
        "missing": missing,
        "tables": {},
    }
    _plain_parts(run, page, missing)
    packets = _packets(run, page, missing)
    _loads(run, page, missing)
    _batch(run, page, missing)
    _grants(run, page, missing, packets)
    return page


def _plain_parts(run: Run, page: Json, missing: dict[str, str]) -> None:
    for part, value, why in (
        ("assumptions", facts.assumptions(run), "the run wrote no summary"),
        ("learning", facts.learning(run), "no epoch was finished"),
        ("energy", facts.energy(run), "the run wrote no summary with energies"),
    ):
        if value is None:
            missing[part] = f"not recorded: {why}"
        else:
            page[part] = value


def _packets(run: Run, page: Json, missing: dict[str, str]) -> PacketPass | None:
    if "packets" not in run.datasets:
        for part in ("latency", "hops", "slowest", "late"):
            missing[part] = _LEVEL.format(why=run.why_not("packets"))
        return None
    packets = PacketPass(run)
    page["latency"] = packets.latency_json()
    page["hops"] = packets.hops_json()
    page["tables"] |= {
        "outcomes": packets.outcomes_json(),
        "slowest": packets.slowest_json(run),
        "lateness": packets.lateness_json(),
        "late": packets.late_json(run),
    }
    return packets


def _loads(run: Run, page: Json, missing: dict[str, str]) -> None:
    if not {"channels", "ticks"} & set(run.datasets):
        for part in ("map", "channels", "pes", "overruns", "power"):
            missing[part] = _LEVEL.format(why=run.why_not("packets"))
        return
    loads = LoadPass(run)
    page["map"] = loads.map_json()
    try:
        page["power"] = loads.power_json()
    except UnknownFigureError as error:
        missing["power"] = f"power over time: the machine's energies are not known: {error}"
    page["tables"] |= {
        "channels": loads.channels_json(),
        "pes": loads.pes_json(),
        "overruns": loads.overruns_json(),
    }


def _batch(run: Run, page: Json, missing: dict[str, str]) -> None:
    if not {"packets", "ticks"} <= set(run.datasets):
        for part in ("timeline", "raster", "phases"):
            missing[part] = _LEVEL.format(why=run.why_not("packets"))
        return
    batch = BatchPass(run)
    if not batch.phases:
        missing["timeline"] = missing["raster"] = "not recorded: no handler ran in the trace"
        return
    page["timeline"] = batch.timeline_json()
    page["tables"]["phases"] = batch.phases_json()
    raster = batch.raster_json()
    if raster["sample"] is None:
        missing["raster"] = f"not recorded: no spike in batch {batch.batch} of the trace"
    else:
        page["raster"] = raster


def _grants(run: Run, page: Json, missing: dict[str, str], packets: PacketPass | None) -> None:
    if "hops" not in run.datasets or packets is None:
        for part in ("waits", "where", "users"):
            missing[part] = _LEVEL.format(why=run.why_not("hops"))
        return
    grants = GrantPass(run, packets.slowest)
    page["tables"] |= {"waits": grants.waits_json(), "where": grants.where_json()}
    users = grants.users_json() if "channels" in run.datasets else None
    if users is None:
        missing["users"] = (
            f"not computed: more than {GRANTS:,} grants; chipsim inspect RUN users does it"
        )
    else:
        page["tables"]["users"] = users
