# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says which cluster KUBECONFIG leads to, before anything is changed there."""

from __future__ import annotations

import sys

from kubernetes import config
from kubernetes.client import Configuration


def main() -> int:
    """Print context and address; 2 if there is none."""
    try:
        current = config.list_kube_config_contexts()[1]
        settings = Configuration()
        config.load_kube_config(client_configuration=settings)
    except (config.ConfigException, OSError) as error:
        print(f"demo: KUBECONFIG leads nowhere: {error}", file=sys.stderr)
        return 2
    print(f"  context {current['name']}\n  address {settings.host}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
