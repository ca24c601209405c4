# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A Helm release through kubernetes.core.helm, with what that module leaves out. Documented beside the modules."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import tempfile
import time
import typing as t

from ansible_collections.dataplatform.monitoring.plugins.module_utils import _helm_release as releases
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import ApiError, ApiForbidden, ConfigError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube
from ansible_collections.dataplatform.monitoring.plugins.module_utils._resources import Resources
from ansible_collections.dataplatform.monitoring.plugins.plugin_utils._kube_action import Arguments, KubeAction, Result

# What kubernetes.core.helm takes of the authentication options.
_HELM_AUTH = ("kubeconfig", "context", "host", "api_key", "ca_cert", "validate_certs")
# Seconds; the operator needs two or three.
FINALIZER_TIMEOUT = 60
_NOT_YET_SERVED = ("no matches for kind", "resource mapping not found", "ensure CRDs are installed first")


class ActionModule(KubeAction):
    """Runs on the controller: one task instead of four, and the values never lie in a file that outlives it."""

    SPEC: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "chart_ref": {"type": "str"},
        "chart_version": {"type": "str"},
        "chart_repo_url": {"type": "str"},
        "values": {"type": "dict", "default": {}},
        "timeout": {"type": "str", "default": "10m"},
        "repair": {"type": "bool", "default": True},
        "binary_path": {"type": "str", "default": "helm"},
    }
    RULES: t.ClassVar[dict[str, t.Any]] = {
        "mutually_exclusive": [("context", "ca_cert")],
        "required_if": [("state", "present", ("chart_ref",))],
    }
    _task_vars: dict[str, t.Any]

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        self._task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        # The status repeats every value of the release, passwords somebody put into values included.
        for key in ("status", "stdout", "command", "invocation"):
            result.pop(key, None)
        return result

    def act(self, args: Arguments) -> Result:
        with tempfile.TemporaryDirectory(prefix="dataplatform-monitoring-") as folder:  # mode 0700
            helm = _Helm(args, pathlib.Path(folder), self.connect(args))
            return self._absent(args, helm) if args["state"] == "absent" else self._present(args, helm)

    def _absent(self, args: Arguments, helm: _Helm) -> Result:
        """Custom resources go first: with their operator gone nobody would take their finalizers off."""
        resources = Resources(helm.kube)
        manifest = helm.manifest()
        listed = releases.objects(manifest or "", args["namespace"], resources.namespaced)
        if not self._task.check_mode:
            _remove_custom(helm.kube, resources, listed, args)
        answer = self._module(args, {"release_state": "absent", "wait": True})
        if answer.get("failed"):
            return answer
        done = "would be removed" if self._task.check_mode else "removed"
        answer["msg"] = f"Release {args['name']} {done if answer.get('changed') else 'is absent'}."
        if answer.get("changed"):
            answer["objects"] = releases.changes(listed, [])
            if self._task.diff:
                answer["diff"] = releases.diff(listed, [])
        return answer

    def _module(self, args: Arguments, options: dict[str, t.Any]) -> Result:
        """Run kubernetes.core.helm; its complaint about the missing helm-diff is dropped: its work is done here."""
        auth = {key: args[key] for key in _HELM_AUTH if args.get(key) not in (None, "")}
        if auth.get("validate_certs") is True:
            del auth["validate_certs"]
        binary = args["binary_path"]
        answer = self._execute_module(
            module_name="kubernetes.core.helm",
            module_args={
                "release_name": args["name"],
                "release_namespace": args["namespace"],
                **({"binary_path": binary} if binary != "helm" else {}),
                **auth,
                **options,
            },
            task_vars=self._task_vars,
        )
        warnings = [text for text in answer.get("warnings") or [] if "helm diff" not in str(text)]
        answer.pop("warnings", None)
        if warnings:
            answer["warnings"] = warnings
        if answer.get("failed"):
            answer["msg"] = _plain(str(answer.get("msg")), args)
        return answer

    def _present(self, args: Arguments, helm: _Helm) -> Result:
        check, diff = self._task.check_mode, self._task.diff
        resources = Resources(helm.kube)
        values = helm.write_values(args["values"])
        options = {
            "chart_ref": args["chart_ref"],
            "values_files": [values],
            "create_namespace": True,
            "timeout": args["timeout"],
            **({"chart_version": args["chart_version"]} if args.get("chart_version") else {}),
            **({"chart_repo_url": args["chart_repo_url"]} if args.get("chart_repo_url") else {}),
        }
        now = helm.stored()
        if not now or not _as_wanted(now, args):
            answer = self._module(args, options)
            if answer.get("failed"):
                return answer
            if answer.get("changed"):
                return {**answer, **self._changed(args, helm, resources, now, values, check, diff)}
        answer = {"changed": False, "msg": f"Release {args['name']} is as wanted."}
        if args["repair"]:
            answer.update(self._repair(args, helm, resources, options, now.manifest if now else helm.manifest()))
        return answer

    def _changed(
        self,
        args: Arguments,
        helm: _Helm,
        resources: Resources,
        now: releases.Stored | None,
        values: str,
        check: bool,
        diff: bool,
    ) -> Result:
        """What a run changed, or what a check run found out by rendering."""
        verb = "upgraded" if now else "installed"
        answer: Result = {"msg": f"Release {args['name']} " + (f"would be {verb}." if check else f"{verb}.")}
        if check or diff:
            after = helm.rendered(values) if check else helm.manifest()
            old = releases.objects(now.manifest if now else "", args["namespace"], resources.namespaced)
            new = releases.objects(after or "", args["namespace"], resources.namespaced)
            answer["objects"] = releases.changes(old, new)
            if diff:
                answer["diff"] = [_values_diff(now.values if now else None, args), *releases.diff(old, new)]
        return answer

    def _repair(
        self,
        args: Arguments,
        helm: _Helm,
        resources: Resources,
        options: dict[str, t.Any],
        manifest: str | None,
    ) -> Result:
        """Find what was edited or deleted by hand since, and put it back: by helm, custom resources by ourselves."""
        wanted = releases.objects(manifest or "", args["namespace"], resources.namespaced)
        drifted: list[tuple[dict[str, t.Any], dict[str, t.Any] | None, str]] = []
        found: dict[str, list[str]] = {}
        diffs = []
        for item in wanted:
            metadata = item["metadata"]
            path = resources.path(item["apiVersion"], item["kind"], metadata["name"], metadata.get("namespace"))
            if path is None:
                raise ConfigError(
                    f"Release {args['name']} needs {item['kind']} ({item['apiVersion']}), which the cluster no longer "
                    "serves: its CRD was removed. Put it back with prometheus_operator_upgrade_crds: true."
                )
            live = helm.kube.get(path)
            differences = releases.drift(item, live)
            if differences:
                drifted.append((item, live, path))
                found[releases.label(item)] = [one.path for one in differences]
                diffs.append(releases.drift_diff(item, differences))
        if not drifted:
            return {}
        answer: dict[str, t.Any] = {"changed": True, "drift": found}
        if self._task.diff:
            answer["diff"] = diffs
        words = "; ".join(f"{name}: {', '.join(paths[:4])}" for name, paths in found.items())
        if self._task.check_mode:
            return {**answer, "msg": f"Edited or deleted by hand, would be put back: {words}"}
        for item, live, path in drifted:
            if live is not None and releases.is_custom(item):
                status, said = helm.kube.request(
                    "PUT",
                    path,
                    releases.repaired(item, live),
                    [("fieldManager", "helm")],
                )
                if status >= 400:
                    raise ApiError(f"PUT {path}: {said.get('message')} ({status})", status)
        if any(live is None or not releases.is_custom(item) for item, live, _path in drifted):
            # An upgrade to the same values recreates what is gone and merges what was edited.
            helm.upgrade(options)
        return {**answer, "msg": f"Edited or deleted by hand, put back: {words}"}


