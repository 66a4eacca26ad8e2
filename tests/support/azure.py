"""Azurite, Microsoft's emulator of Azure's object store, on this machine: `npm install azurite`."""

from __future__ import annotations

import base64
import email.utils
import hashlib
import hmac
import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

ACCOUNT, KEY = "account", base64.b64encode(b"key").decode()
COMMAND = "azurite-blob"
VERSION = "2021-08-06"


@contextmanager
def azurite() -> Iterator[tuple[str, int]]:
    """Its service with one container, `bucket`; host and port. The environment has credentials meanwhile."""
    names = {"AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": KEY}
    options = ["--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    environment = {**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
    server = subprocess.Popen([COMMAND, *options], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        place = next(found for line in server.stdout if (found := re.search(r"listens on http://([\d.]+):(\d+)", line)))
        host, port = place[1], int(place[2])
        _make_container(f"http://{host}:{port}")
        os.environ.update(names)
        yield host, port
    finally:
        for name in names:
            os.environ.pop(name, None)
        server.terminate()
        server.communicate()


def _make_container(endpoint: str) -> None:
    """Azure's own request for it, signed with the account's key, because obstore has none."""
    date = email.utils.formatdate(usegmt=True)
    place = f"/{ACCOUNT}/{ACCOUNT}/bucket\nrestype:container"
    text = "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:{VERSION}\n{place}"
    signature = base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()).decode()
    headers = {"x-ms-date": date, "x-ms-version": VERSION, "Content-Length": "0"}
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{signature}"
    url = f"{endpoint}/{ACCOUNT}/bucket?restype=container"
    urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers)).close()
