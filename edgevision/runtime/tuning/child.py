"""The process that tries the candidates: an engine that crashes takes nobody with it, and what it loaded is freed.

``tune.py`` hands it one line of JSON on stdin. It answers in lines of JSON on stdout: the format of each candidate
before it is opened, so that a crash has a name, and at the end what was found.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from typing import Any

from edgevision.runtime.bundle import Bundle
from edgevision.runtime.choice import Wish
from edgevision.runtime.tuning.trials import Trials


def main(request: dict[str, Any]) -> None:
    """Does what the request says."""
    # What engines print goes to stderr: stdout belongs to the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(**answer: Any) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    bundle = Bundle.open(request["bundle"])
    trials = Trials(bundle, Wish(**request["wish"]), request["seconds"], lambda backend: say(opening=backend))
    found = [dataclasses.asdict(trial) for trial in trials.run(request["crashed"])]
    verdicts = [[name, provider, dataclasses.asdict(verdict)] for name, provider, verdict in trials.verdicts]
    say(trials=found, verdicts=verdicts)
    sys.stdout.flush()
    os._exit(0)  # what engines do at exit cannot change the answer, and some crash there
