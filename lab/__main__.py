# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`python -m lab up|down|status|logs|build`, from the top of the checkout."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from . import existing, kind, native, ownership
from .errors import LabError
from .paths import KUBECONFIG

COMMANDS = ("up", "down", "status", "logs", "build")

#: Modules with the same functions, one for each command.
PROVIDERS = {"existing": existing, "kind": kind, "native": native}


def provider(environment: dict[str, str]) -> str:
    """Which provider: LAB_PROVIDER, else `existing` where KUBECONFIG names another cluster, else the one whose lab is
    set up, else `kind` where Docker runs, else `native`."""
    chosen = environment.get("LAB_PROVIDER")
    if chosen:
        if chosen not in PROVIDERS:
            raise LabError(f"LAB_PROVIDER={chosen}: there is no such provider: set it to {', '.join(PROVIDERS)}")
        return chosen
    given = environment.get("KUBECONFIG")
    if given and Path(given).resolve() != KUBECONFIG.resolve():
        return "existing"
    if kind.COMPLETE.exists():
        return "kind"
    return "native" if ownership.owner() is not None or not kind.has_docker() else "kind"


def main(arguments: list[str]) -> int:
    """Run one command; 0 when it worked, 1 with one line when not, 2 when it is no command."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print(f"usage: python -m lab {'|'.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        getattr(PROVIDERS[provider(dict(os.environ))], arguments[0])()
    except LabError as error:
        print(f"lab {arguments[0]}: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read the output has seen enough; the interpreter would complain again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        rest = "`make lab` goes on, `make lab-down` removes what is there"
        print(f"lab {arguments[0]}: interrupted; {rest}", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
