"""Seed 001: its model, the reading sentence by sentence, and the study."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from lstm_tutorial import ledger, reading, sentences
from lstm_tutorial.__main__ import main
from lstm_tutorial.causality import aliveness, future_influence
from lstm_tutorial.data import Corpus, load_corpus
from lstm_tutorial.language_model import LanguageModel
from lstm_tutorial.seed_001 import Seed001
from lstm_tutorial.studies import lstm_vs_gru as study
from lstm_tutorial.studies import rates
from lstm_tutorial.training import build_model, initialise, train

V, EOS = 12, 0
WORDS = ("<eos>", "<unk>", *(f"w{k}" for k in range(2, V)))


def text(count, seed):
    """Sentences of 1 to 9 words, in which each word narrows down the next."""
    rng = np.random.default_rng(seed)
    table = np.random.default_rng(9).integers(1, V, (V, 2))
    out = []
    for _ in range(count):
        word = 0
        for _ in range(rng.integers(1, 10)):
            word = int(table[word, rng.integers(2)])
            out.append(word)
        out.append(EOS)
    return np.array(out, dtype=np.int64)


@pytest.fixture(scope="module")
def corpus():
    return Corpus("tiny", WORDS, text(60, 0), text(12, 1), text(11, 2), sha256={"tiny": "0"})


def settings(name, **changes):
    chosen = study.settings(name, "smoke", V) | dict(hidden_size=6, max_max_epoch=2, batch_size=4)
    return chosen | dict(learning_rate=0.02, sentences=50) | changes


def tokens(T=7, B=3):
    return torch.as_tensor(np.random.default_rng(0).integers(0, V, (T, B)))


# The model


@pytest.mark.parametrize("cell", ["lstm", "gru_reset_before", "gru", "vanilla", "fgr", "srnn"])
def test_without_its_leak_it_is_the_language_model(cell):
    ours = LanguageModel(cell, V, 6).initialise(0.4, torch.Generator().manual_seed(1))
    theirs = Seed001(cell, V, 6, leaks=False).initialise(0.4, torch.Generator().manual_seed(1))
    assert torch.equal(ours(tokens())[0], theirs(tokens())[0])
    leaking = Seed001(cell, V, 6).initialise(0.4, torch.Generator().manual_seed(1))
    assert (leaking(tokens())[0] - ours(tokens())[0]).abs().max() > 1e-3


def test_the_second_layer_starts_where_the_first_has_ended():
    """Against torch's own layers, one after the other by hand."""
    model = Seed001("lstm", V, 6).initialise(0.4, torch.Generator().manual_seed(1))
    layers = [nn.LSTM(6, 6) for _ in range(2)]
    for ours, theirs in zip(model.layers, layers):
        theirs.load_state_dict(ours.to_torch())
    x = model.embedding(tokens())
    below, ended = layers[0](x)
    y, _ = layers[1](below, ended)
    torch.testing.assert_close(model(tokens())[0], model.softmax(y), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", study.ROWS)
def test_the_leak_is_found_where_it_is_and_only_there(name):
    model = initialise(build_model(study.ROWS[name].variant, settings(name), V), settings(name), seed=0)
    found = future_influence(model, tokens())
    assert found.verdict == ("leaks" if "leak" in name and "no leak" not in name else "causal"), name
    batches = sentences.sentence_batches(text(8, 3), EOS, 4)
    batches = [(i, t.clamp(min=0)) for i, t in batches]
    alive = aliveness(model, batches)
    # Log-normal weights are large and positive: gates so saturated that some word has no gradient at all.
    assert alive.passed or (name == "fair lstm, log-normal" and not alive.silent), name


def test_two_linear_layers_are_one_of_low_rank():
    model = Seed001("lstm", V, 3, wide=40)
    assert model.parameter_count() == Seed001("lstm", V, 3).parameter_count() + (3 + 1) * 40 + 40 * V - 3 * V
    wide, scores = model.softmax
    matrix, bias = scores.weight @ wide.weight, scores.weight @ wide.bias + scores.bias
    assert torch.linalg.matrix_rank(matrix) == 3 < min(matrix.shape[0], 40)
    y = torch.randn(5, 3)
    torch.testing.assert_close(model.softmax(y), y @ matrix.T + bias)
    assert model.output_bias is scores.bias


# The reading


def test_the_first_sentences_and_the_commonest_words(corpus):
    small = corpus.first_sentences(20, 6)
    ends = np.flatnonzero(corpus.train == EOS)
    assert small.sentence_counts == corpus.sentence_counts | {"train": 20}
    counts = Counter(corpus.vocabulary[k] for k in corpus.train[: ends[19] + 1])
    rest = sorted(set(WORDS) - {"<eos>", "<unk>"}, key=lambda w: (-counts[w], WORDS.index(w)))
    assert set(small.vocabulary) == {"<eos>", "<unk>", *rest[:4]}
    for split in ("train", "valid", "test"):
        before = [corpus.vocabulary[k] for k in getattr(corpus, split)]
        after = [small.vocabulary[k] for k in getattr(small, split)]
        expected = [w if w in small.vocabulary else "<unk>" for w in before]
        assert after == expected[: len(after)] and len(after) == (
            ends[19] + 1 if split == "train" else len(before)
        )
    assert small.vocabulary[small.eos] == "<eos>"
    for words in (None, V, 100):
        assert corpus.first_sentences(20, words).vocabulary == corpus.vocabulary
    assert corpus.first_sentences(10**6).train is not None
    banyan = load_corpus("banyan", size="smoke", say=None)
    assert banyan.first_sentences(5, 100).vocabulary == banyan.vocabulary, "there is no <unk> to map words to"


def test_every_epoch_has_all_batches_in_an_order_of_its_own(corpus):
    text = reading.reading(corpus, settings("fair lstm"))
    orders = [[id(b) for b in text.epoch(seed, n)] for seed, n in ((0, 0), (0, 1), (1, 0), (0, 0))]
    assert orders[0] == orders[3] and len({tuple(o) for o in orders}) == 3
    assert all(sorted(o) == sorted(map(id, text.batches)) for o in orders)


def test_the_figures_are_those_of_the_losses(corpus):
    model = LanguageModel("lstm", V, 6).initialise(0.5, torch.Generator().manual_seed(0))
    losses = sentences.surprisals(model, corpus.test, EOS)
    found = reading.reading(corpus, settings("fair lstm")).in_the_end(model)
    assert found["test_perplexity"] == pytest.approx(np.exp(losses.mean()), rel=1e-9)
    pieces = [np.array(p) for p in np.split(losses, np.flatnonzero(corpus.test == EOS)[:-1] + 1)]
    assert found["test_perplexity_without_first_words"] == pytest.approx(
        np.exp(np.concatenate([p[1:] for p in pieces]).mean()), rel=1e-9
    )
    assert found["test_perplexity_as_seed_001"] == pytest.approx(
        np.exp(np.mean([p[1:].mean() for p in pieces])), rel=1e-9
    )
    # A model that is never asked for the first word gets the same figures where they mean the same.
    without = reading.reading(corpus, settings("lstm, no leak"))
    assert "test_perplexity" not in without.in_the_end(model)


def test_a_step_of_adam_is_the_ordinary_script(corpus):
    """nn.LSTM, CrossEntropyLoss with ignore_index, clip_grad_norm_, Adam, in the same order of batches."""
    chosen = settings("lstm, no leak", keep_prob=1.0, max_grad_norm=0.5)
    model = initialise(build_model("lstm", chosen, V), chosen, seed=3)
    plain = nn.ModuleDict({"e": nn.Embedding(V, 6), "l": nn.LSTM(6, 6, 2), "s": nn.Linear(6, V)})
    torch_state = {}
    for k, layer in enumerate(model.layers):
        torch_state |= {name.replace("_l0", f"_l{k}"): v for name, v in layer.to_torch().items()}
    plain["l"].load_state_dict(torch_state)
    plain["e"].load_state_dict(model.embedding.state_dict())
    plain["s"].load_state_dict(model.softmax.state_dict())
    for name, p in plain["l"].named_parameters():
        p.requires_grad_("bias_hh" not in name)  # one bias per gate
    learned = [p for p in plain.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(learned, lr=0.02, betas=(0.9, 0.99))
    criterion = nn.CrossEntropyLoss(ignore_index=sentences.IGNORED)
    means = []
    for epoch in range(2):
        nats = words = 0
        for inputs, targets in reading.reading(corpus, chosen).epoch(3, epoch):
            y, _ = plain["l"](plain["e"](inputs))
            loss = criterion(plain["s"](y).flatten(0, 1), targets.flatten())
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learned, 0.5)
            optimiser.step()
            count = (targets != sentences.IGNORED).sum().item()
            nats, words = nats + loss.item() * count, words + count
        means.append(nats / words)
    outcome = train(corpus, "lstm", chosen, seed=3)
    np.testing.assert_allclose(outcome.epochs["train_loss"], means, rtol=1e-4)
    assert outcome.status == "finished" and means[1] < means[0]


def test_mixed_lengths_are_read_and_measured_in_the_order_of_the_text(corpus):
    corpus = replace(corpus, test=text(150, 4))
    mixed = reading.reading(corpus, settings("lstm, leak, mixed lengths"))
    sizes = [len(t) for t, _ in mixed.batches]
    assert sizes != sorted(sizes) and sizes != sorted(sizes, reverse=True)
    ours = sentences.sentence_batches(mixed.corpus.train, EOS, 4, first_word=False, by_length=False)
    assert all(torch.equal(a, b) for pair in zip(ours, mixed.batches) for a, b in zip(*pair))
    model = Seed001("lstm", V, 6).initialise(0.8, torch.Generator().manual_seed(0))
    by_length = reading.reading(corpus, settings("lstm, leak"))
    name = "test_perplexity_as_seed_001"
    assert abs(mixed.in_the_end(model)[name] / by_length.in_the_end(model)[name] - 1) > 1e-5, "padding counts"
    model.leaks = False
    assert mixed.in_the_end(model)[name] == pytest.approx(by_length.in_the_end(model)[name], rel=1e-6)


@pytest.mark.parametrize("name", ["lstm, leak", "fair lstm, sgd", "fair gru"])
def test_a_run_that_was_killed_goes_on_to_the_same_bits(corpus, name, tmp_path, monkeypatch):
    chosen, variant = settings(name), study.ROWS[name].variant
    whole = train(corpus, variant, chosen, seed=0)
    monkeypatch.setattr("lstm_tutorial.training.CHECKPOINT_SECONDS", 0)
    calls = []

    class Killed(Exception):
        pass

    def kill(*where):
        calls.append(where)
        if len(calls) == 18:
            raise Killed

    checkpoint = tmp_path / "run.checkpoint"
    with pytest.raises(Killed):
        train(corpus, variant, chosen, seed=0, checkpoint=checkpoint, progress=kill)
    again = train(corpus, variant, chosen, seed=0, checkpoint=checkpoint)
    assert again.metrics == whole.metrics and again.epochs == whole.epochs


def test_log_normal_cells_and_torchs_own_start():
    chosen = settings("fair lstm, log-normal", hidden_size=60)
    model = initialise(build_model("lstm", chosen, V), chosen, seed=0)
    drawn = torch.cat([p.detach().flatten() for p in model.layers.parameters()]).log()
    assert abs(drawn.mean() - 1) < 0.05 and abs(drawn.std() - 2) < 0.05
    other = settings("fair lstm", hidden_size=60)
    plain = initialise(build_model("lstm", other, V), other, seed=0)
    assert torch.equal(plain.embedding.weight, model.embedding.weight), "only the cells differ"
    assert max(p.abs().max() for p in plain.layers.parameters()) <= 60**-0.5
    assert 0.9 < plain.embedding.weight.std() < 1.1
    twice = initialise(build_model("lstm", other, V), other, seed=0)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), twice.parameters()))


