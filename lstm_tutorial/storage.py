"""What a pass costs, counted: its matrix products, and what it keeps for the backward pass.

    with Products() as products:
        layer(x)
    products.count                                   # those of a backward pass inside count too

    kept = Kept(lambda: layer(x), given=layer.parameters())
    kept.bytes, kept.tensors

Counts are exact and the same on every machine, unlike times; ``python -m lstm_tutorial bench`` has those.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode

PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "mv", "addmv")


class Products(TorchDispatchMode):
    """A context that counts the matrix products torch is asked for in it, the backward pass's too.

    A fused kernel (``nn.LSTM``) asks for none: what happens inside it is not seen.
    """

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += function.overloadpacket.__name__.rstrip("_") in PRODUCTS
        return function(*args, **(kwargs or {}))


class Kept:
    """What autograd keeps alive for the backward pass of ``run()``: every piece of memory once.

    run: a function without arguments; given: tensors that would be there anyway, and do not count.
    ``.tensors`` are those kept, ``.bytes`` the size of their memory, ``.out`` what run returned.
    """

    def __init__(self, run, given=()):
        there = {_memory(a) for a in given}
        saved = {}

        def keep(a):
            if _memory(a) not in there:
                saved.setdefault(_memory(a), a)
            return a

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda a: a):
            self.out = run()
        self.tensors = list(saved.values())
        self.bytes = sum(a.untyped_storage().nbytes() for a in self.tensors)

    def letters(self, tape, x):
        """Which quantities of a step are among the tensors kept, recognised by their values.

        tape: of the same run by ``numpy_lstm.forward``, whose y, c, gates and candidates, each (T, B, H), are
        looked for, as are a GRU's 1 − u and its q (see :mod:`lstm_tutorial.bptt.gru`); x (T, B, D). Returns
        {letter: how many numbers are kept for a unit (for x, an input) and step}.
        """
        known = {"x": x} | {k: getattr(tape, k) for k in (*tape.spec.blocks, "y")}
        if tape.spec.has_cell:
            known |= {"c": tape.c, "h(c)": tape.extra}
        elif "u" in tape.spec.blocks:
            known |= {"1−u": 1 - tape.u, "q": tape.extra}
        T, B, _ = x.shape
        middle = {k: torch.as_tensor(v)[T // 2] for k, v in known.items()}
        found = dict.fromkeys(known, 0)
        for piece in self._pieces(B):
            for letter, value in middle.items():
                H = value.shape[-1]
                if piece.shape[-1] % H == 0:
                    chunks = piece.split(H, -1)
                    found[letter] += sum(torch.allclose(c, value.to(c), rtol=0, atol=1e-6) for c in chunks)
        return {letter: n for letter, n in found.items() if n}

    def _pieces(self, B):
        """Every (B, ·) slice of the tensors kept."""
        for a in self.tensors:
            if a.is_floating_point() and a.ndim >= 2 and a.numel() % (B * a.shape[-1]) == 0:
                yield from a.detach().reshape(-1, B, a.shape[-1])


def _memory(a):
    return a.untyped_storage().data_ptr()
