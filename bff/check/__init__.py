"""`bff check`: what of the configuration works, what will not and how to mend it; it changes nothing."""

from bff.check.check import check_environment

__all__ = ["check_environment"]
