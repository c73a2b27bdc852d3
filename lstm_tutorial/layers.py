"""``LSTM``: any cell of the catalogue as a layer that stands in for ``torch.nn.LSTM``."""

import warnings
from numbers import Number

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from .engines import ENGINES, choose, native
from .spec import as_spec


class LSTM(nn.Module):
    """Layers of one cell over a sequence: ``torch.nn.LSTM`` for every cell of the course.

    Parameters
    ----------
    spec : a CellSpec, or a name such as ``"vanilla"`` or ``"gru"``.
    input_size, hidden_size, num_layers, batch_first, dropout, bidirectional, device, dtype :
        as in ``torch.nn.LSTM``; ``dropout`` acts on the outputs of every layer but the last.
    engine : ``auto`` (the fastest that applies), ``autograd``, ``bptt`` or ``native``; see
        :mod:`lstm_tutorial.engines`. ``layer.engine`` says which one is in use.
    input_dropout, recurrent_dropout : dropout on the module's input and on y⁻ in the recurrent products,
        with one mask per sequence, the same at every step (Gal and Ghahramani 2016).

    Input and output
    ----------------
    ``y, (y_n, c_n) = layer(x, (y_0, c_0))``. x is (T, B, D), (B, T, D) with ``batch_first``, (T, D)
    without a batch, or a ``PackedSequence``; y has H (or 2H) in place of D; states are
    (num_layers · directions, B, H). A cell without c carries zeros there (and takes a bare y_0 as well);
    a gate-recurrent cell has a third state, the gates one step before, (num_layers · directions, B, 3H).

    Parameters are called as in the equations, with torch's suffix: ``W_z_l0``, ``R_f_l1_reverse``. They
    start from U(±1/√H).
    """

    def __init__(
        self,
        spec,
        input_size,
        hidden_size,
        num_layers=1,
        bias=True,
        batch_first=False,
        dropout=0.0,
        bidirectional=False,
        proj_size=0,
        device=None,
        dtype=None,
        *,
        engine="auto",
        input_dropout=0.0,
        recurrent_dropout=0.0,
    ):
        super().__init__()
        spec = as_spec(spec)
        if not bias:
            raise ValueError(
                "which biases a cell has is part of its spec: instead of bias=False give "
                "replace(spec, gate_reads='xy', content_reads='xy')."
            )
        if proj_size:
            raise ValueError(
                "no cell of this course has a projection: put an nn.Linear after the layer instead."
            )
        for name, size in (
            ("input_size", input_size),
            ("hidden_size", hidden_size),
            ("num_layers", num_layers),
        ):
            if not isinstance(size, int):
                raise TypeError(f"{name} is a whole number, not {size!r}.")
            if size < 1:
                raise ValueError(f"{name} is at least 1, not {size}.")
        for name, p in (
            ("dropout", dropout),
            ("input_dropout", input_dropout),
            ("recurrent_dropout", recurrent_dropout),
        ):
            if not isinstance(p, Number) or isinstance(p, bool) or not 0 <= p <= 1:
                raise ValueError(
                    f"{name} is the probability of dropping a number, between 0 and 1, not {p!r}."
                )
        if dropout > 0 and num_layers == 1:
            warnings.warn("dropout acts between layers, so with num_layers=1 it does nothing.", stacklevel=2)
        self.spec = spec
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.batch_first, self.bidirectional = batch_first, bidirectional
        self.dropout, self.input_dropout = float(dropout), float(input_dropout)
        self.recurrent_dropout = float(recurrent_dropout)
        self.engine = engine
        for k, suffix in enumerate(self._suffixes):
            width = input_size if k < self._directions else hidden_size * self._directions
            for name, shape in spec.parameter_shapes(width, hidden_size).items():
                setattr(self, name + suffix, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    @property
    def engine(self):
        """The engine in use. Assigning ``auto`` or a name changes it."""
        return self._engine

    @engine.setter
    def engine(self, name):
        self._engine = choose(name, self.spec, self.recurrent_dropout)

    @property
    def _directions(self):
        return 2 if self.bidirectional else 1

    @property
    def _suffixes(self):
        """_l0, _l0_reverse, _l1, …: one for each cell of the stack."""
        ends = ("", "_reverse")[: self._directions]
        return [f"_l{k}{end}" for k in range(self.num_layers) for end in ends]

    def reset_parameters(self, scale=None, generator=None):
        """Draw all parameters from U(−scale, scale), by default U(±1/√H); zeros where the spec has them."""
        scale = self.hidden_size**-0.5 if scale is None else scale
        with torch.no_grad():
            for name, p in self.named_parameters():
                if self.spec.starts_at_zero(name.partition("_l")[0]):
                    p.zero_()
                else:
                    p.uniform_(-scale, scale, generator=generator)

    def flatten_parameters(self):
        """Nothing to do; here because code written for ``torch.nn.LSTM`` calls it."""

    def extra_repr(self):
        defaults = dict(num_layers=1, batch_first=False, dropout=0.0, bidirectional=False)
        defaults |= dict(input_dropout=0.0, recurrent_dropout=0.0)
        changed = [f"{k}={getattr(self, k)}" for k, v in defaults.items() if getattr(self, k) != v]
        return ", ".join(
            [
                repr(self.spec.name),
                str(self.input_size),
                str(self.hidden_size),
                *changed,
                f"engine={self.engine!r}",
            ]
        )

    # The forward pass: layers, directions, and the shapes that torch.nn.LSTM takes.

    def forward(self, x, state=None):
        """y and the last state (see the class)."""
        if isinstance(x, PackedSequence):
            return self._forward_packed(x, state)
        if x.dim() not in (2, 3):
            raise ValueError(f"LSTM: expected input to be 2D or 3D, got {x.dim()}D instead.")
        batched = x.dim() == 3
        if not batched:
            x = x[:, None]
        elif self.batch_first:
            x = x.transpose(0, 1)
        if x.shape[0] == 0:
            raise RuntimeError("LSTM: expected a sequence of at least one step.")
        state = self._initial_state(state, x, x.shape[1], batched)
        run = ENGINES[self.engine]

        def over_time(params, x, state, mask, reverse):
            y, last = run(self.spec, params, x.flip(0) if reverse else x, state, mask)
            return (y.flip(0) if reverse else y), last

        y, state = self._stack(over_time, x, state, x.shape[1])
        if not batched:
            return y[:, 0], tuple(s[:, 0] for s in state)
        return (y.transpose(0, 1) if self.batch_first else y), state

    def _forward_packed(self, packed, state):
        """Sequences of several lengths, the longest first.

        A packed batch is a staircase: between two steps down, it is an ordinary rectangle.
        """
        sizes = packed.batch_sizes.tolist()
        state = self._initial_state(state, packed.data, sizes[0], True, packed.sorted_indices)
        run = ENGINES[self.engine]

        def over_time(params, data, state, mask, reverse):
            stairs = _backwards if reverse else _forwards
            return stairs(
                lambda x, s: run(self.spec, params, x, s, _top(mask, x)), _rectangles(data, sizes), state
            )

        rows = torch.cat([torch.arange(b) for b in sizes])  # which sequence each row of the data belongs to
        y, state = self._stack(over_time, packed.data, state, sizes[0], rows.to(packed.data.device))
        if packed.unsorted_indices is not None:
            state = tuple(s.index_select(1, packed.unsorted_indices) for s in state)
        return PackedSequence(y, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices), state

    def _stack(self, over_time, x, state, batch_size, rows=slice(None)):
        """All layers and directions; ``over_time`` runs one cell over the whole sequence.

        ``rows`` says which sequence each row of x belongs to, where x is packed.
        """
        if x.shape[-1] != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {x.shape[-1]}."
            )
        dtype = next(self.parameters()).dtype
        if x.dtype != dtype and not torch.is_autocast_enabled(x.device.type):
            raise ValueError(f"the input is {x.dtype} and the weights are {dtype}: give both the same dtype.")
        if any(s.dtype != x.dtype for s in state):
            raise RuntimeError(f"the input is {x.dtype} and a state is not: give all the same dtype.")
        if self.training and self.input_dropout:
            x = x * _dropout_mask(x.new_empty(batch_size, x.shape[-1]), self.input_dropout)[rows]
        last = []
        for layer in range(self.num_layers):
            ys = []
            for direction in range(self._directions):
                k = layer * self._directions + direction
                mask = None
                if self.training and self.recurrent_dropout:
                    mask = _dropout_mask(x.new_empty(batch_size, self.hidden_size), self.recurrent_dropout)
                y, s = over_time(self._cell(k), x, tuple(part[k] for part in state), mask, direction == 1)
                ys.append(y)
                last.append(s)
            x = ys[0] if len(ys) == 1 else torch.cat(ys, -1)
            if self.training and self.dropout and layer < self.num_layers - 1:
                x = nn.functional.dropout(x, self.dropout)
        return x, tuple(torch.stack(parts) for parts in zip(*last, strict=True))

    def _initial_state(self, state, x, batch_size, batched, order=None):
        """The state as (cells, B, width) tensors: given, or zeros."""
        cells, H = len(self._suffixes), self.hidden_size
        widths = (H, H, 3 * H) if self.spec.gate_recurrence else (H, H)
        zeros = tuple(x.new_zeros(cells, batch_size, w) for w in widths)
        if state is None:
            return zeros
        if isinstance(state, torch.Tensor):
            if self.spec.has_cell:
                raise RuntimeError(
                    f"the state of cell {self.spec.name!r} is a pair (y_0, c_0), not one tensor."
                )
            state = (state,)
        if not (1 if not self.spec.has_cell else 2) <= len(state) <= len(widths):
            raise RuntimeError(
                f"the state of cell {self.spec.name!r} has {len(widths)} entries, not {len(state)}."
            )
        for s in state:
            if s.dim() != (3 if batched else 2):
                kind = "3-D for a batched" if batched else "2-D for an unbatched"
                raise RuntimeError(f"states have to be {kind} input, but one is {s.dim()}-D.")
        if not batched:
            state = tuple(s[:, None] for s in state)
        for s, zero in zip(state, zeros, strict=False):
            if s.shape != zero.shape:
                raise RuntimeError(f"expected a state of size {tuple(zero.shape)}, got {tuple(s.shape)}.")
        if order is not None:
            state = tuple(s.index_select(1, order) for s in state)
        if not self.spec.has_cell:
            return state[0], zeros[1]
        return tuple(state) + zeros[len(state) :]

    def _cell(self, k):
        """The parameters of the k-th cell of the stack, by their names in the equations."""
        suffix = self._suffixes[k]
        width = self.input_size if k < self._directions else self.hidden_size * self._directions
        return {
            name: getattr(self, name + suffix) for name in self.spec.parameter_shapes(width, self.hidden_size)
        }

    # Weights to and from NumPy and torch.nn.

    def to_numpy(self):
        """A list with a dict of arrays per layer and direction: l0, l0_reverse, l1, …"""
        return [
            {name: p.detach().cpu().numpy().copy() for name, p in self._cell(k).items()}
            for k in range(len(self._suffixes))
        ]

    def load_numpy(self, params):
        """Copy parameters in: one dict, or a list of them as :meth:`to_numpy` gives it. Returns the layer."""
        cells = [params] if isinstance(params, dict) else list(params)
        if len(cells) != len(self._suffixes):
            raise ValueError(
                f"expected {len(self._suffixes)} dicts, one per layer and direction, got {len(cells)}."
            )
        for k, cell in enumerate(cells):
            ours = self._cell(k)
            if set(cell) != set(ours):
                raise ValueError(f"expected the parameters {', '.join(ours)}, got {', '.join(cell)}.")
            for name, p in ours.items():
                if tuple(p.shape) != tuple(np.shape(cell[name])):
                    raise ValueError(f"{name} is {tuple(p.shape)}, not {tuple(np.shape(cell[name]))}.")
        with torch.no_grad():
            for k, cell in enumerate(cells):
                for name, p in self._cell(k).items():
                    p.copy_(torch.as_tensor(cell[name]))
        return self

    def load_torch(self, state_dict):
        """Copy in the weights of a ``torch.nn.LSTM``, ``GRU`` or ``RNN`` of the same sizes. Returns self.

        Torch's two biases are added, but for b_hn of a GRU, which becomes b_Rn.
        """
        self._require_native()
        parts = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        names = [[part + suffix for part in parts] for suffix in self._suffixes]
        missing = {name for cell in names for name in cell[:2]} - set(state_dict)
        unknown = set(state_dict) - {name for cell in names for name in cell}
        if missing or unknown:
            name = min(missing or unknown)
            what = f"the state_dict has no {name}" if missing else f"this layer has no place for {name}"
            raise ValueError(f"{what}: its network has other layers, directions or options.")
        cells = [native.unstacked_weights(self.spec, *map(state_dict.get, cell)) for cell in names]
        return self.load_numpy([{k: v.detach().cpu() for k, v in cell.items()} for cell in cells])

    def to_torch(self):
        """A ``state_dict`` for ``torch.nn.LSTM``, ``GRU`` or ``RNN``: the same function, second biases 0."""
        self._require_native()
        out = {}
        for k, suffix in enumerate(self._suffixes):
            with torch.no_grad():
                weights = native.stacked_weights(self.spec, self._cell(k))
            for part, w in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), weights, strict=True):
                out[part + suffix] = w.detach().clone()
        return out

    def _require_native(self):
        if native.kind(self.spec) is None:
            raise ValueError(
                f"torch.nn has no cell like {self.spec.name!r}: only lstm, gru and srnn convert."
            )


