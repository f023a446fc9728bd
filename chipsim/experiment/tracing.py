"""From the section [trace] to a recorder."""

from __future__ import annotations

from pathlib import Path

from chipsim.experiment.model import TraceSection
from chipsim.trace.parts import ROWS_PER_PART
from chipsim.trace.recorder import Recorder
from chipsim.trace.window import Window
from chipsim.units import FOREVER, ms, us


def make_recorder(
    section: TraceSection,
    directory: Path | None,
    kinds: tuple[str, ...],
    phases: tuple[str, ...] = ("none",),
    resume: bool = False,
) -> Recorder:
    """Return the recorder that [trace] asks for.

    Parameters
    ----------
    section : TraceSection
    directory : Path or None
        The run's directory.
    kinds, phases : tuple of str
        As for :class:`chipsim.trace.recorder.Recorder`.
    resume : bool
        Whether the directory holds the trace of a run that is to go on.

    Raises
    ------
    TraceError
        If a trace is asked for and there is no directory, or a kind is unknown.
    UnitError
        If a time is no whole number of picoseconds.
    """
    window = Window(
        start_ps=ms(section.start_ms or 0),
        end_ps=FOREVER if section.end_ms is None else ms(section.end_ms),
        first_batch=section.first_batch,
        last_batch=section.last_batch,
        vertices=tuple(section.vertices or ()),
        kinds=tuple(section.kinds or ()),
        channels=tuple(section.channels or ()),
    )
    return Recorder(
        section.level,
        directory,
        kinds=kinds,
        phases=phases,
        window=window,
        rows_per_part=section.rows_per_part or ROWS_PER_PART,
        slice_ps=0 if section.window_us is None else us(section.window_us),
        wanted=tuple(section.membrane or ()),
        resume=resume,
    )
