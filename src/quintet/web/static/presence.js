// Presence that stays up to date. The tabs of a browser share one event stream: the tab that holds the lock
// has it, and passes on what it says. When that tab goes, another one gets the lock. Without this script
// pages show the presence of the time when they were loaded.
const SOON = 150; // milliseconds: scrolling and typing ask once
const PATIENCE = 4000; // milliseconds without a stream, before the page says so
const MOST = 500; // people whom the server tells of on one stream
const channel = new BroadcastChannel("quintet-presence");
const tab = crypto.getRandomValues(new Uint32Array(4)).join("-");
const near = new Set(); // what is on the screen, or nearly
const notice = document.querySelector("#live");
let stream; // in the tab that holds the lock
let waiting, warning;

class Stream {
  #shown = new Map(); // handles by tab
  #name;
  #source;

  open() {
    this.#source = new EventSource("/presence");
    this.#source.addEventListener("snapshot", (event) => {
      const { stream, people } = JSON.parse(event.data);
      say({ live: true, people });
      if (stream !== this.#name) {
        this.#name = stream;
        say({ ask: true });
        this.#post();
      }
    });
    this.#source.addEventListener("change", (event) => say({ people: JSON.parse(event.data) }));
    this.#source.addEventListener("error", () => {
      this.#name = undefined;
      say({ live: false });
      if (this.#source.readyState === EventSource.CLOSED) this.#refused();
    });
  }

  show(tab, handles) {
    this.#shown.delete(tab);
    if (handles.length) this.#shown.set(tab, handles); // the newest is the last
    this.#post();
  }

  async #post() {
    if (!this.#name) return;
    const people = [...new Set([...this.#shown.values()].flat())].slice(-MOST);
    const answer = await fetch("/presence", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ stream: this.#name, people }),
    }).catch(() => undefined);
    if (answer?.status === 429) setTimeout(() => this.#post(), PATIENCE);
  }

  async #refused() {
    const answer = await fetch("/presence", { method: "HEAD" }).catch(() => undefined);
    if (answer?.status === 401) say({ signedOut: true });
    else setTimeout(() => this.open(), PATIENCE * (1 + Math.random()));
  }
}

function say(message) {
  channel.postMessage(message);
  hear(message);
}

function hear({ live, people, ask, signedOut, tab, shows }) {
  if (people) update(people);
  if (shows) stream?.show(tab, shows);
  if (ask) tell();
  if (live === false) warning ??= setTimeout(() => notice.replaceChildren("Presence is not up to date. Connecting…"), PATIENCE);
  else if (live || signedOut) {
    clearTimeout(warning);
    warning = undefined;
    notice.replaceChildren(...(signedOut ? ["You are signed out. ", signIn()] : []));
  }
}

function signIn() {
  const link = document.createElement("a");
  link.href = "/sign-in";
  link.textContent = "Sign in";
  return link;
}

function update(people) {
  for (const each of document.querySelectorAll("[data-person]")) {
    if (!Object.hasOwn(people, each.dataset.person)) continue;
    const { state, label, words } = people[each.dataset.person];
    each.dataset.state = state;
    each.querySelector(".label").textContent = label;
    const text = each.querySelector(".words");
    if (text) text.textContent = words;
  }
}

function tell() {
  say({ tab, shows: [...new Set([...near].map((each) => each.dataset.person))] });
}

const sight = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) isIntersecting ? near.add(target) : near.delete(target);
    clearTimeout(waiting);
    waiting = setTimeout(tell, SOON);
  },
  { rootMargin: "50% 0%" },
);

function observe() {
  sight.disconnect();
  near.clear();
  for (const each of document.querySelectorAll("[data-person]")) sight.observe(each);
}

channel.addEventListener("message", (event) => hear(event.data));
document.addEventListener("quintet:results", observe);
addEventListener("pagehide", () => say({ tab, shows: [] }));
addEventListener("pageshow", (event) => event.persisted && location.reload());
observe();

function lead() {
  stream = new Stream();
  stream.open();
  return new Promise(() => {}); // until this page is gone
}

// Browsers have locks where the connection is encrypted, or local; elsewhere each tab has its own stream.
if (navigator.locks) navigator.locks.request("quintet-presence", lead);
else lead();
