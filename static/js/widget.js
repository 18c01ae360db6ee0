// The only script that touches the CloudPayments widget: loads it, opens it, and leads to the page that tells the truth.
// What the widget says is never believed: the server is asked before anything is shown as paid or not paid.
"use strict";

(() => {
  const place = document.getElementById("widget");
  const source = document.getElementById("widget-parameters");
  if (!place || !source) {
    return;
  }
  const parameters = JSON.parse(source.textContent);
  const payButton = place.querySelector("[data-pay]");
  const loadButton = place.querySelector("[data-load-again]");
  const reason = place.querySelector("[data-reason]");
  const money = place.querySelector("[data-money]");
  const advice = place.querySelector("[data-advice]");
  const usualReason = reason.textContent;
  const patience = 15000;
  const opened = `opened-${place.dataset.transaction}`;
  let isOpen = false;
  let isLeaving = false;

  // One state at a time: loading, ready, open, closed, declined, blocked, done.
  function show(state) {
    place.dataset.now = state;
    for (const part of place.querySelectorAll("[data-state]")) {
      part.hidden = part.dataset.state !== state;
    }
    payButton.hidden = !["ready", "closed", "declined"].includes(state);
    loadButton.hidden = state !== "blocked";
    if (["closed", "declined"].includes(state)) {
      payButton.focus(); // the form that had the focus is gone
    }
  }

  function leave() {
    isLeaving = true;
    show("done");
    window.location.assign(place.dataset.return);
  }

  function load() {
    show("loading");
    const script = document.createElement("script");
    const timer = window.setTimeout(() => blocked(script), patience);
    script.src = place.dataset.script;
    script.async = true;
    script.onerror = () => blocked(script, timer);
    script.onload = () => {
      window.clearTimeout(timer);
      if (!window.cp?.CloudPayments) {
        blocked(script);
        return;
      }
      show("ready");
      if (place.dataset.openAtOnce === "yes" && firstTime()) {
        open();
      }
    };
    document.head.append(script);
  }

  function blocked(script, timer) {
    window.clearTimeout(timer);
    script.onload = null;
    script.onerror = null;
    script.remove();
    show("blocked");
  }

  // Coming back to this page must not throw the form at somebody who closed it.
  function firstTime() {
    try {
      const first = !window.sessionStorage.getItem(opened);
      window.sessionStorage.setItem(opened, "yes");
      return first;
    } catch {
      return true; // no storage, no memory
    }
  }

  async function open() {
    if (isOpen) {
      return;
    }
    isOpen = true;
    show("open");
    try {
      const widget = new window.cp.CloudPayments();
      // Told more than once: also when the payer goes back to the list of methods after a refusal.
      widget.oncomplete = (result) => {
        if (isPaid(result)) {
          leave();
        }
      };
      await ended(await widget.start(parameters));
    } catch {
      await ended({ type: "error" });
    } finally {
      isOpen = false;
    }
  }

  function isPaid(result) {
    return result?.status === "success" || result?.type === "payment";
  }

  // The form is gone. The server may know better than the form what happened.
  async function ended(result) {
    if (isLeaving) {
      return;
    }
    const isCancelled = result?.type === "cancel" || result?.status === "cancel";
    const isRefused = result?.status === "fail" || result?.type === "error";
    if (isPaid(result) || !(isCancelled || isRefused)) {
      leave(); // paid, or something that takes time, as an instalment or a transfer does
      return;
    }
    const known = await ask();
    if (!known || !["pending", "failed"].includes(known.status)) {
      leave(); // where nobody could be asked, the return page asks again and says so if it cannot
      return;
    }
    if (isCancelled && known.status !== "failed") {
      show("closed");
      return;
    }
    reason.textContent = known.failure?.message || result?.message || usualReason;
    // Our own reason says with itself what became of the money, and what to do.
    money.hidden = advice.hidden = Boolean(known.failure);
    show("declined");
  }

  async function ask() {
    try {
      const answer = await fetch(place.dataset.status, {
        headers: { Accept: "application/json" },
        credentials: "same-origin",
        cache: "no-store",
      });
      return answer.ok ? await answer.json() : null;
    } catch {
      return null;
    }
  }

  payButton.addEventListener("click", open);
  loadButton.addEventListener("click", load);
  load();
})();
