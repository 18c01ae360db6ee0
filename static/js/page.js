// The small conveniences of every page; everything works without them.
"use strict";

// A password can be looked at before it is sent.
for (const button of document.querySelectorAll("[data-reveal]")) {
  const input = document.getElementById(button.dataset.reveal);
  const show = [button.textContent, button.getAttribute("aria-label")];
  const hide = [button.dataset.hide, button.dataset.hideLabel];
  button.hidden = false;
  button.addEventListener("click", () => {
    const seen = input.type === "password";
    const [text, spoken] = seen ? hide : show;
    input.type = seen ? "text" : "password";
    button.textContent = text;
    button.setAttribute("aria-label", spoken);
    input.focus();
  });
  input.form?.addEventListener("submit", () => { input.type = "password"; });
}

// <form data-once>: its button shows that something is under way, and a second click sends nothing.
const PATIENCE = 15000;
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-once]")) {
    return;
  }
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  event.submitter?.setAttribute("aria-busy", "true");
  window.setTimeout(() => release(form), PATIENCE);
});

function release(form) {
  delete form.dataset.sent;
  form.querySelector("[aria-busy]")?.removeAttribute("aria-busy");
}

// Coming back with the browser's "back" finds the page as it was left: ready.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    document.querySelectorAll("[data-once]").forEach(release);
  }
});

// The account's menu closes where people expect it to.
const menu = document.querySelector(".menu");
document.addEventListener("click", (event) => {
  if (menu?.open && !menu.contains(event.target)) {
    menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (menu?.open && event.key === "Escape") {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
