// Asks what became of a payment until that changes, then puts the new words in the place of the old ones, where they are
// announced. A page without a question of its own (an empty data-poll) is compared with what the server writes by now, and
// loaded anew when that reads otherwise. Without this script the page refreshes itself.
"use strict";

(() => {
  const WAITS = [1000, 1500, 2000, 3000, 3000, 5000, 5000, 8000, 10000];
  const LONGEST = 20000;
  const SLOW_AFTER = 20000;
  const options = { credentials: "same-origin", cache: "no-store" };
  const since = Date.now();
  let place = document.querySelector("[data-poll]");
  let tries = 0;
  let timer = 0;

  function later() {
    timer = window.setTimeout(ask, WAITS[tries] ?? LONGEST);
    tries += 1;
  }

  async function ask() {
    if (document.hidden || !place) {
      return; // asked again as soon as somebody looks
    }
    const slow = place.querySelector("[data-slow]");
    if (slow && Date.now() - since > SLOW_AFTER) {
      slow.textContent = slow.dataset.slow;
    }
    try {
      if (!place.dataset.poll) {
        await compare();
        later();
        return;
      }
      const answer = await fetch(place.dataset.poll, { ...options, headers: { Accept: "application/json" } });
      if (answer.status === 401 || answer.status === 404) {
        window.location.reload();
        return;
      }
      if (answer.ok && (await answer.json()).status !== place.dataset.status) {
        await renew();
      }
    } catch {
      // No network for a moment: the next try may have it.
    }
    if (place) {
      later();
    }
  }

  async function compare() {
    const answer = await fetch(window.location.href, options);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.ok && page.querySelector("[data-poll]")?.textContent !== place.textContent) {
      window.location.reload();
    }
  }

  // The server writes the words; the whole page is loaded anew where they cannot be found in its answer.
  async function renew() {
    const answer = await fetch(window.location.href, options);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-payment]");
    if (!answer.ok || !fresh) {
      window.location.reload();
      return;
    }
    document.title = page.title;
    place.replaceWith(document.adoptNode(fresh));
    place = document.querySelector("[data-poll]");
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
      window.clearTimeout(timer);
      ask();
    }
  });

  if (place) {
    later();
  }
})();
