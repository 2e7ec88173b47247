"""The requests of a whole step and nothing else: what a script needs that loads the same libraries and checks nothing.

Its argument is a file: JSON, a list of `{"method", "url", "headers", "body"}`; the body is base64.
"""

import base64
import json
import sys
from pathlib import Path

import urllib3
import yaml  # noqa: F401 - loaded like a contract's reader loads it
from cryptography.hazmat.primitives import serialization  # noqa: F401 - loaded like a signing key's reader loads it


def main() -> None:
    """Send every request; each must succeed."""
    pool = urllib3.PoolManager(retries=False)
    for asked in json.loads(Path(sys.argv[1]).read_bytes()):
        body = base64.b64decode(asked["body"]) or None
        answer = pool.request(asked["method"], asked["url"], body=body, headers=asked["headers"])
        if answer.status >= 300:
            sys.exit(f"{asked['method']} {asked['url']}: {answer.status}")


main()