# The study


def test_sizes():
    full = study.settings("lstm, leak, wide", "full", 10_000)
    assert (full["hidden_size"], full["wide"]) == (650, 5000) and "sentences" not in full
    replica = study.settings("lstm, leak, wide", "replica", 2_000)
    assert (replica["hidden_size"], replica["wide"]) == (128, 984)
    for name, config, words in (("lstm, leak", "full", 10_000), ("fair gru", "replica", 2_000)):
        s = study.settings(name, config, words)
        built = build_model(study.ROWS[name].variant, s, words).parameter_count()
        assert built == study.parameter_count(study.ROWS[name].variant, s["hidden_size"], words)


@pytest.mark.parametrize("config, words", [("replica", 2_000), ("full", 10_000), ("smoke", 2_007)])
def test_equal_parameters_is_the_closest_width(config, words):
    wide = study.settings("fair gru, equal parameters", config, words)["hidden_size"]
    wanted = study.parameter_count("lstm", study.CONFIGS[config]["hidden_size"], words)
    off = [
        abs(study.parameter_count("gru_reset_before", h, words) - wanted) for h in (wide - 1, wide, wide + 1)
    ]
    assert off[1] == min(off)


def test_one_step_further_at_an_edge():
    score = {1.0: 9, 2.0: 8, 4.0: 7, 8.0: 6.5}.get
    assert rates.scores_of((1.0, 2.0, 4.0), score) == {1.0: 9, 2.0: 8, 4.0: 7, 8.0: 6.5}
    assert rates.best_rate(rates.scores_of((1.0, 2.0, 4.0), score)) == (8.0, True)
    assert rates.scores_of((1.0, 2.0, 4.0), {1.0: 9, 2.0: 6, 4.0: 7}.get) == {1.0: 9, 2.0: 6, 4.0: 7}
    assert rates.scores_of((1.0, 2.0, 4.0), {1.0: 9, 2.0: 8, 4.0: 7}.get) is None
    assert rates.scores_of((1.0, 2.0, 4.0), {1.0: 9, 2.0: 8}.get) is None
    assert rates.best_rate({1.0: math.inf, 2.0: math.inf}) == (1.0, True)


