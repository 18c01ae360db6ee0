// First page in the frame: ask the embedding page what is to be paid, and go on to the form.
"use strict";

(() => {
  const page = document.querySelector("main[data-sessions]");
  const { origin, sessions } = page.dataset;
  let asked = false;

  const tell = (name, more = {}) =>
    window.parent.postMessage({ sandbox: "cloudpayments", name, ...more }, origin);

  const refuse = (message) => {
    document.querySelector("#state").textContent = `Магазин передал неверные параметры: ${message}`;
    tell("invalid", { message });
  };

  const open = async (start) => {
    const answer = await fetch(sessions, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ origin, start }),
    });
    const body = await answer.json();
    if (!answer.ok) {
      refuse(body.message);
      return;
    }
    window.location.replace(body.url);
  };

  window.addEventListener("message", (event) => {
    const known = event.source === window.parent && event.origin === origin && event.data;
    if (!known || event.data.sandbox !== "cloudpayments" || event.data.name !== "start" || asked) {
      return;
    }
    asked = true;
    open(event.data.start).catch(() => {
      document.querySelector("#state").textContent = "Песочница не отвечает. Закройте окно и попробуйте ещё раз.";
    });
  });

  tell("ready");
})();
