"""Colours, dashes and axes that all plots share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chipsim.errors import ChipsimError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLES = ("-", "--", "-.", ":")
"""Lines differ in dashes too, so that they are told apart without colour."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, which are told apart with any colour vision."""

MARKERS = ("o", "s", "^", "D", "v", "x", "+")
HATCHES = ("", "//", "..", "xx", "\\\\", "oo", "--")
"""Surfaces differ in hatching too."""


def line_style(place: int) -> dict[str, Any]:
    """Return colour and dashes of the line number ``place``."""
    return {"color": COLOURS[place % len(COLOURS)], "linestyle": STYLES[place % len(STYLES)]}


def axes_or_new(ax: Axes | None) -> Axes:
    """Return the axes given, or those of a new figure.

    Raises
    ------
    ChipsimError
        If matplotlib is missing.
    """
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ChipsimError(
            "chipsim.plots needs matplotlib: pip install 'chipsim[plots]'"
        ) from error
    _, made = plt.subplots(layout="constrained")
    return made
