// Asks for a file by HTTPS, whose certificate is signed by the authority: the answer
// says whether this device trusts it. Puts a button to copy beside commands and
// fingerprints. Without this script the page says the same in other ways.
"use strict";

const state = document.getElementById("trust");

async function ask() {
  state.textContent = "…";
  try {
    const answer = await fetch("https://" + location.host + "/trust", { cache: "no-store", credentials: "omit" });
    state.className = answer.ok ? "yes" : "no";
  } catch {
    state.className = "no";
  }
  state.textContent = state.dataset[state.className];
}

async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = document.createElement("textarea"); // the page has no TLS: the older way
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

for (const source of document.querySelectorAll("pre, code.fingerprint")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await copy(source.textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
    button.focus();
  });
  source.after(button);
}

const again = document.createElement("button");
again.type = "button";
again.textContent = "Ask again";
again.addEventListener("click", ask);
state.after(" ", again);
ask();
