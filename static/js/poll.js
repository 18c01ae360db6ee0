// Asks what became of a payment until that changes, then shows the page anew. Without this script the page refreshes itself.
"use strict";

(() => {
  const place = document.querySelector("[data-poll]");
  if (!place) {
    return;
  }
  const slow = place.querySelector("[data-slow]");
  const waits = [1000, 1500, 2000, 3000, 3000, 5000, 5000, 8000, 10000];
  const longest = 20000;
  const slowAfter = 20000;
  const since = Date.now();
  let tries = 0;
  let timer = 0;

  const later = () => {
    timer = window.setTimeout(ask, waits[tries] ?? longest);
    tries += 1;
  };

  async function ask() {
    if (document.hidden) {
      return; // asked again as soon as somebody looks
    }
    if (slow && Date.now() - since > slowAfter) {
      slow.hidden = false;
    }
    try {
      const answer = await fetch(place.dataset.poll, {
        headers: { Accept: "application/json" },
        credentials: "same-origin",
        cache: "no-store",
      });
      if (answer.status === 401 || answer.status === 404) {
        window.location.reload();
        return;
      }
      if (answer.ok && (await answer.json()).status !== place.dataset.status) {
        window.location.reload();
        return;
      }
    } catch {
      // No network for a moment: the next try may have it.
    }
    later();
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
      window.clearTimeout(timer);
      ask();
    }
  });

  later();
})();
