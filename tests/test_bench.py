"""The benchmark compares like with like; how fast anything is, no test says."""

import torch

from lstm_tutorial import bench
from lstm_tutorial.__main__ import main
from lstm_tutorial.studies.ptb_ablation import settings


def test_alternate_calls_in_turns():
    calls = []
    medians = bench.alternate({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=2)
    assert calls == ["a", "b"] * (bench.WARM_UP + 2)
    assert set(medians) == {"a", "b"}


def test_our_step_and_the_ordinary_one_do_the_same_work():
    """From the same weights both reach the same weights: the ratio is of two ways to do one thing."""
    small = settings("small") | {"hidden_size": 8, "num_steps": 5, "batch_size": 3}
    V = 30
    tokens, targets = torch.randint(V, (2, 5, 3), generator=torch.Generator().manual_seed(0))
    theirs = bench.ordinary_step(small, V, tokens, targets)
    modules = dict(zip(theirs.__code__.co_freevars, (c.cell_contents for c in theirs.__closure__)))
    ours = bench.our_step(small, V, tokens, targets, "bptt")
    model = dict(zip(ours.__code__.co_freevars, (c.cell_contents for c in ours.__closure__)))["model"]
    lstm = modules["lstm"]
    with torch.no_grad():
        model.embedding.weight.copy_(modules["embedding"].weight)
        model.softmax.load_state_dict(modules["decoder"].state_dict())
    for k, layer in enumerate(model.layers):
        weights = {n: v for n, v in lstm.state_dict().items() if n.endswith(f"_l{k}")}
        layer.load_torch({n.replace(f"_l{k}", "_l0"): v for n, v in weights.items()})
    theirs()
    ours()
    torch.testing.assert_close(model.embedding.weight, modules["embedding"].weight)
    torch.testing.assert_close(model.softmax.weight, modules["decoder"].weight)


def test_the_command_prints_ratios(capsys):
    assert main(["bench", "engines", "--variants", "slim3", "--rounds", "1", "--threads", "1"]) == 0
    out = capsys.readouterr().out
    assert "ratio" in out and "slim3" in out


def test_numpy_and_torch_take_turns_in_processes_of_their_own():
    table = bench.numpy_table(rounds=1, steps=2, batch_size=2, size=4, threads=1)
    assert float(table.rows[0][1]) > 0 and float(table.rows[0][2]) > 0


def test_refusals(capsys):
    assert main(["bench", "everything"]) == 2
    assert main(["bench", "--variants", "nobody"]) == 2
    assert main(["bench", "--rounds", "0"]) == 2
    assert "rounds" in capsys.readouterr().err
