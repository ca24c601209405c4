# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Collect verdicts, print the table, write the evidence, and fail once. Documented in C(plugins/modules/report.py)."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import typing as t
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _criteria,
    _report,
    _report_compare,
    _report_terminal,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._argspec import kube_auth_spec
from ansible_collections.dataplatform.monitoring.plugins.module_utils._errors import MonitoringError
from ansible_collections.dataplatform.monitoring.plugins.module_utils._kube import Kube, status_error
from ansible_collections.dataplatform.monitoring.plugins.module_utils._report_text import clean
from ansible_collections.dataplatform.monitoring.plugins.plugin_utils._page import page

_FIELD_MANAGER = "dataplatform.monitoring"
#: Runs that are looked through for one to compare with, and the largest document that is read for it.
_LOOK_BACK = 20
_MOST_BYTES = 64 * 2**20


class ActionModule(ActionBase):
    """An action plugin, because only the controller's process can print to the terminal and keep files."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        _unused, args = self.validate_argument_spec(
            argument_spec={
                "play": {"type": "str", "required": True},
                "cluster": {"type": "str", "required": True},
                "verdicts": {"type": "dict", "required": True},
                "slos": {"type": "list", "elements": "dict"},
                "boards": {"type": "list", "elements": "dict"},
                "timeline": {"type": "raw"},
                "criteria": {"type": "bool", "default": False},
                "cluster_info": {"type": "dict"},
                "directory": {"type": "path", "required": True},
                "keep": {"type": "int", "default": 20},
                "config_map_namespace": {"type": "str"},
                **kube_auth_spec(),
            }
        )
        moment = datetime.datetime.now(datetime.UTC)
        stamp = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        verdicts = [_report.collect(name, result) for name, result in args["verdicts"].items()]
        criteria = None
        if args["criteria"]:
            extras = {"cluster_info": args["cluster_info"]}
            criteria = _criteria.criteria(verdicts, args["slos"], args["boards"], extras)
        doc = _report.document(
            args["play"],
            args["cluster"],
            stamp,
            verdicts,
            slos=args["slos"],
            boards=args["boards"],
            timeline=args["timeline"],
            criteria=criteria,
        )
        home = Path(args["directory"]) / args["cluster"]
        before = self._before(home, doc)
        if before is not None:
            doc["comparison"] = _report_compare.compare(doc, before)
        folder = self._write(home, args, moment, doc, verdicts)
        lines = _report_terminal.table(
            f"Verdict of {args['cluster']} ({args['play']}, {stamp})",
            verdicts,
            shutil.get_terminal_size((120, 24)).columns,
            every=self._display.verbosity > 0,
            criteria=criteria,
            comparison=doc.get("comparison"),
        )
        for text, colour in lines:
            self._display.display(text, color=colour)
        self._display.display(f"Evidence: {folder}/report.html, verdict.json, verdict.xml")
        short = _report.digest(doc)
        notes = self._publish(args, short) if args["config_map_namespace"] and not self._task.check_mode else []
        for note in notes:
            self._display.warning(note)
        return {
            "changed": False,
            "failed": doc["failed"],
            "msg": clean(f"{_report.first_line(_report.all_checks(verdicts))} Evidence: {folder}"),
            "red": doc["failed"],
            "summary": doc["summary"],
            "evidence": str(folder),
            **{key: doc[key] for key in ("criteria", "comparison") if key in doc},
            # One variable whatever clusters are called: a workflow hands it on as a variable of its next job.
            "ansible_stats": {
                "data": {"monitoring_verdict": {args["cluster"]: short}},
                "per_host": False,
                "aggregate": True,
            },
        }

    def _before(self, home: Path, doc: dict[str, t.Any]) -> dict[str, t.Any] | None:
        """Of the last runs the one that gave most of the same verdicts, the newest of them.

        After day 1 a verify is so compared with the verify before. What cannot be read is passed over.
        """
        best, shared = None, 0
        for file in sorted(home.glob("*/verdict.json"), reverse=True)[:_LOOK_BACK]:
            try:
                if file.stat().st_size > _MOST_BYTES:
                    continue
                found = json.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            same = _report_compare.comparable(doc, found)
            if same > shared:
                best, shared = found, same
            if shared == len(doc["verdicts"]):
                break
        return best

    def _page(self, doc: dict[str, t.Any], boards: list[dict[str, t.Any]] | None) -> str:
        """The page; where it cannot be made, a word about it: nobody is to lose a verdict over its picture."""
        try:
            return page(doc, boards)
        except Exception as exc:
            self._display.warning(f"The page of the evidence was not made: {type(exc).__name__}: {exc}")
            return "<!DOCTYPE html><title>Not made</title><p>The page was not made: read verdict.json beside it.</p>\n"

    def _write(
        self,
        home: Path,
        args: dict[str, t.Any],
        moment: datetime.datetime,
        doc: dict[str, t.Any],
        verdicts: list[_report.Verdict],
    ) -> Path:
        """Write the evidence, readable by its owner only, and drop what is older than the last O(keep) runs."""
        folder = home / f"{moment.strftime('%Y%m%dT%H%M%SZ')}-{args['play']}"
        try:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            for name, text in (
                ("verdict.json", json.dumps(doc, indent=2, default=str) + "\n"),
                ("verdict.xml", _report.junit(args["play"], args["cluster"], doc["time"], verdicts)),
                ("report.html", self._page(doc, args["boards"])),
            ):
                handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(text)
            # Only folders that hold our evidence: the directory may be shared with other things.
            ours = sorted(path for path in home.iterdir() if (path / "verdict.json").is_file())
            for old in ours[: -max(1, args["keep"])]:
                shutil.rmtree(old)
        except OSError as exc:
            raise AnsibleError(
                f"The evidence cannot be written below {home}: {exc}. Set monitoring_evidence_dir to a folder of yours."
            ) from exc
        return folder

    def _publish(self, args: dict[str, t.Any], short: dict[str, t.Any]) -> list[str]:
        """Keep the digest in the cluster too: where a job runs in a container, its files vanish with it.

        :returns: what went wrong. The verdict stands without its copy, so this never fails the task.
        """
        namespace, name = args["config_map_namespace"], "dataplatform-monitoring-verdict"
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {"app.kubernetes.io/managed-by": "dataplatform.monitoring"},
            },
            "data": {"digest.json": json.dumps(short, sort_keys=True)},
        }
        path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
        try:
            response = Kube(args).raw(
                "PATCH",
                path,
                [("fieldManager", _FIELD_MANAGER), ("force", "true")],
                body,
                "application/apply-patch+yaml",
            )
            if response.status >= 400:
                raise status_error(response, f"PATCH {path}")
        except MonitoringError as exc:
            return [f"The digest of the verdict was not kept in the cluster: {exc}"]
        return []
