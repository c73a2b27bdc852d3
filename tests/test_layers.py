"""The layer: a stand-in for torch.nn.LSTM, GRU and RNN, and the same layer for every other cell."""

import copy
import io
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence

from lstm_tutorial import LSTM, numpy_lstm, variants

KEYS = tuple(variants)
NATIVE = {"lstm": nn.LSTM, "gru": nn.GRU, "srnn": nn.RNN}
ENGINES = ("autograd", "bptt", "native")
PAIRS = [(engine, key) for engine in ENGINES for key in KEYS if engine != "native" or key in NATIVE]
DOUBLE = dict(dtype=torch.float64)
D, H, T, B = 3, 4, 5, 2


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def randn(*shape, seed=0, **options):
    return torch.randn(*shape, generator=seeded(seed), **(DOUBLE | options))


def layer_of(key, engine="auto", seed=0, **options):
    layer = LSTM(key, D, H, engine=engine, **(DOUBLE | options))
    layer.reset_parameters(0.7, seeded(seed))
    return layer


def random_state(layer, batch=B, seed=1):
    cells = layer.num_layers * (2 if layer.bidirectional else 1)
    widths = (H, H, 3 * H) if layer.spec.gate_recurrence else (H, H)
    return tuple(randn(cells, batch, w, seed=seed + k) for k, w in enumerate(widths))


def close(a, b, tolerance=1e-10):
    torch.testing.assert_close(a, b, rtol=0, atol=tolerance * max(1.0, float(b.detach().abs().max())))


def all_gradients(module, x, y, state, seed=9):
    """The gradients of a random linear function of y and the last states: of x and of every parameter."""
    outputs = [y, *(state if isinstance(state, tuple) else (state,))]
    outputs = [o for o in outputs if o.requires_grad]
    loss = sum((randn(*o.shape, seed=seed + k, dtype=o.dtype) * o).sum() for k, o in enumerate(outputs))
    named = dict(module.named_parameters())
    grads = torch.autograd.grad(loss, [x, *named.values()], retain_graph=True)
    return grads[0], dict(zip(named, grads[1:]))


# Engines against each other and against NumPy


