"""Requests and answers over ASGI in the gateway's own terms, shared by the endpoints, the files and the middleware."""