def _remove_custom(kube: Kube, resources: Resources, listed: list[dict[str, t.Any]], args: Arguments) -> None:
    """Delete the release's custom resources that hold finalizers, and wait until they are gone.

    :raises ConfigError: they do not go: their operator does not run.
    """
    waiting: dict[str, str] = {}
    for item in listed:
        if not releases.is_custom(item):
            continue
        metadata = item["metadata"]
        path = resources.path(item["apiVersion"], item["kind"], metadata["name"], metadata.get("namespace"))
        live = kube.get(path) if path else None
        if path and live and live["metadata"].get("finalizers"):
            status, said = kube.request("DELETE", path)
            if status >= 400 and status != 404:
                raise ApiError(f"DELETE {path}: {said.get('message')} ({status})", status)
            waiting[path] = releases.label(item)
    deadline = time.monotonic() + FINALIZER_TIMEOUT
    while waiting := {path: name for path, name in waiting.items() if kube.get(path)}:
        if time.monotonic() > deadline:
            kind, rest = next(iter(waiting.values())).partition(" ")[::2]
            namespace, name = rest.rpartition("/")[::2]
            raise ConfigError(
                f"{', '.join(waiting.values())} did not go within {FINALIZER_TIMEOUT} s: the operator that has to "
                f"release it does not run. If that is meant: kubectl -n {namespace} patch {kind.lower()} {name} "
                """--type=merge -p '{"metadata":{"finalizers":null}}'"""
            )
        time.sleep(1)