def numpy_stack(spec, cells, x, state, directions):
    """Layers and directions by hand: y, the last states, and a function that gives the gradients."""
    tapes, lasts = [], []
    for k, params in enumerate(cells):
        if k % directions == 0:
            inputs, ys = x, []
        backwards = k % directions == 1
        y, last, tape = numpy_lstm.forward(
            spec, params, inputs[::-1].copy() if backwards else inputs, tuple(s[k] for s in state)
        )
        ys.append(y[::-1] if backwards else y)
        tapes.append(tape)
        lasts.append(last)
        x = np.concatenate(ys, -1)

    def back(dy, dlast):
        grads, dstate = [None] * len(cells), [None] * len(cells)
        for layer in reversed(range(len(cells) // directions)):
            dx = 0
            for direction in range(directions):
                k = layer * directions + direction
                part = dy[..., direction * H : (direction + 1) * H]
                part = part[::-1].copy() if direction else part
                d, dstate[k], grads[k] = numpy_lstm.backward(
                    spec, cells[k], tapes[k], part, [s[k] for s in dlast]
                )
                dx = dx + (d[::-1] if direction else d)
            dy = dx
        return dy, [np.stack(parts) for parts in zip(*dstate)], grads

    return x, [np.stack(parts) for parts in zip(*lasts)], back


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("engine, key", PAIRS)
def test_stacks_are_numpys(engine, key, bidirectional):
    layer = layer_of(key, engine, num_layers=2, bidirectional=bidirectional)
    assert layer.engine == engine
    directions = 2 if bidirectional else 1
    x = randn(T, B, D).requires_grad_()
    state = tuple(s.requires_grad_() for s in random_state(layer))
    if not layer.spec.has_cell:
        state = (state[0], torch.zeros_like(state[1]))
    y, last = layer(x, state)
    expected, expected_last, back = numpy_stack(
        layer.spec, layer.to_numpy(), x.detach().numpy(), [s.detach().numpy() for s in state], directions
    )
    close(y.detach(), torch.tensor(expected), 1e-12)
    assert y.shape == (T, B, directions * H)
    assert [s.shape[-1] for s in last] == ([H, H, 3 * H] if layer.spec.gate_recurrence else [H, H])
    for s, e in zip(last, expected_last, strict=True):
        assert s.shape[:2] == (2 * directions, B)
        close(s.detach(), torch.tensor(e), 1e-12)

    dy, dlast = randn(*y.shape, seed=5), [randn(*s.shape, seed=6 + k) for k, s in enumerate(last)]
    ((dy * y).sum() + sum((d * s).sum() for d, s in zip(dlast, last))).backward()
    dx, dstate, grads = back(dy.numpy(), [d.numpy() for d in dlast])
    close(x.grad, torch.tensor(dx))
    for s, d in zip(state, dstate, strict=True):
        if s.requires_grad:
            close(torch.zeros_like(s) if s.grad is None else s.grad, torch.tensor(d))
    for suffix, cell in zip(
        ["_l0", "_l0_reverse", "_l1", "_l1_reverse"][:: 1 if bidirectional else 2], grads
    ):
        for name, g in cell.items():
            close(getattr(layer, name + suffix).grad, torch.tensor(g))


@pytest.mark.parametrize("key", KEYS)
def test_two_calls_are_one(key):
    layer = layer_of(key, num_layers=2)
    x = randn(T, B, D)
    whole, last = layer(x)
    first, state = layer(x[:2])
    second, state = layer(x[2:], state)
    close(torch.cat([first, second]), whole)
    for a, b in zip(state, last, strict=True):
        close(a, b)


@pytest.mark.parametrize("key", ["fgr", "lstm1997"])
def test_gate_recurrent_cells_take_a_state_with_or_without_gates(key):
    layer, x = layer_of(key, num_layers=2, bidirectional=True), randn(T, B, D)
    state = random_state(layer)
    assert state[2].shape == (4, B, 3 * H)
    a, last = layer(x, state[:2])
    b, _ = layer(x, (*state[:2], torch.zeros_like(state[2])))
    c, _ = layer(x, state)
    assert len(last) == 3 and last[2].shape == (4, B, 3 * H)
    close(a, b, 0)
    assert (a - c).abs().max() > 1e-3


@pytest.mark.parametrize("key", ["gru", "gru_reset_before", "srnn"])
def test_cells_without_c_carry_zeros_and_take_a_bare_y(key):
    layer, x = layer_of(key), randn(T, B, D)
    y_0 = randn(1, B, H, seed=3)
    y, (y_n, c_n) = layer(x, y_0)
    assert (c_n == 0).all() and (y_n[0] == y[-1]).all()
    for state in ((y_0,), (y_0, torch.zeros(1, B, H)), (y_0, randn(1, B, H)), [y_0, c_n]):
        close(layer(x, state)[0], y, 0)
    close(layer(x[:, 0], y_0[:, 0])[0], y[:, 0], 1e-12)


# As torch.nn


def twin(key, options, seed=2):
    """A torch module and a layer with the same weights."""
    theirs = NATIVE[key](D, H, **(DOUBLE | options))
    with torch.no_grad():
        for k, p in enumerate(theirs.parameters()):
            p.copy_(randn(*p.shape, seed=seed + k) * 0.7)
    return theirs


def as_torch_state(key, state):
    return state if key == "lstm" else state[0]


def torch_gradients(layer, grads):
    """The gradients of the torch module, in the layer's names: both biases have the same."""
    received = {}
    blocks = {"lstm": "ifzo", "gru": "run", "srnn": "z"}[layer.spec.name]
    for name, g in grads.items():
        part, _, suffix = name.partition("_l")
        letter = {"weight_ih": "W", "weight_hh": "R", "bias_ih": "b", "bias_hh": "b_hh"}[part]
        for k, rows in zip(blocks, g.chunk(len(blocks)), strict=True):
            if letter != "b_hh":
                received[f"{letter}_{k}_l{suffix}"] = rows
            elif layer.spec.name == "gru" and k == "n":
                received[f"b_Rn_l{suffix}"] = rows
    return received


SHAPES = [dict(), dict(num_layers=2), dict(bidirectional=True), dict(num_layers=2, bidirectional=True)]
SHAPES_FIRST = [*SHAPES, dict(num_layers=2, bidirectional=True, batch_first=True)]


@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("options", SHAPES_FIRST, ids=str)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("key", NATIVE)
def test_values_and_gradients_are_torchs(key, engine, options, with_state):
    theirs = twin(key, options)
    ours = layer_of(key, engine, **options)
    assert ours.load_torch(theirs.state_dict()) is ours
    x = randn(*((B, T, D) if ours.batch_first else (T, B, D))).requires_grad_()
    state = random_state(ours) if with_state else None
    y, last = ours(x, state)
    y_t, last_t = theirs(x, None if state is None else as_torch_state(key, state))
    close(y.detach(), y_t.detach())
    for a, b in zip(last, last_t if key == "lstm" else (last_t,)):
        close(a.detach(), b.detach())

    dx, grads = all_gradients(ours, x, y, last if key == "lstm" else last[0])
    dx_t, grads_t = all_gradients(theirs, x, y_t, last_t)
    close(dx, dx_t)
    expected = torch_gradients(ours, grads_t)
    assert set(grads) == set(expected)
    for name in grads:
        close(grads[name], expected[name])


@pytest.mark.parametrize("enforce_sorted", [True, False])
@pytest.mark.parametrize("options", SHAPES_FIRST, ids=str)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("key", NATIVE)
def test_packed_input_is_torchs(key, engine, options, enforce_sorted):
    theirs = twin(key, options)
    ours = layer_of(key, engine, **options).load_torch(theirs.state_dict())
    lengths = [5, 3, 3, 1] if enforce_sorted else [3, 5, 1, 3]
    first = ours.batch_first
    x = randn(*((4, 5, D) if first else (5, 4, D))).requires_grad_()
    for state in (None, random_state(ours, 4)):
        packed = pack_padded_sequence(x, lengths, batch_first=first, enforce_sorted=enforce_sorted)
        y, last = ours(packed, state)
        y_t, last_t = theirs(packed, None if state is None else as_torch_state(key, state))
        assert (y.batch_sizes == y_t.batch_sizes).all()
        for field in ("sorted_indices", "unsorted_indices"):
            a, b = getattr(y, field), getattr(y_t, field)
            assert (a is None) == (b is None) and (a is None or (a == b).all())
        close(y.data.detach(), y_t.data.detach())
        close(pad_packed_sequence(y)[0].detach(), pad_packed_sequence(y_t)[0].detach())
        for a, b in zip(last, last_t if key == "lstm" else (last_t,)):
            close(a.detach(), b.detach())
        dx, grads = all_gradients(ours, x, y.data, last if key == "lstm" else last[0])
        dx_t, grads_t = all_gradients(theirs, x, y_t.data, last_t)
        close(dx, dx_t)
        expected = torch_gradients(ours, grads_t)
        for name in grads:
            close(grads[name], expected[name])


@pytest.mark.parametrize("key", KEYS)
def test_packed_sequences_are_each_sequence_alone(key):
    layer = layer_of(key, num_layers=2, bidirectional=True)
    sequences = [randn(n, D, seed=n) for n in (2, 5, 1, 4, 4)]
    state = random_state(layer, 5)
    y, last = layer(pack_sequence(sequences, enforce_sorted=False), state)
    padded, lengths = pad_packed_sequence(y)
    assert lengths.tolist() == [2, 5, 1, 4, 4]
    for b, x in enumerate(sequences):
        alone, last_alone = layer(x, tuple(s[:, b] for s in state))
        close(padded[: len(x), b], alone)
        assert (padded[len(x) :, b] == 0).all()
        for s, s_alone in zip(last, last_alone, strict=True):
            close(s[:, b], s_alone)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("key", NATIVE)
def test_unbatched_input_is_torchs(key, engine):
    options = dict(num_layers=2, bidirectional=True, batch_first=True)
    theirs = twin(key, options)
    ours = layer_of(key, engine, **options).load_torch(theirs.state_dict())
    x, state = randn(T, D), tuple(s[:, 0] for s in random_state(ours, 1))
    for given in (None, state):
        y, last = ours(x, given)
        y_t, last_t = theirs(x, None if given is None else as_torch_state(key, given))
        close(y, y_t.detach())
        for a, b in zip(last, last_t if key == "lstm" else (last_t,)):
            close(a, b.detach())


@pytest.mark.parametrize("options", SHAPES, ids=str)
@pytest.mark.parametrize("key", NATIVE)
def test_weights_to_torch_and_back(key, options):
    ours = layer_of(key, **options)
    theirs = NATIVE[key](D, H, **(DOUBLE | options))
    theirs.load_state_dict(ours.to_torch())
    x, state = randn(T, B, D), random_state(ours)
    close(ours(x, state)[0], theirs(x, as_torch_state(key, state))[0])
    for name, w in ours.to_torch().items():
        if name.startswith("bias_hh"):
            kept = w[2 * H :] if key == "gru" else w[:0]
            assert (w[: len(w) - len(kept)] == 0).all() and (kept != 0).all()

    theirs = twin(key, options)  # all biases random: the same function comes back, with second biases zero
    ours.load_torch(theirs.state_dict())
    again = NATIVE[key](D, H, **(DOUBLE | options))
    again.load_state_dict(ours.to_torch())
    close(again(x, as_torch_state(key, state))[0], theirs(x, as_torch_state(key, state))[0])
    back = layer_of(key, seed=8, **options).load_torch(ours.to_torch())
    for (name, a), b in zip(ours.named_parameters(), back.parameters(), strict=True):
        assert (a == b).all(), name


def test_torch_weights_are_copied_and_not_shared():
    layer = layer_of("lstm")
    exported = layer.to_torch()
    before = layer.W_z_l0.detach().clone()
    for w in exported.values():
        w.zero_()
    assert (layer.W_z_l0 == before).all()
    arrays = layer.to_numpy()
    arrays[0]["W_z"][:] = 0
    assert (layer.W_z_l0 == before).all()
    layer.load_numpy(layer.to_numpy()[0])
    assert (layer.W_z_l0 == before).all()


def test_weights_without_bias_can_be_loaded():
    theirs = nn.LSTM(D, H, bias=False, **DOUBLE)
    ours = layer_of("lstm").load_torch(theirs.state_dict())
    x = randn(T, B, D)
    close(ours(x)[0], theirs(x)[0])


@pytest.mark.parametrize(
    "module",
    [
        nn.LSTM(D, H, 2, **DOUBLE),
        nn.LSTM(D, H, bidirectional=True, **DOUBLE),
        nn.LSTM(D, H, 2, bias=False, **DOUBLE),
        nn.LSTM(D, H, bidirectional=True, bias=False, **DOUBLE),
        nn.LSTM(D, H + 1, **DOUBLE),
        nn.LSTM(D + 1, H, **DOUBLE),
        nn.LSTM(D, H, proj_size=2, **DOUBLE),
        nn.LSTM(D, H, proj_size=2, bias=False, **DOUBLE),
        nn.GRU(D, H, **DOUBLE),
        nn.RNN(D, H, **DOUBLE),
        nn.Linear(D, H, **DOUBLE),
    ],
    ids=str,
)
def test_weights_of_another_network_are_refused(module):
    layer = layer_of("lstm")
    before = {k: v.clone() for k, v in layer.state_dict().items()}
    with pytest.raises(ValueError):
        layer.load_torch(module.state_dict())
    assert all((before[k] == v).all() for k, v in layer.state_dict().items()), "half loaded"


@pytest.mark.parametrize("key", [key for key in KEYS if key not in NATIVE])
def test_only_torchs_own_cells_convert(key):
    layer = layer_of(key)
    for convert in (layer.to_torch, lambda: layer.load_torch(nn.LSTM(D, H).state_dict())):
        with pytest.raises(ValueError, match=f"torch.nn has no cell like {key!r}"):
            convert()


def test_numpy_weights_that_do_not_fit_are_refused():
    layer = layer_of("vanilla", num_layers=2)
    first, second = layer.to_numpy()
    for wrong in (
        first,
        [first],
        [first, second, second],
        [first, {k: v for k, v in second.items() if k != "p_o"}],
        [first, second | {"q": second["b_z"]}],
        [first, second | {"b_z": second["b_z"][None]}],
        [first, first],
    ):
        before = {k: v.clone() for k, v in layer.state_dict().items()}
        with pytest.raises(ValueError):
            layer.load_numpy(wrong)
        assert all((before[k] == v).all() for k, v in layer.state_dict().items()), "half loaded"


@pytest.mark.parametrize("key", KEYS)
def test_numpy_weights_go_in_and_out(key):
    layer = layer_of(key, num_layers=2, bidirectional=True)
    cells = layer.to_numpy()
    assert len(cells) == 4
    other = layer_of(key, num_layers=2, bidirectional=True, seed=4).load_numpy(cells)
    for a, b in zip(other.to_numpy(), cells, strict=True):
        assert list(a) == list(b) and all((a[k] == b[k]).all() for k in a)
    params = numpy_lstm.init_params(key, D, H, np.random.default_rng(0))
    x = randn(T, B, D)
    y, _ = layer_of(key).load_numpy(params)(x)
    close(y.detach(), torch.tensor(numpy_lstm.forward(key, params, x.numpy())[0]), 1e-12)
    assert sum(p.numel() for p in layer_of(key).parameters()) == variants[key].parameter_count(D, H)


# Errors as torch's

z = torch.zeros
GIVEN = {
    "one dimension": lambda m: m()(z(D)),
    "four dimensions": lambda m: m()(z(1, T, B, D)),
    "another input size": lambda m: m()(z(T, B, D + 1)),
    "another input size, unbatched": lambda m: m()(z(T, D + 1)),
    "another input size, batch first": lambda m: m(batch_first=True)(z(B, T, D + 1)),
    "no steps": lambda m: m()(z(0, B, D)),
    "no steps, unbatched": lambda m: m()(z(0, D)),
    "another dtype": lambda m: m()(z(T, B, D, dtype=torch.float64)),
    "whole numbers": lambda m: m()(z(T, B, D, dtype=torch.int64)),
    "half precision": lambda m: m()(z(T, B, D, dtype=torch.float16)),
    "state of another batch": lambda m: m()(z(T, B, D), (z(1, B + 1, H), z(1, B + 1, H))),
    "state of another size": lambda m: m()(z(T, B, D), (z(1, B, H + 1), z(1, B, H + 1))),
    "c of another size": lambda m: m()(z(T, B, D), (z(1, B, H), z(1, B, H + 1))),
    "state of another number of layers": lambda m: m()(z(T, B, D), (z(2, B, H), z(2, B, H))),
    "state for one direction": lambda m: m(bidirectional=True)(z(T, B, D), (z(1, B, H), z(1, B, H))),
    "2-D state for a batch": lambda m: m()(z(T, B, D), (z(1, H), z(1, H))),
    "3-D state without a batch": lambda m: m()(z(T, D), (z(1, 1, H), z(1, 1, H))),
    "three states": lambda m: m()(z(T, B, D), (z(1, B, H),) * 3),
    "no layers": lambda m: m(num_layers=0),
    "no units": lambda m: m(hidden_size=0),
    "no inputs": lambda m: m(input_size=0),
    "a fraction of a unit": lambda m: m(hidden_size=2.5),
    "units as text": lambda m: m(hidden_size="4"),
    "dropout above one": lambda m: m(num_layers=2, dropout=1.5),
    "negative dropout": lambda m: m(num_layers=2, dropout=-0.1),
    "dropout True": lambda m: m(num_layers=2, dropout=True),
}


@pytest.mark.parametrize("engine", ["bptt", "native", "autograd"])
@pytest.mark.parametrize("what", GIVEN)
def test_errors_are_of_torchs_kind(what, engine):
    def ours(input_size=D, hidden_size=H, **options):
        return LSTM("lstm", input_size, hidden_size, engine=engine, **options)

    def theirs(input_size=D, hidden_size=H, **options):
        return nn.LSTM(input_size, hidden_size, **options)

    with pytest.raises(Exception) as expected:
        GIVEN[what](theirs)
    with pytest.raises(Exception) as got:
        GIVEN[what](ours)
    assert type(got.value) is type(expected.value), f"{got.value!r} against torch's {expected.value!r}"


@pytest.mark.parametrize("engine", ENGINES)
def test_packed_input_that_does_not_fit_is_refused(engine):
    """torch 2.13 itself looks at neither."""
    layer = layer_of("lstm", engine)
    with pytest.raises(RuntimeError, match="input_size. Expected 3, got 4"):
        layer(pack_sequence([randn(T, D + 1)]))
    with pytest.raises(RuntimeError, match="3-D"):
        layer(pack_sequence([randn(T, D)]), (randn(1, H), randn(1, H)))


@pytest.mark.parametrize("engine", ENGINES)
def test_an_empty_batch_is_taken_as_torch_takes_it(engine):
    y, last = layer_of("lstm", engine)(randn(T, 0, D))
    assert y.shape == (T, 0, H) and all(s.shape == (1, 0, H) for s in last)


def test_what_is_part_of_the_spec_is_refused_with_a_way_out():
    with pytest.raises(ValueError, match="replace.*gate_reads='xy', content_reads='xy'"):
        LSTM("lstm", D, H, bias=False)
    unbiased = LSTM(replace(variants["lstm"], gate_reads="xy", content_reads="xy"), D, H)  # as it says
    theirs = nn.LSTM(D, H, bias=False)
    assert sum(p.numel() for p in unbiased.parameters()) == sum(p.numel() for p in theirs.parameters())
    with pytest.raises(ValueError, match="projection.*nn.Linear"):
        LSTM("lstm", D, H, proj_size=2)
    with pytest.raises(KeyError, match="no cell is called 'lstmm'"):
        LSTM("lstmm", D, H)
    with pytest.raises(TypeError, match="CellSpec or a name"):
        LSTM(3, D, H)
    with pytest.raises(ValueError, match="engine 'native'"):
        LSTM("vanilla", D, H, engine="native")
    with pytest.raises(ValueError, match="recurrent dropout"):
        LSTM("lstm", D, H, engine="native", recurrent_dropout=0.5)
    for name in ("input_dropout", "recurrent_dropout"):
        with pytest.raises(ValueError, match=name):
            LSTM("lstm", D, H, **{name: 1.5})
    layer = LSTM("vanilla", D, H)
    with pytest.raises(ValueError, match="engine 'native'"):
        layer.engine = "native"
    assert layer.engine == "bptt"


def test_constructor_has_torchs_order_of_arguments():
    ours, theirs = LSTM("lstm", D, H, 2, True, True, 0.25, True), nn.LSTM(D, H, 2, True, True, 0.25, True)
    for name in ("input_size", "hidden_size", "num_layers", "batch_first", "dropout", "bidirectional"):
        assert getattr(ours, name) == getattr(theirs, name)


def test_one_layer_with_dropout_warns_as_torch_does():
    with pytest.warns(UserWarning, match="num_layers=1"):
        nn.LSTM(D, H, dropout=0.5)
    with pytest.warns(UserWarning, match="num_layers=1") as caught:
        LSTM("vanilla", D, H, dropout=0.5)
    assert caught[0].filename == __file__


def test_state_of_two_parts_is_asked_for():
    with pytest.raises(RuntimeError, match="pair"):
        layer_of("vanilla")(randn(T, B, D), randn(1, B, H))


# Dropout


@pytest.mark.parametrize("engine, key", [("native", "lstm"), ("bptt", "vanilla"), ("autograd", "gru")])
def test_dropout_acts_between_layers_in_training_only(engine, key):
    layer = layer_of(key, engine, num_layers=2, dropout=0.5)
    x = randn(T, B, D)
    torch.manual_seed(0)
    a, b = layer(x)[0], layer(x)[0]
    assert not torch.equal(a, b)
    torch.manual_seed(0)
    close(layer(x)[0], a, 0)
    layer.eval()
    plain = layer_of(key, engine, num_layers=2)
    for other in (layer(x), layer(x)):
        close(other[0], plain(x)[0], 0)

    layer.train()
    first = layer_of(key, engine)
    first.load_numpy(layer.to_numpy()[0])
    close(layer(x)[1][0][0], first(x)[1][0][0], 1e-14)  # the first layer, and the last state of it: untouched


def test_dropout_of_one_cuts_the_layers_apart():
    layer = layer_of("vanilla", num_layers=2, dropout=1.0)
    x, other = randn(T, B, D), randn(T, B, D, seed=1)
    assert torch.equal(layer(x)[0], layer(other)[0])
    assert not torch.equal(layer(x)[1][0][0], layer(other)[1][0][0])
    assert not torch.equal(layer.eval()(x)[0], layer(other)[0])


class Spy(LSTM):
    """Writes down what each cell of the stack is given."""

    def _stack(self, over_time, x, state, batch_size, *rows):
        self.seen = []

        def spy(params, x, state, mask, reverse):
            self.seen.append((x.detach().clone(), mask))
            return over_time(params, x, state, mask, reverse)

        return super()._stack(spy, x, state, batch_size, *rows)


def test_dropout_statistics():
    torch.manual_seed(0)
    layer = Spy(
        "vanilla", D, 50, num_layers=2, dropout=0.3, input_dropout=0.4, recurrent_dropout=0.2, **DOUBLE
    )
    x = torch.ones(40, 60, D, **DOUBLE)
    layer(x)
    (x_0, mask_0), (x_1, mask_1) = layer.seen
    values = x_0.unique()
    assert values.numel() == 2 and values[0] == 0 and abs(values[1] - 1 / 0.6) < 1e-12
    assert (x_0 == x_0[0]).all(), "one mask per sequence, the same at every step"
    assert abs((x_0[0] == 0).double().mean() - 0.4) < 0.12
    assert abs((x_1 == 0).double().mean() - 0.3) < 0.01
    assert not ((x_1 == 0) == (x_1 == 0)[0]).all(), "between layers each step has its own mask, as in torch"
    for mask in (mask_0, mask_1):
        assert mask.shape == (60, 50)
        values = mask.unique()
        assert values.numel() == 2 and values[0] == 0 and abs(values[1] - 1 / 0.8) < 1e-12
        assert abs((mask == 0).double().mean() - 0.2) < 0.03
        assert not (mask == mask[0]).all(), "one mask per sequence"
    assert not torch.equal(mask_0, mask_1)


@pytest.mark.parametrize("key", ["vanilla", "lstm", "fgr", "gru", "gru_reset_before", "srnn"])
@pytest.mark.parametrize("engine", ["bptt", "autograd"])
def test_recurrent_dropout_masks_what_is_read_and_not_what_is_returned(engine, key):
    layer = layer_of(key, engine, recurrent_dropout=0.5)
    x = randn(T, B, D)
    plain = layer_of(key, engine)
    torch.manual_seed(1)
    y, last = layer(x)
    close(y[0], plain(x)[0][0], 1e-14)  # y⁻ is zero at the first step, whatever the mask
    assert (y[1:] - plain(x)[0][1:]).abs().max() > 1e-3
    assert (y != 0).all() and (last[0][0] == y[-1]).all()

    torch.manual_seed(1)
    mask = torch.zeros(B, H, **DOUBLE).bernoulli_(0.5) / 0.5
    params = {name[: -len("_l0")]: p for name, p in layer.named_parameters()}
    for b in range(B):  # a mask on y⁻ is a mask on the columns of every R that reads it
        masked = {k: p * mask[b] if k[0] == "R" and len(k) == 3 else p for k, p in params.items()}
        alone = layer_of(key, engine).load_numpy({k: p.detach().numpy() for k, p in masked.items()})
        close(alone(x[:, [b]])[0], y[:, [b]], 1e-12)
    layer.eval()
    close(layer(x)[0], plain(x)[0], 0)


def test_recurrent_dropout_of_one_forgets_y():
    layer = layer_of("srnn", recurrent_dropout=1.0)
    x = randn(T, B, D)
    close(layer(x)[0], torch.tanh(x @ layer.W_z_l0.T + layer.b_z_l0))


@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_dropout_of_packed_input_is_one_mask_per_sequence(bidirectional):
    torch.manual_seed(2)
    layer = layer_of("vanilla", recurrent_dropout=0.5, bidirectional=bidirectional)
    x = randn(5, 1, D).expand(5, 4, D)
    lengths = torch.tensor([5, 4, 2, 2])
    layer(x)
    torch.manual_seed(3)
    whole, _ = layer(x)
    torch.manual_seed(3)
    packed, _ = layer(pack_padded_sequence(x, lengths))
    padded, _ = pad_packed_sequence(packed)
    for b, n in enumerate(lengths):  # forwards, a shorter sequence is the beginning of the longer one
        close(padded[:n, b, :H], whole[:n, b, :H])
    assert not torch.equal(whole[:, 0], whole[:, 1])


@pytest.mark.parametrize("enforce_sorted", [True, False])
def test_input_dropout_of_packed_input_is_one_mask_per_sequence(enforce_sorted):
    torch.manual_seed(4)
    layer = Spy("vanilla", 30, H, input_dropout=0.5, **DOUBLE)
    lengths = [5, 4, 2] if enforce_sorted else [2, 5, 4]
    x = torch.ones(5, 3, 30, **DOUBLE)
    packed = pack_padded_sequence(x, lengths, enforce_sorted=enforce_sorted)
    layer(packed)
    seen = packed._replace(data=layer.seen[0][0])
    padded, _ = pad_packed_sequence(seen)
    for b, n in enumerate(lengths):
        assert (padded[:n, b] == padded[0, b]).all()
        assert set(padded[:n, b].unique().tolist()) == {0.0, 2.0}
    assert not torch.equal(padded[0, 0], padded[0, 1])


def test_input_dropout_is_no_part_of_evaluation():
    layer, plain = layer_of("lstm", input_dropout=0.5), layer_of("lstm")
    x = randn(T, B, D)
    assert layer.engine == "native" and (layer(x)[0] - plain(x)[0]).abs().max() > 1e-3
    close(layer.eval()(x)[0], plain(x)[0], 0)
    packed = pack_padded_sequence(x, [T, 2])
    close(layer(packed)[0].data, plain(packed)[0].data, 0)


# A module like any other


@pytest.mark.parametrize("key", KEYS)
def test_copies_are_the_same_function(key):
    layer = layer_of(key, num_layers=2, bidirectional=True, batch_first=True)
    x = randn(B, T, D)
    expected = layer(x)[0]
    for twin_ in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert twin_.spec == layer.spec and twin_.engine == layer.engine
        assert torch.equal(twin_(x)[0], expected)
        with torch.no_grad():
            next(twin_.parameters()).zero_()
        assert torch.equal(layer(x)[0], expected)
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other = layer_of(key, seed=5, num_layers=2, bidirectional=True, batch_first=True)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(x)[0], expected)


def test_names_are_the_equations_with_torchs_suffix():
    layer = LSTM("vanilla", D, H, num_layers=2, bidirectional=True)
    suffixes = ["_l0", "_l0_reverse", "_l1", "_l1_reverse"]
    expected = [name + suffix for suffix in suffixes for name in variants["vanilla"].parameter_shapes(D, H)]
    assert [name for name, _ in layer.named_parameters()] == expected
    assert layer.W_z_l0.shape == (H, D) and layer.W_z_l1_reverse.shape == (H, 2 * H)
    text = repr(layer)
    assert "vanilla" in text and "num_layers=2" in text and "bidirectional=True" in text and "bptt" in text


def test_weights_start_from_torchs_interval():
    layer = LSTM("vanilla", 50, 64, num_layers=2)
    drawn = torch.cat([p.detach().ravel() for p in layer.parameters()])
    assert 0.124 < drawn.max() <= 0.125 and -0.125 <= drawn.min() < -0.124 and abs(drawn.mean()) < 0.002
    torch.manual_seed(0)
    a = LSTM("vanilla", D, H)
    torch.manual_seed(0)
    b = LSTM("vanilla", D, H)
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters()))
    dead = LSTM("no_gates_as_published", D, H)
    assert all((p != 0).any() == ("_z_" in name) for name, p in dead.named_parameters())


