"""The proxied call: two HTTP/1.1 connections joined by one exchange.

`front` is the browser's side, `back` the upstream's, `exchange` what lies between them; `pool` keeps idle backs and
`context` what all of them share.
"""
