"""The exchange between batches: gradients to the optimiser, new weights to all replicas.

One optimiser PE reads the gradients of all replicas by DMA (``gather``); or a tree over the layers'
own PEs sums them first (``tree``); or several PEs serve a part of the weights each (``sharded``).
"""

from eventprop_apps.exchange.broadcast import WeightReceiver, broadcast, packets_of
from eventprop_apps.exchange.gather import gather
from eventprop_apps.exchange.master import DramStore, Master, SramStore, Store
from eventprop_apps.exchange.meter import ExchangeMeter
from eventprop_apps.exchange.options import ExchangeOptions
from eventprop_apps.exchange.pieces import CHUNK_WORDS, Chunk, Piece, chunks, cut
from eventprop_apps.exchange.tree import TREE_BARRIER, TREE_READS, TreeReducer, edges, roots

__all__ = [
    "CHUNK_WORDS",
    "TREE_BARRIER",
    "TREE_READS",
    "Chunk",
    "DramStore",
    "ExchangeMeter",
    "ExchangeOptions",
    "Master",
    "Piece",
    "SramStore",
    "Store",
    "TreeReducer",
    "WeightReceiver",
    "broadcast",
    "chunks",
    "cut",
    "edges",
    "gather",
    "packets_of",
    "roots",
]
