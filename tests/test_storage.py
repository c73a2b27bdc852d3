"""Products and kept tensors, counted where the right count is known."""

import numpy as np
import pytest
import torch

from lstm_tutorial import LSTM, numpy_lstm
from lstm_tutorial.gradient_check import draw_problem
from lstm_tutorial.plots.storage import shelf
from lstm_tutorial.storage import Kept, Products


def layer_of(cell, engine, T, B=3, D=5, H=4):
    problem = draw_problem(cell, np.random.default_rng(0), D, H, T, B)
    layer = LSTM(cell, D, H, engine=engine, dtype=torch.float64)
    layer.load_numpy([problem.params])
    return layer, problem


def test_products_are_counted_forwards_and_backwards():
    a, b = torch.randn(2, 3, requires_grad=True), torch.randn(3, 4, requires_grad=True)
    with Products() as products:
        c = a @ b + a.sum()
        assert products.count == 1
        torch.nn.functional.linear(a, b.T, torch.randn(4))
        torch.randn(5, 2, 3) @ torch.randn(5, 3, 1)
        assert products.count == 3
        c.sum().backward()
    assert products.count == 5
    a @ b
    assert products.count == 5


@pytest.mark.parametrize(
    "cell, each_step", [("lstm", 1), ("vanilla", 1), ("srnn", 1), ("gru", 1), ("gru_reset_before", 2)]
)
def test_the_loop_by_hand_has_one_product_a_step_where_the_cell_allows_it(cell, each_step):
    counts = []
    for T in (10, 20):
        layer, problem = layer_of(cell, "bptt", T)
        y, _ = layer(torch.tensor(problem.x, requires_grad=True))
        with Products() as products:
            y.sum().backward()
        counts.append(products.count)
    assert counts[1] - counts[0] == 10 * each_step


def test_memory_is_counted_once_and_parameters_are_not():
    a, w = torch.randn(10, requires_grad=True), torch.randn(10, requires_grad=True)
    assert Kept(lambda: torch.tanh(a * w), given=[a, w]).bytes == 40  # tanh's own output
    assert Kept(lambda: torch.tanh(a * w)).bytes == 120
    assert Kept(lambda: (a.view(2, 5) * a.view(2, 5)).sum() * 1).bytes == 40


@pytest.mark.parametrize(
    "cell, engine, letters",
    [
        ("lstm", "autograd", "x z i f o y c h(c)"),
        ("lstm", "bptt", "x z i f o y c h(c)"),
        ("gru", "autograd", "x r u n y 1−u q"),
        ("gru", "bptt", "x r u n y q"),
        ("gru_reset_before", "autograd", "x r u n y 1−u q"),
        ("gru_reset_before", "bptt", "x r u n y q"),
    ],
)
def test_letters_account_for_every_byte_of_a_step(cell, engine, letters):
    def kept(T):
        layer, problem = layer_of(cell, engine, T)
        return Kept(lambda: layer(torch.tensor(problem.x)), given=layer.parameters()), problem

    (short, _), (long, problem) = kept(6), kept(12)
    _, _, tape = numpy_lstm.forward(cell, problem.params, problem.x)
    found = long.letters(tape, problem.x)
    assert found == dict.fromkeys(letters.split(), 1)
    numbers = sum(5 if letter == "x" else 4 for letter in found)
    assert long.bytes - short.bytes == 6 * 8 * 3 * numbers


def test_a_tape_of_other_numbers_is_not_recognised():
    layer, problem = layer_of("lstm", "bptt", 6)
    kept = Kept(lambda: layer(torch.tensor(problem.x)), given=layer.parameters())
    other = draw_problem("lstm", np.random.default_rng(1), 5, 4, 6, 3)
    _, _, tape = numpy_lstm.forward("lstm", other.params, other.x)
    assert kept.letters(tape, other.x) == {}


def test_shelf_says_what_it_shows():
    picture = shelf({"one": {"z": 1, "i": 2}, "two": {"q": 1}}, "A shelf")
    assert "one: 3, namely z, i" in picture.alt and "two: 1, namely q" in picture.alt
