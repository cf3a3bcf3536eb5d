// Results as one types. Without this script, the form does the same by its button.
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
    results.innerHTML = text; // made by the server, which escapes every value
    document.dispatchEvent(new Event("quintet:results"));
    history.replaceState(null, "", query ? `/?${search}` : "/");
  } catch (error) {
    if (error.name !== "AbortError") location.assign(`/?${search}`);
  }
}

input.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(search, WAIT);
});
