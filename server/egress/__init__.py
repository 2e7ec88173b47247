"""The server's only way out (R45): addresses are checked and pinned, redirects stay on their host, answers are bounded.

Nothing here is imported by a worker that answers requests: `requests` and the forges' libraries are the dispatcher's,
and an admin's who registers an integration.
"""
