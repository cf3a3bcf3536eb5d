// Shows other markup in an element by changing what differs, so that a selection, the focus, an animation and the
// place of a screen reader stay, and what is said there is heard.
export function show(element, html) {
  const template = document.createElement("template");
  template.innerHTML = html; // made by the server, which escapes every value
  children(element, template.content);
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