def test_the_published_network_without_gates_stays_dead():
    layer = LSTM("no_gates_as_published", D, H, num_layers=2)
    x = randn(T, B, D, dtype=torch.float32).requires_grad_()
    y, _ = layer(x)
    y.backward(torch.randn_like(y))
    assert (y == 0).all() and (x.grad == 0).all()
    assert all((p.grad == 0).all() for p in layer.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("engine", ["bptt", "autograd"])
def test_layers_in_every_precision(engine, dtype):
    made = LSTM("fgr", D, H, num_layers=2, bidirectional=True, engine=engine, device="cpu", dtype=dtype)
    turned = LSTM("fgr", D, H, num_layers=2, bidirectional=True, engine=engine).to(dtype)
    for layer in (made, turned):
        assert all(p.dtype == dtype and p.device.type == "cpu" for p in layer.parameters())
        y, last = layer(randn(T, B, D).to(dtype))
        y.sum().backward()
        assert y.dtype == dtype and all(s.dtype == dtype for s in last)
        assert all(p.grad.dtype == dtype and p.grad.isfinite().all() for p in layer.parameters())


def test_meta_device():
    layer = LSTM("vanilla", D, H, device="meta")
    assert all(p.is_meta for p in layer.parameters())


@pytest.mark.parametrize("engine, key", [("bptt", "vanilla"), ("autograd", "vanilla"), ("native", "lstm")])
@pytest.mark.filterwarnings("ignore")
def test_compiled_layer_is_the_layer(engine, key):
    """Traced, not compiled to machine code: no C compiler is needed."""
    torch._dynamo.reset()
    layer = layer_of(key, engine)
    x = randn(3, B, D).requires_grad_()
    expected, last = layer(x)
    dx, grads = all_gradients(layer, x, expected, last[0])
    y, last = torch.compile(layer, backend="eager")(x)
    close(y, expected, 1e-12)
    dx_c, grads_c = all_gradients(layer, x, y, last[0])
    close(dx_c, dx)
    for name in grads:
        close(grads_c[name], grads[name])


@pytest.mark.parametrize("engine, key", [("bptt", "vanilla"), ("autograd", "fgr"), ("native", "gru")])
def test_engine_can_be_changed(engine, key):
    layer, x = layer_of(key), randn(T, B, D)
    expected = layer(x)[0]
    layer.engine = engine
    assert layer.engine == engine
    close(layer(x)[0], expected, 1e-12)
    layer.engine = "auto"
    assert layer.engine == ("native" if key == "gru" else "bptt")


@pytest.mark.parametrize("engine, key", [("bptt", "vanilla"), ("autograd", "vanilla"), ("native", "lstm")])
def test_inputs_are_left_alone(engine, key):
    layer = layer_of(key, engine, num_layers=2, bidirectional=True)
    x, state = randn(T, B, D), random_state(layer)
    before = [x.clone(), *(s.clone() for s in state)]
    y, _ = layer(x, state)
    y.sum().backward()
    assert all(torch.equal(a, b) for a, b in zip(before, (x, *state)))
    assert x.grad is None


@pytest.mark.parametrize("engine, key", [("bptt", "vanilla"), ("autograd", "vanilla"), ("native", "lstm")])
@pytest.mark.parametrize("options", [dict(), dict(batch_first=True)], ids=str)
def test_returned_y_changed_in_place_is_refused_or_harmless(options, engine, key):
    """What ``nn.ReLU(inplace=True)`` behind the layer does: an error as in torch, or the right gradient."""
    layer = layer_of(key, engine, **options)
    x = randn(T, T, D)

    def gradient(f):
        layer.zero_grad()
        y, _ = layer(x)
        f(y).sum().backward()
        return [p.grad.clone() for p in layer.parameters()]

    expected = gradient(lambda y: y * 2)
    try:
        got = gradient(lambda y: y.mul_(2))
    except RuntimeError:
        assert engine != "autograd"
    else:
        for a, b in zip(got, expected):
            close(a, b, 1e-12)


def test_frozen_parameters_stay_without_gradient():
    layer = layer_of("vanilla", num_layers=2)
    x = randn(T, B, D)
    layer(x)[0].pow(2).sum().backward()
    expected = {k: p.grad.clone() for k, p in layer.named_parameters()}
    layer.zero_grad()
    layer.p_o_l0.requires_grad_(False)
    layer.W_z_l1.requires_grad_(False)
    layer(x)[0].pow(2).sum().backward()
    for name, p in layer.named_parameters():
        if p.requires_grad:
            close(p.grad, expected[name], 1e-12)
        else:
            assert p.grad is None


def test_flatten_parameters_is_there_for_code_that_calls_it():
    assert layer_of("lstm").flatten_parameters() is None