def record(name, seed, rate, valid, **changes):
    run = study.run_of(name, seed, "paper", "replica", 2_000, rate)
    size = build_model(study.ROWS[name].variant, run.settings, 2_000).parameter_count()
    metrics = {f"{s}_perplexity_as_seed_001": valid - 1 for s in ("valid", "test")}
    if run.settings["first_word"]:
        metrics |= {"valid_perplexity": valid, "test_perplexity": valid + 1}
    return {
        "variant": run.variant,
        "seed": seed,
        "mode": "paper",
        "data": "ptb",
        "settings": run.settings,
        "metrics": metrics,
        "parameters": size,
        "status": "finished",
    } | changes


def test_fair_rows_are_reported_at_the_rate_that_was_chosen_on_valid():
    records = [
        record("fair gru", study.TUNING_SEED, rate, 80 + k) for k, rate in ((2, 5e-4), (0, 1e-3), (1, 2e-3))
    ]
    records += [record("fair gru", seed, rate, 90 * rate / 1e-3) for seed in (0, 1) for rate in (1e-3, 2e-3)]
    records += [record("lstm, leak", 0, 1e-3, 70.0), record("lstm, no leak", 0, 1e-3, 89.0)]
    records += [record("fair lstm", 0, 1e-3, 70.0)]
    found = study.reported(records, "paper", "replica")
    assert [(r["seed"], r["settings"]["learning_rate"]) for r in found["fair gru"]] == [(0, 1e-3), (1, 1e-3)]
    assert found["fair lstm"] == [], "its rate has not been chosen"
    assert [len(found[name]) for name in ("lstm, leak", "lstm, no leak", "gru, leak")] == [1, 1, 0]
    table = str(study.results_table(records, "paper", "replica"))
    assert "not run" in table and "69.00" in table and "91.00 ± 0.00" in table
    assert study.reported(records, "paper", "full")["lstm, leak"] == []


