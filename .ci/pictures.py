# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the pictures of docs/pictures from a page of evidence; `make pictures PAGE=evidence/lab/.../report.html`.

Without a page the newest one of the lab is taken; what faults look like comes from the sample of the tests. The same
page gives the same pictures where the same fonts are installed; those that are committed were taken with Debian's
fonts-inter and fonts-jetbrains-mono.
"""

from __future__ import annotations

import struct
import sys
import tempfile
import zlib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ansible_collections.dataplatform.monitoring.plugins.plugin_utils import _page  # noqa: E402

from tests.evidence import sample  # noqa: E402
from tests.evidence.browser import Browser, browser  # noqa: E402

FOLDER = ROOT / "docs" / "pictures"
MOST_BYTES = 200_000
WIDTH = 1280


def rows_of(png: bytes) -> list[bytearray]:
    """The lines of an RGB image of eight bits, its filters undone (PNG, third edition, section 9)."""
    position, packed, width = 8, b"", 0
    while position < len(png):
        (size,) = struct.unpack(">I", png[position : position + 4])
        kind, data = png[position + 4 : position + 8], png[position + 8 : position + 8 + size]
        if kind == b"IHDR":
            width, _height, depth, colour = struct.unpack(">IIBB", data[:10])
            if (depth, colour) != (8, 2):
                raise SystemExit("pictures: Chromium's picture is not RGB")
        packed += data if kind == b"IDAT" else b""
        position += size + 12
    raw, stride = zlib.decompress(packed), width * 3
    rows, above = [], bytearray(stride)
    for start in range(0, len(raw), stride + 1):
        kind, row = raw[start], bytearray(raw[start + 1 : start + 1 + stride])
        for at in range(stride if kind else 0):
            left, up = row[at - 3] if at >= 3 else 0, above[at]
            corner = above[at - 3] if at >= 3 else 0
            if kind == 4:
                near = (abs(up - corner), abs(left - corner), abs(left + up - 2 * corner))
                guess = left if near[0] <= min(near[1:]) else up if near[1] <= near[2] else corner
            else:
                guess = (left, up, (left + up) // 2)[kind - 1]
            row[at] = (row[at] + guess) & 255
        rows.append(row)
        above = row
    return rows


def _apart(one: bytes, other: bytes) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def smaller(png: bytes) -> bytes:
    """The same picture with the 256 colours that matter most: a page has few, and the edges of its letters many."""
    rows = rows_of(png)
    pixels = [[bytes(row[at : at + 3]) for at in range(0, len(row), 3)] for row in rows]
    counts = Counter(pixel for row in pixels for pixel in row)
    ranked = [colour for colour, _times in counts.most_common()]
    # Those that differ first, so that a rare red is not taken for one of many greys; then those that are frequent.
    palette: list[bytes] = []
    for colour in ranked:
        if len(palette) < 192 and all(_apart(colour, other) > 200 for other in palette):
            palette.append(colour)
    palette += [colour for colour in ranked if colour not in palette][: 256 - len(palette)]
    place = {colour: index for index, colour in enumerate(palette)}
    for colour in counts:
        if colour not in place:
            place[colour] = min(range(len(palette)), key=lambda i: _apart(colour, palette[i]))
    body = b"".join(b"\0" + bytes(place[pixel] for pixel in row) for row in pixels)

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", len(pixels[0]), len(pixels), 8, 3, 0, 0, 0)
    packed = zlib.compress(body, 9)
    parts = ((b"IHDR", head), (b"PLTE", b"".join(palette)), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(part(kind, data) for kind, data in parts)


def top(running: Browser, name: str) -> None:
    """The page from its upper edge, as many whole sections as fit."""
    ends = running.run("[...document.querySelectorAll('section')].map(one => one.getBoundingClientRect().bottom)")
    fitting = [int(end) for end in ends if end < 1750]
    running.picture(FOLDER / name, height=fitting[-1] if fitting else 1750)


def boards(running: Browser, name: str) -> None:
    """The budgets and the first boards, as many whole ones as fit."""
    running.run(
        """(() => { document.querySelectorAll('header, nav, section, footer').forEach(one => {
             if (!['slos', 'boards'].includes(one.id)) one.style.display = 'none'; }); })()"""
    )
    ends = running.run("[...document.querySelectorAll('.board')].map(one => one.getBoundingClientRect().bottom)")
    fitting = [int(end) + 12 for end in ends if end < 1750]
    running.picture(FOLDER / name, height=fitting[-1] if fitting else 1750)


def newest() -> Path:
    """The page of the lab's newest run of verify, else of any play."""
    pages = sorted((ROOT / "evidence" / "lab").glob("*/report.html"))
    chosen = [page for page in pages if page.parent.name.endswith(("-verify", "-day3"))] or pages
    if not chosen:
        raise SystemExit("pictures: no page below evidence/lab; play verify.yml, or name one: make pictures PAGE=...")
    return chosen[-1]


def main() -> None:
    """Take all of them and say how large they are."""
    page = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 and sys.argv[1] else newest()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with browser() as running, tempfile.TemporaryDirectory() as folder:
        faults = Path(folder) / "report.html"
        faults.write_text(_page.page(*sample.broken()), encoding="utf-8")
        for name, source, dark, take in (
            ("report-light.png", page, False, top),
            ("report-dark.png", page, True, top),
            ("report-boards.png", page, False, boards),
            ("report-faults.png", faults, False, top),
        ):
            running.open(source, width=WIDTH, dark=dark)
            take(running, name)
            (FOLDER / name).write_bytes(smaller((FOLDER / name).read_bytes()))
            size = (FOLDER / name).stat().st_size
            print(f"pictures: docs/pictures/{name}, {size // 1000} kB, of {source}")
            if size > MOST_BYTES:
                raise SystemExit(f"pictures: {name} is larger than {MOST_BYTES // 1000} kB")


if __name__ == "__main__":
    main()
