"""Where an application goes on a machine: placement, routes, keys, their check and their figures.

>>> from chipsim.machine.library import load_machine
>>> from chipsim.mapping import Application, Net, Vertex, map_application
>>> two = Application("two", (Vertex("a", group=0), Vertex("b", group=0)), (Net("n", "a", ("b",)),))
>>> mapping = map_application(two, load_machine("spinnaker2"))
>>> mapping.table()["place"]
['PE(1,1,0)', 'PE(1,1,1)']
>>> mapping.metrics().worst_latency_ns
33.334
"""

from chipsim.mapping.application import Application, Net, Place, Vertex
from chipsim.mapping.keys import KeyBlock, allocate_keys
from chipsim.mapping.mapping import Mapping, map_application

__all__ = [
    "Application",
    "KeyBlock",
    "Mapping",
    "Net",
    "Place",
    "Vertex",
    "allocate_keys",
    "map_application",
]
