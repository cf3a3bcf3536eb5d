// What is live, changed where the server's own differs, so that a selection, the focus and the place of a screen
// reader stay; and a button that copies.
const watched = document.querySelector("#watched");
const state = document.querySelector("#state");
if (watched) {
  const events = new EventSource("/connections/events");
  events.addEventListener("snapshot", (event) => {
    const now = document.createElement("template");
    now.innerHTML = JSON.parse(event.data).html; // made by the server, which escapes every value
    children(watched, now.content);
    say("Live.");
  });
  events.addEventListener("error", () => say("Not live: the server can’t be reached, or you are signed out."));
}

function children(old, now) {
  const before = [...old.childNodes];
  const after = [...now.childNodes];
  after.forEach((each, nth) => (before[nth] ? change(before[nth], each) : old.append(each)));
  before.slice(after.length).forEach((each) => each.remove());
}

function change(old, now) {
  if (old.nodeName !== now.nodeName) return void old.replaceWith(now);
  if (old.nodeType !== Node.ELEMENT_NODE) return void (old.data !== now.data && (old.data = now.data));
  for (const name of old.getAttributeNames()) if (!now.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of now.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  children(old, now);
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
