"""Timesheets and the rules of the trade: who sees which, who may delete or approve."""

import math
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count
from typing import Any

from bff.demo.timesheets.access_token import Caller
from bff.demo.timesheets.problems import ProblemError
from bff.demo.users import USERS

MAXIMUM_PROJECT = 80
MAXIMUM_NOTE = 400


@dataclass
class Timesheet:
    """Hours someone worked on a project on a day."""

    timesheet_id: int
    owner: str
    owner_name: str
    day: date
    project: str
    hours: float
    note: str = ""
    approved_by: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The representation callers get."""
        return {
            "id": self.timesheet_id,
            "owner": self.owner,
            "owner_name": self.owner_name,
            "day": self.day.isoformat(),
            "project": self.project,
            "hours": self.hours,
            "note": self.note,
            "status": "approved" if self.approved_by else "submitted",
            "approved_by": self.approved_by,
        }


class Timesheets:
    """All timesheets, in memory; every question is asked for a caller."""

    def __init__(self, today: date) -> None:
        self._ids = count(1)
        self._sheets: dict[int, Timesheet] = {}
        self._seed(today)

    def visible_to(self, caller: Caller) -> list[Timesheet]:
        """Managers see all, others their own; newest day first."""
        visible = [sheet for sheet in self._sheets.values() if _sees(caller, sheet)]
        return sorted(visible, key=lambda sheet: (sheet.day, sheet.timesheet_id), reverse=True)

    def get(self, caller: Caller, timesheet_id: int) -> Timesheet:
        """One timesheet; another's is as good as none. Raises `ProblemError`."""
        sheet = self._sheets.get(timesheet_id)
        if sheet is None or not _sees(caller, sheet):
            raise ProblemError(404, "not_found", "Not found", "There is no such timesheet.")
        return sheet

    def add(self, caller: Caller, wish: object) -> Timesheet:
        """A new timesheet of the caller's; raises `ProblemError`."""
        fields = _fields(wish)
        sheet = Timesheet(next(self._ids), caller.subject, caller.name, **fields)
        self._sheets[sheet.timesheet_id] = sheet
        return sheet

    def delete(self, caller: Caller, timesheet_id: int) -> None:
        """Remove a timesheet that is not approved yet; raises `ProblemError`."""
        sheet = self.get(caller, timesheet_id)
        if sheet.approved_by is not None:
            raise ProblemError(409, "approved", "Already approved", "An approved timesheet stays.")
        del self._sheets[timesheet_id]

    def approve(self, caller: Caller, timesheet_id: int) -> Timesheet:
        """Approve someone else's timesheet; raises `ProblemError`."""
        sheet = self.get(caller, timesheet_id)
        if sheet.owner == caller.subject:
            detail = "Nobody approves their own hours. Ask another manager."
            raise ProblemError(403, "own_timesheet", "Not permitted", detail)
        if sheet.approved_by is not None:
            raise ProblemError(409, "approved", "Already approved", f"{sheet.approved_by} was faster.")
        sheet.approved_by = caller.name
        return sheet

    def _seed(self, today: date) -> None:
        rows = [
            ("bob", 1, "Website relaunch", 7.5, "Navigation and search"),
            ("bob", 2, "Website relaunch", 6.0, "Design review"),
            ("carol", 1, "Payroll migration", 8.0, "Dry run with last month's data"),
            ("carol", 3, "Support", 4.5, ""),
            ("alice", 1, "Planning", 3.0, "Next quarter"),
        ]
        for username, days_ago, project, hours, note in rows:
            user = USERS[username]
            day = today - timedelta(days=days_ago)
            sheet = Timesheet(next(self._ids), user.subject, user.name, day, project, hours, note)
            self._sheets[sheet.timesheet_id] = sheet


def _sees(caller: Caller, sheet: Timesheet) -> bool:
    return "manager" in caller.roles or sheet.owner == caller.subject


def _fields(wish: object) -> dict[str, Any]:
    if not isinstance(wish, dict) or set(wish) - {"day", "project", "hours", "note"}:
        raise _invalid("The body is an object with day, project, hours and maybe note.")
    project, note, hours = wish.get("project"), wish.get("note", ""), wish.get("hours")
    if not isinstance(project, str) or not 1 <= len(project.strip()) <= MAXIMUM_PROJECT:
        raise _invalid(f"project is a text of at most {MAXIMUM_PROJECT} characters.")
    if not isinstance(note, str) or len(note) > MAXIMUM_NOTE:
        raise _invalid(f"note is a text of at most {MAXIMUM_NOTE} characters.")
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not math.isfinite(hours):
        raise _invalid("hours is a number.")
    if not 0 < hours <= 24:
        raise _invalid("hours is more than 0 and at most 24.")
    try:
        day = date.fromisoformat(str(wish.get("day")))
    except ValueError as fault:
        raise _invalid("day is a date such as 2026-01-31.") from fault
    return {"day": day, "project": project.strip(), "hours": hours, "note": note.strip()}


def _invalid(detail: str) -> ProblemError:
    return ProblemError(422, "invalid_timesheet", "Not a valid timesheet", detail)
