// The sandbox's cp.Checkout: makes a card cryptogram. It is NOT encrypted, only encoded: use test cards only.
"use strict";

(() => {
  const fields = ["cardNumber", "expDateMonth", "expDateYear", "cvv"];

  const luhn = (digits) =>
    [...digits].reverse().reduce((sum, digit, index) => {
      const value = Number(digit) * (1 + (index % 2));
      return sum + (value > 9 ? value - 9 : value);
    }, 0) % 10 === 0;

  const rules = {
    // The seed's card of "insufficient funds" has a wrong check digit and is still a test card.
    cardNumber: (text) => /^\d{16,19}$/.test(text) && (luhn(text) || text === "4444444444444444"),
    expDateMonth: (text) => /^(0?[1-9]|1[0-2])$/.test(text),
    expDateYear: (text) => /^(\d{2}|\d{4})$/.test(text),
    cvv: (text) => text === "" || /^\d{3,4}$/.test(text),
  };

  const wrong = (values) => {
    const codes = {};
    for (const name of fields) {
      const word = name[0].toUpperCase() + name.slice(1);
      if (values[name] === "" && name !== "cvv") {
        codes[name] = `${word}_Empty`;
      } else if (!rules[name](values[name])) {
        codes[name] = `${word}_Invalid`;
      }
    }
    return codes;
  };

  class Checkout {
    constructor({ publicId, container } = {}) {
      this.publicId = publicId;
      this.container = container;
    }

    // Resolves with the packet; rejects with {field: "CardNumber_Invalid"} for what cannot be a card.
    async createPaymentCryptogram(given) {
      const values = {};
      for (const name of fields) {
        const input = this.container && this.container.querySelector(`[data-cp="${name}"]`);
        const text = given ? given[name] : input && input.value;
        values[name] = String(text === undefined || text === null ? "" : text).replace(/[\s-]/g, "");
      }
      const codes = wrong(values);
      if (Object.keys(codes).length > 0) {
        throw codes;
      }
      const { cvv, ...card } = values;
      const nonce = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16)).join("");
      return btoa(JSON.stringify({ ...card, publicId: this.publicId, nonce }));
    }
  }

  window.cp = Object.assign(window.cp || {}, { Checkout });
})();
