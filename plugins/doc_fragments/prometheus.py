# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The option for a Prometheus that is asked beside the module's own server. 1:1 with C(_argspec.prometheus_spec).

C(prometheus) where it may be left out, C(prometheus.required) where it may not.
"""

from __future__ import annotations

_OPTION = r"""
options:
  prometheus:
    description:
      - A Prometheus that is asked as well. The module's description says for what.
      - Its place is given as the connection options give the place of the module's own server.
    type: dict%s
    suboptions:
      url:
        description:
          - Address of the Prometheus, for example V(https://prometheus.example.com/prefix).
          - Without it the Prometheus is reached through the Kubernetes API, by O(prometheus.namespace) and
            O(prometheus.service).
        type: str
      url_username:
        description: User for basic authentication at its address.
        type: str
      url_password:
        description: Password for basic authentication at its address.
        type: str
      url_token:
        description: Bearer token for its address.
        type: str
      url_headers:
        description: More headers for its address.
        type: dict
      url_ca_cert:
        description: File with the certificate authorities to trust for its address.
        type: path
      url_client_cert:
        description: File with the client certificate for its address.
        type: path
      url_client_key:
        description: File with the key of that certificate.
        type: path
      url_validate_certs:
        description: Whether the certificate of its address is checked.
        type: bool
        default: true
      url_proxy:
        description: HTTP proxy to reach its address through.
        type: str
      namespace:
        description: Namespace of the Service in front of it.
        type: str
      service:
        description: Name of the Service in front of it.
        type: str
      port:
        description:
          - Name or number of the Service's port.
          - By default the only port, or the one whose name starts with C(http).
        type: str
      scheme:
        description: How the Pods behind the Service are spoken to.
        type: str
        choices: [http, https]
        default: http
      path_prefix:
        description: Path before the API's own, for a server with a route prefix.
        type: str
        default: ""
"""


class ModuleDocFragment:
    # Annotated, because the sanity tests of ansible-core 2.21 read a plain assignment as a literal.
    DOCUMENTATION: str = _OPTION % ""
    REQUIRED: str = _OPTION % "\n    required: true"
