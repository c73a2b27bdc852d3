"""Chapter 10: cutting a wire, models of equal size, a dead network, what several seeds allow one to say."""

from dataclasses import fields, replace
from functools import partial
from itertools import combinations

import numpy as np
import torch
from scipy import stats

from .. import numpy_lstm, variants
from ..language_model import LanguageModel
from ..spec import CellSpec
from ..studies.ptb_ablation import parameter_count
from . import attempt, exercise, expect, near

_RNG = np.random.default_rng(10)


def _is_number(got):
    expect(
        isinstance(got, (int, float, np.number)) and not isinstance(got, bool),
        f"it should return a number, not a {type(got).__name__}",
    )
    return got


# ---------------------------------------------------------------- 10.1 and 10.2, one more cut

_NO_HIDDEN = replace(variants["lstm"], name="no_hidden", gate_reads="xb")


@exercise("10.1", reference=_NO_HIDDEN)
def no_hidden(answer):
    """LSTM − HIDDEN: one wire away from the LSTM, found field by field."""
    expect(
        isinstance(answer, CellSpec),
        f"a cell is asked for, as replace(variants[…], …) makes one, not a {type(answer).__name__}",
    )
    expect(answer.family == "lstm", "it is no LSTM any more: start from variants['lstm']")
    expect(not answer.peepholes, "it has peepholes, which today's LSTM lacks: start from variants['lstm']")
    expect(answer.learned_gates == ("i", "f", "o"), "a gate is gone: the gates stay, and only read less")
    expect(
        "y" in answer.content_reads, "the content has lost its recurrence: that is − SRNN, and it stays here"
    )
    expect(answer.content_reads == ("x", "y", "b"), "the content reads less than before: leave it as it is")
    expect(answer.g == "tanh", "the content has lost its tanh: leave it as it is")
    expect("y" not in answer.gate_reads, "its gates still read y⁻")
    expect("x" in answer.gate_reads, "its gates do not read the present input: one wire is to be cut")
    expect("b" in answer.gate_reads, "its gates have lost their bias too: two wires are cut instead of one")
    for field in fields(CellSpec):
        same = getattr(answer, field.name) == getattr(_NO_HIDDEN, field.name)
        expect(field.name == "name" or same, f"{field.name} differs from the LSTM's too")


def _parameters(D, H):
    return 4 * H * D + H * H + 4 * H


@exercise("10.2", reference=_parameters)
def parameters(answer):
    """Against the arrays that the NumPy code draws for the cell."""
    for D, H in ((5, 7), (7, 2), (200, 200)):  # not 3: there H D + H, a block, is as large as all biases
        got = _is_number(attempt(answer, D, H))
        arrays = numpy_lstm.init_params(_NO_HIDDEN, D, H, np.random.default_rng(0))
        due = sum(array.size for array in arrays.values())
        whole = variants["lstm"].parameter_count(D, H)
        slips = (
            (whole, "that is the whole LSTM: three recurrent matrices are gone"),
            (whole - 4 * H * H, "no recurrent matrix is left in that count: z keeps R_z"),
            (whole - H * H, "only one recurrent matrix is gone, but there are three gates"),
            (due - 4 * H, "the biases are missing"),
            (due - 3 * H, "the gates keep their biases"),
            (due - H, "the content keeps its bias too: z is one of four blocks"),
            (due + 4 * H, "torch has two biases a block; here each has one"),
            (due - 4 * H + 4 * D, "a bias is as long as what it is added to, H numbers and not D"),
            (due - H * D - H, "the four blocks z, i, f, o all have a W and a bias"),
            (_parameters(H, D), "D and H have changed places"),
            (4 * H * D + D * D + 4 * H, "R_z goes from y⁻ to z, and both have H numbers, not D"),
            (2 * due, "one layer is asked for, not two"),
        )
        for slip, told in slips:
            expect(got == due or got != slip, told)
        expect(got == due, f"for D = {D}, H = {H} the cell's arrays have {due} numbers, and not {got}")


# ---------------------------------------------------------------- 10.3, models of equal size


