# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role gives either agent: the same labels and files from both, and positions that outlive the Pod.

Alloy itself cannot be had here; its configuration is read by its own parser (alloy/main.go), and the rules of both
agents are applied to Pods as Prometheus applies them.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.monitoring.plugins.module_utils import _scrape_relabel

from lab import charts, golang
from lab.paths import CACHE
from tests.lab_fixture import BIN, ROOT

ROLE = ROOT / "roles" / "loki"
AGENTS = ("alloy", "promtail")
PROMISED = ("app", "namespace", "pod", "container", "tier", "__path__")

POD = {
    "__meta_kubernetes_namespace": "data-platform",
    "__meta_kubernetes_pod_name": "trino-0",
    "__meta_kubernetes_pod_container_name": "coordinator",
    "__meta_kubernetes_pod_uid": "1234",
    "__meta_kubernetes_pod_node_name": "one",
    "__meta_kubernetes_pod_controller_name": "trino",
}
STATIC = {
    "__meta_kubernetes_pod_annotationpresent_kubernetes_io_config_hash": "true",
    "__meta_kubernetes_pod_annotation_kubernetes_io_config_hash": "abcd",
}


def labelled(**labels: str) -> dict[str, str]:
    return {f"__meta_kubernetes_pod_label_{name}": value for name, value in labels.items()}


