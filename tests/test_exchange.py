"""The exchange of parts between two readings, by oracles; its study: the plan, one tiny run, its verdicts."""

import copy

import numpy as np
import pytest
import torch

from lstm_tutorial import claims, declared, ledger, numpy_lstm, variants
from lstm_tutorial import numpy_language_model as lm
from lstm_tutorial.__main__ import main
from lstm_tutorial.data import banyan, lexicon, load_banyan
from lstm_tutorial.gradient_check import draw_problem
from lstm_tutorial.language_model import LanguageModel
from lstm_tutorial.studies import exchange as study
from lstm_tutorial.weighted_sum import PARTS, exchange, reading_at, tapes_of, verb_margins

WITH_CELL = [key for key, spec in variants.items() if spec.has_cell]
T, B, H, PLACE = 9, 3, 4, 4


def two_readings(key, seed=0, at=T):
    """(outputs, reading) of two runs that differ in the input of step PLACE alone, each row otherwise."""
    problem = draw_problem(key, np.random.default_rng(seed), 3, H, T, B)
    changed = problem.x.copy()
    changed[PLACE - 1] += np.random.default_rng(seed + 1).normal(size=(B, 3))
    tapes = [
        numpy_lstm.forward(problem.spec, problem.params, x, problem.state)[2] for x in (problem.x, changed)
    ]
    return [(tape.y[at - 1], reading_at(tape, at)) for tape in tapes]


# ------------------------------------------------------------------------------------- the exchange


@pytest.mark.parametrize("key", WITH_CELL)
@pytest.mark.parametrize("at", [PLACE, T])
def test_nothing_is_the_output_and_everything_is_that_of_the_other_sentence(key, at):
    (y, one), (y_other, other) = two_readings(key, at=at)
    mixed = exchange(one, other, np.full(B, PLACE))
    assert tuple(mixed) == PARTS
    np.testing.assert_allclose(mixed["nothing"], y, rtol=0, atol=1e-12)
    np.testing.assert_allclose(mixed["everything"], y_other, rtol=0, atol=1e-12)
    assert np.abs(y - y_other).max() > 1e-3, "two readings that agree would prove nothing"


@pytest.mark.parametrize("key", ["lstm", "vanilla"])
def test_an_exchange_is_what_a_loop_over_the_sum_says(key):
    (_, one), (_, other) = two_readings(key)
    place = np.array([PLACE, 2, 7])  # another step in each row: which one must not be mixed up
    mixed = exchange(one, other, place)
    for b in range(B):
        for part in PARTS:
            w = other.w if part in ("all w", "everything") else one.w
            o = other.o if part in ("o", "everything") else one.o
            c = np.zeros(H)
            for j in range(T + 1):
                from_other = part in ("all z", "everything") or part == "z of the noun" and j == place[b]
                c += w[j, b] * (other if from_other else one).z[j, b]
            np.testing.assert_allclose(mixed[part][b], np.tanh(c) * o[b], rtol=0, atol=1e-13)


@pytest.mark.parametrize("key", ["no_srnn", "no_srnn_out", "no_srnn_hidden"])
def test_without_srnn_all_z_are_the_z_of_the_noun(key):
    (_, one), (_, other) = two_readings(key)
    mixed = exchange(one, other, np.full(B, PLACE))
    np.testing.assert_array_equal(mixed["all z"], mixed["z of the noun"])


def test_with_srnn_they_are_not():
    (_, one), (_, other) = two_readings("lstm")
    mixed = exchange(one, other, np.full(B, PLACE))
    assert np.abs(mixed["all z"] - mixed["z of the noun"]).max() > 1e-3


def test_in_slim3_weights_and_output_gate_read_no_word():
    (y, one), (_, other) = two_readings("slim3")
    mixed = exchange(one, other, np.full(B, PLACE))
    for part in ("all w", "o"):
        np.testing.assert_allclose(mixed[part], y, rtol=0, atol=1e-12)
    np.testing.assert_allclose(mixed["all z"], mixed["everything"], rtol=0, atol=1e-12)


def test_where_gates_read_their_own_word_only_the_weights_of_older_words_stay():
    """In LSTM − SRNN − HIDDEN the noun moves its own i, and its f, which all older words pass."""
    (_, one), (_, other) = two_readings("no_srnn_hidden")
    assert np.array_equal(one.w[PLACE + 1 :], other.w[PLACE + 1 :]) and np.array_equal(one.o, other.o)
    assert np.abs(one.w[: PLACE + 1] - other.w[: PLACE + 1]).max() > 1e-3


def test_effects_of_parts_need_not_add_up():
    (y, one), (y_other, other) = two_readings("lstm")
    mixed = exchange(one, other, np.full(B, PLACE))
    parts = sum(mixed[part] - y for part in ("all z", "all w", "o"))
    assert np.abs(parts - (y_other - y)).max() > 1e-3


@pytest.mark.parametrize("key", ["gru", "gru_reset_before"])
def test_a_gru_has_no_such_output(key):
    problem = draw_problem(key, np.random.default_rng(0), 3, H, T, B)
    tape = numpy_lstm.forward(problem.spec, problem.params, problem.x, problem.state)[2]
    with pytest.raises(ValueError, match="no cell state"):
        reading_at(tape, T)


