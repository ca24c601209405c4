# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one exception that ends a lab command with a line instead of a traceback."""


class LabError(Exception):
    """Something the user can act on; the message names the place and the remedy, in one line."""
