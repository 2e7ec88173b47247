"""The forges' stand-ins, checked: every request and answer against the published description of its API.

A test takes the fixture `fake_github` or `fake_gitlab`, or `checked_github(clock=…)` for a clock of its own:

    repository = fake_github.repository("octo-org/app", {".github/workflows/ci.yml": "on: push"})
    sha = fake_github.push(repository, "feature", {"a.py": "1"})
    pull = fake_github.open_pull_request(repository, "feature")
    run = fake_github.start_run(repository, ".github/workflows/ci.yml", sha, "pull_request", pulls=[pull])
    fake_github.finish_run(run, "failure")          # each of these queues signed webhooks
    fake_github.deliver()                           # sends them, in this thread
    fake_github.statuses(sha, "chainloop/app/build")  # what was posted, oldest first
    fake_github.writes()                            # the requests that could have changed something
    fake_github.faults.server_error = 0.3           # see examples/forge/faults.py
"""
