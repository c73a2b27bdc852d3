"""The synthetic tasks: grammars against an independent description of them, gradients against differences."""

import re
from itertools import product

import numpy as np
import pytest

from lstm_tutorial import numpy_lstm, variants
from lstm_tutorial.tasks import NOT_ASKED, Batch, learner, reber, steps_until_error, timed_spikes

# The grammar again, as a regular expression: the two ways to node 4 or past it, the loop at 4, the two ends.
LOOP, END = "(?:XT*VP)*", "(?:S|XT*VV)"
REBER = f"B(?:TS*X{LOOP}{END}|PT*V(?:V|P{LOOP}{END}))E"
# … and as all of its strings that go round each loop at most twice.
FEW = range(3)
ENDS = {"S", *("X" + "T" * n + "VV" for n in FEW)}
LOOPS = {"", *("X" + "T" * n + "VP" for n in FEW)}
LOOPS |= {a + b for a, b in product(LOOPS, LOOPS)}
ALL_REBER = {
    *("BT" + "S" * n + "X" + loop + end + "E" for n, loop, end in product(FEW, LOOPS, ENDS)),
    *("BP" + "T" * n + "VVE" for n in FEW),
    *("BP" + "T" * n + "VP" + loop + end + "E" for n, loop, end in product(FEW, LOOPS, ENDS)),
}


def rng(seed=0):
    return np.random.default_rng(seed)


def words(batch):
    """The strings that a batch holds, one a column."""
    return [
        "".join(reber.SYMBOLS[k] for k in batch.x[batch.x[:, b].any(-1), b].argmax(-1))
        for b in range(batch.x.shape[1])
    ]


# --- the grammar ---------------------------------------------------------------------------------------


def test_reber_strings_are_those_of_the_grammar():
    drawn = {reber.reber(rng(k)) for k in range(300)}
    assert all(re.fullmatch(REBER, s) for s in drawn)
    assert all(re.fullmatch(REBER, s) for s in ALL_REBER)
    short = {s for s in ALL_REBER if len(s) < 8}
    assert short <= drawn  # every short string has turned up


@pytest.mark.parametrize("inner", (1, 2))
def test_embedded_strings(inner):
    drawn = [reber.embedded(rng(k), inner) for k in range(200)]
    assert all(re.fullmatch(f"BT(?:{REBER}){{{inner}}}TE|BP(?:{REBER}){{{inner}}}PE", s) for s in drawn)
    assert {s[1] for s in drawn} == {"T", "P"}


def test_legal_next_symbols_are_those_of_all_strings_with_the_same_beginning():
    every = [f"B{kind}{s}{kind}E" for s in ALL_REBER for kind in "TP"]
    after = {}
    for s in every:
        for k in range(len(s)):
            after.setdefault(s[: k + 1], set()).update(s[k + 1 : k + 2])
    simple = [
        s for s in every if not re.search("SS|TT|VPXT*VP|SX.*SX", s[2:-2])
    ]  # well inside what was listed
    assert len(simple) > 10
    for s in simple:
        assert reber.legal_next(s) == [after[s[: k + 1]] for k in range(len(s))], s


@pytest.mark.parametrize("wrong", ("BTBTXSEPE", "BBTXSE", "TBTXSETE", "BTBTXSETEB", "BTBTXSETT"))
def test_what_is_not_in_the_grammar_is_refused(wrong):
    with pytest.raises(ValueError, match="not in the grammar"):
        reber.legal_next(wrong)


def test_two_strings_between_are_counted():
    s = "BT" + "BTXSE" + "BPVVE" + "TE"
    sets = reber.legal_next(s, inner=2)
    assert sets[6] == {"B"} and sets[11] == {"T"} and sets[12] == {"E"} and sets[13] == set()
    with pytest.raises(ValueError):
        reber.legal_next(s, inner=1)


@pytest.mark.parametrize("inner", (1, 2))
def test_moments(inner):
    """Against the forward recursion over nodes, which solves no equations, and against a sample."""
    alive, length, entropy = np.eye(8)[0], 0.0, 0.0
    for _ in range(500):
        nodes = alive[: reber.LAST]
        length += nodes.sum()
        entropy += sum(p * np.log(len(reber.ARROWS[k])) for k, p in enumerate(nodes))
        after = np.zeros(8)
        for k, p in enumerate(nodes):
            for _, to in reber.ARROWS[k]:
                after[to] += p / len(reber.ARROWS[k])
        alive = after
    exact = (4 + inner * length, np.log(2) + inner * entropy)
    assert reber.moments(inner) == pytest.approx(exact, rel=1e-9)

    drawn = [reber.embedded(rng(k), inner) for k in range(3000)]
    nats = [sum(np.log(len(a)) for a in reber.legal_next(s, inner) if a) for s in drawn]
    for sample, mean in ((list(map(len, drawn)), exact[0]), (nats, exact[1])):
        assert abs(np.mean(sample) - mean) < 4 * np.std(sample) / np.sqrt(len(sample))


