// CloudPayments' widget, played by the sandbox: the same global, methods and results, no money.
// Works under a strict policy of the page: no eval, no style elements, no handlers in attributes; styles are set
// through the CSSOM. The sandbox's address is that of this script.
"use strict";

(() => {
  const source = new URL(document.currentScript.src);
  const home = source.origin;
  const base = source.href.slice(0, source.href.indexOf("/bundles/"));

  const style = (element, rules) => {
    for (const [name, value] of Object.entries(rules)) {
      element.style.setProperty(name, value);
    }
  };

  // One full-window frame; the page behind it is inert until it is closed.
  class Frame {
    constructor(onMessage, onEscape) {
      this.onMessage = onMessage;
      this.onEscape = onEscape;
      this.before = document.activeElement;
      this.listen = (event) => {
        if (event.origin === home && event.source === this.element.contentWindow) {
          const message = event.data;
          if (message && message.sandbox === "cloudpayments") {
            this.onMessage(message);
          }
        }
      };
      this.press = (event) => {
        if (event.key === "Escape") {
          this.onEscape();
        }
      };
      this.build();
    }

    build() {
      this.box = document.createElement("div");
      this.box.setAttribute("role", "dialog");
      this.box.setAttribute("aria-modal", "true");
      this.box.setAttribute("aria-label", "Оплата");
      style(this.box, { position: "fixed", inset: "0", "z-index": "2147483647", background: "rgba(0, 0, 0, 0.5)" });

      this.element = document.createElement("iframe");
      this.element.title = "Форма оплаты CloudPayments (песочница)";
      this.element.name = "cloudpayments-widget";
      this.element.src = `${base}/widget/open?origin=${encodeURIComponent(window.location.origin)}`;
      style(this.element, { width: "100%", height: "100%", border: "0", display: "block" });
      this.box.append(this.element);

      window.addEventListener("message", this.listen);
      document.addEventListener("keydown", this.press);
      this.overflow = document.documentElement.style.overflow;
      document.documentElement.style.overflow = "hidden";
      this.behind = [...document.body.children].filter((child) => !child.inert);
      this.behind.forEach((child) => (child.inert = true));
      document.body.append(this.box);
      this.element.addEventListener("load", () => this.element.focus());
    }

    post(message) {
      this.element.contentWindow.postMessage({ sandbox: "cloudpayments", ...message }, home);
    }

    remove() {
      window.removeEventListener("message", this.listen);
      document.removeEventListener("keydown", this.press);
      document.documentElement.style.overflow = this.overflow;
      this.behind.forEach((child) => (child.inert = false));
      this.box.remove();
      if (this.before instanceof HTMLElement) {
        this.before.focus();
      }
    }
  }

  // One payment: from start() until the window is closed.
  class Payment {
    constructor(widget, start, hooks) {
      this.widget = widget;
      this.start = start;
      this.hooks = hooks;
      this.last = null;
      this.held = null;
      this.settled = false;
      this.promise = new Promise((resolve) => (this.resolve = resolve));
      this.frame = new Frame((message) => this.take(message), () => this.close());
    }

    take(message) {
      if (message.name === "ready") {
        this.frame.post({ name: "start", start: this.start });
      } else if (message.name === "result") {
        this.note(message);
      } else if (message.name === "invalid") {
        this.held = { type: "error", message: message.message, status: "fail" };
      } else if (message.name === "retry" && this.held) {
        this.report(this.held);
        this.held = null;
      } else if (message.name === "close") {
        this.close();
      }
    }

    // A failure that may be repeated is held back: the payer has not decided yet.
    note(message) {
      if (this.last && this.last.data.transactionId === message.result.data.transactionId) {
        return; // the result page was reloaded
      }
      this.last = message.result;
      this.hooks.analytics(message.result);
      if (!message.final) {
        this.held = message.result;
        return;
      }
      this.held = message.result;
      if (message.resolves === "result") {
        this.settle(message.result);
      }
    }

    report(result) {
      if (typeof this.widget.oncomplete === "function") {
        this.widget.oncomplete(result);
      }
    }

    settle(result) {
      if (this.settled) {
        return;
      }
      this.settled = true;
      this.report(result);
      this.hooks.done(result);
      this.resolve(result);
    }

    close() {
      if (this.widget.payment !== this) {
        return;
      }
      this.widget.payment = null;
      this.frame.remove();
      const result = this.held || { type: "cancel" };
      this.settle(result);
      if (typeof this.widget.onclose === "function") {
        this.widget.onclose(result);
      }
      this.leave(result);
    }

    leave(result) {
      const wanted = { success: this.start.successRedirectUrl, fail: this.start.failRedirectUrl }[result.status];
      if (!wanted) {
        return;
      }
      const target = new URL(wanted, window.location.href);
      if (["http:", "https:"].includes(target.protocol)) {
        window.location.assign(target);
      }
    }
  }

  const nothing = () => {};
  const schemes = { charge: "Single", auth: "Dual" };

  // The old API's options in the new API's words.
  const modern = (scheme, options, language) => {
    const common = (options.configuration && options.configuration.common) || {};
    const start = {
      publicTerminalId: options.publicId,
      amount: options.amount,
      currency: options.currency,
      paymentSchema: schemes[scheme],
      culture: language,
      description: options.description,
      externalId: options.invoiceId === undefined ? undefined : String(options.invoiceId),
      receiptEmail: options.email,
      emailBehavior: options.requireEmail ? "Required" : undefined,
      // The old API had no parameter for it: with an accountId the token was always returned.
      tokenize: options.tokenize === undefined ? Boolean(options.accountId) : options.tokenize,
      metadata: options.data,
      autoClose: options.autoClose,
      retryPayment: options.retryPayment,
      successRedirectUrl: common.successRedirectUrl,
      failRedirectUrl: common.failRedirectUrl,
      userInfo: { ...options.payer, accountId: options.accountId === undefined ? undefined : String(options.accountId) },
    };
    return JSON.parse(JSON.stringify(start));
  };

  class CloudPayments {
    constructor(options = {}) {
      this.options = options;
      this.payment = null;
      this.oncomplete = null;
      this.onclose = null;
    }

    // Resolves with {type: "payment" | "error" | "cancel", …}; never proof of payment, as with the real widget.
    start(intentParams) {
      const params = JSON.parse(JSON.stringify({ culture: this.options.language, ...intentParams }));
      return this.open(params, { analytics: nothing, done: nothing });
    }

    pay(scheme, options, callbacks = {}) {
      const { onSuccess = nothing, onFail = nothing, onComplete = nothing } = callbacks;
      if (!(scheme in schemes)) {
        throw new TypeError(`pay: "charge" or "auth" expected, got ${scheme}`);
      }
      return this.open(modern(scheme, options, this.options.language), {
        analytics: (result) =>
          onComplete(
            { success: result.status === "success", message: result.message || null, code: result.data.ReasonCode || null },
            options,
          ),
        done: (result) =>
          result.status === "success"
            ? onSuccess(options)
            : onFail(result.type === "cancel" ? "User has cancelled" : result.message, options),
      });
    }

    charge(options, onSuccess, onFail) {
      return this.pay("charge", options, { onSuccess, onFail });
    }

    auth(options, onSuccess, onFail) {
      return this.pay("auth", options, { onSuccess, onFail });
    }

    close() {
      if (this.payment) {
        this.payment.close();
      }
    }

    open(start, hooks) {
      this.close();
      this.payment = new Payment(this, start, hooks);
      return this.payment.promise;
    }
  }

  window.cp = Object.assign(window.cp || {}, { CloudPayments });
})();
