// Inside the payment frame: tell the embedding page about results, close by button, Escape or time.
// Messages go to the one origin that opened the frame and nowhere else.
"use strict";

(() => {
  const page = document.querySelector("main[data-origin]");
  const { origin, result, final, resolves, seconds } = page.dataset;
  const embedded = origin !== "" && window.parent !== window;

  const tell = (name, more = {}) => {
    if (embedded) {
      window.parent.postMessage({ sandbox: "cloudpayments", name, ...more }, origin);
    }
  };

  const close = () => tell("close");

  for (const button of document.querySelectorAll("[data-close]")) {
    button.addEventListener("click", close);
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      close();
    }
  });

  for (const form of document.querySelectorAll("form")) {
    form.addEventListener("submit", () => {
      if ("retry" in form.dataset) {
        tell("retry");
      }
      // Disabled only after the browser has read the form: a disabled button's value would not be sent.
      setTimeout(() => form.querySelectorAll("button").forEach((button) => (button.disabled = true)), 0);
    });
  }
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) {
      document.querySelectorAll("button").forEach((button) => (button.disabled = false));
    }
  });

  if (result) {
    tell("result", { result: JSON.parse(result), final: final === "yes", resolves });
  }

  let left = Number(seconds);
  if (embedded && final === "yes" && left) {
    const line = document.querySelector("#countdown");
    const step = () => {
      line.textContent = `Окно закроется через ${left} с`;
      if (left === 0) {
        close();
        return;
      }
      left -= 1;
      setTimeout(step, 1000);
    };
    step();
  }
})();
