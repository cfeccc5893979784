"""Why the session store cannot be used, in an operator's words."""

from __future__ import annotations

from typing import Final

from bff.check.findings import Finding, unusable

_ACL: Final = "Allow the commands of docs/check.md on keys bff:* to the user of BFF_REDIS_URL"

_FAULTS: Final[dict[str, tuple[str, str]]] = {
    "store.unreachable": (
        "The store cannot be connected to",
        "Check host and port, that it runs, and that firewalls let the gateway through",
    ),
    "store.timeout": (
        "The store does not answer in time",
        "See whether it hangs; check firewalls, which drop silently",
    ),
    "store.tls": (
        "There is no TLS connection with the store that can be trusted",
        "Put its authority's certificate into BFF_CA_FILE; check host name, dates, and that the port speaks TLS",
    ),
    "store.no_master": (
        "No Sentinel that answers knows a master of this name",
        "Check the hosts and the service name in the URL, and sentinel_password",
    ),
    "store.wrongpass": ("The store refuses user or password", "Correct them in the URL, percent-encoded"),
    "store.noauth": ("The store asks for a password", "Write it into the URL: redis://:password@host"),
    "store.noperm": ("The user may not do what sessions need", _ACL),
    "store.readonly": ("The server is a replica and takes no writes", "Name the master, or use redis+sentinel://"),
    "store.oom": ("The server's memory is full", "Give it more (maxmemory), or clear what is not sessions"),
    "store.misconf": (
        "The server takes no writes because it cannot save them",
        "See its log: most often its disk is full",
    ),
    "store.protocol": ("What answers there does not speak as Redis does", "Check host, port and scheme of the URL"),
    "store.loading": ("The server is still loading its data", "Try again when it has"),
    "store.clusterdown": ("The cluster is down", "Mend it: CLUSTER INFO tells its state"),
    "store.moved": ("The server is one node of a cluster", "Use redis+cluster://"),
    "store.crossslot": ("The server is one node of a cluster", "Use redis+cluster://"),
    "store.inconsistent": (
        "What was written did not come back",
        "Name the master, not a replica; and no proxy that spreads commands over servers",
    ),
}


def store_fault(reason: str, during: str, *, step: str | None = None) -> Finding:
    """Return the finding of something that failed; `step` is what was being done."""
    seen, cure = _FAULTS.get(
        reason,
        ("The store refuses what sessions need", "See the server's log; it must be Redis or Valkey 6.2 or later"),
    )
    variable = "BFF_CA_FILE" if reason == "store.tls" else "BFF_REDIS_URL"
    place = "" if step is None else f", in the step “{step}”"
    return unusable(during, variable, f"{seen}{place} ({reason})", cure)
