"""Training: the step and the schedule, determinism, resuming, and what counts as diverged or dead.

The oracles are a plain script with torch's own modules, counts in NumPy, and the uninterrupted run.
"""

import math

import numpy as np
import pytest
import torch
from torch import nn

from lstm_tutorial import reading, training
from lstm_tutorial.data import Corpus
from lstm_tutorial.errors import UserError
from lstm_tutorial.language_model import batches, perplexity, unigram_perplexity
from lstm_tutorial.studies.ptb_ablation import CONFIGS, settings
from lstm_tutorial.training import CURVE, build_model, learning_rate, train

V = 20
DEAD = "no_gates_as_published"
TRAIN, VALID, TEST = 400, 90, 70


def markov(length, seed):
    """Text with something to learn: one of three words follows each word."""
    rng = np.random.default_rng(seed)
    table = np.random.default_rng(99).integers(0, V, (V, 3))
    out = [0]
    while len(out) < length:
        out.append(int(table[out[-1], rng.integers(3)]))
    return np.array(out, dtype=np.int64)


def corpus_of(train, valid, test):
    words = ("<eos>", *(f"w{k}" for k in range(1, V)))
    return Corpus("tiny", words, train, valid, test, sha256={"tiny": "0"})


@pytest.fixture(scope="module")
def corpus():
    return corpus_of(markov(TRAIN, 0), markov(VALID, 1), markov(TEST, 2))


def tiny(**changes):
    """Two epochs of nineteen batches; the rate is halved after the first."""
    chosen = dict(batch_size=4, num_steps=5, hidden_size=8, max_epoch=1, max_max_epoch=2, init_scale=0.3)
    return settings("smoke", **(chosen | changes))


