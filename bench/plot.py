"""A bar chart as SVG: CPU per call of each target, as a multiple of the reference's."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH = 760
_LABELS, _BAR, _GAP, _TOP = 230, 18, 8, 44


def bar_chart(title: str, unit: str, bars: Sequence[tuple[str, float]], *, marked: str = "") -> str:
    """Return the chart; bars whose label begins with `marked` stand out. It is readable on light and dark pages."""
    height = _TOP + len(bars) * (_BAR + _GAP) + 12
    longest = max((value for _, value in bars), default=0.0) or 1.0
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        '<g font-size="13" font-family="system-ui, sans-serif">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="26" font-size="15" font-weight="600" fill="#1f2328">{escape(title)}</text>',
    ]
    for position, (label, value) in enumerate(bars):
        top = _TOP + position * (_BAR + _GAP)
        width = max(1.0, value / longest * (WIDTH - _LABELS - 90))
        colour = "#0969da" if marked and label.startswith(marked) else "#8c959f"
        lines += [
            f'<text x="{_LABELS - 10}" y="{top + 14}" text-anchor="end" fill="#1f2328">{escape(label)}</text>',
            f'<rect x="{_LABELS}" y="{top}" width="{width:.1f}" height="{_BAR}" rx="2" fill="{colour}"/>',
            f'<text x="{_LABELS + width + 6:.1f}" y="{top + 14}" fill="#1f2328">{_figure(value)}{escape(unit)}</text>',
        ]
    return "\n".join([*lines, "</g>", "</svg>"]) + "\n"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
