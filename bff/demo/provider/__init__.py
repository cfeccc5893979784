"""A development OpenID provider: real protocol, pretend users, everything in memory."""

from bff.demo.provider.app import create_provider
from bff.demo.provider.clients import Client
from bff.demo.provider.state import Policy, Provider

__all__ = ["Client", "Policy", "Provider", "create_provider"]
