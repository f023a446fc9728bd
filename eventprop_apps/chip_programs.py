"""The programs of a run, by vertex: those of the replicas, and the optimiser's."""

from __future__ import annotations

from chipsim.mapping.mapping import Mapping
from chipsim.sim.program import Program
from chipsim.sim.simulation import Simulation
from eventprop_apps.chip_kernels import ChipKernels
from eventprop_apps.chip_layout import Layout
from eventprop_apps.exchange import DramStore, Master, Piece, SramStore, Store, TreeReducer, cut
from eventprop_apps.names import (
    block_name,
    input_name,
    loss_name,
    optimiser_name,
    weights_to,
)
from eventprop_apps.programs.input import InputProgram
from eventprop_apps.programs.layer_programs import LayerProgram, NeuronsProgram
from eventprop_apps.programs.loss import LossProgram
from eventprop_apps.programs.optimiser import OptimiserProgram, Shard
from eventprop_apps.programs.plan import Plan, SampleFeeder


class ChipPrograms:
    """Makes the programs of a mapped layout.

    Parameters
    ----------
    layout : Layout
    mapping : Mapping
        Where its vertices are.
    kernels : ChipKernels
    plan : Plan
    master : Master

    Attributes
    ----------
    feeder : SampleFeeder
        The host's part.
    stores : list of Store
        Where each optimiser PE has sums and moments.
    by_vertex : dict of str to Program
    """

    def __init__(
        self, layout: Layout, mapping: Mapping, kernels: ChipKernels, plan: Plan, master: Master
    ) -> None:
        self._layout, self._kernels, self._plan, self._master = layout, kernels, plan, master
        self._replicas = range(layout.options.replicas)
        self._placement = {str(name): int(end) for name, end in mapping.placement.items()}
        self._net = {str(net.name): i for i, net in enumerate(mapping.application.nets)}
        self._shards = cut(layout.blocks, layout.options.exchange.optimisers)
        self.feeder = SampleFeeder(
            plan,
            [self._placement[input_name(r)] for r in self._replicas],
            [self._placement[loss_name(r)] for r in self._replicas],
        )
        self.stores: list[Store] = []
        self.by_vertex: dict[str, Program] = {}
        for replica in self._replicas:
            self._add_replica(replica)
        for shard, pieces in enumerate(self._shards):
            self._add_optimiser(shard, pieces)

    def _add_replica(self, replica: int) -> None:
        layout, kernels, plan = self._layout, self._kernels, self._plan
        programs, sram = self.by_vertex, layout.sram
        programs[input_name(replica)] = InputProgram(
            replica, kernels.input, plan, self.feeder, layout.model.steps, sram["input"]
        )
        for number, kernel in enumerate(kernels.layers):
            programs[block_name(replica, kernel.block)] = LayerProgram(
                replica, kernel, plan, self._weight_nets(number), sram[kernel.block.name],
                self._reducer(replica, number),
            )  # fmt: skip
        for neurons in kernels.neurons:
            programs[block_name(replica, neurons.block)] = NeuronsProgram(
                replica, neurons, plan, sram[neurons.block.name]
            )
        programs[loss_name(replica)] = LossProgram(
            replica, kernels.loss, plan, self.feeder, sram["loss"]
        )

    def _weight_nets(self, block: int) -> list[tuple[int, int, int]]:
        """Return the nets that bring a block's weights: number, first word, words."""
        count = self._layout.model.word_count
        return [
            (self._net[self._weights_to(piece, s)], piece.first * count, piece.size * count)
            for s, own in enumerate(self._shards)
            for piece in own
            if piece.block == block
        ]

    def _weights_to(self, piece: Piece, shard: int) -> str:
        return weights_to(piece.layer, piece.part, shard if len(self._shards) > 1 else None)

    def _reducer(self, replica: int, block: int) -> TreeReducer | None:
        """Return a layer PE's part in the tree, if there is one."""
        options = self._layout.options.exchange
        if options.strategy != "tree":
            return None
        own = self._layout.blocks[block]
        return TreeReducer(
            replica,
            Piece(block, own.layer, own.part, 0, own.size, own.start),
            [self._placement[block_name(r, own)] for r in self._replicas],
            self._kernels.layers[block].state.gradient[replica],
            options,
        )

    def _add_optimiser(self, shard: int, pieces: list[Piece]) -> None:
        layout, placement, name = self._layout, self._placement, optimiser_name(shard)
        interfaces = sorted(vertex for vertex in placement if vertex.startswith("dram"))
        store: Store = SramStore(self._master, pieces)
        if interfaces:
            end = placement[interfaces[shard % len(interfaces)]]
            store = DramStore(self._master, pieces, end, name)
        self.stores.append(store)
        nets = [self._weights_to(piece, shard) for piece in pieces]
        sources = [[placement[block_name(r, b)] for b in layout.blocks] for r in self._replicas]
        self.by_vertex[name] = OptimiserProgram(
            Shard(shard, len(self._shards), pieces, nets, sources),
            self._master, store, self._plan, layout.options.exchange, layout.sram[name],
        )  # fmt: skip

    def map_dram(self, simulation: Simulation) -> None:
        """Give the DRAM its regions, where sums and moments lie there."""
        for store in self.stores:
            if isinstance(store, DramStore):
                memory = simulation.memory(store.endpoint).sram
                for region, array in store.regions().items():
                    memory.reserve(region, array.nbytes)
                    memory.map(region, array)
