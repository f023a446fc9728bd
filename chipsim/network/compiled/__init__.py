"""The compiled network: an event loop over flat arrays in Numba (DESIGN §4).

Read in this order: ``layout`` (records and their fields), ``state`` (how kernels see them),
``queue`` (events), ``credits``, ``ports`` (FIFOs and scripts), ``arbitration``, ``deadlines``,
``sinks``, ``loop`` (an instant), then ``script`` (sending), ``inbox`` (taking), ``walk`` (looking),
``sound`` and ``routes``, ``build``, ``memory``, ``columns`` and ``network`` (the protocol).
"""

from chipsim.network.compiled.network import Network

__all__ = ["Network"]