# ---------------------------------------------------------------------------- pairs and the verb


@pytest.fixture(scope="module")
def pairs():
    return [pair for k in study.ATTRACTORS for pair in study.minimal_pairs(k, 30, seed=k)]


def test_pairs_differ_in_the_number_of_the_subject_alone(pairs):
    words = banyan.vocabulary()
    assert {pair.attractors for pair in pairs} == set(study.ATTRACTORS)
    for pair in pairs:
        one, other = ([words[k] for k in ids] for ids in (pair.words, pair.swapped))
        assert [t for t, (a, b) in enumerate(zip(one, other, strict=True), 1) if a != b] == [pair.place]
        assert one[0] == banyan.EOS and one[1] in lexicon.DETERMINERS.split()
        verbs = lexicon.number_pairs()
        assert verbs[words[pair.right]] == words[pair.wrong] and not set(one) & set(verbs)
        # the grammar can go on with the right verb after the one, and after the other with the wrong one
        after = [" ".join(said[1:]) for said in (one, other)]
        assert [grammatical(s, words[v]) for s in after for v in (pair.right, pair.wrong)] == [1, 0, 0, 1]


def grammatical(beginning, verb):
    """Whether the grammar says some sentence that starts so: "…", or "… green", or "… the tree"."""
    ends = ("", " green", " the tree", " old", " the house")
    return any(np.isfinite(banyan.log_probability(f"{beginning} {verb}{end}")) for end in ends)


def test_margins_are_differences_of_the_models_own_scores(pairs):
    """Of a model in PyTorch that computes them by itself, from each sentence alone."""
    V = len(banyan.vocabulary())
    model = LanguageModel("lstm", V, 5, 1).initialise(0.5, torch.Generator().manual_seed(0)).double()
    W, b = (p.detach().numpy() for p in (model.softmax.weight, model.softmax.bias))
    margins = verb_margins(lambda tokens: tapes_of(model, tokens)[0], W, b, pairs)
    assert tuple(margins) == PARTS
    for part, which in (("nothing", "words"), ("everything", "swapped")):
        for pair, margin in zip(pairs, margins[part], strict=True):
            tokens = torch.tensor(getattr(pair, which))[:, None]
            with torch.no_grad():
                scores = model.softmax(model.hidden(tokens)[0][-1, 0])
            q = scores.log_softmax(0)
            assert margin == pytest.approx((q[pair.right] - q[pair.wrong]).item(), abs=1e-6)
    assert np.abs(margins["all w"] - margins["nothing"]).max() > 1e-3


def test_margins_of_a_numpy_model_agree_with_its_accuracy():
    rng, V = np.random.default_rng(0), len(banyan.vocabulary())
    params = lm.init_params("no_srnn", V, 6, rng, dtype=np.float64, scale=1.0)
    found = study.measured("no_srnn", params, 30)
    for k in study.ATTRACTORS:
        items = [
            banyan.AgreementItem(pair.words[1:], pair.right, pair.wrong, k)
            for pair in study.minimal_pairs(k, 30, seed=k)
        ]
        right = lm.agreement_accuracy("no_srnn", params, items, eos())
        assert found[f"right_{k}"] == round(right, 4)
    assert found["carried_z_some"] == found["carried_noun_some"] != 0


def eos():
    return banyan.vocabulary().index(banyan.EOS)


def test_metrics_on_a_case_worked_out_by_hand():
    """Two beginnings without attractor, and two with each number from 1 to 5, all alike."""
    attractors = np.repeat(study.ATTRACTORS, 2)

    def values(none, some):
        return np.array([*none, *(some * 5)], float)

    margins = {
        "nothing": values((4, 2), (2, -1)),
        "z of the noun": values((1, -1), (2, -1)),
        "all z": values((1, -1), (-1, -1)),
        "all w": values((4, 2), (1, 0)),
        "o": values((4, 2), (2, 1)),
        "everything": values((-4, -2), (-2, -1)),
    }
    found = study.metrics_of(margins, attractors)
    assert (found["right_0"], found["right_some"], found["right_3"]) == (1.0, 0.5, 0.5)
    assert (found["margin_0"], found["margin_some"]) == (3.0, 0.5)
    assert (found["change_0"], found["change_some"]) == (6.0, 2.0)
    assert [found[f"carried_{k}_0"] for k in study.PARTS] == [0.5, 0.5, 0.0, 0.0]
    assert [found[f"carried_{k}_some"] for k in study.PARTS] == [0.0, 0.75, 0.0, -0.5]
    assert [found[f"turned_{k}_0"] for k in study.PARTS] == [0.5, 0.5, 0.0, 0.0]
    assert [found[f"turned_{k}_some"] for k in study.PARTS] == [0.0, 1.0, 0.0, 0.0]  # of those right before


