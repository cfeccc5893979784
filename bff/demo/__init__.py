"""The demonstration: a development OpenID provider, a timesheets API, a page, and a launcher for all of it.

Nothing outside this package imports it, and none of it is meant to face a network.
"""
