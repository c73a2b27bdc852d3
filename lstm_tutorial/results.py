"""Tables of results, from the ledger alone, for notebooks and ``python -m lstm_tutorial results`` alike."""

import math
import statistics

from .studies import ptb_ablation as study
from .tables import Table

NOT_RUN = "not run"


def ablation_records(
    records,
    *,
    data,
    mode,
    config,
    epochs=None,
    rates="seed",
    as_published=False,
    equal_parameters=False,
    rows=None,
):
    """The records behind each row of seed 000's table: a dict from row to its records, seed by seed.

    ``rates``: ``seed`` for the configuration's own rate, ``tuned`` for the one chosen on validation, or a
    list of rates. Runs that were made to choose a rate are never among them. ``equal_parameters``: every
    model as large as the LSTM's, see :func:`~lstm_tutorial.studies.ptb_ablation.equal_width`; rates are
    those chosen at the configuration's own width.
    """
    where = (data, mode, config)
    rows = rows or _rows_of_the_seed(as_published)
    how = (epochs, rates, as_published, equal_parameters)
    return {row: _row(records, row, where, *how)[0] for row in rows}


def _rows_of_the_seed(as_published):
    return study.AS_PUBLISHED if as_published else study.ROWS


def _row(records, row, where, epochs, rates, as_published, equal_parameters):
    """The records of one row, and whether its rate was tuned and lies at the edge of what was tried."""
    data, mode, config = where
    changes = study.AS_PUBLISHED[row] if as_published else {}
    wanted = study.settings(config, epochs, **changes)
    free = {"learning_rate", "rate_selected_on"} | ({"hidden_size"} if equal_parameters else set())
    at_edge = False
    if rates == "seed":
        rates = [wanted["learning_rate"]]
    elif rates == "tuned":
        rate, at_edge = chosen_rate(records, row, data, mode, config)
        rates = [rate]
    found = [
        r
        for r in records
        if (r["data"], r["mode"], r["settings"]["config"]) == where
        and r["variant"] == row
        and r["seed"] != study.TUNING_SEED
        and r["settings"]["learning_rate"] in rates
        and all(r["settings"].get(k) == v for k, v in wanted.items() if k not in free)
        and (not equal_parameters or study.has_equal_width(r))
    ]
    return sorted(found, key=lambda r: (r["settings"]["learning_rate"], r["seed"])), at_edge


def chosen_rate(records, row, data, mode, config):
    """The rate that tuning gives a row, and whether it is at the edge of what was tried; None if not run."""

    def valid(run):
        for r in records:
            same = (r["data"], r["variant"], r["seed"], r["mode"]) == (data, row, run.seed, run.mode)
            if same and r["settings"] | {"rate_selected_on": study.BY_GRID} == run.settings:
                return valid_perplexity(r)
        return None

    return study.choose_rate(row, mode, config, valid)


def valid_perplexity(record):
    """For the choice of a rate: infinite for a run that did not finish."""
    return record["metrics"]["valid_perplexity"] if record["status"] == "finished" else math.inf


def ablation_table(
    records,
    *,
    data,
    mode,
    config,
    epochs=None,
    rates="seed",
    as_published=False,
    equal_parameters=False,
    rows=None,
):
    """Seed 000's table from the ledger; beside it the papers' figures, if the data are PTB.

    Arguments as :func:`ablation_records` takes them. With ``equal_parameters`` the widths differ: H is shown.
    """
    real = data == "ptb" and mode == "paper" and not equal_parameters
    columns = ["row", *(["H"] if equal_parameters else []), "parameters", "rate", "seeds", "valid", "test"]
    columns += ["seed 000", "Levy medium", "Levy large"] if real else []
    lines, notes = [], []
    for row in rows or _rows_of_the_seed(as_published):
        found, at_edge = _row(
            records, row, (data, mode, config), epochs, rates, as_published, equal_parameters
        )
        published = []
        if real:
            name = "srnn" if row == "no_gates_as_published" else row
            papers = (study.SEED_000, study.LEVY_MEDIUM, study.LEVY_LARGE)
            published = [f"{paper[name]:g}" if name in paper else "–" for paper in papers]
        for same_rate in _by_rate(found):
            cells = _cells(same_rate)
            if equal_parameters:
                cells = (str(same_rate[0]["settings"]["hidden_size"]) if same_rate else NOT_RUN, *cells)
            lines.append((row, *cells, *published))
        if at_edge:
            notes.append(f"{row}: the best rate is at the edge of what was tried.")
    how = {"seed": "the configuration's learning rate", "tuned": "a rate per row, chosen on validation"}
    epochs = epochs or study.CONFIGS[config]["max_max_epoch"]
    size = ", models of equal size" if equal_parameters else ""
    title = f"Perplexity on {data}, {config} configuration, {epochs} epoch{'s' * (epochs != 1)}, "
    title += how.get(str(rates), "given learning rates") + (", as published" if as_published else "") + size
    if equal_parameters:
        notes.append("H: the hidden size that brings the whole model closest to the LSTM's.")
    if data != "ptb":
        notes.append("Generated text: not to be compared with any figure on Penn Treebank.")
    elif mode != "paper":
        notes.append(
            "The beginning of Penn Treebank, and a smaller model: not to be compared with the papers."
        )
    return Table(title, tuple(columns), tuple(lines), tuple(notes))


def _by_rate(records):
    """Records of one row, grouped by learning rate; one empty group if there are none."""
    groups = {}
    for r in records:
        groups.setdefault(r["settings"]["learning_rate"], []).append(r)
    return list(groups.values()) or [[]]


def _cells(records):
    """Parameters, rate, seeds, valid and test of the runs of one row at one rate."""
    if not records:
        return (NOT_RUN,) * 5
    return (
        f"{records[0]['parameters']:,}",
        f"{records[0]['settings']['learning_rate']:g}",
        str(len(records)),
        mean_and_spread(records, "valid_perplexity"),
        mean_and_spread(records, "test_perplexity"),
    )


def mean_and_spread(records, metric):
    """``127.3 ± 0.4``: mean and standard deviation over the runs that finished, and how many did not."""
    values = [r["metrics"][metric] for r in records if r["status"] == "finished"]
    failed = [r["status"] for r in records if r["status"] != "finished"]
    if not values:
        ends = [f"{r['metrics'][metric]:.2f}" for r in records if r["metrics"].get(metric) is not None]
        return ", ".join([*sorted(set(failed)), *ends])
    text = f"{statistics.mean(values):.2f}"
    if len(values) > 1:
        text += f" ± {statistics.stdev(values):.2f}"
    return text + (f" ({len(failed)} {'/'.join(sorted(set(failed)))})" if failed else "")
