// One click on a test card fills the form; typing is grouped as on the plastic. The form works without this file.
"use strict";

const number = document.querySelector("#card_number");
const expiry = document.querySelector("#expiry");
const code = document.querySelector("#csc");

const grouped = (digits) => digits.replace(/(\d{4})(?=\d)/g, "$1 ");

if (number) {
  number.addEventListener("input", () => {
    if (number.selectionStart === number.value.length) {
      number.value = grouped(number.value.replace(/\D/g, "").slice(0, 19));
    }
  });
  expiry.addEventListener("input", (event) => {
    if (event.inputType !== "deleteContentBackward" && /^\d{2}$/.test(expiry.value)) {
      expiry.value += "/";
    }
  });
  for (const chip of document.querySelectorAll("[data-card]")) {
    chip.addEventListener("click", () => {
      number.value = grouped(chip.dataset.card);
      expiry.value = `12/${String((new Date().getFullYear() + 3) % 100).padStart(2, "0")}`;
      code.value = "123";
      number.scrollIntoView({ block: "center" });
      number.form.querySelector(".button").focus({ preventScroll: true });
    });
  }
}
