"""Tables are Markdown with aligned columns."""

from __future__ import annotations

from bench.summary import Row
from bench.table import calls_table, markdown, number


def test_a_table_is_aligned_text_left_and_numbers_right() -> None:
    assert markdown(["", "µs"], [["nginx", "9.5"], ["bff", "31"]]) == "\n".join(
        ["|       |  µs |", "| ----- | --: |", "| nginx | 9.5 |", "| bff   |  31 |"]
    )


def test_a_ratio_that_is_not_known_is_left_empty() -> None:
    row = Row("bff", 32, 30_000.0, 31.25, 1.0, 2.0, 0, {"nginx": 3.3})
    line = calls_table([row], ["nginx", "naive"]).splitlines()[-1]
    assert [cell.strip() for cell in line.split("|")[1:-1]] == [
        "bff", "30,000", "31.2", "1.00", "2.00", "3.30", "", "0",
    ]  # fmt: skip


def test_numbers_have_about_three_digits() -> None:
    assert [number(value) for value in (1234.5, 123.4, 12.34, 1.234)] == ["1,234", "123", "12.3", "1.23"]
