/* The desk's few conveniences; everything works without them. */

"use strict";

// What is folded on a phone stands open on a wide screen (desk.css does it too, where browsers know how).
const wide = window.matchMedia("(min-width: 64rem)");
for (const folded of document.querySelectorAll("[data-open-wide]")) {
  const open = folded.open;
  const fold = () => { folded.open = wide.matches || open; };
  wide.addEventListener("change", fold);
  fold();
}

// <button data-copy="id of an element"> puts that element's text on the clipboard and says so.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    button.textContent = button.dataset.copied;
  } catch {
    window.getSelection().selectAllChildren(source);
  }
});
