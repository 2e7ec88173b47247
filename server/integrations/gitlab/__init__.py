"""Tell GitLab verdicts, as commit statuses, external status checks or notes, and ask it what it knows (R30, R41).

python-gitlab makes the calls; it is loaded only when one is made. Projects are always named by their number: a path may
be another project's by the time that something is sent (R44).
"""
