# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab: a real one-node Kubernetes cluster on this machine, without Docker. See README.md beside this file."""
