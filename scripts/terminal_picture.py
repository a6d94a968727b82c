"""Runs commands on a terminal of its own, and draws what they print, colours included, as an SVG.

Text stays text: it can be selected, searched and scaled. Run by scripts/terminal-picture, beside a running Larder.
"""

import contextlib
import html
import os
import pty
import re
import tempfile
import time

from local_larder import PROGRAMS, ROOT

COMMANDS = ("larder lane list", "larder budget", "larder doctor")
COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341"}
CELL, LINE, MARGIN, COLUMNS = 8.4, 19, 18, 80


def printed(command: str) -> str:
    """What a command prints where it finds a terminal."""
    said = bytearray()

    process, terminal = pty.fork()
    if process == 0:
        os.execv(PROGRAMS / "larder", command.split())
    # Its end is an error on Linux.
    with contextlib.suppress(OSError):
        while part := os.read(terminal, 4096):
            said.extend(part)
    os.close(terminal)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if status:
        raise SystemExit(f"WRONG {command}: {said.decode()}")
    return said.decode().replace("\r", "")


def drawn(line: str, y: float) -> str:
    """One line: a piece for each colour, at its column."""
    pieces, column, colour = [], 0, None
    for part in re.split(r"(\x1b\[\d+m)", line):
        if code := re.fullmatch(r"\x1b\[(\d+)m", part):
            colour = COLOURS.get(code[1])
            continue
        # Word by word: not every viewer keeps more than one space.
        for word in re.finditer(r"\S+", part):
            fill = f' fill="{colour}"' if colour else ""
            at = f'x="{MARGIN + (column + word.start()) * CELL:.1f}" y="{y}" textLength="{len(word[0]) * CELL:.1f}"'
            pieces.append(f"<text {at}{fill}>{html.escape(word[0])}</text>")
        column += len(part)
    return "".join(pieces)


def main() -> None:
    # In a directory without files, and on what larder up started.
    os.environ.pop("NO_COLOR", None)
    os.chdir(tempfile.mkdtemp())
    os.environ |= {
        "DATABASE_URL": os.environ["LARDER_POSTGRES"],
        "CMC_API_KEY": "sandbox-key",  # the one that it makes up
        "LARDER__PROVIDERS__COINMARKETCAP__BASE_URL": os.environ["SANDBOX_URL"],
    }
    while not re.search(r"^month +credits +\d+ +[1-9]", printed("larder budget"), re.MULTILINE):
        time.sleep(0.5)
    lines = []
    for command in COMMANDS:
        lines += [f"\x1b[32m$\x1b[0m {command}", *printed(command).rstrip("\n").split("\n"), ""]
    lines.pop()
    width, height = 2 * MARGIN + COLUMNS * CELL, 2 * MARGIN + len(lines) * LINE
    body = "\n".join(drawn(line, MARGIN + (nth + 0.75) * LINE) for nth, line in enumerate(lines))
    title = "What larder lane list, larder budget and larder doctor print"
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img" aria-label="{title}"'
        f' font-family="ui-monospace, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="14" fill="#e6edf3"'
        f'>\n<title>{title}</title>\n'
        f'<rect width="{width:.0f}" height="{height}" rx="8" fill="#0d1117"/>\n{body}\n</svg>\n'
    )
    (ROOT / "docs" / "images" / "terminal.svg").write_text(picture)


if __name__ == "__main__":
    main()
