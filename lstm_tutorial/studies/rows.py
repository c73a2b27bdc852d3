"""Which runs a claim is about: for every study that has claims, its function from records to rows.

``ROWS_FOR[study](records, **on)`` gives {row: its reported records, one a seed}, from those of the study;
``on`` is what ``data/claims.toml`` has under that name. This is where a new study is registered.
"""

from . import agreement, exchange, history, lstm_vs_gru, ptb_ablation


def _ablation(records, *, data, mode, config, as_published=False):
    """The rows of seed 000: each at its tuned rate, or as its code ran them."""
    how = dict(as_published=True) if as_published else dict(rates="tuned")
    return ptb_ablation.reported(records, data=data, mode=mode, config=config, **how)


ROWS_FOR = {
    ptb_ablation.STUDY: _ablation,
    agreement.STUDY: agreement.reported,
    exchange.STUDY: exchange.reported,
    history.STUDY: history.rows_of,
    lstm_vs_gru.STUDY: lstm_vs_gru.reported,
}
