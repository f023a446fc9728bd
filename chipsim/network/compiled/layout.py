"""Where everything stands: the network's state as a handful of flat arrays.

All state lies in flat ``int64`` arrays of *records* with a fixed stride. A thing is referred to by
its **base**, the position of its record's first word, so that a field is one add away
(``ports[p + HEAD]``). Records, and not one array per field, because a hop reads most fields of a
port, a channel and a copy together: one or two cache lines instead of six to ten.

Nothing here is compiled, but every kernel freezes these numbers in; hence the mark that puts this
file into the cache's hash: ``from chipsim.compiled import compiled``.
"""

from __future__ import annotations

from chipsim.machine import route

NONE = -1
NEVER = 2**62
"""A time that is not known yet (a credit whose packet has not left)."""
LATEST = 2**60
"""Times and gaps given from outside lie below, so that sums do not overflow."""


# --- scalars ---------------------------------------------------------------------------------
NOW = 0  # the last instant that has been processed, or the time reached
NEXT = 1  # time of the next event, kept at the end of every call from Python
SHIFT = 2  # log2 of the wheel's slot width
SLOT_END = 3  # end of the wheel's current slot; events before it stand in the near heap
EVENT_FREE = 4  # head of the free list, and its length, for three pools
EVENT_ROOM = 5
COPY_FREE = 6
COPY_ROOM = 7
PACKET_FREE = 8
PACKET_ROOM = 9
NEAR_COUNT = 10  # instants of the current slot that hold events
FAR_COUNT = 11
DIRTY_COUNT = 12  # outputs to arbitrate at this instant
DUE_COUNT = 13  # ports whose head has waited long enough to be dropped
FIRED_COUNT = 14  # watches that fired at this instant
EVENT_NEED = 15  # events, copies and log rows that one round can use at most
COPY_NEED = 16
LOG_NEED = 17
LOG_COUNT = 18
DROP_HEAD = 19  # list of dropped copies that nobody has taken yet
DROP_TAIL = 20
DROP_COUNT = 21
SENT = 22
INJECTED = 23
EXPECTED = 24
DELIVERED = 25
DROPPED = 26
OVERWRITTEN = 27
PACKET_HOPS = 28
CONSUME = 29  # options
HOP_LOG = 30
WINDOW_START = 31
WINDOW_END = 32
BIN = 33
BINS = 34  # 0: no window statistics
CREATED = 35  # window statistics
DELIVERED_OF_CREATED = 36
DELIVERED_IN_WINDOW = 37
LATENCY_SUM = 38
LATENCY_MAX = 39
DUE_START = 40  # where the lists of due ports and fired watches begin
FIRED_START = 41
LOG_CAPACITY = 42
PORT_COUNT = 43
ROUTE_COUNT = 44
INBOX_COUNT = 45
ERROR_SEED = 46
QUEUE_PEAKS = 47  # whether queues are measured
AHEAD = 48  # below this room for events their cache lines are fetched (see ``ahead``); 0: never
NEAR_BITS = 49  # where in ``near`` the lists' occupancy begins, one bit a list,
NEAR_SUMS = 50  # and that of its words
AHEAD_TO = 51  # events of the current slot before this time have been looked at
BITMAP = 52  # occupancy of the wheel, one bit a slot
SLOTS = 1024
BITMAP_WORDS = SLOTS // 64
SCALARS = BITMAP + BITMAP_WORDS

# --- ports: FIFOs of nodes, and what is on its way to sinks ------------------------------------
PORT_STRIDE = 16
HEAD = 0  # first and last copy in the FIFO or on its way to it, in order of arrival
TAIL = 1
FREE = 2  # FIFO: end of the last departed head's transmission; the next may be head from then
ASK = 3  # FIFO: since when the head asks, NONE while it does not; POOL: first copy not arrived yet
BIT = 4  # this port's bit in its node's requests
KIND = 5
FEEDER = 6  # LINK, SINK: the channel that feeds it; SOURCE: its source record
CREDIT = 7  # credit latency of the feeder (0 for a source)
CAPACITY = 8  # slots that the feeder has to watch, 0 where it need not
RING = 9  # slots known to be or become free: their times, ascending, in a ring
FRONT = 10
KNOWN = 11
WAIT = 12  # how long a packet may ask, NONE for ever
HOP = 13  # 1 where a visit counts as a packet-hop
END = 14  # SINK: inbox of event packets
DEADLINE = 15  # time of the port's next look at deadlines, or NONE; NOTED: in this very round
NOTED = -2

KIND_FIFO = 0
KIND_POOL = 1
KIND_SINK = 2
KIND_MASK = 3
KIND_SOURCE = 4  # flag

# --- channels --------------------------------------------------------------------------------
CHANNEL_STRIDE = 16
OPEN = 0  # first time at which it may grant as far as is known; NEVER: out of credit
BUSY = 1  # end of the current transmission
REQUESTS = 2  # bit per input port of its node
POINTER = 3  # round robin
WAKE = 4  # time of its pending wake event, or NONE
LATENCY = 5
FLIT = 6
PORT = 7  # far port
PACKETS = 8  # grants and flits so far
FLITS = 9
INPUTS = 10  # position of its node's ports in ``inputs``, and their number
INPUT_COUNT = 11
DIRTY = 12
MODE = 13

MODE_PLAIN = 0  # its node is a FIFO node, and every packet needs the same credit
MODE_POOL = 1  # any packet of an input may be the candidate
MODE_STALL = 2  # flag: far port is a stalling sink, whose slots memory packets do not need
MODE_NOTED = 4  # flag: at its grants something is drawn or counted (see ``notes``)