def _equal_width(target, words, cell):
    def size(H):
        return 2 * words * H + words + 2 * cell(H)

    H = 1
    while size(H) < target:
        H += 1
    return min((H - 1, H), key=lambda H: abs(size(H) - target))


@exercise("10.3", reference=_equal_width)
def equal_width(answer):
    """Against all widths, counted one by one: cells of the table, a large vocabulary and a small one."""
    for row, words, base in (("no_srnn_hidden", 10_000, 200), ("srnn", 10_000, 200), ("srnn", 40, 30)):
        target = parameter_count("lstm", base, words)
        cell = partial(_square, variants[row])
        got = _is_number(attempt(answer, target, words, cell))
        off = [abs(parameter_count(row, H, words) - target) for H in range(1, 4 * base)]
        due = 1 + int(np.argmin(off))
        _look_at_width(got, due, target, words, cell, variants["lstm"].parameter_count(base, base))
        expect(
            abs(got - due) != 1,
            f"{got} is one off, {due} is closer. Did you try both sides, count the softmax's bias once, and "
            "start at H = 1 where an index starts at 0?",
        )
        expect(got == due, f"with {words:,} words the closest model has H = {due}, and not {got}")


def _square(spec, H):
    return spec.parameter_count(H, H)


def _look_at_width(got, due, target, words, cell, whole_cell):
    """Raise Wrong for a width that counts something else than the whole model."""
    expect(got == round(got), f"a hidden size is a whole number, not {got}")
    expect(0 < got < target / words, f"{got} is no hidden size. A number of parameters, perhaps?")
    expect(got != 1, "H = 1 makes the difference most negative; the closest has the smallest abs(…)")
    slips = (
        (lambda H: cell(H) - whole_cell, "its cells are as large, but embedding and softmax grow with H too"),
        (lambda H: 2 * words * H + words - target, "the cells have parameters, too"),
        (lambda H: 2 * words * H + words + cell(H) - target, "there are two layers of the cell"),
        (lambda H: words * H + words + 2 * cell(H) - target, "embedding and softmax have a matrix each"),
    )
    for off, told in slips:
        slip = 1 + int(np.argmin([abs(off(H)) for H in range(1, target // words)]))
        expect(got == due or got != slip, told)


# ---------------------------------------------------------------- 10.4, a dead network


def _is_dead(gradients, one, other):
    others = (g for name, g in gradients.items() if name != "softmax.bias")
    return not any(g.any() for g in others) and bool((one == other).all())


def _looked_at(name):
    """(gradients, scores of a text, scores of another) of a fresh little model."""
    words, H = 7, 4
    model = LanguageModel(name, words, H)
    model.initialise(0.5, torch.Generator().manual_seed(0))
    one, other = (torch.as_tensor(_RNG.integers(words, size=(5, 2))) for _ in range(2))
    nats, _ = model.loss(one, other)
    nats.backward()
    gradients = {name: p.grad.numpy().astype(float) for name, p in model.named_parameters()}
    with torch.no_grad():
        return gradients, model(one)[0].numpy().astype(float), model(other)[0].numpy().astype(float)


@exercise("10.4", reference=_is_dead)
def is_dead(answer):
    """On models that torch has differentiated, dead and alive, and on states in between."""

    def says(gradients, one, other):
        got = attempt(answer, {k: g.copy() for k, g in gradients.items()}, one.copy(), other.copy())
        expect(np.ndim(got) == 0 and got in (True, False), "it should return True or False, one of them")
        return bool(got)

    gradients, one, other = _looked_at("no_gates_as_published")
    expect(
        says(gradients, one, other),
        "the cell as published is dead: all that has a gradient is softmax.bias, which sees no word",
    )
    live, first, second = _looked_at("lstm")
    expect(not says(live, first, second), "it calls an LSTM dead that learns")
    idle = {name: np.zeros_like(g) for name, g in live.items()} | {"softmax.weight": live["softmax.weight"]}
    expect(
        not says(idle, one, other),
        "a softmax that starts at zero gives every text the same scores too, but its weights have a gradient",
    )
    tiny = {name: 1e-12 * g for name, g in live.items()}
    expect(
        not says(tiny, one, other),
        "a gradient of 1e-12 is small, and not zero: this network will move, if slowly",
    )
    cancelling = {name: np.zeros_like(g) for name, g in live.items()}
    cancelling["softmax.weight"].flat[:2] = 1, -1
    expect(
        not says(cancelling, one, other),
        "the entries of a gradient can cancel in a sum; what counts is whether any of them differs from zero",
    )
    still = {name: g if name == "softmax.bias" else np.zeros_like(g) for name, g in live.items()}
    expect(
        not says(still, first, second),
        "the scores of two texts differ, so this network sees its input, whatever it has still to learn",
    )
    scores = np.round(10 * first)  # whole numbers, whose sums are exact
    expect(
        not says(still, scores, np.concatenate([scores[:1], np.roll(scores[1:], 1, axis=-1)])),
        "two texts may get the same scores at first, or the same sum: compare all scores, one by one",
    )
    expect(
        not says(still, first, first * (1 + 1e-9)),
        "scores that differ in the ninth place differ: a dead network gives the same, bit for bit",
    )
    lost = {name: np.full_like(g, np.nan) for name, g in live.items()}
    expect(not says(lost, np.nan * one, np.nan * other), "nan is no zero: this one has diverged")
    nothing = {name: np.zeros_like(g) for name, g in live.items()}
    expect(says(nothing, one, other), "one whose very bias stands still is dead as well")


# ---------------------------------------------------------------- 10.5, an interval by hand


def _ratio_interval(row, baseline):
    logs = np.log(row) - np.log(baseline)
    n = len(logs)
    half = stats.t.ppf(0.975, n - 1) * logs.std(ddof=1) / np.sqrt(n)
    return np.exp(logs.mean() - half), np.exp(logs.mean() + half)


_FEW = "1.96 is for many seeds; with {} the t distribution has wider tails"


@exercise("10.5", reference=_ratio_interval)
def ratio_interval(answer):
    """Against scipy's paired t test; slips of one step are computed and named."""
    for n in (5, 3):
        luck = _RNG.normal(size=n)  # of a seed, which both rows share
        row, baseline = (
            level * np.exp(0.03 * luck + 0.008 * _RNG.normal(size=n)) for level in (130.0, 126.0)
        )
        got = attempt(answer, row, baseline)
        expect(
            np.shape(got) == (2,),
            f"it should return (low, high), two numbers, not something of shape {np.shape(got)}",
        )
        low, high = map(float, got)
        logs = np.log(row) - np.log(baseline)

        def off(mean, spread, steps):
            return mean - steps * spread, mean + steps * spread

        def is_(pair, got=(low, high)):
            return near(got, pair, 1e-6)

        t = stats.t.ppf(0.975, n - 1)
        error, mean = logs.std(ddof=1) / np.sqrt(n), logs.mean()
        expect(low <= high, "low is above high")
        ratios, gap, n_all = row / baseline, row - baseline, stats.t.ppf(0.975, 2 * n - 2)
        both = np.sqrt((np.log(row).var(ddof=1) + np.log(baseline).var(ddof=1)) / n)
        due = np.exp(off(mean, error, t))
        slips = (
            (np.exp(off(-mean, error, t)), "it is upside down: how many times the baseline is the row?"),
            (off(mean, error, t), "that is the interval of the log ratio: one step is left"),
            (due - 1, "that is the change; how many times the baseline is the row?"),
            (
                off(np.exp(mean), error, t),
                "exp comes last, and of both ends; no ± is left after it",
            ),
            (np.exp(np.array(off(mean, error, t)) / np.log(10)), "exp does not undo log10: 10 ** … does"),
            (np.exp(off(mean, error, stats.norm.ppf(0.975))), _FEW.format(n)),
            (np.exp(off(mean, error, 1.96)), _FEW.format(n)),
            (np.exp(off(mean, error, 2)), _FEW.format(n)),
            (np.exp(off(mean, error, stats.t.ppf(0.95, n - 1))), "2.5 % belong to each side, not 5 %"),
            (np.exp(off(mean, error, stats.t.ppf(0.975, n))), "a mean of n numbers leaves n − 1 degrees"),
            (np.exp(off(mean, error, n_all)), "there are n differences, not 2n numbers: n − 1 degrees"),
            (np.exp(off(mean, logs.std(ddof=1), t)), "the mean of n numbers varies √n times less than one"),
            (np.exp(off(mean, error / np.sqrt(n), t)), "it is √n, and not n"),
            (
                np.exp(off(mean, logs.std() / np.sqrt(n), t)),
                "the standard deviation of a sample divides by n − 1 (ddof=1)",
            ),
            (
                np.exp(off(np.log(row.mean() / baseline.mean()), error, t)),
                "first the logarithm of each pair, then the mean",
            ),
            (
                off(ratios.mean(), ratios.std(ddof=1) / np.sqrt(n), t),
                "that is the interval of the ratios themselves; logarithms treat row and baseline alike",
            ),
            (
                off(gap.mean(), gap.std(ddof=1) / np.sqrt(n), t),
                "that is a difference in points of perplexity; a ratio is asked for",
            ),
            (np.exp(off(mean, both, t)), "take the difference of each pair first, and then its spread"),
        )
        for slip, told in slips:
            expect(not is_(slip), told)
        for equal in (True, False):
            unpaired = stats.ttest_ind(np.log(row), np.log(baseline), equal_var=equal).confidence_interval()
            expect(
                not is_(np.exp(unpaired)),
                "it does not use that the seeds are the same: take the difference of each pair first",
            )
        due = np.exp(stats.ttest_rel(np.log(row), np.log(baseline)).confidence_interval())
        expect(is_(due), f"for {n} pairs scipy's paired t test has {due[0]:.4f} to {due[1]:.4f}")


# ---------------------------------------------------------------- 10.6, from an interval to words


def _verdict(low, high, margin):
    if 1 / margin < low and high < margin:
        return "level"
    if low > margin:
        return "worse"
    if high < 1 / margin:
        return "better"
    return "cannot tell"


_INTERVALS = (
    (0.995, 1.005, "level", "the whole interval is within the margin"),
    (1.003, 1.012, "level", "it is surely not 1, but no difference in it is large enough to matter"),
    (1.05, 1.15, "worse", "every ratio in it is beyond the margin"),
    (0.85, 0.95, "better", "every ratio in it is below 1 / margin, and lower perplexity is better"),
    (
        0.94,
        1.07,
        "cannot tell",
        "it has 1 in it, but differences that matter as well: not deciding is not equality",
    ),
    (1.01, 1.09, "cannot tell", "it lies above 1, but it may be less than what matters, or more"),
    (0.95, 0.995, "cannot tell", "it lies below 1, but it may be less than what matters, or more"),
)


@exercise("10.6", reference=_verdict)
def verdict(answer):
    """Intervals whose verdict is known, at two margins."""
    for low, high, due, why in _INTERVALS:
        got = attempt(answer, low, high, 1.02)
        expect(
            isinstance(got, str) and got in {row[2] for row in _INTERVALS},
            f"it should return 'level', 'worse', 'better' or 'cannot tell', not {got!r}",
        )
        expect(got == due, f"{low} to {high} at a margin of 1.02 is not '{got}': {why}")
    expect(attempt(answer, 1.05, 1.15, 1.2) == "level", "1.05 to 1.15 is level where only 1.2 would matter")
    expect(
        attempt(answer, 0.982, 1.0, 1.02) == "level",
        "0.982 to 1 is level: the band reaches down to 1 / margin",
    )
    expect(
        attempt(answer, 0.81, 0.82, 1.2) == "better",
        "0.81 to 0.82 is better where 1.2 matters: the band ends at 1 / margin, and not at 2 − margin",
    )


# ---------------------------------------------------------------- 10.7, several tests


def _holm(p):
    order = sorted(range(len(p)), key=lambda k: p[k])
    out, least = [0.0] * len(p), 0.0
    for rank, k in enumerate(order):
        least = max(least, min(1.0, (len(p) - rank) * p[k]))
        out[k] = least
    return out


def _closed(p):
    """Adjusted p-values by closed testing: the worst Bonferroni p of all sets of claims that contain each."""
    sets = [s for n in range(1, len(p) + 1) for s in combinations(range(len(p)), n)]
    bonferroni = {s: min(1.0, len(s) * min(p[k] for k in s)) for s in sets}
    return [max(value for s, value in bonferroni.items() if k in s) for k in range(len(p))]


def _false_discovery(p):
    return list(stats.false_discovery_control(p))


def _slips(p):
    """What a wrong correction gives, and what it is told."""
    n, order = len(p), sorted(range(len(p)), key=lambda k: p[k])
    ranks = [order.index(k) for k in range(n)]
    steps = [(n - rank) * p[k] for k, rank in enumerate(ranks)]
    yield list(p), "nothing is corrected"
    yield (
        [min(1, n * v) for v in p],
        "that is Bonferroni's: n times every p. Holm needs n only for the smallest",
    )
    yield (
        [min(1, v) for v in steps],
        "a larger p came out below a smaller one: each is at least the one before",
    )
    yield sorted(_holm(p)), "they come back sorted; keep the order in which they were given"
    capless = [max(steps[j] for j in order[: rank + 1]) for rank in ranks]
    yield capless, "a probability is never above 1"
    for hochberg in ([min(1, n * p[k] / (rank + 1)) for k, rank in enumerate(ranks)], _false_discovery(p)):
        yield hochberg, "that is Benjamini and Hochberg's, which bounds another kind of error"
    yield [min(1, (n - k) * p[k]) for k in range(n)], "the factors go by size, smallest first, not by place"
    for more in (-1, 1):
        off = [
            min(1, max(v + more * p[k] for k, v in enumerate(steps) if ranks[k] <= rank)) for rank in ranks
        ]
        yield off, "the factors run from n down to 1"
    backwards = [min(1, min(steps[j] for j in order[rank:])) for rank in ranks]
    yield backwards, "start at the smallest p, and let none come out below the one before it"
    yield [min(1, (rank + 1) * p[k]) for k, rank in enumerate(ranks)], "the *smallest* p is the one times n"


@exercise("10.7", reference=_holm)
def holm(answer):
    """Against closed testing over all sets of claims, from which Holm's rule can be derived."""
    for p in ((0.04, 0.002, 0.03, 0.6), (0.011, 0.02, 0.0125, 0.3), (0.4, 0.5, 0.45), (0.01,)):
        got = attempt(answer, list(p))
        expect(np.shape(got) == (len(p),), f"{len(p)} p-values go in, and {len(p)} come out")
        due = _closed(p)
        for slip, told in _slips(p):
            expect(not near(got, slip) or near(slip, due), told)
        expect(
            near(got, due) or not near(sorted(got), sorted(due)),
            "the right numbers, but not each at the place of its own p",
        )
        expect(np.asarray(got).dtype != bool, "corrected p-values are asked for, not decisions")
        expect(
            near(got, due),
            f"for p = {', '.join(map(str, p))} it should be {', '.join(f'{v:g}' for v in due)}",
        )


# ---------------------------------------------------------------- 10.8, which comparisons are fair

_WORDS = ("fair", "tuning", "seeds", "size")
_FAIR = {
    "a": (
        "fair",
        "as many rates tried, the same seeds, all of them counted, and equal sizes: nothing is wrong",
    ),
    "b": ("tuning", "a rate that was chosen for one row is no neutral choice for the other"),
    "c": ("seeds", "the best of five is compared with a mean of five"),
    "d": ("size", "one of them has a layer less to learn"),
    "e": ("tuning", "twelve tries find a better rate than three, whatever the cell"),
    "f": ("seeds", "what diverged was left out, in one row only"),
    "g": ("tuning", "the rates were chosen on the very text that the result is measured on"),
}


@exercise("10.8", reference={key: word for key, (word, _) in _FAIR.items()})
def fair(answer):
    """A word for each of the seven comparisons."""
    expect(
        isinstance(answer, dict), f"a dict from letter to word is asked for, not a {type(answer).__name__}"
    )
    missing = [key for key in _FAIR if answer.get(key) is None]
    expect(not missing, f"these are missing: {', '.join(missing)}")
    for key, (due, why) in _FAIR.items():
        got = answer[key]
        expect(got in _WORDS, f"{key}: one of {', '.join(_WORDS)}, not {got!r}")
        expect(got == due, f"({key}) is not '{got}'. Look again: {why}")
