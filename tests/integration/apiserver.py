# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real kube-apiserver with its etcd on loopback: what only the real one says, in seconds, without a cluster.

No controllers and no kubelet run: Pods never start and a deleted Namespace stays Terminating. Use names of your own.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.programs import Program, free_port, wait_for
from tests.lab_fixture import BIN, ROOT

CRDS = BIN.parent / "share" / "prometheus-operator-crd"
ADMIN = "admin-token"


class ApiServer:
    """An empty cluster's API. Users are tokens: C(admin-token) may do all, others what RBAC gives them.

    :param folder: for certificates, data and logs. :param users: token -> user name, without any rights.
    """

    def __init__(self, folder: Path, users: dict[str, str]) -> None:
        self.folder = folder
        client, peer, self.port = free_port(), free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        tokens = [f'{ADMIN},admin,admin,"system:masters"'] + [f"{token},{name},{name}" for token, name in users.items()]
        (folder / "tokens.csv").write_text("\n".join(tokens) + "\n")
        self._certificates()
        etcd = f"http://127.0.0.1:{client}"
        self.programs = [
            Program(
                [
                    str(BIN / "etcd"), f"--data-dir={folder / 'etcd'}", "--unsafe-no-fsync", "--log-level=warn",
                    f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}",
                    f"--listen-peer-urls=http://127.0.0.1:{peer}",
                    f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
                    f"--initial-cluster=default=http://127.0.0.1:{peer}",
                ],
                folder / "etcd.log",
            ),
            Program(
                [
                    str(BIN / "kube-apiserver"), f"--etcd-servers={etcd}", "--bind-address=127.0.0.1",
                    f"--secure-port={self.port}", f"--tls-cert-file={folder / 'server.pem'}",
                    f"--tls-private-key-file={folder / 'server.key'}", f"--token-auth-file={folder / 'tokens.csv'}",
                    "--external-hostname=127.0.0.1", "--authorization-mode=RBAC",
                    "--service-cluster-ip-range=10.0.0.0/24", "--service-account-issuer=https://kubernetes.default.svc",
                    f"--service-account-key-file={folder / 'sa.key'}",
                    f"--service-account-signing-key-file={folder / 'sa.key'}",
                    # No Pod ever runs, and nobody reaches the API by the Service `kubernetes`.
                    "--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none",
                ],
                folder / "apiserver.log",
            ),
        ]  # fmt: skip

    def _certificates(self) -> None:
        authority = trustme.CA()
        server = authority.issue_cert("127.0.0.1")
        authority.cert_pem.write_to_path(str(self.folder / "ca.pem"))
        server.private_key_pem.write_to_path(str(self.folder / "server.key"))
        server.cert_chain_pems[0].write_to_path(str(self.folder / "server.pem"))
        key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        (self.folder / "sa.key").write_bytes(key)

    def ready(self) -> ApiServer:
        """Wait until it serves and has made its own namespaces."""
        wait_for(self._serves, f"kube-apiserver ready, see {self.folder / 'apiserver.log'}")
        return self

    def _serves(self) -> bool:
        log = (self.folder / "apiserver.log").read_text(errors="replace")
        assert "command failed" not in log, log[-1000:]
        done = self.kubectl("get", "namespace", "default", "--request-timeout=2s", check=False)
        return done.returncode == 0

    def stop(self) -> None:
        """End both programs."""
        for program in reversed(self.programs):
            program.stop()

    def kubeconfig(self, token: str = ADMIN) -> Path:
        """A kubeconfig for one of the users."""
        path = self.folder / f"{token}.kubeconfig"
        if not path.exists():
            cluster = {"server": self.url, "certificate-authority": str(self.folder / "ca.pem")}
            content = {
                "apiVersion": "v1", "kind": "Config", "current-context": "it",
                "clusters": [{"name": "it", "cluster": cluster}],
                "users": [{"name": "it", "user": {"token": token}}],
                "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            }  # fmt: skip
            path.write_text(yaml.safe_dump(content))
        return path

    def kube(self, token: str = ADMIN) -> Kube:
        """A connection as one of the users."""
        return Kube({"kubeconfig": str(self.kubeconfig(token))})

    def kubectl(
        self, *words: str, stdin: Any = None, check: bool = True, token: str = ADMIN, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl; C(stdin) is text or an object."""
        text = stdin if stdin is None or isinstance(stdin, str) else json.dumps(stdin)
        return subprocess.run(
            [str(BIN / "kubectl"), f"--kubeconfig={self.kubeconfig(token)}", *words],
            input=text, capture_output=True, text=True, check=check, timeout=60, env={**os.environ, **environment},
        )  # fmt: skip

    def play(self, folder: Path, tasks: list[Any], *options: str, **play: Any) -> subprocess.CompletedProcess[str]:
        """Play tasks of the collection against this server."""
        path = folder / "play.yml"
        auth = {"group/dataplatform.monitoring.all": {"kubeconfig": str(self.kubeconfig())}}
        head = {"hosts": "localhost", "gather_facts": False, "module_defaults": auth, **play}
        path.write_text(json.dumps([{**head, "tasks": tasks}]))
        environment = {
            **os.environ,
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        }
        return subprocess.run(
            ["ansible-playbook", str(path), *options], cwd=ROOT, env=environment, capture_output=True, text=True,
            check=False, timeout=120,
        )  # fmt: skip


@pytest.fixture(scope="session")
def apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One server for all tests that ask for it, with the Prometheus operator's CRDs."""
    users = {f"{name}-token": name for name in ("reader", "deployer", "nobody")}
    server = ApiServer(tmp_path_factory.mktemp("apiserver"), users)
    try:
        server.ready()
        for name in ("servicemonitors", "prometheusrules"):
            path = CRDS / f"monitoring.coreos.com_{name}.yaml"
            server.kubectl("apply", "--server-side", "-f", str(path))
        server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        yield server
    finally:
        server.stop()
