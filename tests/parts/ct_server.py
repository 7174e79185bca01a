"""The one request of a CT log that Fulcio makes, answered with real timestamps."""

from __future__ import annotations

import base64
import json

from tests.parts.ct_log import CtLog
from tests.parts.loopback import Asked, Reply, json_reply, refusal


class CtServer:
    """The service; `log` has the key."""

    def __init__(self) -> None:
        self.log = CtLog()

    def answer(self, asked: Asked) -> Reply:
        if (asked.method, asked.path) != ("POST", "/ct/v1/add-pre-chain"):
            return refusal(404, "not found")
        try:
            chain = [base64.b64decode(each, validate=True) for each in json.loads(asked.body)["chain"]]
            return json_reply(self.log.add_pre_chain(chain))
        except (ValueError, KeyError, IndexError, TypeError) as error:
            return refusal(400, f"no chain of a precertificate: {error}")
