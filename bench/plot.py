"""Charts as SVG, readable on light and dark pages: bars, and a line."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH = 760
_LABELS, _BAR, _GAP, _TOP = 230, 18, 8, 44


def bar_chart(title: str, unit: str, bars: Sequence[tuple[str, float]], *, marked: str = "") -> str:
    """Return the chart; bars whose label begins with `marked` stand out."""
    height = _TOP + len(bars) * (_BAR + _GAP) + 12
    longest = max((value for _, value in bars), default=0.0) or 1.0
    lines = _opened(title, height)
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


def line_chart(title: str, points: Sequence[tuple[str, float]]) -> str:
    """Return a line through the points, evenly spaced, with their values; it begins at zero."""
    left, right, top, height = 40, 40, 70, 150
    step = (WIDTH - left - right) / max(1, len(points) - 1)
    longest = max((value for _, value in points), default=0.0) or 1.0
    places = [(left + at * step, top + height * (1 - value / longest)) for at, (_, value) in enumerate(points)]
    lines = _opened(title, top + height + 40)
    lines.append(f'<line x1="{left}" y1="{top + height}" x2="{WIDTH - right}" y2="{top + height}" stroke="#8c959f"/>')
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    lines.append(f'<polyline points="{path}" fill="none" stroke="#0969da" stroke-width="2"/>')
    for (x, y), (label, value) in zip(places, points, strict=True):
        lines += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#0969da"/>',
            f'<text x="{x:.1f}" y="{y - 9:.1f}" text-anchor="middle" fill="#1f2328">{_figure(value)}</text>',
            f'<text x="{x:.1f}" y="{top + height + 20}" text-anchor="middle" fill="#1f2328">{escape(label)}</text>',
        ]
    return "\n".join([*lines, "</g>", "</svg>"]) + "\n"


def _opened(title: str, height: float) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        '<g font-size="13" font-family="system-ui, sans-serif">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="26" font-size="15" font-weight="600" fill="#1f2328">{escape(title)}</text>',
    ]
