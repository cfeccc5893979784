"""Runs the gateway against the OpenID Foundation's conformance suite; started by hand, see `__main__`."""
