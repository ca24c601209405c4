# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Options that say which server a verdict asks. 1:1 with C(_argspec.CONNECTION_SPEC)."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  url:
    description:
      - Address of the server, for example V(https://prometheus.example.com/prefix).
      - Without it the server is reached through the Kubernetes API, see O(namespace) and O(service).
      - Each replica is asked then.
    type: str
  url_username:
    description: User for basic authentication at O(url).
    type: str
  url_password:
    description: Password for basic authentication at O(url).
    type: str
  url_token:
    description: Bearer token for O(url).
    type: str
  url_headers:
    description: More headers for O(url), for example C(X-Scope-OrgID).
    type: dict
  url_ca_cert:
    description: File with the certificate authorities to trust for O(url).
    type: path
  url_client_cert:
    description: File with the client certificate for O(url).
    type: path
  url_client_key:
    description: File with the key of O(url_client_cert).
    type: path
  url_validate_certs:
    description: Whether the certificate of O(url) is checked.
    type: bool
    default: true
  url_proxy:
    description: HTTP proxy to reach O(url) through, for example V(http://proxy.example.com:3128).
    type: str
  namespace:
    description: Namespace of the Service in front of the server, when it is reached through the Kubernetes API.
    type: str
  service:
    description: Name of the Service in front of the server. Every ready Pod behind it is asked.
    type: str
  port:
    description:
      - Name or number of the port of O(service).
      - By default the only port, or the one whose name starts with C(http).
    type: str
  scheme:
    description: How the Pods behind O(service) are spoken to.
    type: str
    choices: [http, https]
    default: http
  path_prefix:
    description: Path before the API's own, for a server with a route prefix behind O(service).
    type: str
    default: ""
  kubernetes:
    description:
      - Whether there is a Kubernetes API to ask.
      - With V(false), only O(url) is used, and causes that need the Kubernetes API say so.
    type: bool
    default: true
"""
