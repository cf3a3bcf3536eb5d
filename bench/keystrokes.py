"""`script/bench --typing`: from the end of the wait after a key to results on the screen, in Chromium.

`quintet demo` serves meanwhile: its directory runs in the same process. A peer is a static file that the same
page fetches and shows in the same way, so that the difference is what a search costs.
"""

import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROUNDS = 9
WANTED = 150.0
"""Milliseconds."""
QUERIES = ("jo", "an", "ma", "al", "ka", "st", "te", "jones", "xq", "a*")
PEER = "/static/icon.svg"
_INVITATION = re.compile(r"open (\S+)\s+and sign in as (\w+) with the password (\S+)")
_TYPE = """async (query) => {
  const input = document.querySelector("#q");
  performance.clearResourceTimings();
  const shown = new Promise((resolve) =>
    document.addEventListener("quintet:results", resolve, { once: true }));
  input.value = query;
  input.dispatchEvent(new Event("input"));
  await shown;
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  const now = performance.now();
  const asked = performance.getEntriesByType("resource").find((each) => each.name.includes("/results"));
  return now - asked.startTime;
}"""
_FETCH = """async (path) => {
  const began = performance.now();
  const answer = await fetch(path, { cache: "no-store" });
  document.querySelector("#results").innerHTML = await answer.text();
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  return performance.now() - began;
}"""


def main() -> None:
    took: dict[str, list[float]] = {query: [] for query in QUERIES}
    peer: list[float] = []
    with _signed_in() as page:
        for nth in range(ROUNDS + 1):
            for query in QUERIES:
                milliseconds = page.evaluate(_TYPE, query), page.evaluate(_FETCH, PEER)
                if nth:  # the first round warms up
                    took[query].append(milliseconds[0])
                    peer.append(milliseconds[1])
    print("| typed | median ms | least | most |\n| --- | --- | --- | --- |")
    for name, found in (*took.items(), (f"(peer: {PEER})", peer)):
        print(f"| {name} | {statistics.median(found):.0f} | {min(found):.0f} | {max(found):.0f} |")
    slowest = max(map(statistics.median, took.values()))
    print(f"slowest median {slowest:.0f} ms (goal: {WANTED:.0f} ms)")


@contextmanager
def _signed_in() -> Iterator[Page]:
    """The search page of the demo, signed in as its first user."""
    program = Path(sys.executable).with_name("quintet")
    with (
        subprocess.Popen((program, "demo"), stdout=subprocess.PIPE, text=True) as demo,
        sync_playwright() as driver,
    ):
        try:
            assert demo.stdout is not None
            told = ""
            while "Ctrl-C" not in told:
                line = demo.stdout.readline()
                assert line, told
                told += line
            found = _INVITATION.search(told)
            assert found, told
            url, name, password = found.groups()
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(base_url=url)
            page.goto("/sign-in")
            page.get_by_label("Name").fill(name)
            page.get_by_label("Password").fill(password)
            page.get_by_role("button", name="Sign in").click()
            page.get_by_role("searchbox").wait_for()
            yield page
            browser.close()
        finally:
            demo.terminate()


if __name__ == "__main__":
    main()