def _rectangles(data, sizes):
    """The stretches of a packed batch in which its size does not change: a list of (steps, rows, D)."""
    out, start, step = [], 0, 0
    while step < len(sizes):
        steps = next((k for k in range(step, len(sizes)) if sizes[k] != sizes[step]), len(sizes)) - step
        stop = start + steps * sizes[step]
        out.append(data[start:stop].reshape(steps, sizes[step], -1))
        start, step = stop, step + steps
    return out


def _forwards(run, rectangles, state):
    """Down the stairs: rows leave at the end of their sequence."""
    ys, left = [], []
    for x in rectangles:
        b = x.shape[1]
        left.append(tuple(s[b:] for s in state))
        y, state = run(x, tuple(s[:b] for s in state))
        ys.append(y.flatten(0, 1))
    for rows in reversed(left):
        state = tuple(torch.cat(pair) for pair in zip(state, rows))
    return torch.cat(ys), state


def _backwards(run, rectangles, initial):
    """Up the stairs, from last step to first: rows join at the end of their sequence."""
    ys, state = [], tuple(s[:0] for s in initial)
    for x in reversed(rectangles):
        here, b = len(state[0]), x.shape[1]
        state = tuple(torch.cat((s, start[here:b])) for s, start in zip(state, initial))
        y, state = run(x.flip(0), state)
        ys.append(y.flip(0).flatten(0, 1))
    return torch.cat(ys[::-1]), state


def _top(mask, x):
    """The rows of a dropout mask for the sequences that are still there."""
    return None if mask is None else mask[: x.shape[1]]


def _dropout_mask(like, p):
    """Zeros with probability p, 1 / (1 − p) elsewhere."""
    if p == 1:
        return torch.zeros_like(like)
    return like.bernoulli_(1 - p).div_(1 - p)
