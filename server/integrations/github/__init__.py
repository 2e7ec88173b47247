"""Tell GitHub verdicts, as commit statuses or check runs, and ask it what it knows (R30, R40).

PyGithub makes the calls; it is loaded only when one is made. Repositories are always named by their number: a name may
be another repository's by the time that something is sent (R44).
"""
