"""Every study of the course; here a new one is entered.

A study is a module of this folder that says which runs there are, and has

STUDY : its name in the ledger and in ``data/claims.toml``.
COMMAND : the command that makes its runs. ON_A_TEXT : whether that is asked which text, ptb or banyan.
rows_of : a function (records, **on) → {row: its reported records, one a seed}, for the claims; ``on`` is what
    ``data/claims.toml`` has under that name.
tables : a function from records to its tables.
again : a function (record, device) → Outcome of the same run once more, from nothing but its record.

Records are those of the study alone, as the ledger has them. No torch is imported to read them.
"""

from . import agreement, exchange, history, lstm_vs_gru, ptb_ablation

STUDIES = {study.STUDY: study for study in (ptb_ablation, lstm_vs_gru, agreement, exchange, history)}
