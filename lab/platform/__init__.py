# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: dataplatform.monitoring contributors

"""The lab's data platform: real PostgreSQL and MinIO, stand-ins for the rest. See README.md beside this file."""