STEPS = (TRAIN // 4 - 1) // 5  # of an epoch


def initial(spec, chosen, seed):
    return build_model(spec, chosen, V).initialise(chosen["init_scale"], torch.Generator().manual_seed(seed))


class Losses:
    """A progress callback that works back from running means to the loss of each batch, in nats."""

    def __init__(self):
        self.nats, self.places, self.so_far = [], [], 0.0

    def __call__(self, epoch, step, steps, mean_loss):
        assert steps == STEPS and 1 <= step <= steps
        total = mean_loss * step * 20
        self.nats.append(total - (0.0 if step == 1 else self.so_far))
        self.so_far = total
        self.places.append((epoch, step))


def same(a, b):
    """Whether two outcomes agree to the last bit, apart from the time they took."""
    assert a.status == b.status
    assert a.metrics == b.metrics
    assert a.epochs == b.epochs
    weights = dict(b.model.named_parameters())
    assert all(torch.equal(p, weights[name]) for name, p in a.model.named_parameters())
    return True


# The schedule and the step


@pytest.mark.parametrize("config", CONFIGS)
def test_learning_rate_is_the_tensorflow_tutorials(config):
    c = CONFIGS[config]
    for i in range(60):
        decay = c["lr_decay"] ** max(i + 1 - c["max_epoch"], 0.0)
        assert learning_rate(c, i) == pytest.approx(c["learning_rate"] * decay, rel=1e-12)
    assert learning_rate(c, c["max_epoch"] - 1) == c["learning_rate"]
    assert learning_rate(c, c["max_epoch"]) == c["learning_rate"] * c["lr_decay"]


class PlainScript:
    """The ordinary way: nn.Embedding, nn.LSTM, CrossEntropyLoss, clip_grad_norm_, SGD.

    The second bias of nn.LSTM is a constant zero, since this course gives every gate one.
    """

    def __init__(self, start, chosen):
        h = chosen["hidden_size"]
        self.chosen = chosen
        self.embedding, self.lstm, self.softmax = nn.Embedding(V, h), nn.LSTM(h, h, 2), nn.Linear(h, V)
        with torch.no_grad():
            self.embedding.weight.copy_(start.embedding.weight)
            self.softmax.weight.copy_(start.softmax.weight)
            self.softmax.bias.copy_(start.softmax.bias)
            for k, layer in enumerate(start.layers):
                ours = dict(layer.named_parameters())
                for letter, name in (("W", "weight_ih"), ("R", "weight_hh"), ("b", "bias_ih")):
                    stacked = torch.cat([ours[f"{letter}_{gate}_l0"] for gate in "ifzo"])
                    getattr(self.lstm, f"{name}_l{k}").copy_(stacked)
                second = getattr(self.lstm, f"bias_hh_l{k}")
                second.zero_().requires_grad_(False)
        modules = (self.embedding, self.lstm, self.softmax)
        self.parameters = [p for m in modules for p in m.parameters() if p.requires_grad]

    def run(self, corpus):
        """The loss of every batch in nats, and how often clipping acted."""
        c, criterion = self.chosen, nn.CrossEntropyLoss()
        nats, norms = [], []
        for epoch in range(c["max_max_epoch"]):
            rate = c["learning_rate"] * c["lr_decay"] ** max(epoch + 1 - c["max_epoch"], 0)
            optimiser = torch.optim.SGD(self.parameters, lr=rate)
            state = None
            for inputs, targets in batches(corpus.train, c["batch_size"], c["num_steps"]):
                y, state = self.lstm(self.embedding(inputs), state)
                state = tuple(s.detach() for s in state)
                mean = criterion(self.softmax(y).reshape(-1, V), targets.reshape(-1))
                optimiser.zero_grad()
                (mean * c["num_steps"]).backward()  # summed over the steps, averaged over the rows
                norms.append(nn.utils.clip_grad_norm_(self.parameters, c["max_grad_norm"]).item())
                optimiser.step()
                nats.append(mean.item() * targets.numel())
        return nats, norms


@pytest.mark.parametrize("engine", ["native", "bptt", "autograd"])
def test_training_is_the_ordinary_script(corpus, engine):
    chosen = tiny(max_grad_norm=1.5)
    losses = Losses()
    outcome = train(corpus, "lstm", chosen, 0, engine, progress=losses)
    script = PlainScript(initial("lstm", chosen, 0), chosen)
    nats, norms = script.run(corpus)
    clipped = sum(norm > 1.5 for norm in norms)
    assert 3 < clipped < len(norms) - 3, "the test needs both, steps that are clipped and steps that are not"
    assert losses.places == [(e, s) for e in range(2) for s in range(1, STEPS + 1)]
    np.testing.assert_allclose(losses.nats, nats, rtol=2e-4)
    assert outcome.status == "finished" and outcome.engine == engine
    assert outcome.epochs["learning_rate"] == [1.0, 0.5]
    means = np.array(nats).reshape(2, STEPS).mean(1) / 20
    np.testing.assert_allclose(outcome.epochs["train_loss"], means, rtol=1e-4)
    for ours, theirs in (
        (outcome.model.embedding.weight, script.embedding.weight),
        (outcome.model.softmax.weight, script.softmax.weight),
        (outcome.model.softmax.bias, script.softmax.bias),
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_the_state_is_carried_within_an_epoch_and_starts_anew_in_each(corpus):
    """With a rate of nearly nothing the losses are those of one fixed model."""
    chosen = tiny(learning_rate=1e-12)
    losses = Losses()
    train(corpus, "lstm", chosen, 0, progress=losses)
    model = initial("lstm", chosen, 0)
    carried, alone, state = [], [], None
    with torch.no_grad():
        for inputs, targets in batches(corpus.train, 4, 5):
            nats, state = model.loss(inputs, targets, state)
            carried.append(nats.item())
            alone.append(model.loss(inputs, targets)[0].item())
    np.testing.assert_allclose(losses.nats[:STEPS], carried, rtol=1e-5)
    np.testing.assert_allclose(losses.nats[STEPS:], carried, rtol=1e-5)
    assert np.abs(np.array(carried) - alone).max() > 1e-2, "with a fresh state the losses would differ"


def test_metrics_and_curves_are_those_of_the_model_that_comes_back(corpus):
    outcome = train(corpus, "vanilla", tiny(keep_prob=0.5), 0)
    for split in ("valid", "test"):
        found = perplexity(outcome.model, getattr(corpus, split), corpus.eos)
        assert outcome.metrics[f"{split}_perplexity"] == found
    assert set(outcome.metrics) == {"valid_perplexity", "test_perplexity"}
    assert outcome.epochs[CURVE][-1] == perplexity(outcome.model, corpus.valid, corpus.eos, batch_size=10)
    assert {len(curve) for curve in outcome.epochs.values()} == {2}
    assert outcome.parameters == outcome.model.parameter_count()
    assert outcome.seconds > 0


def test_it_learns(corpus):
    """Three words in twenty can follow: in a few epochs well below the unigram floor, never below 3."""
    outcome = train(corpus, "lstm", tiny(max_epoch=8, max_max_epoch=8, hidden_size=16), 0)
    floor = unigram_perplexity(corpus.train, corpus.test, V)
    assert 3 < outcome.metrics["test_perplexity"] < 0.6 * floor
    assert np.all(np.diff(outcome.epochs["train_loss"]) < 0)


# Determinism


@pytest.mark.parametrize("engine", ["native", "bptt", "autograd"])
def test_the_same_seed_gives_the_same_bits_whatever_the_global_generator(corpus, engine):
    chosen = tiny(keep_prob=0.5)
    torch.manual_seed(1)
    first = train(corpus, "lstm", chosen, 3, engine)
    torch.manual_seed(2)
    torch.rand(7)
    assert same(first, train(corpus, "lstm", chosen, 3, engine))
    other = train(corpus, "lstm", chosen, 4, engine)
    assert other.metrics != first.metrics
    assert not torch.equal(other.model.softmax.bias, first.model.softmax.bias)


@pytest.mark.parametrize("keep_prob", [1.0, 0.5])
def test_the_global_random_state_is_left_as_it_was(corpus, keep_prob):
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    train(corpus, "lstm", tiny(max_max_epoch=1, keep_prob=keep_prob), 0)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002


@pytest.mark.parametrize("key", ["lstm", "gru", "srnn", "vanilla", "fgr", "no_srnn_hidden"])
def test_engines_agree(corpus, key):
    engines = ["bptt", "autograd"] + ["native"] * (key in ("lstm", "gru", "srnn"))
    chosen = tiny(learning_rate=0.3)
    first, *others = [train(corpus, key, chosen, 0, engine) for engine in engines]
    for other in others:
        assert other.metrics == pytest.approx(first.metrics, rel=1e-4)
        assert other.epochs["train_loss"] == pytest.approx(first.epochs["train_loss"], rel=1e-4)
        assert other.parameters == first.parameters


# Interrupted and resumed


class Killed(Exception):
    pass


class KillAt:
    """A progress callback that gives up at its n-th call, and remembers which steps were done."""

    def __init__(self, calls):
        self.calls, self.places = calls, []

    def __call__(self, epoch, step, steps, mean_loss):
        self.places.append((epoch, step))
        if len(self.places) == self.calls:
            raise Killed


RESUMED = {
    "native": ("lstm", {}),
    "dropout": ("lstm", {"keep_prob": 0.5}),
    "tied": ("vanilla", {"keep_prob": 0.7, "layers_tied": True, "weight_tying": True}),
    "three states": ("fgr", {"keep_prob": 0.7}),
    "no cell": ("gru", {"num_layers": 3, "learning_rate": 0.2}),
}


@pytest.mark.parametrize("case", RESUMED)
def test_a_run_killed_anywhere_ends_with_the_same_bits(corpus, case, tmp_path, monkeypatch):
    """Every step leaves a checkpoint; killed at the first step, in mid-epoch, around the end of an epoch."""
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1)
    key, changes = RESUMED[case]
    chosen, checkpoint = tiny(**changes), tmp_path / "there" / "run.checkpoint"
    whole = train(corpus, key, chosen, 0)
    places = []
    # The step at which progress gives up is not in the checkpoint yet, and is done again.
    for calls in (1, 2, 6, STEPS - 6, 2, 3, 7):
        kill = KillAt(calls)
        with pytest.raises(Killed):
            train(corpus, key, chosen, 0, checkpoint=checkpoint, progress=kill)
        places += kill.places[:-1]
    last = KillAt(math.inf)
    resumed = train(corpus, key, chosen, 0, checkpoint=checkpoint, progress=last)
    assert places + last.places == [(e, s) for e in range(2) for s in range(1, STEPS + 1)], "each step once"
    assert len(last.places) < STEPS
    assert same(resumed, whole)


def test_without_a_recent_checkpoint_a_run_goes_on_from_the_end_of_the_last_epoch(corpus, tmp_path):
    chosen, checkpoint = tiny(keep_prob=0.5, max_max_epoch=3), tmp_path / "run.checkpoint"
    whole = train(corpus, "lstm", chosen, 0)
    with pytest.raises(Killed):
        train(corpus, "lstm", chosen, 0, checkpoint=checkpoint, progress=KillAt(2 * STEPS + 5))
    last = KillAt(math.inf)
    assert same(train(corpus, "lstm", chosen, 0, checkpoint=checkpoint, progress=last), whole)
    assert last.places == [(2, s) for s in range(1, STEPS + 1)]


def test_a_run_killed_after_its_last_epoch_is_only_measured(corpus, tmp_path, monkeypatch):
    chosen, checkpoint = tiny(keep_prob=0.5), tmp_path / "run.checkpoint"
    whole = train(corpus, "lstm", chosen, 0)

    def killed(*_, batch_size=1):
        if batch_size == 1:  # the final figures
            raise Killed
        return perplexity(*_, batch_size=batch_size)

    with monkeypatch.context() as patch:
        patch.setattr(reading, "perplexity", killed)
        with pytest.raises(Killed):
            train(corpus, "lstm", chosen, 0, checkpoint=checkpoint)
    last = KillAt(math.inf)
    assert same(train(corpus, "lstm", chosen, 0, checkpoint=checkpoint, progress=last), whole)
    assert last.places == []


@pytest.mark.parametrize("stop", [True, False])
def test_a_dead_run_that_was_resumed_is_still_dead(corpus, tmp_path, monkeypatch, stop):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1)
    chosen, checkpoint = tiny(stop_when_dead=stop), tmp_path / "run.checkpoint"
    whole = train(corpus, DEAD, chosen, 0)
    for calls in (2,) if stop else (2, 10):
        with pytest.raises(Killed):
            train(corpus, DEAD, chosen, 0, checkpoint=checkpoint, progress=KillAt(calls))
    assert same(train(corpus, DEAD, chosen, 0, checkpoint=checkpoint), whole)
    assert whole.status == "dead"


