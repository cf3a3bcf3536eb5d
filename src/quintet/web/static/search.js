// Results as one types, and arrow keys among them. Without this script, the form does the same by its button.
import { show } from "./show.js";

const WAIT = 150; // milliseconds after the last key
const LEAST = 2; // characters
const input = document.querySelector("#q");
const results = document.querySelector("#results");
let timer;
let asking; // the request under way: a newer one ends it, so that an older answer never replaces a newer one

async function search() {
  asking?.abort();
  const query = input.value.trim();
  if (query.length > 0 && query.length < LEAST) return;
  const own = (asking = new AbortController());
  const search = new URLSearchParams({ q: query });
  try {
    const answer = await fetch(`/results?${search}`, { signal: own.signal, redirect: "manual" });
    if (!answer.ok) return void location.assign(`/?${search}`);
    const text = await answer.text();
    if (own !== asking) return;
    show(results, text);
    document.title = `${query || "Search"} · Quintet`;
    document.dispatchEvent(new Event("quintet:results"));
    history.replaceState(null, "", query ? `/?${search}` : "/");
  } catch (error) {
    if (error.name === "AbortError" || own !== asking) return;
    results.querySelector("[role=status]").textContent = "The server can’t be reached. What is below may be old.";
  }
}

input.setSelectionRange(input.value.length, input.value.length); // one goes on typing
input.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(search, WAIT);
});

document.querySelector("main").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const places = [input, ...results.querySelectorAll("a")];
  const at = places.indexOf(document.activeElement);
  if (!step || at < 0 || !places[at + step]) return;
  event.preventDefault();
  places[at + step].focus();
});
