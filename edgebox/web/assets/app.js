// The page's own script: small things that HTML alone can't do. No inline script anywhere (Content-Security-Policy).
"use strict";

// The pairing code comes behind the # of the slip's QR code, which no server ever sees.
function takeCode() {
  const code = document.querySelector("input[name=code]");
  if (!code || location.hash.length < 2) return;
  code.value = decodeURIComponent(location.hash.slice(1)).slice(0, 16);
  history.replaceState(null, "", location.pathname);
}
takeCode();
window.addEventListener("hashchange", takeCode);

// A form that can't be taken back asks first.
document.addEventListener("submit", (event) => {
  const words = event.target.dataset.confirm;
  if (words && !window.confirm(words)) event.preventDefault();
});

// A form that was sent is sent once.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  const button = event.submitter;
  if (button) setTimeout(() => { button.disabled = true; }, 0);
  setTimeout(() => { if (button) button.disabled = false; }, 8000);
});

// Whether the page still hears what is new.
document.addEventListener("htmx:sseOpen", () => document.body.classList.remove("is-deaf"));
document.addEventListener("htmx:sseError", () => document.body.classList.add("is-deaf"));
