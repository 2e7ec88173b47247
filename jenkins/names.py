"""What the inputs are called in a pipeline, for messages of the parts that the plugins share.

Between the marks: written by `python -m tests.family.jenkins_render --write`.
"""

# begin names
ARGUMENTS = {
    "python": "python",
    "package-index": "packageIndex",
    "wheels": "wheels",
    "source": "source",
    "source-ref": "sourceRef",
    "ca-bundle": "caBundle",
    "proxy": "proxyCredentialsId",
    "no-proxy": "noProxy",
}
# end names


def named(name: str) -> str:
    """Return an input's name as the argument that it is here."""
    return f"argument {ARGUMENTS[name]}"