# --- further records of channels and ports, of machines with a Behaviour -----------------------
LINE_STRIDE = 8  # by channel
ERROR_LIMIT = 0  # draws below it hit a frame; 0: no errors
RESENT = 1
EMERGENCY = 2
GIVEN_UP_HERE = 3  # branches that asked for it too long
ISSUE = 4  # when a granted packet has left its FIFO; 0: with the end of its transmission
TYPES = len(route.PACKETS)  # by port: packets given up, one word a type
PATIENCE_STRIDE = 8  # by port
SECOND_WAIT = 0  # how long a packet may ask for its detours; 0: no emergency routing
MONITOR = 1  # record of the monitor that reads what is given up, or NONE
QUEUE_NEXT = 3  # LINK: first copy of its list that is not counted in QUEUED, or NONE
QUEUED = 4  # copies that wait, as far as counted; an inbox's are in its COUNT
QUEUE_PEAK = 5
MONITOR_STRIDE = 16
MONITOR_PORT = 0  # through which it sends
REGISTER_FREE = 1  # when the router's register can take the next packet
LAST_AGAIN = 2  # when the last packet is, or was, sent again; NONE before
READ_TIME = 3
INTERVAL = 4
QUEUE = 5
RECEIVED = 6
MISSED = 7
OVERFLOWED = 8

# --- sources: the scripts of source ports ------------------------------------------------------
SOURCE_STRIDE = 8
SCRIPT = 0  # first and last packet not yet accepted
SCRIPT_TAIL = 1
LEFT = 2
ACCEPTED = 3  # time of the last acceptance, NONE if never
PENDING = 4  # time of its pending inject event, or NONE
WATCH_ACCEPTED = 5  # 1: armed
SOURCE_PORT = 6
BLOCKED = 7  # packets that found the port full when their time had come

# --- inboxes: two per endpoint -----------------------------------------------------------------
INBOX_STRIDE = 8
FIRST = 0
LAST = 1
COUNT = 2
WATCH = 3  # fire at this count; 0: not armed
LIMIT = 4  # capacity, NEVER = unlimited; 0: a dump, which drops everything
FULL = 5  # policy
SINK_PORT = 6  # whose slots a take frees; NO_SLOTS for memory; NONE: the endpoint has no sink
NO_SLOTS = -2
FULL_DROP = 1  # values of FULL that the kernels know: FullPolicy.DROP, FullPolicy.OVERWRITE
FULL_OVERWRITE = 2

# --- packets -----------------------------------------------------------------------------------
PACKET_STRIDE = 16
SOURCE = 0
SEQ = 1
KEY = 2
PAYLOAD = 3  # two words of 64 bit
NET = 5
TICK = 6
TAG = 7
INJECTED_AT = 8
EARLIEST = 9
GAP = 10
REMAINING = 11  # leaves that have not ended
MEMORY = 12  # INBOX_STRIDE for memory traffic, else 0: the offset of its inbox
ROOT = 13  # its copy while it waits in a script
LINK = 14  # next packet of the script, or of the free list
MEASURED = 15  # 1: created in the measuring window

# --- copies -------------------------------------------------------------------------------------
COPY_STRIDE = 8
PACKET = 0
STAGE = 1
ARRIVED = 2
MASK = 3  # branches not granted yet; of a dropped copy the branches that were dropped
LAST_END = 4  # end of the last transmission granted at this node, NONE before; time of a drop
HOPS = 5
WAITED = 6
AFTER = 7  # next copy in FIFO, inbox, log of drops or free list
# a dropped copy says its port in ARRIVED

# --- events: (time, next << 32 | code), code = base << 3 | kind ---------------------------------
EVENT_STRIDE = 2
TIME = 0
CODE = 1
EVENT_HEAD = 0  # FIFO port: its head may ask
EVENT_SINK = 1  # sink port: its first copy is delivered
EVENT_WAKE = 2  # channel: it may grant again
EVENT_INJECT = 3  # source: the script's next packet may be accepted
EVENT_POOL = 4  # pool port: a copy arrives
EVENT_DEADLINE = 5  # port: somebody may have waited long enough

SLOT_STRIDE = 2
SLOT_FIRST = 0  # first event << 1 | whether the slot holds different times
SLOT_TIME = 1  # the earliest

# --- routes -------------------------------------------------------------------------------------
# A stage's record: two words, then one record a branch; filled up to whole cache lines, so that a
# stage of one branch is one line.
STAGE_LINE = 8
TWIN = 0  # the stage with its detours, NONE without; of a twin: -2 - the stage it belongs to
TALLY = 1  # counter of what a packet router sees, or NONE
FIRST_BRANCH = 2
BRANCH_STRIDE = 6
TO = 0  # channel's base
STAGE_THERE = 1  # stage at the far end, NONE at a sink
MASK_THERE = 2  # a bit for each of that stage's branches
FLITS_HERE = 3
LEAVES = 4
TYPE_HERE = 5  # the packet's type: how many packets were given up is counted by type
ROUTE_STRIDE = 8
ROUTE_PORT = 0
ROUTE_STAGE = 1
ROUTE_MASK = 2  # a bit for each branch of the first stage
ROUTE_LEAVES = 3
ROUTE_MEMORY = 4

# --- hop log ------------------------------------------------------------------------------------
LOG_STRIDE = 7  # source, seq, channel, arrived, granted, far, net

# --- looking ahead: (step of the chain, base) of each event -------------------------------------
CHASED = 96  # chains followed together
CHASE_STRIDE = 2

# --- what a kernel returns ----------------------------------------------------------------------
DONE = 0
GROW_EVENTS = 1
GROW_COPIES = 2
GROW_LOG = 3