# ---------------------------------------------------------------------------------------- the study


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Runs of a second, in a ledger of their own."""
    monkeypatch.setenv("LSTM_TUTORIAL_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(ledger, "results_folder", lambda: tmp_path / "results")
    small = {"hidden_size": 4, "embedding_size": 3, "items": 12}
    monkeypatch.setitem(study.SIZES, "smoke", study.SIZES["smoke"] | small)
    return load_banyan("smoke")


def test_a_run_is_recorded_once_and_repeats_to_the_bit(tiny, monkeypatch):
    run = study.run_of("no_srnn", 3, "smoke")
    record = study.perform(run, tiny, say=lambda line: None)
    assert record["status"] == "finished" and ledger.find(study.STUDY, run.id_on(tiny)) == record
    assert record["metrics"]["carried_z_0"] == record["metrics"]["carried_noun_0"]
    again = study.train(run, tiny, say=lambda line: None)
    assert (again.metrics, again.epochs) == (record["metrics"], record["epochs"])
    monkeypatch.setattr(study, "train", lambda *_: pytest.fail("it was done again"))
    assert study.perform(run, tiny, say=lambda line: None)["metrics"] == record["metrics"]


def test_a_run_that_is_not_finite_has_diverged(tiny, monkeypatch):
    start = lm.init_params

    def broken(*given, **named):
        params = start(*given, **named)
        params["b_s"][0] = np.inf
        return params

    monkeypatch.setattr(lm, "init_params", broken)
    with np.errstate(all="ignore"):
        outcome = study.train(study.run_of("lstm", 0, "smoke"), tiny, say=lambda line: None)
    assert (outcome.status, outcome.metrics) == ("diverged", {})


def test_the_command(tiny, capsys):
    assert main(["exchange", "--mode", "smoke", "--seeds", "0", "--variants", "lstm"]) == 0
    said = capsys.readouterr().out
    assert "lstm, seed 0: valid" in said and "1 to 5" in said and "not run" in said
    assert main(["results", study.STUDY]) == 0
    assert "exchange.1" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--variants", "slim3"], "lstm, no_srnn, and not 'slim3'"),
        (["--seeds", str(study.TUNING_SEED)], "never reported"),
    ],
)
def test_the_command_refuses(arguments, words, capsys):
    assert main(["exchange", "--mode", "smoke", *arguments]) == 2
    assert words in capsys.readouterr().err


# --------------------------------------------------------------------------- verdicts, invented


def record(row, seed, metrics, mode="paper", status="finished"):
    run = study.run_of(row, seed, mode)
    return {
        "study": study.STUDY,
        "variant": row,
        "seed": seed,
        "mode": mode,
        "settings": run.settings,
        "data_sha256": banyan.SHA256[mode],
        "metrics": metrics if status == "finished" else {},
        "status": status,
    }


def book(no_srnn, lstm, lstm_w):
    """A ledger of five seeds with these shares past attractors, but for a little noise."""
    noise = 0.02 * np.random.default_rng(0).normal(size=5)
    records = []
    for seed in declared.study(study.STUDY).seeds:
        for row, noun, w in (("no_srnn", no_srnn, 0.0), ("lstm", lstm, lstm_w)):
            metrics = dict(carried_noun_some=noun + noise[seed], carried_w_some=w + noise[seed])
            records.append(record(row, seed, metrics))
    return records


def verdicts(records):
    return [v.verdict for v in claims.verdicts(records, study=study.STUDY)]


def test_verdicts_follow_the_shares():
    assert verdicts(book(0.8, 0.1, 0.9)) == ["holds"] * 3
    assert verdicts(book(0.2, 0.1, 0.9)) == ["does not hold", "holds", "holds"]
    assert verdicts(book(0.8, 0.7, 0.9)) == ["holds", "does not hold", "holds"]
    assert verdicts(book(0.8, 0.1, 0.3)) == ["holds", "holds", "does not hold"]
    assert verdicts(book(0.5, 0.5, 0.5)) == ["cannot tell"] * 3
    assert verdicts([]) == ["not run"] * 3


def test_other_texts_settings_and_the_pilot_decide_nothing():
    records = book(0.8, 0.1, 0.9)
    pilot = record("lstm", study.TUNING_SEED, dict(carried_noun_some=5.0, carried_w_some=-5.0))
    small = record("lstm", 0, dict(carried_noun_some=5.0, carried_w_some=-5.0), mode="laptop")
    other = copy.deepcopy(records[1])
    other["settings"]["hidden_size"] += 1
    found = study.reported([*records, pilot, small, other], "paper")
    assert [r["seed"] for r in found["lstm"]] == list(study.SEEDS) and other not in found["lstm"]
    failed = [*records[:-1], records[-1] | {"status": "diverged", "metrics": {}}]
    assert verdicts(failed)[0] == "holds" and verdicts(failed)[1] == "cannot tell"
    assert "diverged" in str(study.results_table(failed[-1:], "paper"))


def test_the_plan_is_the_same_for_both_rows():
    assert study.TUNING_SEED not in study.SEEDS
    for mode in study.SIZES:
        assert study.run_of("lstm", 0, mode).settings == study.run_of("no_srnn", 0, mode).settings
