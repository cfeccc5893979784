"""The demonstration: a development OpenID provider, a timesheets API, and a launcher for both with the gateway.

Nothing outside this package imports it, and none of it is meant to face a network.
"""
