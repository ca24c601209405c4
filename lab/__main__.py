# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`python -m lab up|down|status|logs`, from the top of the checkout."""

from __future__ import annotations

import os
import sys

from . import existing, native
from .errors import LabError
from .paths import KUBECONFIG

#: `kind`, a cluster in Docker, joins these two as a module with the same four functions.
PROVIDERS = {"existing": existing, "native": native}


def provider(environment: dict[str, str]) -> str:
    """Which provider: LAB_PROVIDER, else `existing` where KUBECONFIG names a cluster other than the lab's, else `native`."""
    chosen = environment.get("LAB_PROVIDER")
    if chosen:
        if chosen not in PROVIDERS:
            raise LabError(f"LAB_PROVIDER={chosen}: there is no such provider: set it to {' or '.join(PROVIDERS)}")
        return chosen
    given = environment.get("KUBECONFIG")
    return "existing" if given and given != str(KUBECONFIG) else "native"


def main(arguments: list[str]) -> int:
    """Run one command; 0 when it worked, 1 with one line when not, 2 when it is no command."""
    commands = ("up", "down", "status", "logs")
    if len(arguments) != 1 or arguments[0] not in commands:
        print(f"usage: python -m lab {'|'.join(commands)}", file=sys.stderr)
        return 2
    try:
        getattr(PROVIDERS[provider(dict(os.environ))], arguments[0])()
    except LabError as error:
        print(f"lab {arguments[0]}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"lab {arguments[0]}: interrupted; `make lab` goes on, `make lab-down` removes what is there", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
