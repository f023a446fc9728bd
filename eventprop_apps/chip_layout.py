"""How a network lies on a machine: parts of layers, records, SRAM and work, then where it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from chipsim.errors import MappingError
from chipsim.machine.model import Machine
from chipsim.mapping.application import Application
from chipsim.mapping.files import read as read_mapping
from chipsim.mapping.mapping import Mapping as ChipMapping
from chipsim.mapping.mapping import map_application
from chipsim.mapping.placement import spread
from chipsim.mapping.strategies import Placer
from chipsim.sim.costs import Cost
from eventprop_apps.application import build_application
from eventprop_apps.interfaces import require_chip
from eventprop_apps.memory import budgets, default_records, optimiser_advice, tree_buffers
from eventprop_apps.model import Model
from eventprop_apps.options import ChipOptions
from eventprop_apps.partition import Block, blocks, neurons_block
from eventprop_apps.splitting import choose_parts, cycles_per_tick, neurons_cycles_per_tick
from eventprop_apps.traffic import Traffic


@dataclass(frozen=True)
class Layout:
    """A network cut to a machine's PEs.

    Attributes
    ----------
    model : Model
        With as many slices as its layers split by inputs lie in.
    options : ChipOptions
    machine : Machine
    parts : tuple of int
        PEs of each layer; slices of one that is split by inputs.
    blocks : list of Block
        The weights of each layer PE of a replica.
    records : list of int
        Spikes of a sample that can be recorded: of the input, then of each layer.
    sram : dict of str to regions
        Bytes by role, then region.
    """

    model: Model
    options: ChipOptions
    machine: Machine
    parts: tuple[int, ...]
    blocks: list[Block]
    records: list[int]
    sram: dict[str, dict[str, int]]

    @classmethod
    def make(
        cls,
        model: Model,
        machine: Machine,
        options: ChipOptions,
        input_capacity: int,
        costs: Mapping[str, Cost],
        moments: int,
    ) -> Layout:
        """Return the layout with the fewest PEs that the options allow.

        Parameters
        ----------
        model, machine, options
        input_capacity : int
            Largest number of input spikes of a sample.
        costs : mapping of str to Cost
            Cycles of each operation, for ``options.max_cycles``.
        moments : int
            Vectors that the optimiser keeps beside the weights.

        Raises
        ------
        MappingError
            For a machine that cannot run EventProp, or a layer that fits no split.
        """
        sliced = sum(model.sliced(layer) for layer in range(model.layers))
        require_chip((sum(options.parts) or model.layers) + sliced, options.replicas, machine)
        room = _app_data(machine) - tree_buffers(options.exchange)
        parts = choose_parts(
            model, input_capacity, room, options.parts, costs=costs,
            max_cycles=options.max_cycles, traffic=_traffic(model, options),
            least_records=options.least_records,
        )  # fmt: skip
        if sliced:
            slices = [n * model.sliced(layer) for layer, n in enumerate(parts)]
            model = replace(model, slices=tuple(slices))
        pieces = blocks(model, parts)
        records = [input_capacity, *(n * options.spike_records for n in model.sizes[1:])]
        if not options.spike_records:
            records = default_records(model, input_capacity, pieces, room)
        outstanding = machine.description.integer("dma.max_outstanding")
        sram = budgets(
            model, input_capacity, records, outstanding, pieces, options.exchange, moments
        )
        return cls(model, options, machine, parts, pieces, records, sram)

    def cycles(self, costs: Mapping[str, Cost]) -> dict[str, float]:
        """Return the expected work of each layer PE per tick [cycles], by role."""
        model, traffic = self.model, _traffic(self.model, self.options)
        above = (*self.parts[1:], 1)
        work = {
            b.name: cycles_per_tick(model, b, above[b.layer], costs, traffic) for b in self.blocks
        }
        for layer in range(model.layers):
            if model.sliced(layer):
                name = neurons_block(model, layer).name
                work[name] = neurons_cycles_per_tick(model, layer, above[layer], costs, traffic)
        return work

    def application(self, costs: Mapping[str, Cost]) -> Application:
        """Return the application: all replicas, the optimiser and the host."""
        options, traffic = self.options, _traffic(self.model, self.options)
        return build_application(
            self.model, options.replicas, self.machine, self.sram, options.transport, self.parts,
            traffic, self.cycles(costs), options.exchange,
        )  # fmt: skip

    def mapping(self, application: Application) -> ChipMapping:
        """Return where the application goes: from a file, or placed and routed.

        Raises
        ------
        MappingError
            If it fits nowhere; with what would help the optimiser, where that is too large.
        """
        options, machine = self.options, self.machine
        if options.mapping_file:
            return read_mapping(options.mapping_file, machine, application)
        placer: str | Placer = options.placer
        if options.chips is not None:
            placer = _over_chips(options.placer, options.chips)
        try:
            mapping = map_application(application, machine, placer, options.router, options.seed)
        except MappingError as error:
            advice = optimiser_advice(self.sram, self.blocks, _app_data(machine), options.exchange)
            if not advice:
                raise
            raise MappingError(error.subject, [*error.problems, *advice]) from error
        several = machine.chips is not None and len(machine.chips) > 1
        return mapping.with_tables() if several else mapping


def _app_data(machine: Machine) -> int:
    """Return the bytes of a PE's SRAM that an application has."""
    return machine.description.integer("pe.app_data_kb") * 1024


def _traffic(model: Model, options: ChipOptions) -> Traffic:
    return Traffic.assumed(model, per_neuron=options.expected_spikes)


def _over_chips(placer: str, chips: int) -> Placer:
    """Return the placer that uses so many chips."""
    if placer != "spread":
        raise MappingError(
            "mapping",
            [
                f"mapping.chips = {chips}: the placer spread uses so many chips, {placer} knows "
                'nothing of it; take mapping.placer = "spread"'
            ],
        )
    return partial(spread.place, chips=chips)