# --- batches -------------------------------------------------------------------------------------------


def test_strings_side_by_side():
    batch = reber.strings(rng(), 20)
    assert batch.x.shape == (*batch.target.shape, 7) == batch.legal.shape
    for b, word in enumerate(words(batch)):
        n = len(word)
        assert batch.asked[:, b].tolist() == [True] * (n - 1) + [False] * (len(batch.x) - n + 1)
        assert "".join(reber.SYMBOLS[k] for k in batch.target[: n - 1, b]) == word[1:]
        allowed = [{reber.SYMBOLS[k] for k in np.flatnonzero(row)} for row in batch.legal[: n - 1, b]]
        assert allowed == reber.legal_next(word)[:-1]
        assert not batch.x[n:, b].any() and not batch.legal[n - 1 :, b].any()
        assert np.flatnonzero(reber.critical(batch)[:, b]).tolist() == [n - 3]


def test_a_stream_goes_on_without_a_border():
    batch = reber.stream(rng(), 5, 200)
    assert batch.x.shape == (200, 5, 7) and batch.asked.all()
    assert (batch.target[:-1] == batch.x[1:].argmax(-1)).all()
    for word in words(batch):
        assert re.match(f"(?:BT{REBER}TE|BP{REBER}PE)+", word)[0][-1] == "E"
        rest = re.sub(f"BT{REBER}TE|BP{REBER}PE", "", word)
        assert len(rest) < 60 and "EB" not in rest[5:].replace("PEB", "").replace("TEB", "")
    assert batch.legal.any(-1).all()
    assert np.take_along_axis(batch.legal, batch.target[..., None], -1).all()  # what comes is legal


def test_the_best_loss_is_that_of_knowing_the_grammar():
    batch = reber.strings(rng(), 30)
    s = np.where(batch.legal, 0.0, -np.inf)
    s[~batch.asked] = 0
    assert batch.loss(s)[0] == pytest.approx(batch.best_loss())
    assert batch.right(s).all()
    assert batch.loss(np.zeros_like(s))[0] == pytest.approx(np.log(7))


def test_right_asks_for_all_legal_symbols_and_only_them():
    legal = np.array([True, True, False])[None, None]
    batch = Batch(np.ones((1, 1, 1)), np.zeros((1, 1), int), legal)
    for s, expected in (((2, 1, 0), True), ((2, 0, 1), False), ((2, 1, 1), False), ((0, 0, 9), False)):
        assert batch.right(np.array(s, float)[None, None])[0, 0] == expected
    unasked = Batch(batch.x, np.full((1, 1), NOT_ASKED), legal & False)
    assert unasked.right(np.zeros((1, 1, 3)))[0, 0]


def test_steps_until_error():
    right = np.array([[1, 1, 0], [1, 0, 1], [1, 1, 1]], bool)
    assert steps_until_error(right).tolist() == [3, 1, 0]


def test_timed_spikes():
    batch = timed_spikes.spikes(period=4, count=3)
    assert batch.x.shape == (12, 1, 1) and (batch.x == 1).all()
    assert np.flatnonzero(batch.target[:, 0]).tolist() == [3, 7, 11]
    assert (batch.legal.argmax(-1) == batch.target).all() and (batch.legal.sum(-1) == 1).all()
    assert batch.best_loss() == 0


@pytest.mark.parametrize("period", (2, 5, 30))
def test_the_timer_set_by_hand_is_on_time(period):
    params = timed_spikes.by_hand(period)
    exam = timed_spikes.spikes(period, 20)
    y, _, tape = numpy_lstm.forward(variants["lstm2002"], params, exam.x)
    assert ((y[..., 0] > 0.5) == (exam.target == 1)).all()
    assert tape.c.max() == pytest.approx(period, abs=0.01)
    for cut in ("p_o", "p_f"):  # it needs both peepholes
        y, _, _ = numpy_lstm.forward(variants["lstm2002"], params | {cut: np.zeros(1)}, exam.x)
        assert ((y[..., 0] > 0.5) != (exam.target == 1)).any()


# --- learning ------------------------------------------------------------------------------------------

SETTINGS = {
    "task": "strings",
    "inner": 1,
    "batch_size": 4,
    "hidden_size": 3,
    "truncate": False,
    "learning_rate": 1e-2,
    "max_norm": 1.0,
    "updates": 20,
    "check_every": 10,
}


