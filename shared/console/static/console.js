// An addition: without it every form goes on in the same window, and every link can be selected by hand.
"use strict";

const WINDOW = "studio-sync-google";
const LOOK = 500; // Milliseconds between looks at whether the pop-up was closed.
const news = document.getElementById("news");

function say(text, kind = "") {
  const line = document.createElement("p");
  line.className = `notice ${kind}`;
  line.textContent = text;
  news.replaceChildren(line);
}

// --- Google's page in a window of its own ---------------------------------------------------------------------------

let popup = null;

function openPopup() {
  const [width, height] = [520, 720];
  const left = Math.max(0, Math.round(window.screenX + (window.outerWidth - width) / 2));
  const top = Math.max(0, Math.round(window.screenY + (window.outerHeight - height) / 2));
  return window.open("", WINDOW, `popup,width=${width},height=${height},left=${left},top=${top}`);
}

function addField(form, name, value) {
  const field = Object.assign(document.createElement("input"), { type: "hidden", name, value });
  field.dataset.added = "";
  form.append(field);
}

function inPopup(event) {
  const form = event.target;
  form.querySelectorAll("[data-added]").forEach((field) => field.remove());
  popup = openPopup();
  if (popup === null) {
    form.removeAttribute("target"); // Blocked: Google's page comes in this window, and leads back here.
    return;
  }
  form.target = WINDOW;
  addField(form, "popup", "1");
  addField(form, "origin", window.location.origin);
  popup.focus();
  say("Google’s page is open in a window of its own. This page goes on by itself when you are done there.");
  let looks = 0;
  const watch = window.setInterval(() => {
    if (popup !== null && !popup.closed) return;
    if (popup !== null && looks++ === 0) return; // Its last word may be on the way.
    window.clearInterval(watch);
    // Closed without a word: what came of it is known to the server only.
    if (popup !== null) window.location.replace(window.location.pathname);
  }, LOOK);
}

document.querySelectorAll("form[data-popup]").forEach((form) => form.addEventListener("submit", inPopup));

window.addEventListener("message", (event) => {
  const told = event.data;
  if (event.origin !== window.location.origin || told?.source !== "studio-sync") return;
  popup = null;
  if (told.result === "connected" || told.result === "question") {
    window.location.replace(`${window.location.pathname}?result=${told.result}`);
  } else {
    say(told.text, told.result === "refused" ? "bad" : "");
    window.scrollTo(0, 0);
  }
});

// --- the pop-up itself, back from Google ----------------------------------------------------------------------------

const result = document.getElementById("result");
if (result?.dataset.origin && window.opener !== null) {
  window.opener.postMessage(JSON.parse(result.dataset.message), result.dataset.origin);
  window.close();
}

// --- small comforts -------------------------------------------------------------------------------------------------

// What goes on without this page may be done by then; once, as what was said is not said again.
const AGAIN = 6000; // Milliseconds.
if (news.querySelector("[data-again]") !== null) {
  window.setTimeout(() => window.location.replace(window.location.pathname), AGAIN);
}

// What was said once is not said again when the page is loaded anew.
if (news.childElementCount > 0) window.history.replaceState(null, "", window.location.pathname);

// Instants that the server tells in UTC, by the clock on this person's wall.
document.querySelectorAll("time[data-local]").forEach((time) => {
  const shown = { dateStyle: "full", timeStyle: "short" };
  time.textContent = new Intl.DateTimeFormat("en-GB", shown).format(new Date(time.dateTime));
});

document.querySelectorAll("[data-copy]").forEach((button) => {
  const field = document.getElementById(button.dataset.copy);
  button.hidden = false;
  button.addEventListener("click", async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      say("The link was copied.", "good");
    } catch {
      say("The browser does not let us copy. The link is selected: press Ctrl+C, or ⌘C on a Mac.");
    }
  });
});
