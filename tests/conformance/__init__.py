"""What the OpenID Foundation's conformance suite asks of a client, a file for each of its modules, under its name.

The suite itself is run by hand (`tests/certification`); these run with all other tests. Each is played with the gateway
of every plan that has the module, as a real process. The oracle is the provider's: what it was asked, and that it was
asked nothing more after an answer that must be refused.
"""
