#!/usr/bin/env python3
"""Opens reports in headless Chromium as a phone and as a desk show them, and looks for what is wrong.

    tests/report_page.py REPORT.html... [--chromium PROGRAM] [--shots FOLDER]

Wrong is: an error on the console, an element wider than the page, a character that no font of this machine has, a request to
anywhere. Exit code 77, with the reason, where there is no Chromium.
"""
import argparse
import html
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

WIDTHS = (400, 1400)

# The report in a frame of the given width, since a window has a smallest one. What scrolls in a box of its own is no overflow.
FRAME = """<!DOCTYPE html><meta charset="utf-8"><body style="margin:0">
<iframe id="frame" style="border:0;width:{width}px;height:{height}px" srcdoc="{report}"></iframe>
<script>
addEventListener("load", () => {{
  const page = document.getElementById("frame").contentDocument;
  const view = page.documentElement;
  const scrolls = (each) => each.closest(".scroll, pre");
  const wide = [...page.querySelectorAll("body *")].filter(
      (each) => !scrolls(each.parentElement) && each.getBoundingClientRect().right > view.clientWidth + 1);
  const canvas = document.createElement("canvas").getContext("2d", {{willReadFrequently: true}});
  const drawn = (letter) => {{
    canvas.clearRect(0, 0, 40, 40);
    canvas.font = "24px " + getComputedStyle(page.body).fontFamily;
    canvas.fillText(letter, 4, 30);
    return canvas.getImageData(0, 0, 40, 40).data.join();
  }};
  const missing = drawn("\\uffff");
  const letters = [...new Set(page.body.textContent)].filter((letter) => letter.trim() && drawn(letter) === missing);
  const result = document.createElement("pre");
  result.id = "result";
  result.textContent = JSON.stringify({{
    width: view.clientWidth, scroll: view.scrollWidth, height: view.scrollHeight,
    wide: wide.slice(0, 5).map((each) => each.outerHTML.slice(0, 120)), missing: letters}});
  document.body.append(result);
}});
</script>"""


def chromium(program, page, width, height, *options):
    """What a headless Chromium without network says of the page."""
    with tempfile.TemporaryDirectory() as profile:
        return subprocess.run(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
             "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}",
             f"--window-size={width},{height}", "--enable-logging=stderr", "--virtual-time-budget=4000", *options, page.as_uri()],
            capture_output=True, text=True, timeout=180)


def faults_of(program, report, width, folder, shots):
    text = report.read_text(encoding="utf-8")
    faults = [f"it asks for {part}" for part in re.findall(r"(?:src|href)=\"(?!#)[^\"]*\"|url\([^)]*\)|@import|<script", text)]
    page = folder / "page.html"

    def frame(height):
        page.write_text(FRAME.format(width=width, height=height, report=html.escape(text)), encoding="utf-8")

    frame(1000)
    done = chromium(program, page, max(width, 500), 1000, "--dump-dom")
    found = re.search(r'<pre id="result">(.*?)</pre>', done.stdout, re.DOTALL)
    if not found:
        return faults + [f"Chromium gives no result (exit code {done.returncode}): {done.stderr[-500:]}"]
    result = json.loads(html.unescape(found[1]))
    faults += [line.strip() for line in done.stderr.splitlines() if "CONSOLE" in line]
    if result["scroll"] > result["width"]:
        faults.append(f"it is {result['scroll']} pixels wide")
    faults += [f"too wide: {each}" for each in result["wide"]]
    faults += [f"no font has U+{ord(letter):04X}" for letter in result["missing"]]
    if shots:
        height = min(result["height"], 12000)
        frame(height)
        for scheme in ("light", "dark"):
            shot = shots / f"{report.parent.name}-{report.stem}-{width}-{scheme}.png"
            chromium(program, page, max(width, 500), height, f"--screenshot={shot}",
                     f"--blink-settings=preferredColorScheme={'0' if scheme == 'dark' else '1'}")
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", nargs="+", type=pathlib.Path)
    parser.add_argument("--chromium", default=shutil.which("chromium") or "chromium-headless-shell", help="the program")
    parser.add_argument("--shots", type=pathlib.Path)
    options = parser.parse_args()
    program = shutil.which(options.chromium)
    if program is None:
        print(f"skipped: there is no {options.chromium} here (apt-get install chromium-headless-shell)")
        return 77
    if options.shots:
        options.shots.mkdir(parents=True, exist_ok=True)
    are_sound = True
    with tempfile.TemporaryDirectory() as folder:
        for report in options.reports:
            for width in WIDTHS:
                faults = faults_of(program, report, width, pathlib.Path(folder), options.shots)
                are_sound &= not faults
                print(f"{report} at {width} pixels: {'sound' if not faults else ''}")
                for fault in faults:
                    print(f"  {fault}")
    return 0 if are_sound else 1


if __name__ == "__main__":
    sys.exit(main())
