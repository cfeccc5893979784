"""Tables in Markdown, which also read well in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from bench.summary import Row


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return an aligned table; the first column is text, all others are numbers."""
    widths = [max(len(line[column]) for line in [head, *lines]) for column in range(len(head))]

    def drawn(cells: Sequence[str]) -> str:
        padded = [cell.ljust(width) if not at else cell.rjust(width) for at, (cell, width) in _numbered(cells, widths)]
        return f"| {' | '.join(padded)} |"

    rule = [("-" * width) if not at else ("-" * (width - 1) + ":") for at, width in enumerate(widths)]
    return "\n".join([drawn(head), drawn(rule), *map(drawn, lines)])


def calls_table(rows: Sequence[Row], references: Sequence[str]) -> str:
    """Return the table of small calls."""
    head = ["", "calls/s", "CPU µs/call", "p50 ms", "p99 ms", *(f"/ {name}" for name in references), "errors"]
    lines = [
        [
            row.target,
            f"{row.calls_per_second:,.0f}",
            number(row.cpu),
            f"{row.p50:.2f}",
            f"{row.p99:.2f}",
            *(number(row.ratios[name]) if name in row.ratios else "" for name in references),
            str(row.errors),
        ]
        for row in rows
    ]
    return markdown(head, lines)


def number(value: float) -> str:
    """Return a number with as many digits as mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _numbered(cells: Sequence[str], widths: Sequence[int]) -> list[tuple[int, tuple[str, int]]]:
    return list(enumerate(zip(cells, widths, strict=True)))