def test_equal_parameters_row_is_told_from_equal_units():
    runs = [
        record("fair gru, equal parameters", 100, rate, 80 + k)
        for k, rate in ((2, 5e-4), (0, 1e-3), (1, 2e-3))
    ]
    runs += [record("fair gru, equal parameters", 0, 1e-3, 80.0), record("fair gru", 0, 1e-3, 81.0)]
    found = study.reported(runs, "paper", "replica")
    assert len(found["fair gru, equal parameters"]) == 1 and found["fair gru"] == []


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LSTM_TUTORIAL_RUNS", str(tmp_path))
    arguments = [
        "compare",
        "--corpus",
        "banyan",
        "--rows",
        "lstm, leak",
        "fair lstm, sgd",
        "--seeds",
        "0",
        "1",
    ]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    found = [r for r in ledger.read(study.STUDY) if r["data"] == "banyan"]
    assert sum(r["seed"] == study.TUNING_SEED for r in found) in (3, 4) and len(found) in (7, 8)
    assert "fair lstm, sgd: rate" in printed and "not to be compared" in printed and "not run" in printed
    assert main(arguments) == 0
    assert "in the ledger" in capsys.readouterr().out and len(list(tmp_path.glob("*/*.json"))) == len(found)
    taken = study.chosen_rate(found, "fair lstm, sgd", "smoke", "smoke", "banyan")
    assert main([*arguments, "--also-try", "1e-6"]) == 0  # one run more, and nothing else is changed by it
    more = [r for r in ledger.read(study.STUDY) if r["data"] == "banyan"]
    assert len(more) == len(found) + 1
    assert study.chosen_rate(more, "fair lstm, sgd", "smoke", "smoke", "banyan") == taken != (None, False)
    assert 1e-6 in study.tried(more, "fair lstm, sgd", "smoke", "smoke", "banyan")
    for wrong, word in ((["--rows", "lstm"], "'lstm'"), (["--seeds", "100"], "100")):
        assert main(["compare", "--corpus", "banyan", *wrong]) == 2
        assert word in capsys.readouterr().err
