"""Forms in a page, as far as a browser without scripts can tell what happens to them."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser


@dataclasses.dataclass(slots=True)
class Form:
    """A form to post: where to, and its fields in order."""

    action: str
    fields: list[tuple[str, str]]


def form_that_submits_itself(document: bytes) -> Form | None:
    """The first form of the page if it is to be posted and a script of the page submits it, else None."""
    parser = _Forms()
    parser.feed(document.decode("utf-8", "replace"))
    return parser.forms[0] if parser.forms and ".submit()" in parser.scripts else None


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.scripts = ""
        self._is_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and given.get("method", "").lower() == "post":
            self.forms.append(Form(given.get("action", ""), []))
        elif tag == "input" and self.forms and given.get("name"):
            self.forms[-1].fields.append((given["name"], given.get("value", "")))
        self._is_script = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._is_script = False

    def handle_data(self, data: str) -> None:
        if self._is_script:
            self.scripts += data
