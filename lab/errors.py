# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one exception that ends a lab command with a line instead of a traceback, and remedies that many share."""

#: Something in the lab does not do what it should.
ANEW = "`.venv/bin/python -m lab logs` tells more; `make lab-down`, then `make lab`, starts anew"
#: Everything built so far is kept.
BUILD_ON = "`.venv/bin/python -m lab build` goes on from there"
#: The kernel does not end what was killed.
RESTART = "restart the machine, then `make lab-down`"


class LabError(Exception):
    """Something the user can act on; the message names the place and the remedy, in one line."""
