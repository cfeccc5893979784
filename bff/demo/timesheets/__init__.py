"""The timesheets API: a resource server that validates its access tokens and enforces their scopes."""

from bff.demo.timesheets.app import create_timesheets

__all__ = ["create_timesheets"]
