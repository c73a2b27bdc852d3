"""A table of text that prints in a terminal and renders in a notebook."""

from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Table:
    """Rows of text under headings: prints as text, shows as HTML in a notebook.

    The first ``left`` columns are flush left, the others flush right. ``notes`` are sentences below.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    left: int = 1

    def __str__(self):
        widths = [max(len(row[k]) for row in (self.columns, *self.rows)) for k in range(len(self.columns))]

        def line(cells):
            padded = [
                cell.ljust(w) if k < self.left else cell.rjust(w)
                for k, (cell, w) in enumerate(zip(cells, widths))
            ]
            return "  ".join(padded).rstrip()

        rule = "-" * max(len(line(cells)) for cells in (self.columns, *self.rows))
        return "\n".join([self.title, "", line(self.columns), rule, *map(line, self.rows), *self.notes])

    def _repr_html_(self):
        def cells(tag, row):
            aligned = ("left" if k < self.left else "right" for k in range(len(row)))
            return "".join(
                f'<{tag} style="text-align:{side}">{escape(cell)}</{tag}>' for side, cell in zip(aligned, row)
            )

        head = f"<tr>{cells('th', self.columns)}</tr>"
        body = "".join(f"<tr>{cells('td', row)}</tr>" for row in self.rows)
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return f"<table><caption>{escape(self.title)}</caption>{head}{body}</table>{notes}"
