// What is live, as the server renders it; and a button that copies.
import { show } from "./show.js";
const watched = document.querySelector("#watched");
const state = document.querySelector("#state");
if (watched) {
  const events = new EventSource("/connections/events");
  events.addEventListener("snapshot", (event) => {
    show(watched, JSON.parse(event.data).html);
    say("Live.");
  });
  events.addEventListener("error", () => say("Not live: the server can’t be reached, or you are signed out."));
}

function say(text) {
  if (state.textContent !== text) state.textContent = text;
}

const copy = document.querySelector("#copy");
const report = document.querySelector("#report");
const copied = document.querySelector("#copied");
copy.hidden = false;
copy.addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(report.value);
    copied.textContent = "Copied.";
  } catch {
    report.focus();
    report.select();
    copied.textContent = "Selected: copy it with the keyboard.";
  }
});
