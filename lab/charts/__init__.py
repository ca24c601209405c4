# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: dataplatform.monitoring contributors

"""Stand-ins for the upstream Helm charts, and how they become installable. See README.md beside this file."""

from __future__ import annotations

import shutil
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
CHARTS = ("kube-prometheus-stack", "loki", "promtail")


def prepare(crd_dir: Path, out_dir: Path) -> bool:
    """Write installable charts into out_dir and say whether anything there changed.

    The operator's custom resource definitions are 4.5 MB of upstream text, so they are not in this repository:
    crd_dir is example/prometheus-operator-crd of the operator's Go module, the one that the lab's operator was built
    from. An unchanged chart is left untouched, and a file that no longer belongs to one is removed.

    Raises FileNotFoundError if crd_dir holds no definitions.
    """
    crds = sorted(crd_dir.glob("monitoring.coreos.com_*.yaml"))
    if not crds:
        raise FileNotFoundError(f"no custom resource definitions (monitoring.coreos.com_*.yaml) in {crd_dir}")
    wanted = {path.relative_to(SOURCE): path for name in CHARTS for path in _files(SOURCE / name)}
    wanted |= {Path("kube-prometheus-stack/charts/crds/crds", path.name): path for path in crds}
    changed = [relative for relative, path in wanted.items() if not _same(path, out_dir / relative)]
    for relative in changed:
        target = out_dir / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        # Contents only: the modes of a module cache are read-only.
        shutil.copyfile(wanted[relative], target)
    extra = [path for name in CHARTS for path in _files(out_dir / name) if path.relative_to(out_dir) not in wanted]
    for path in extra:
        path.unlink()
    return bool(changed or extra)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()