@pytest.mark.parametrize("cell", ("vanilla", "lstm1997", "srnn"))
def test_gradients_against_differences(cell):
    spec = variants[cell]
    params = learner.init_params(spec, SETTINGS, rng(1))
    batch = reber.strings(rng(2), 3)
    _, _, state = learner.loss_and_gradients(spec, params, batch)
    loss, grads, _ = learner.loss_and_gradients(spec, params, batch, state=state)
    assert set(grads) == set(params)
    for name, p in params.items():
        for k in list(np.ndindex(p.shape))[:: max(1, p.size // 5)]:
            found = []
            for step in (1e-5, -1e-5):
                p[k] += step
                found.append(learner.loss_and_gradients(spec, params, batch, state=state)[0])
                p[k] -= step
            assert (found[0] - found[1]) / 2e-5 == pytest.approx(grads[name][k], rel=1e-5, abs=1e-8), name


def test_the_truncated_gradient_is_another_one():
    spec, batch = variants["vanilla"], reber.strings(rng(2), 3)
    params = learner.init_params(spec, SETTINGS, rng(1))
    full, cut = (learner.loss_and_gradients(spec, params, batch, truncate=t)[1] for t in (False, True))
    assert np.allclose(full["W_s"], cut["W_s"]) and not np.allclose(full["W_i"], cut["W_i"])


def test_lessons_of_a_stream_go_on_where_the_last_stopped():
    settings = SETTINGS | {"task": "stream", "steps": 10, "blocks": 3}
    lessons = learner.lessons(settings, rng())
    drawn = [next(lessons) for _ in range(6)]
    assert [carried for _, carried in drawn] == [False, True, True, False, True, True]
    for (before, _), (after, carried) in zip(drawn, drawn[1:]):
        continues = (before.target[-1] == after.x[0].argmax(-1)).all()
        assert continues if carried else (after.x[0].argmax(-1) == 0).all()


def test_the_state_is_carried_through_a_stream(monkeypatch):
    given = []
    real = learner.loss_and_gradients

    def watch(spec, params, batch, truncate, state):
        given.append(state)
        return real(spec, params, batch, truncate, state)

    monkeypatch.setattr(learner, "loss_and_gradients", watch)
    settings = SETTINGS | {"task": "stream", "steps": 10, "blocks": 3, "updates": 4}
    learner.train(variants["lstm"], settings, rng())
    assert [state is None for state in given] == [True, False, False, True]


def test_the_same_seed_gives_the_same_run():
    one, other, third = (learner.train(variants["lstm"], SETTINGS, rng(k)) for k in (3, 3, 4))
    assert one.history == other.history and one.updates == other.updates == 20
    assert one.history["updates"] == [10, 20]
    assert one.history != third.history


def test_a_run_stops_when_nothing_is_wrong():
    settings = SETTINGS | {"task": "spikes", "period": 3, "count": 3, "batch_size": 1, "updates": 2000}
    settings |= {"hidden_size": 8, "learning_rate": 2e-2}
    out = learner.train(variants["lstm"], settings, rng(0))
    assert out.updates < 2000 and out.history["right"][-1] == 1
    exam = learner.examine(variants["lstm"], out.params, learner.examination(settings, learner.TEST))
    assert exam["right"] == 1 and exam["first_mistake"] is None


def test_the_first_mistake_is_that_of_sequences_with_one_and_counts_from_1(monkeypatch):
    exam = learner.examination(SETTINGS | {"task": "spikes", "period": 3, "count": 3}, learner.TEST)
    never = np.zeros((*exam.target.shape, exam.legal.shape[-1])) + [1.0, 0.0]  # the first spike is missed
    monkeypatch.setattr(learner, "scores", lambda *_: (never, None))
    first = np.flatnonzero(exam.target[:, 0])[0] + 1
    assert learner.examine(variants["lstm"], {}, exam)["first_mistake"] == first

    exam = learner.examination(SETTINGS, learner.TEST)  # strings of several lengths, padded
    perfect = np.where(exam.legal, 1.0, 0.0)
    one_wrong = perfect.copy()
    one_wrong[4, 0] = 1 - one_wrong[4, 0]
    for s, expected in ((perfect, None), (one_wrong, 5.0)):
        monkeypatch.setattr(learner, "scores", lambda *_, s=s: (s, None))
        assert learner.examine(variants["lstm"], {}, exam)["first_mistake"] == expected


def test_nearly_right_is_not_the_end(monkeypatch):
    shares = iter((0.5, 0.996, 1.0))
    monkeypatch.setattr(learner, "examine", lambda *_: {"right": next(shares)})
    out = learner.train(variants["lstm"], SETTINGS | {"updates": 100}, rng())
    assert out.history["right"] == [0.5, 0.996, 1.0] and out.updates == 30


def test_a_run_that_is_not_finite_ends():
    out = learner.train(variants["srnn"], SETTINGS | {"learning_rate": np.inf}, rng())
    assert not out.finite and out.updates <= 2


def test_examinations_are_fixed_and_differ():
    for settings in (SETTINGS, SETTINGS | {"task": "stream"}):
        valid, again, test = (
            learner.examination(settings, k) for k in (learner.VALID, learner.VALID, learner.TEST)
        )
        assert (valid.x == again.x).all()
        assert words(valid)[:3] != words(test)[:3]
