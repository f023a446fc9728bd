from __future__ import annotations

import pytest

from chipsim.errors import NetworkError
from chipsim.network.traffic.spec import Parameter, Spec, bind, parse

K = Parameter("k", int, 4, "copies", low=1)
SHARE = Parameter("share", float, None, "share", high=1)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("uniform", Spec("uniform")),
        (" bit-reverse ", Spec("bit-reverse")),
        ("multicast(4)", Spec("multicast", (("", "4"),))),
        ("multicast:4", Spec("multicast", (("", "4"),))),
        ("hotspot(node = 3, share=0.5)", Spec("hotspot", (("node", "3"), ("share", "0.5")))),
        ("hotspot:node=3,share=0.5", Spec("hotspot", (("node", "3"), ("share", "0.5")))),
        (
            "spiking(period=5, to=multicast(4, sets=2))",
            Spec("spiking", (("period", "5"), ("to", "multicast(4, sets=2)"))),
        ),
        ("replay:out/a,b=c.csv", Spec("replay", (("", "out/a,b=c.csv"),))),
        ("replay(out/x)", Spec("replay", (("", "out/x"),))),
        ("replay:", Spec("replay")),
    ],
)
def test_patterns_are_read(text: str, spec: Spec) -> None:
    assert parse(text) == spec


@pytest.mark.parametrize("text", ["", "4", "uniform)", "multicast(4", "Uniform", "a b"])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(NetworkError, match=r"expected NAME, NAME:ARGUMENTS or NAME\(ARGUMENTS\)"):
        parse(text)


def test_arguments_by_position_name_and_default() -> None:
    assert bind(parse("p:2,0.5"), [K, SHARE]) == {"k": 2, "share": 0.5}
    assert bind(parse("p:share=1"), [K, SHARE]) == {"k": 4, "share": 1.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("p:1,1,1", "'1' is one argument too many; it takes k, share"),
        ("p:kk=1", "unknown argument 'kk'; did you mean 'k'?"),
        ("p:1,k=2", "argument 'k' is given twice"),
        ("p:0,1", "k = 0; expected a whole number, 1 or more"),
        ("p:x,1", "k = x; expected a whole number"),
        ("p:1,nan", "share = nan; expected a number, 0 to 1"),
        ("p:1,1.5", "share = 1.5; expected a number, 0 to 1"),
        ("p", "no share given; write p:share=..."),
    ],
)
def test_wrong_arguments(text: str, message: str) -> None:
    with pytest.raises(NetworkError) as caught:
        bind(parse(text), [K, SHARE])
    assert message in str(caught.value)