def test_killed_while_a_checkpoint_is_written_the_one_before_counts(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1)
    chosen, checkpoint = tiny(keep_prob=0.5), tmp_path / "run.checkpoint"
    whole = train(corpus, "lstm", chosen, 0)
    save, calls = torch.save, []

    def half_written(content, file):
        save(content, file)
        calls.append(file)
        if len(calls) == 5:
            file.truncate(file.tell() // 2)
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", half_written)
        with pytest.raises(Killed):
            train(corpus, "lstm", chosen, 0, checkpoint=checkpoint)
    last = KillAt(math.inf)
    assert same(train(corpus, "lstm", chosen, 0, checkpoint=checkpoint, progress=last), whole)
    assert last.places[0] == (0, 5)


@pytest.mark.parametrize("damage", ["cut in half", "empty", "not a checkpoint"])
def test_a_damaged_checkpoint_is_named_in_a_sentence_or_done_without(corpus, tmp_path, damage):
    """A file that a power cut left half written must not end in a traceback that returns for ever."""
    chosen, checkpoint = tiny(), tmp_path / "run.checkpoint"
    whole = train(corpus, "lstm", chosen, 0, checkpoint=checkpoint)
    data = checkpoint.read_bytes()
    checkpoint.write_bytes(
        {"cut in half": data[: len(data) // 2], "empty": b"", "not a checkpoint": b"x" * 99}[damage]
    )
    try:
        again = train(corpus, "lstm", chosen, 0, checkpoint=checkpoint)
    except UserError as error:
        assert checkpoint.name in str(error)
    else:
        assert same(again, whole)


def test_checkpoints_leave_no_other_files(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1)
    train(corpus, "lstm", tiny(max_max_epoch=1), 0, checkpoint=tmp_path / "run.checkpoint")
    assert [path.name for path in tmp_path.iterdir()] == ["run.checkpoint"]


# Diverged


def test_a_huge_rate_diverges_and_stops_early(corpus):
    outcome = train(corpus, "lstm", tiny(learning_rate=1e6, max_max_epoch=5), 0)
    assert outcome.status == "diverged" and outcome.metrics == {}
    assert len(outcome.epochs["train_loss"]) <= 1


def test_an_epoch_above_the_uniform_loss_is_diverged(corpus):
    """Finite numbers throughout, and yet worse than knowing nothing."""
    losses = Losses()
    outcome = train(
        corpus, "srnn", tiny(learning_rate=8.0, max_grad_norm=100.0, max_max_epoch=5), 0, progress=losses
    )
    assert np.isfinite(losses.nats).all() and len(losses.nats) == STEPS
    assert outcome.epochs["train_loss"][0] > math.log(V)
    assert outcome.status == "diverged" and outcome.metrics == {}


def test_a_number_that_is_not_finite_is_diverged_at_once(corpus):
    losses = Losses()
    outcome = train(corpus, "lstm", tiny(learning_rate=1e38, max_grad_norm=1e6), 0, progress=losses)
    assert outcome.status == "diverged" and outcome.metrics == {}
    assert outcome.epochs["train_loss"] == []
    assert len(losses.nats) < 5 and not math.isfinite(losses.nats[-1])


def test_a_parameter_that_is_not_finite_is_diverged(corpus):
    """Even where no loss is touched: in the embedding of a word that no text holds."""

    class Poison(Losses):
        def __call__(self, epoch, step, steps, mean_loss):
            super().__call__(epoch, step, steps, mean_loss)
            if len(self.places) == 2 * STEPS:
                frame["model"].embedding.weight.data[V - 1] = math.inf

    frame = {}
    build = training.build_model

    def catch(*args, **options):
        frame["model"] = build(*args, **options)
        return frame["model"]

    few = corpus_of(*(np.minimum(a, V - 2) for a in (corpus.train, corpus.valid, corpus.test)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "build_model", catch)
        outcome = train(few, "lstm", tiny(), 0, progress=Poison())
    assert outcome.status == "diverged"
    assert math.isfinite(outcome.metrics["valid_perplexity"])


def test_valid_above_the_unigram_floor_and_rising_is_diverged(corpus):
    """It learns which words follow which, and is measured on the same words in any order."""
    rng = np.random.default_rng(0)
    corpus = corpus_of(corpus.train, *(rng.permutation(corpus.train)[:100] for _ in range(2)))
    floor = unigram_perplexity(corpus.train, corpus.valid, V)
    outcome = train(corpus, "lstm", tiny(hidden_size=16, max_epoch=9, max_max_epoch=8), 0)
    curve = outcome.epochs[CURVE]
    assert outcome.epochs["train_loss"][-1] < 0.8 * math.log(V), "it did learn"
    assert curve[-1] > curve[-2] and outcome.metrics["valid_perplexity"] > floor
    assert outcome.status == "diverged"
    assert set(outcome.metrics) == {"valid_perplexity", "test_perplexity"}, (
        "what it came to is told all the same"
    )


@pytest.mark.parametrize("epochs", [1, 3])
def test_slow_is_not_diverged(epochs):
    """Above the unigram floor at the end, but still falling; after one epoch nothing is known of falling."""
    rng = np.random.default_rng(0)
    skewed = np.where(rng.random(TRAIN) < 0.8, 0, rng.integers(0, V, TRAIN)).astype(np.int64)
    corpus = corpus_of(skewed, skewed[:100], skewed[100:200])
    outcome = train(corpus, "lstm", tiny(learning_rate=0.003, max_max_epoch=epochs, max_epoch=9), 0)
    assert outcome.metrics["valid_perplexity"] > 2 * unigram_perplexity(corpus.train, corpus.valid, V)
    assert len(outcome.epochs[CURVE]) == epochs and np.all(np.diff(outcome.epochs[CURVE]) < 0)
    assert outcome.status == "finished"


# Dead


def softmax_bias_only(corpus, chosen, bias):
    """Valid and test perplexity of a softmax bias trained by the same schedule, in NumPy from counts."""
    bias = bias.astype(np.float64)
    B, T = chosen["batch_size"], chosen["num_steps"]
    for epoch in range(chosen["max_max_epoch"]):
        rate = chosen["learning_rate"] * chosen["lr_decay"] ** max(epoch + 1 - chosen["max_epoch"], 0)
        for _, targets in batches(corpus.train, B, T):
            p = np.exp(bias) / np.exp(bias).sum()
            gradient = (B * T * p - np.bincount(targets.flatten().numpy(), minlength=V)) / B
            norm = np.linalg.norm(gradient)
            bias = bias - rate * gradient * min(1, chosen["max_grad_norm"] / norm)
    log_p = bias - np.log(np.exp(bias).sum())
    return {
        f"{split}_perplexity": math.exp(-log_p[getattr(corpus, split)].mean()) for split in ("valid", "test")
    }


@pytest.mark.parametrize("norm", [5.0, 0.5])
def test_a_dead_network_run_to_the_end_is_a_softmax_bias(corpus, norm):
    chosen = tiny(stop_when_dead=False, max_max_epoch=3, max_grad_norm=norm, learning_rate=0.3)
    outcome = train(corpus, DEAD, chosen, 0)
    start = initial(DEAD, chosen, 0)
    assert outcome.status == "dead"
    assert len(outcome.epochs["train_loss"]) == 3
    expected = softmax_bias_only(corpus, chosen, start.softmax.bias.detach().numpy())
    assert outcome.metrics == pytest.approx(expected, rel=1e-4)
    for (name, p), (_, first) in zip(outcome.model.named_parameters(), start.named_parameters(), strict=True):
        assert torch.equal(p, first) == (name != "softmax.bias"), name


@pytest.mark.parametrize("changes", [{}, {"keep_prob": 0.5}, {"layers_tied": True}, {"num_layers": 1}])
@pytest.mark.parametrize("engine", ["auto", "autograd"])
def test_a_dead_network_is_stopped_after_two_batches(corpus, changes, engine):
    losses = Losses()
    outcome = train(corpus, DEAD, tiny(**changes), 0, engine, progress=losses)
    assert outcome.status == "dead" and outcome.metrics == {}
    assert losses.places == [(0, 1), (0, 2)]


@pytest.mark.parametrize("stop", [True, False])
def test_a_dead_network_is_dead_even_if_an_epoch_has_one_batch_only(corpus, stop):
    """The second of the first two batches is then in the second epoch."""
    one = corpus_of(np.zeros(30, dtype=np.int64), corpus.valid, corpus.test)
    assert len(batches(one.train, 4, 5)) == 1
    chosen = tiny(max_max_epoch=3, stop_when_dead=stop, learning_rate=0.1)
    # A seed that favours the only word of the text, so that no epoch lies above the uniform loss.
    seed = next(s for s in range(20) if initial(DEAD, chosen, s).softmax.bias.softmax(0)[0] > 1.2 / V)
    assert train(one, DEAD, chosen, seed).status == "dead"


def test_dead_is_tested_before_diverged(corpus):
    """A dead network whose one living bias jumps about, above the uniform loss, is dead first of all."""
    chosen = tiny(stop_when_dead=False, learning_rate=20.0, max_grad_norm=100.0)
    outcome = train(corpus, DEAD, chosen, 0)
    assert outcome.epochs["train_loss"][0] > math.log(V)
    assert outcome.status == "dead"


@pytest.mark.parametrize("key", ["lstm", "srnn", "no_srnn_hidden", "slim3", "fgr"])
def test_living_networks_are_not_called_dead(corpus, key):
    outcome = train(corpus, key, tiny(max_max_epoch=1, learning_rate=0.1), 0)
    assert outcome.status == "finished"


def test_the_published_cell_with_other_initial_gates_is_alive(corpus):
    """It is the start at zero that kills it, not the missing squashing functions alone."""
    chosen = tiny(spec_changes={"start": "default"}, learning_rate=0.1, init_scale=0.1, max_max_epoch=1)
    assert train(corpus, DEAD, chosen, 0).status == "finished"


def test_a_text_too_short_is_refused_before_anything_is_written(corpus, tmp_path):
    short = corpus_of(corpus.train[:20], corpus.valid, corpus.test)
    with pytest.raises(ValueError, match="too few"):
        train(short, "lstm", tiny(), 0, checkpoint=tmp_path / "run.checkpoint")
    assert not list(tmp_path.iterdir())


def test_the_setting_tokens_takes_the_beginning_of_each_split(corpus):
    """So many tokens of train and a tenth of that of valid and test, for learning and for measuring."""
    head = corpus_of(corpus.train[:300], corpus.valid[:30], corpus.test[:30])
    cut = train(corpus, "lstm", tiny(tokens=300), 0)
    assert same(cut, train(head, "lstm", tiny(tokens=None), 0))
    assert cut.metrics != train(corpus, "lstm", tiny(tokens=None), 0).metrics
