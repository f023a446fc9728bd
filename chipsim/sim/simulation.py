"""The simulation: a mapped application on a machine, its programs, its network and its clock.

Everything happens in one SimPy environment with integer picoseconds. The compiled network is lazy:
it is advanced when a core looks at its inbox, and, while somebody waits for a packet, up to the
next SimPy event, never past it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import simpy
from numpy.typing import NDArray

from chipsim.errors import ProgramError, did_you_mean
from chipsim.machine import wounds
from chipsim.machine.route import Route
from chipsim.mapping.application import Net
from chipsim.mapping.mapping import Mapping as ChipMapping
from chipsim.network.api import Deliveries, NetworkOptions, Sends
from chipsim.seeds import derive
from chipsim.sim import core_counters, provenance, stall
from chipsim.sim.barrier import Barrier
from chipsim.sim.blocks import WordBlock
from chipsim.sim.clock import TickClock
from chipsim.sim.cores import Cores
from chipsim.sim.costs import Cost, CostTable
from chipsim.sim.dma import DmaEngine
from chipsim.sim.dvfs import ClockLevels
from chipsim.sim.flits import collect_block_whole
from chipsim.sim.host import HostLink
from chipsim.sim.memory import MemoryPort
from chipsim.sim.networks import make_network
from chipsim.sim.operations import Operations
from chipsim.sim.pacer import Pacer
from chipsim.sim.packet_router import plan_by_tables
from chipsim.sim.pe import ProcessingElement
from chipsim.sim.program import Kernel, Program
from chipsim.sim.sends import Draft, NetHandle, SendPlan, numbered
from chipsim.sim.settings import ChipSettings
from chipsim.sim.sram_table import SramUse, sram_table
from chipsim.sim.steps import StepGroup
from chipsim.sim.ticks import TickLog
from chipsim.sim.timers import TimerOptions, Timers
from chipsim.sim.trace import Tracer
from chipsim.sim.transfers import Transfers
from chipsim.sim.watches import Watches
from chipsim.trace.probes import Probes
from chipsim.trace.provenance import Missed, Row
from chipsim.trace.recorder import Recorder
from chipsim.units import FOREVER, us

_DEADLOCK_TICKS = 256
"""Ticks between two looks for packets that can never move again."""

_STOP_CHECK = 64
"""SimPy events between two looks at the stop flag."""


class Simulation:
    """One run of an application on a machine.

    Parameters
    ----------
    mapping : chipsim.mapping.mapping.Mapping
        The application with placement, routes and keys on a machine.
    programs : mapping of vertex name to Program
        One instance per vertex that computes; vertices on memory or host interfaces have none.
    network : str
        ``compiled`` or ``simpy``.
    tick_us : float, optional
        Tick length [us]; the chip's default if None.
    level : str, optional
        Policy of the PEs' clock levels (``low``, ``high``, ``auto``; see :mod:`chipsim.sim.dvfs`);
        the chip's default (``pe.dvfs``) if None.
    timers : mapping, optional
        How the PEs' timers differ: ``phase``, ``spread``, ``drift_ppm``, ``seed`` (see
        :mod:`chipsim.sim.timers`), in place of the chip's ``pe.timer_...``.
    costs : mapping of str to Cost, optional
        The application's operation costs, beside the chip's own.
    recorder : Recorder, optional
    probes : sequence of objects, optional
        See :mod:`chipsim.trace.probes`.

    Attributes
    ----------
    short_cuts : bool
        Whether compiled code may take, record and send packets that nobody else looks at, with the
        same result. Set it False before the run to have every packet pass through columns.
    directory : ndarray of int64 or None
        The compiled network's, while short cuts are taken.

    Raises
    ------
    SramError
        If a program's regions do not fit its PE.
    """

    def __init__(
        self,
        mapping: ChipMapping,
        programs: Mapping[str, Program],
        *,
        network: str = "compiled",
        tick_us: float | None = None,
        level: str | None = None,
        timers: Mapping[str, object] | None = None,
        costs: Mapping[str, Cost] | None = None,
        recorder: Recorder | None = None,
        probes: Sequence[object] = (),
    ) -> None:
        self.mapping = mapping
        self.by_tables = plan_by_tables(mapping)
        self.machine = self.by_tables.machine
        self.levels = ClockLevels.read(self.machine.description, level)
        self.settings = ChipSettings.read(self.machine.description, tick_us)
        self.clock_mhz = self.levels.mhz[self.levels.base]
        self.sram_limit = self.settings.sram_bytes
        self.env = simpy.Environment()
        self.clock = TickClock(self.env, us(self.settings.tick_us), us(self.settings.tick_us))
        self.costs = CostTable({**self.settings.costs, **(costs or {})})
        self.tick_cycles = self.costs.cost("tick_overhead")
        self.send_cycles = self.costs.cost("send_per_qpe")
        self.send_gap_ps = self.levels.times(self.send_cycles)
        self.tick_handlers = 0
        self.probes = Probes(probes)
        self.stop_requested = False
        self._nothing_left = False
        self._reached = -1
        self._leaves: list[int] = []
        self.timers: Timers | None = None
        self.short_cuts = True
        self.directory: NDArray[np.int64] | None = None
        self.watches = Watches(self)
        self.network = make_network(
            network, self.machine, self.env, self.watches.notify,
            NetworkOptions(
                hop_log=recorder is not None and recorder.writes_hops,
                queue_peaks=recorder is not None and recorder.writes_packets,
                error_seed=derive(mapping.seed, "link errors"),
            ),
        )  # fmt: skip
        self._build_pes(programs)
        self._set_timers(TimerOptions.read(self.machine.description, timers))
        self._set_stuck()
        self.operations: Operations | None = None
        self.tracer = Tracer(self, recorder)
        self._pacer = Pacer(
            self.env, self.network, self.watches, self.tracer.observer, self._stalled
        )
        self._build_nets()
        self.sequence = np.zeros(len(self.vertex_number), dtype=np.int64)
        self._groups: dict[int, StepGroup] = {}
        self._barriers: dict[str, Barrier] = {}
        self.transfers = Transfers(self)
        self.clock.subscribe(self._begin_tick)
        if self.probes.on_tick:
            self.clock.subscribe(self._show_tick)
        self.probes.start(self)

    # ------------------------------------------------------------------------------ building
    def _build_pes(self, programs: Mapping[str, Program]) -> None:
        names = [str(vertex.name) for vertex in self.mapping.application.vertices]
        self.vertex_number = {name: i for i, name in enumerate(names)}
        unknown = [name for name in programs if name not in self.vertex_number]
        if unknown:
            raise ProgramError(
                f"programs for unknown vertices: {unknown[0]!r}"
                f"{did_you_mean(unknown[0], self.vertex_number)}"
            )
        self.endpoint_of = {str(v): int(e) for v, e in self.mapping.placement.items()}
        self.pes: dict[str, ProcessingElement] = {}
        running = [name for name in names if name in programs]
        endpoints = np.array([self.endpoint_of[name] for name in running], dtype=np.int32)
        self.tick_log = TickLog(self.clock)
        self.cores = Cores(self.machine, endpoints, self.tick_log)
        self.cores.level[:] = self.levels.base
        self.cores.threshold[:] = self.levels.threshold_packets
        for core, name in enumerate(running):
            program = programs[name]
            pe = ProcessingElement(self, name, core, int(endpoints[core]), program)
            for region, nbytes in program.sram().items():
                pe.sram.reserve(region, nbytes)
            self.pes[name] = pe
        self.pe_list = list(self.pes.values())
        self.start_order = list(self.pes)
        self.vertex_at = {self.endpoint_of[name]: i for i, name in enumerate(names)}

    def _set_timers(self, options: TimerOptions) -> None:
        if not options.uniform:
            self.timers = Timers(self, options)

    def _set_stuck(self) -> None:
        """Tell the PEs whose programs hang from which tick on they do."""
        stuck = wounds.stuck(self.machine)
        if stuck:
            tick = self.machine.description.integer("faults.stuck_at_tick")
            for pe in self.pe_list:
                pe.stuck_from = tick if pe.endpoint in stuck else None

    def _build_nets(self) -> None:
        self.strangers = core_counters.Strangers(self.machine)
        self.net_names: list[str] = []
        self.net_index: dict[str, int] = {}
        numbers = iter(
            self.add_routes([route for net in self._sent() for route in self._given(net)])
        )
        for index, net in enumerate(self.mapping.application.nets):
            name, source = str(net.name), str(net.source)
            self.net_names.append(name)
            self.net_index[name] = index
            if source not in self.pes or net.dma:
                continue
            block = self.mapping.keys[net.name]
            keyed = self.by_tables.routes.get(net.name, [])
            given = self._given(net)
            routes = np.array([next(numbers) for _ in given], dtype=np.int32)
            if keyed:
                self.strangers.learn(index, given, [self.endpoint_of[str(v)] for v in net.sinks])
            self.pes[source].nets[name] = NetHandle(
                name=name,
                index=index,
                source=self.vertex_number[source],
                port=int(self.machine.endpoint_port[self.endpoint_of[source]]),
                base=block.base,
                size=block.size,
                routes=routes[:1] if keyed else routes,
                by_key=tuple(
                    (found.pattern.key, found.pattern.mask, int(number))
                    for found, number in zip(keyed[1:], routes[1:], strict=False)
                ),
                payload_words=-(-net.payload_bits // 32),
                incoming=self._blocks_into(net.source),
            )
        for pe in self.pe_list:
            pe.plan_nets()

    def _sent(self) -> Iterator[Net]:
        """Yield the nets that a program sends, which is all but those of DMA engines."""
        for net in self.mapping.application.nets:
            if str(net.source) in self.pes and not net.dma:
                yield net

    def _given(self, net: Net) -> Sequence[Route]:
        """Return a net's routes: what the tables make of it, or the mapping's own."""
        keyed = self.by_tables.routes.get(net.name, [])
        typed = self.by_tables.chip_routes.get(net.name, [])
        tabled = [found.route for found in keyed] + [found.route for found in typed]
        return tabled or self.mapping.routes[net.name]

    def _blocks_into(self, vertex: object) -> tuple[tuple[int, int], ...]:
        """Return first key and size of the nets that reach a vertex."""
        nets = self.mapping.application.incoming(vertex)
        blocks = [self.mapping.keys[net.name] for net in nets if not net.dma]
        return tuple((block.base, block.size) for block in blocks)

    def send_plan(self, nets: Sequence[str]) -> SendPlan:
        """Return the nets of a kernel's rows, by name, as one plan for :meth:`StepCall.send`."""
        handles = []
        for name in nets:
            source = str(self.mapping.application.nets[self.net_index[name]].source)
            handles.append(self.pes[source].nets[name])
        return SendPlan(handles)

    def bind(self, kernel: Kernel, vertices: Sequence[str]) -> StepGroup:
        """Let a kernel run on the PEs of ``vertices``; row i of its state is the i-th of them."""
        cores = np.array([self.pes[name].core for name in vertices], dtype=np.int32)
        group = self._groups[id(kernel)] = StepGroup(self, kernel, cores, len(self._groups))
        self.clock.subscribe(group.on_tick)
        return group

    def add_barrier(self, name: str, members: Sequence[str]) -> Barrier:
        """Declare a barrier among vertices."""
        barrier = Barrier(
            self.env, name, members, us(self.machine.description.number("pe.barrier_us"))
        )
        barrier.on_release.append(self.settle)
        self._barriers[name] = barrier
        return barrier

    def _begin_tick(self, tick: int) -> bool:
        """Bring network and cores up to the tick, before the groups look at their cores.

        Now and then, stop a run whose packets can never move again while PEs tick on.
        """
        self.settle()
        if tick % _DEADLOCK_TICKS == _DEADLOCK_TICKS - 1:
            idle = [pe.endpoint for pe in self.pe_list if pe.finished]
            self._check_deadlock(2 * self.clock.tick_ps, idle)
        return False

    def settle(self, _: int = 0) -> None:
        """Bring the network up to now, and close the handlers that have ended."""
        self.synchronise()
        self.cores.settle_all(self.network, int(self.env.now), self.directory)

    def _check_deadlock(self, limit_ps: int, undrained: Sequence[int]) -> None:
        if not self.network.counters().in_flight:
            return
        from chipsim.network import deadlock  # brings networkx, which short runs can do without

        deadlock.check(self.network, int(self.env.now), limit_ps, undrained)

    def _show_tick(self, tick: int) -> bool:
        """Tell the probes of a tick; they do not keep the clock running."""
        self.probes.tick(tick, int(self.env.now))
        return False

    # --------------------------------------------------------------------------------- parts
    def group_of(self, kernel: Kernel, pe: ProcessingElement) -> StepGroup:
        """Return the group of a kernel that a PE belongs to."""
        group = self._groups.get(id(kernel))
        if group is None or pe.core not in group.row_of:
            raise ProgramError(
                f"{pe.label}: kernel {type(kernel).__name__} is not bound to this PE; "
                "call simulation.bind(kernel, vertices) before the run"
            )
        return group

    def barrier(self, name: str) -> Barrier:
        """Return a declared barrier."""
        if name not in self._barriers:
            raise ProgramError(
                f"no barrier {name!r}{did_you_mean(name, self._barriers)}; "
                "declare it with simulation.add_barrier"
            )
        return self._barriers[name]

    def barriers(self) -> list[Barrier]:
        """Return the declared barriers, in the order of their declaration."""
        return list(self._barriers.values())

    def memory(self, endpoint: int) -> MemoryPort:
        """Return an endpoint's memory port."""
        return self.transfers.memory(endpoint)

    def dma(self, endpoint: int) -> DmaEngine:
        """Return an endpoint's DMA engine."""
        return self.transfers.dma(endpoint)

    @property
    def host(self) -> HostLink:
        """The host link."""
        return self.transfers.host

    # ------------------------------------------------------------------------------ sending
    def add_routes(self, routes: Sequence[Route]) -> NDArray[np.int32]:
        """Register routes with the network and return their numbers."""
        self._leaves.extend(route.leaves for route in routes)
        return self.network.add_routes(routes)

    def leaves_of(self, routes: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return the number of copies that a packet on each route becomes."""
        return np.array(self._leaves, dtype=np.int64)[routes]

    def send(self, sends: Sends, by_software: bool = True) -> None:
        """Hand packets to the network, past the probes and the tracer."""
        self.tracer.sends(sends, by_software)
        if self.probes.on_sends:
            before = sends
            sends = self.probes.sends(sends)
            self.tracer.probed(before, sends)
        if len(sends):
            self.synchronise()
            self.network.send(sends)

    def send_train(self, sends: Sends, net: int) -> None:
        """Hand a DMA train, all of one net, to the network."""
        if self.probes.on_sends:
            self.send(sends, by_software=False)
            return
        self.tracer.sent_train(net, len(sends))
        self.synchronise()
        self.network.send(sends)

    def send_from(self, core: int, drafted: Draft) -> None:
        """Send from one core, after everything its open handler has done so far."""
        cores = self.cores
        gap = self.send_gap_ps[cores.level.item(core)]
        first = max(int(cores.end_ps[core]), int(self.env.now)) + gap
        count = len(drafted)
        cores.packets_out[core] += count
        cores.written[core] += count
        cores.cycles[core] += self.send_cycles * count
        times = np.array([[first], [gap]], dtype=np.int64)
        self.send(numbered(drafted, times, int(cores.tick[core]), self.sequence))

    def drain(self, inboxes: NDArray[np.int32], tick: int, ticked: bool = True) -> Deliveries:
        """Take the packets of some event inboxes and account them as consumed in ``tick``.

        ``ticked`` says whether that tick started the handlers, or only passed meanwhile.
        """
        self.synchronise()
        now = FOREVER - 1 if self._nothing_left else int(self.env.now)
        taken = self.network.take(inboxes, now)
        if self.probes.on_deliveries:
            taken = self.probes.deliveries(taken)
        self.tracer.consumed(taken, tick, ticked)
        if self.strangers and len(taken):
            self.strangers.count(taken)
        return taken

    def drain_block(
        self, inboxes: NDArray[np.int32], block: WordBlock, tick: int, ticked: bool
    ) -> tuple[int, int]:
        """Do :meth:`drain`, and store the words of a block; return packets, and how many others."""
        if self.directory is not None and not ticked and not self._nothing_left:
            self.synchronise()
            found = self.tracer.take_whole(
                collect_block_whole, inboxes, int(self.env.now), tick, *block.arrays
            )
            if found is not None:
                return found[0], found[1]
        packets = self.drain(inboxes, tick, ticked)
        return len(packets), block.take(packets)

    def drain_memory(self, inbox: NDArray[np.int32], now_ps: int) -> Deliveries:
        """Take an endpoint's memory packets at ``now_ps``, which the network has reached."""
        taken = self.network.take(inbox, now_ps)
        self.tracer.consumed(taken, None)
        return taken

    # ------------------------------------------------------------------------------- waiting
    def synchronise(self) -> None:
        """Bring the lazy network up to now."""
        if self.network.lazy:
            now = int(self.env.now)
            if now == self._reached:
                return  # whatever was sent since then leaves later
            reached = self.network.advance(now)
            while reached < now:
                reached = self.network.advance(now)
            self._reached = now

    def script_left(self, core: int) -> int:
        """Return how many of a core's sends have not been accepted."""
        self.synchronise()
        return self.network.script_left(int(self.cores.port[core]))

    def handler_end(self, core: int) -> int:
        """Return when a core's open handler ends, as far as it has gone (now, if none is open)."""
        cores = self.cores
        if not cores.open[core]:
            return int(cores.busy_ps[core])
        end = int(cores.end_ps[core])
        if cores.packets_out[core]:
            end = max(end, self.network.last_accepted_ps(int(cores.port[core])))
        return end

    # ------------------------------------------------------------------------------ accounts
    def provenance(self) -> list[Row]:
        """Return what routers, links and cores have counted so far; see
        :mod:`chipsim.sim.provenance`.
        """
        self.settle()
        return provenance.rows(self)

    def missed_deadlines(self) -> list[Missed]:
        """Return the first handlers that ended after the next tick had begun."""
        self.settle()
        return core_counters.missed(self)

    def groups(self) -> Iterable[StepGroup]:
        """Return the groups of cores that run one kernel each."""
        return self._groups.values()

    def sram_table(self) -> list[SramUse]:
        """Return what every PE's SRAM holds, by region; see :mod:`chipsim.sim.sram_table`."""
        return sram_table(self)

    def charge_kernels(self) -> None:
        """Note in the cost table which operations the batched kernels and the system have done."""
        used = self.costs.used
        for group in self._groups.values():
            counts = group.counts.sum(axis=0).tolist()
            for name, count in zip(group.kernel.operations, counts, strict=True):
                used[name] = used.get(name, 0) + count
            group.charged += group.counts
            group.counts[:] = 0
        used["tick_overhead"] = self.tick_handlers
        used["send_per_qpe"] = self.tracer.packets_by_software

    # ------------------------------------------------------------------------------- running
    def start(self) -> None:
        """Start every PE's program (at time 0; ticks begin one tick later)."""
        if self.short_cuts and not self._packets_are_seen():
            self.directory = getattr(self.network, "directory", None)
        if self.directory is not None:
            self._pacer.serve(self.transfers.service.advance)
            self.clock.may_go_on = self._may_go_on
        self._unfinished = dict.fromkeys(pe.vertex for pe in self.pe_list)
        self.processes = [self.env.process(self.pes[name].run()) for name in self.start_order]

    def _packets_are_seen(self) -> bool:
        """Return whether somebody beside the recorder looks at single packets."""
        return bool(self.probes.on_sends or self.probes.on_deliveries or self.strangers)

    def program_ended(self, vertex: str) -> None:
        """Note that a PE's program has ended; the run ends with the last of them."""
        del self._unfinished[vertex]

    def run(self, until_ps: int | None = None) -> None:
        """Run until every program has ended, or until a time [ps], or until asked to stop.

        Raises
        ------
        StalledError
            If programs wait and nothing is under way that could wake one of them; or the error
            that a waiting effect names for that case.
        """
        if not hasattr(self, "processes"):
            self.start()
        # Bound once: this loop runs once an event.
        advance, unfinished = self._pacer.advance, self._unfinished
        while unfinished and not self.stop_requested:
            for _ in range(_STOP_CHECK):
                if not unfinished or not advance(until_ps):
                    break
            else:
                continue
            break
        if until_ps is not None and unfinished and not self.stop_requested:
            self._pass_time(until_ps)
        # The run ends with its last program, not with the SimPy events that happen to follow, so
        # that both network models stop at one time, in one state.
        self.synchronise()

    def _may_go_on(self, time_ps: int) -> bool:
        """Return whether nothing but a tick happens up to ``time_ps``, and at that time."""
        return not self.stop_requested and self._pacer.reach(time_ps)

    def _pass_time(self, until_ps: int) -> None:
        """Let the time go on to ``until_ps``, up to which nothing is left to happen."""
        if until_ps > self.env.now:
            self.env.run(until=until_ps)

    def _stalled(self) -> Exception:
        """Return the error of a run in which nothing can happen any more."""
        # What is under way arrives, though SimPy's clock stands: messages shall count it.
        self._nothing_left = self.network.lazy
        while self._nothing_left and self.network.advance(FOREVER - 1) < FOREVER - 1:
            pass
        error = stall.own_error(self.pe_list)
        if error is None:
            self._check_deadlock(0, [pe.endpoint for pe in self.pe_list])
            error = stall.all_wait(self.pe_list, int(self.env.now))
        return error
