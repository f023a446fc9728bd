"""Boards and tori as SpiNNMachine documents them: which chips, which neighbours, whose Ethernet."""

from __future__ import annotations

from collections import Counter

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import MachineError
from chipsim.machine.layout import (
    DIRECTIONS,
    VECTORS,
    Layout,
    one_board,
    opposite,
    shortest,
    steps_of,
    torus,
    triads,
)

# Row by row from the bottom, as SpiNN-5's chip list gives them.
SPIN5 = """
       xxxx
      xxxxx
     xxxxxx
    xxxxxxx
   xxxxxxxx
   xxxxxxx.
   xxxxxx..
   xxxxx...
"""


def graph(layout: Layout) -> nx.Graph:
    found = nx.Graph()
    found.add_nodes_from(range(layout.chips))
    for chip, direction in np.argwhere(layout.neighbour >= 0).tolist():
        found.add_edge(chip, int(layout.neighbour[chip, direction]))
    return found


def test_a_board_is_the_hexagon_of_spin5() -> None:
    rows = [line.rstrip() for line in SPIN5.strip("\n").splitlines()][::-1]
    drawn = {(x - 3, y) for y, row in enumerate(rows) for x, c in enumerate(row) if c == "x"}
    board = one_board()
    assert set(zip(board.x.tolist(), board.y.tolist(), strict=True)) == drawn
    assert board.chips == 48
    assert int((board.neighbour >= 0).sum()) == 240, "directed links, as of the published baselines"
    assert set(board.ethernet.tolist()) == {board.at(0, 0)} == {0}
    assert not board.long.any()


def test_directions_and_their_opposites() -> None:
    assert DIRECTIONS == ("E", "NE", "N", "W", "SW", "S")
    for direction, (dx, dy) in enumerate(VECTORS):
        assert VECTORS[opposite(direction)] == (-dx, -dy)
    board = one_board()
    here = board.at(3, 3)
    beside = [tuple(map(int, (board.x[c], board.y[c]))) for c in board.neighbour[here]]
    assert beside == [(4, 3), (4, 4), (3, 4), (2, 3), (2, 2), (3, 2)]
    assert board.neighbour[0].tolist() == [
        board.at(1, 0),
        board.at(1, 1),
        board.at(0, 1),
        -1,
        -1,
        -1,
    ]


def test_a_triad_is_three_boards_of_a_12_by_12_torus() -> None:
    triad = triads(1, 1)
    assert (triad.chips, triad.width, triad.height) == (144, 12, 12)
    places = set(zip(triad.x.tolist(), triad.y.tolist(), strict=True))
    assert places == {(x, y) for x in range(12) for y in range(12)}, "no hole, none twice"
    assert Counter(triad.board.tolist()) == {0: 48, 1: 48, 2: 48}
    ethernet = sorted({(int(triad.x[c]), int(triad.y[c])) for c in triad.ethernet.tolist()})
    assert ethernet == [(0, 0), (4, 8), (8, 4)]
    assert int((triad.neighbour >= 0).sum()) == 864, "directed links of the 12 x 12 torus"
    assert all(count == 48 for count in Counter(triad.board[triad.long.nonzero()[0]]).values()), (
        "8 links on each of the six sides of a board"
    )


def test_wrap_around_joins_the_edges() -> None:
    triad = triads(1, 1)
    corner = triad.at(11, 11)
    assert triad.neighbour[corner].tolist() == [
        triad.at(*place) for place in ((0, 11), (0, 0), (11, 0), (10, 11), (10, 10), (11, 10))
    ]
    # Board 1 begins at (4, 8) and goes over the top edge: its chip (7, 7) is (11, 15 mod 12).
    chip = triad.at(11, 3)
    assert (int(triad.board[chip]), chip) == (1, 48 + 47)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4))
def test_triads_of_any_size_tile_their_torus(across: int, up: int) -> None:
    layout = triads(across, up)
    assert layout.chips == 144 * across * up
    assert (layout.grid >= 0).all()
    assert layout.grid[layout.y, layout.x].tolist() == list(range(layout.chips))
    back = [opposite(d) for d in range(6)]
    for direction in range(6):
        there = layout.neighbour[:, direction]
        assert (layout.neighbour[there, back[direction]] == np.arange(layout.chips)).all()
        assert (layout.long[there, back[direction]] == layout.long[:, direction]).all()
    assert (layout.board[layout.ethernet] == layout.board).all()
    x = (layout.x - layout.x[layout.ethernet]) % layout.width
    y = (layout.y - layout.y[layout.ethernet]) % layout.height
    board = one_board()
    local = list(zip(board.x.tolist(), board.y.tolist(), strict=True))
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == local * (3 * across * up)


def test_a_torus_of_another_size_has_no_boards() -> None:
    layout = torus(5, 4)
    assert (layout.chips, int(layout.board.max()), layout.long.any()) == (20, 0, False)
    assert set(layout.ethernet.tolist()) == {0}
    assert (torus(24, 12).board == triads(2, 1).board).all()


@pytest.mark.parametrize(("width", "height"), [(2, 12), (12, 0), (4096, 4096)])
def test_sizes_that_are_refused(width: int, height: int) -> None:
    with pytest.raises(
        MachineError, match=f"torus of {width} x {height}: expected at least 3 each"
    ):
        torus(width, height)


@pytest.mark.parametrize(("width", "height"), [(3, 3), (4, 7), (12, 12), (6, 5)])
def test_shortest_steps_are_the_graph_distance(width: int, height: int) -> None:
    layout = torus(width, height)
    lengths = nx.single_source_shortest_path_length(graph(layout), 0)
    for chip, length in lengths.items():
        dx, dy = shortest(int(layout.x[chip]), int(layout.y[chip]), width, height)
        assert steps_of(dx, dy) == length
        assert ((dx - layout.x[chip]) % width, (dy - layout.y[chip]) % height) == (0, 0)
