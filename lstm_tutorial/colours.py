"""One colour per gate, in every diagram, plot and table of the course.

The palette is Okabe and Ito's (2008), which people with the common forms of colour blindness can tell
apart. The GRU's three blocks take the colours of the LSTM's parts that do the same job: the candidate n
is the block input z, the update gate u decides what is kept as f does, and the reset gate r decides
what of the state is read as o does.
"""

OKABE_ITO = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky blue": "#56B4E9",
    "bluish green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "reddish purple": "#CC79A7",
}

GATE_COLOURS = {
    "z": OKABE_ITO["bluish green"],
    "i": OKABE_ITO["blue"],
    "f": OKABE_ITO["vermilion"],
    "o": OKABE_ITO["reddish purple"],
    "c": OKABE_ITO["orange"],
    "y": OKABE_ITO["black"],
    "r": OKABE_ITO["reddish purple"],
    "u": OKABE_ITO["vermilion"],
    "n": OKABE_ITO["bluish green"],
}

# Cells beside each other: each wears the colour of what it has lost; the whole LSTM is black.
CELL_COLOURS = {
    "lstm": OKABE_ITO["black"],
    "no_srnn": GATE_COLOURS["z"],
    "no_srnn_out": GATE_COLOURS["o"],
    "no_srnn_hidden": OKABE_ITO["sky blue"],
    "srnn": GATE_COLOURS["f"],
    "no_gates_as_published": GATE_COLOURS["c"],
}


def colour(letter: str) -> str:
    """The colour of z, i, f, o, c, y, r, u or n as ``#RRGGBB``; for lines and areas.

    Raises ValueError for any other letter.
    """
    try:
        return GATE_COLOURS[letter]
    except KeyError:
        raise ValueError(f"colours belong to {', '.join(GATE_COLOURS)}, not to {letter!r}.") from None


def tint(letter: str, share: float = 0.2) -> str:
    """A light version of ``colour(letter)`` to fill boxes with: ``share`` of it, the rest white."""
    return _mix(colour(letter), 255, share)


def ink(letter: str, share: float = 0.6) -> str:
    """A dark version of ``colour(letter)`` for words on white: ``share`` of it, the rest black.

    The default gives every letter a contrast of at least 4.5 : 1, as WCAG 2 asks of text.
    """
    return _mix(colour(letter), 0, share)


def _mix(hex_colour, other, share):
    parts = (int(hex_colour[k : k + 2], 16) for k in (1, 3, 5))
    return "#" + "".join(f"{round(share * part + (1 - share) * other):02X}" for part in parts)