#: What a Pod has -> app, tier and the folder of its logs.
PODS = {
    "the plan's labels": (labelled(app="trino", tier="query"), ("trino", "query", "1234")),
    "Helm's labels": (
        labelled(app_kubernetes_io_name="trino", app_kubernetes_io_component="worker"),
        ("trino", "worker", "1234"),
    ),
    "both": (
        labelled(app="a", app_kubernetes_io_name="b", tier="c", app_kubernetes_io_component="d"),
        ("a", "c", "1234"),
    ),
    "no tier": (labelled(app="trino"), ("trino", None, "1234")),
    "a static Pod": (labelled(app="etcd") | STATIC, ("etcd", None, "abcd")),
}


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The values of both agents' charts with the role's defaults, and Alloy's configuration with a tenant."""
    folder = tmp_path_factory.mktemp("agents")
    files = [ROLE / "defaults" / "main.yml", *sorted((ROLE / "vars" / "main").glob("*.yml"))]
    wanted = {agent: f"{{{{ __loki_agent_values.{agent} }}}}" for agent in AGENTS}
    keep = {"content": "{{ wanted | to_json }}", "dest": str(folder / "values.json"), "mode": "0600"}
    tenant = {"content": wanted["alloy"], "dest": str(folder / "tenant.json"), "mode": "0600"}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {
            "role_path": str(ROLE),
            "wanted": wanted,
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        },
        "vars_files": [str(path) for path in files],
        "tasks": [
            {"name": "Keep the values", "ansible.builtin.copy": keep},
            {"name": "Keep those with a tenant", "ansible.builtin.copy": tenant, "vars": {"loki_tenant": "team-a"}},
        ],
    }
    (folder / "play.yml").write_text(json.dumps([play]))
    done = subprocess.run(
        ["ansible-playbook", "-i", "localhost,", "-c", "local", str(folder / "play.yml")],
        cwd=folder, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((folder / "values.json").read_text())
    return {**found, "tenant": json.loads((folder / "tenant.json").read_text())}


@pytest.fixture(scope="module")
def parse() -> Any:
    """Blocks of a configuration, by Alloy's own parser."""
    CACHE.mkdir(parents=True, exist_ok=True)
    program = CACHE / "alloy-parser"
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    folder = Path(__file__).parent / "alloy"
    subprocess.run([golang.find(), "build", "-o", program, "."], cwd=folder, env=environment, check=True)

    def run(text: str) -> list[dict[str, Any]]:
        done = subprocess.run([program], input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def alloy(values: dict[str, Any], parse: Any) -> dict[str, dict[str, Any]]:
    """Component -> block."""
    return {f"{one['name']}.{one['label']}": one for one in parse(values["alloy"]["alloy"]["configMap"]["content"])}


@pytest.fixture(scope="module")
def promtail(values: dict[str, Any]) -> dict[str, Any]:
    """kind -> object, of the chart's stand-in."""
    command = [BIN / "helm", "template", "promtail", charts.SOURCE / "promtail", "--namespace=monitoring", "--values=-"]
    text = yaml.safe_dump(values["promtail"])
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {one["kind"]: one for one in yaml.safe_load_all(done.stdout) if one}


@pytest.fixture(scope="module")
def rules(alloy: dict[str, dict[str, Any]], promtail: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Agent -> relabeling of its targets."""
    config = yaml.safe_load(promtail["Secret"]["stringData"]["promtail.yaml"])
    return {
        "alloy": [rule["attributes"] for rule in alloy["discovery.relabel.pods"]["blocks"]],
        "promtail": [rule for job in config["scrape_configs"] for rule in job["relabel_configs"]],
    }


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("pod", PODS)
def test_both_agents_give_the_promised_labels(rules: dict[str, list[dict[str, Any]]], agent: str, pod: str) -> None:
    labels, (app, tier, folder) = PODS[pod]
    found = {**POD, **labels}
    for rule in rules[agent]:
        assert _scrape_relabel._apply(_scrape_relabel.normalise(rule), found), "none is dropped"
    path = f"/var/log/pods/*{folder}/coordinator/*.log"
    told = (app, "data-platform", "trino-0", "coordinator", tier, path)
    assert {name: found.get(name) for name in PROMISED} == dict(zip(PROMISED, told, strict=True))


def test_alloys_components_are_connected(alloy: dict[str, dict[str, Any]]) -> None:
    """Every component that is referred to exists, from the Pods of this node to Loki."""
    assert set(alloy) == {
        "logging.", "discovery.kubernetes.pods", "discovery.relabel.pods", "local.file_match.pods",
        "loki.source.file.pods", "loki.process.pods", "loki.write.default",
    }  # fmt: skip
    chain = {
        "discovery.relabel.pods": ("targets", "discovery.kubernetes.pods.targets"),
        "local.file_match.pods": ("path_targets", "discovery.relabel.pods.output"),
        "loki.source.file.pods": ("targets", "local.file_match.pods.targets"),
        "loki.process.pods": ("forward_to", ["loki.write.default.receiver"]),
    }
    for component, (name, source) in chain.items():
        assert alloy[component]["attributes"][name] == source
    assert alloy["loki.source.file.pods"]["attributes"]["forward_to"] == ["loki.process.pods.receiver"]
    # Else every agent would send the lines of every node.
    (selector,) = alloy["discovery.kubernetes.pods"]["blocks"]
    assert selector["attributes"]["role"] == "pod"
    assert selector["attributes"]["field"].startswith('"spec.nodeName=" + ')
    assert [stage["name"] for stage in alloy["loki.process.pods"]["blocks"]] == ["stage.cri", "stage.label_drop"]


def test_alloy_sends_to_loki_and_names_the_tenant(alloy: dict[str, Any], values: dict[str, Any], parse: Any) -> None:
    (endpoint,) = alloy["loki.write.default"]["blocks"]
    assert endpoint["attributes"] == {"url": "http://loki.monitoring.svc:3100/loki/api/v1/push"}
    blocks = parse(values["tenant"]["alloy"]["configMap"]["content"])
    (write,) = [block for block in blocks if block["name"] == "loki.write"]
    assert write["blocks"][0]["attributes"]["tenant_id"] == "team-a"


def test_promtails_positions_lie_on_the_node(promtail: dict[str, Any]) -> None:
    config = yaml.safe_load(promtail["Secret"]["stringData"]["promtail.yaml"])
    pod = promtail["DaemonSet"]["spec"]["template"]["spec"]
    folder = str(Path(config["positions"]["filename"]).parent)
    (mount,) = [one for one in pod["containers"][0]["volumeMounts"] if one["mountPath"] == folder]
    (volume,) = [one for one in pod["volumes"] if one["name"] == mount["name"]]
    assert volume["hostPath"]["path"] == positions_path()
    assert not mount.get("readOnly")


def test_alloys_positions_lie_on_the_node(values: dict[str, Any]) -> None:
    given = values["alloy"]
    (mount,) = given["alloy"]["mounts"]["extra"]
    (volume,) = given["controller"]["volumes"]["extra"]
    assert mount == {"name": volume["name"], "mountPath": given["alloy"]["storagePath"]}
    assert volume["hostPath"] == {"path": positions_path(), "type": "DirectoryOrCreate"}


def positions_path() -> str:
    """Not below /run, /var/run or /tmp, which a node that restarts empties."""
    path = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())["loki_agent_positions_path"]
    assert not path.startswith(("/run/", "/var/run/", "/tmp/"))
    return path
