"""A backend-for-frontend session gateway."""

from importlib.metadata import version

__version__ = version("bff")
