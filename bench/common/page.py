"""Markdown that a script writes into a page between two marks."""

from pathlib import Path


def table(head: list, lines: list) -> list:
    return ["| " + " | ".join(map(str, line)) + " |" for line in (head, ["---"] * len(head), *lines)] + [""]


def put(page: Path, script: str, lines: list, part: str = "") -> None:
    """Replaces the text between the script's marks; makes the page if it does not exist.

    part: a name for the marks, if a script writes several parts of a page

    @throws SystemExit unless the page has each mark once
    """
    begin, end = marks(script, part)
    text = page.read_text() if page.exists() else f"{begin}\n{end}\n"
    page.write_text(replaced(text, page, script, lines, part))


def marks(script: str, part: str = "") -> tuple:
    what = f" ({part})" if part else ""
    return f"<!-- What follows is written by {script}{what}. -->", f"<!-- That was written by {script}{what}. -->"


def replaced(text: str, page: Path, script: str, lines: list, part: str = "") -> str:
    """The text of a page with these lines between the marks.

    part: as in put
    @throws SystemExit unless the text has each mark once
    """
    begin, end = marks(script, part)
    if text.count(begin) != 1 or text.count(end) != 1:
        found = f"{text.count(begin)} and {text.count(end)}"
        raise SystemExit(f"{script}: expected the lines '{begin}' and '{end}' once each in {page}, but found {found}")
    before, after = text[: text.index(begin)], text[text.index(end) :]
    return before + "\n".join([begin, "", *lines]) + after
