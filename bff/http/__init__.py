"""Rules of HTTP as pure functions, shared by the proxy and the endpoints: no I/O, no framework, no clock."""
