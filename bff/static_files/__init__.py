"""The built single-page application: its files, and its index for every address that is none of them."""

from bff.static_files.files import StaticFiles
from bff.static_files.manifest import read_manifest
from bff.static_files.placeholder import Placeholder

__all__ = ["Placeholder", "StaticFiles", "read_manifest"]
