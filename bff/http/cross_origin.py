"""The cross-origin verdict: whether a request that carries our cookie was made by our own pages."""

from __future__ import annotations

SAFE_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS"})


def is_same_origin(
    method: bytes,
    *,
    sec_fetch_site: bytes | None,
    origin: bytes | None,
    x_csrf: bytes | None,
    public_origin: bytes,
) -> bool:
    """Whether a cookie-authenticated request may be served.

    A header that was sent twice must be passed as the two values joined by `, `, which equals no accepted value.
    Fetch Metadata decides alone where the browser sends it (`Origin` may then be `null`, as in a form post from a
    page without referrer); then `Origin`; then, for browsers and tools that send
    neither, the header `X-CSRF: 1`, which a foreign page cannot add without a preflight that is never granted.
    """
    if sec_fetch_site is not None:
        return sec_fetch_site == b"same-origin" or (sec_fetch_site == b"none" and method in SAFE_METHODS)
    if origin is not None:
        return origin == public_origin
    return x_csrf == b"1"