class _Helm:
    """The helm binary, for what kubernetes.core.helm does not offer. Credentials travel in its environment only."""

    def __init__(self, args: Arguments, folder: pathlib.Path, kube: Kube) -> None:
        self._args = args
        self._folder = folder
        self._env = {**os.environ, **_helm_env(args, folder)}
        self.kube = kube

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [self._args["binary_path"], *words, "--namespace", self._args["namespace"]]
        try:
            return subprocess.run(  # noqa: S603 - the binary is the user's own choice
                command, env=self._env, capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise ConfigError(
                f"helm cannot be run ({error}). Install helm 3.10 or newer, or set monitoring_helm_binary to its path."
            ) from error

    def write_values(self, values: dict[str, t.Any]) -> str:
        """As JSON, which neither PyYAML nor helm reads differently than it was meant."""
        path = self._folder / "values.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(values, sort_keys=True))
        return str(path)

    def manifest(self) -> str | None:
        """What the deployed release rendered, None when there is none."""
        run = self._run("get", "manifest", self._args["name"])
        if run.returncode == 0:
            return run.stdout
        if "not found" in run.stderr:
            return None
        raise ApiError(f"helm get manifest {self._args['name']}: {run.stderr.strip()}")

    def stored(self) -> releases.Stored | None:
        """The release as it lies in the cluster, read without helm: it need not even fetch the chart for that."""
        name, namespace = self._args["name"], self._args["namespace"]
        try:
            return releases.stored(self.kube.list(f"/api/v1/namespaces/{namespace}/secrets", f"owner=helm,name={name}"))
        except ApiForbidden:
            return None

    def _source(self) -> list[str]:
        args = self._args
        words = [args["chart_ref"]]
        if args.get("chart_version"):
            words += ["--version", args["chart_version"]]
        if args.get("chart_repo_url"):
            words += ["--repo", args["chart_repo_url"]]
        return words

    def rendered(self, values: str) -> str:
        """What an upgrade would render, validated as far as the cluster allows.

        :raises ConfigError: helm refuses the values or the chart.
        """
        common = [self._args["name"], *self._source(), "--values", values]
        run = self._run("upgrade", "--install", *common, "--dry-run=server", "--output", "json")
        if run.returncode == 0:
            return json.loads(run.stdout)["manifest"]
        if any(words in run.stderr for words in _NOT_YET_SERVED):
            # A bare cluster: the chart's own CRDs are not there yet, so it is rendered without asking the API.
            version = (self.kube.get("/version") or {}).get("gitVersion", "")
            run = self._run("template", *common, *(["--kube-version", version] if version else []))
            if run.returncode == 0:
                return run.stdout
        raise ConfigError(_plain(run.stderr.strip(), self._args))

    def upgrade(self, options: dict[str, t.Any]) -> None:
        """Upgrade to what is deployed already."""
        values = options["values_files"][0]
        run = self._run(
            "upgrade", self._args["name"], *self._source(), "--values", values, "--timeout", self._args["timeout"]
        )
        if run.returncode != 0:
            raise ConfigError(_plain(run.stderr.strip(), self._args))


def _as_wanted(now: releases.Stored, args: Arguments) -> bool:
    """Whether neither the chart nor the values differ, judged without helm."""
    path = pathlib.Path(args["chart_ref"]) / "Chart.yaml"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    wanted = releases.wanted_chart(args["chart_ref"], args.get("chart_version") or "", text)
    return now.status == "deployed" and now.chart == wanted and now.values == args["values"]


def _helm_env(args: dict[str, t.Any], folder: pathlib.Path) -> dict[str, str]:
    env = {}
    for option, name in (
        ("context", "HELM_KUBECONTEXT"),
        ("host", "HELM_KUBEAPISERVER"),
        ("api_key", "HELM_KUBETOKEN"),
        ("ca_cert", "HELM_KUBECAFILE"),
    ):
        if args.get(option):
            env[name] = str(args[option])
    if args.get("validate_certs") is False:
        env["HELM_KUBEINSECURE_SKIP_TLS_VERIFY"] = "true"
    kubeconfig = args.get("kubeconfig")
    if isinstance(kubeconfig, dict):
        path = folder / "kubeconfig.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(kubeconfig))
        env["KUBECONFIG"] = str(path)
    elif kubeconfig:
        env["KUBECONFIG"] = str(pathlib.Path(str(kubeconfig)).expanduser())
    return env


def _plain(message: str, args: dict[str, t.Any]) -> str:
    """Helm's refusal, with the remedy where it is a known one."""
    if "another operation" in message and "in progress" in message:
        return (
            f"Release {args['name']} is locked by an operation that was killed. "
            f"Fix: helm rollback {args['name']} -n {args['namespace']}  (or helm uninstall, if it never was deployed)"
        )
    return message


def _values_diff(before: dict[str, t.Any] | None, args: dict[str, t.Any]) -> dict[str, str]:
    """The release itself, told by its values; literal credentials in them are hidden."""
    name = f"Release {args['namespace']}/{args['name']}"
    return {
        "before_header": name if before is not None else f"{name} (absent)",
        "after_header": f"{name} ({args['chart_ref']} {args.get('chart_version') or ''})".replace(" )", ")"),
        "before": _text(before) if before is not None else "",
        "after": _text(args["values"]),
    }


def _text(values: dict[str, t.Any]) -> str:
    return json.dumps(releases.masked_values(values), indent=2, sort_keys=True) + "\n"
