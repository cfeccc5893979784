"""The plot is well-formed SVG, with one bar a target."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from bench.plot import bar_chart, line_chart

SVG = "{http://www.w3.org/2000/svg}"


def test_each_bar_is_as_long_as_its_value_and_labelled() -> None:
    root = ET.fromstring(bar_chart("CPU <per call>", " x", [("bff", 3.0), ("oauth2-proxy", 12.0)]))
    widths = [float(rect.get("width", "0")) for rect in root.iter(f"{SVG}rect")][1:]
    assert abs(widths[1] / widths[0] - 4.0) < 0.01
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert texts == ["CPU <per call>", "bff", "3.0 x", "oauth2-proxy", "12.0 x"]


def test_what_is_marked_stands_out() -> None:
    root = ET.fromstring(bar_chart("", "", [("bff", 1.0), ("nginx", 1.0)], marked="bff"))
    colours = [rect.get("fill") for rect in root.iter(f"{SVG}rect")][1:]
    assert colours[0] != colours[1]


def test_a_chart_without_values_is_still_a_chart() -> None:
    ET.fromstring(bar_chart("nothing", "", []))
    ET.fromstring(bar_chart("zero", "", [("idle", 0.0)]))


def test_a_line_begins_at_zero_and_names_its_points() -> None:
    root = ET.fromstring(line_chart("calls", [("1", 10.0), ("2", 20.0), ("4", 0.0)]))
    heights = [float(circle.get("cy", "0")) for circle in root.iter(f"{SVG}circle")]
    assert heights[2] - heights[0] == heights[0] - heights[1]
    assert [text.text for text in root.iter(f"{SVG}text")] == ["calls", "10.0", "1", "20.0", "2", "0.0", "4"]


def test_a_line_without_points_is_still_a_chart() -> None:
    ET.fromstring(line_chart("nothing", []))
