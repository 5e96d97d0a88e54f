"use strict";
const scripts = [...document.querySelectorAll("main > .script")];
const search = document.getElementById("search");
const target = document.getElementById("target");
const found = document.getElementById("found");
const boxes = [...document.querySelectorAll("input[name=status]")];
const rows = [...document.querySelectorAll(".matrix tbody tr")];

function apply() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  const has = (text) => words.every((word) => text.includes(word));
  let shown = 0;
  for (const script of scripts) {
    const { status, text } = script.dataset;
    const fits =
      wanted.has(status) && has(text) && (!target?.value || script.dataset.target === target.value);
    script.hidden = !fits;
    shown += fits;
  }
  for (const row of rows) row.hidden = !has(row.dataset.path.toLowerCase());
  found.textContent = shown === scripts.length ? "" : `${shown} of ${scripts.length} shown`;
}

function go(step) {
  const failed = scripts.filter((script) => !script.hidden && /fail|differs|stop/.test(script.dataset.status));
  if (!failed.length) return;
  const at = failed.indexOf(document.activeElement?.closest?.(".script"));
  const next = failed[(at + step + failed.length + (at < 0 && step < 0 ? 1 : 0)) % failed.length];
  next.open = true;
  next.scrollIntoView({ block: "start" });
  next.querySelector("summary").focus();
}

function reveal() {
  const there = location.hash === "" ? null : document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let part = there; part; part = part.parentElement?.closest("details")) {
    if (part.tagName === "DETAILS") part.open = true;
    part.hidden = false;
  }
  there?.scrollIntoView({ block: "start" });
}

document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
search.addEventListener("input", apply);
target?.addEventListener("change", apply);
boxes.forEach((box) => box.addEventListener("change", apply));
document.getElementById("next").addEventListener("click", () => go(1));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === search) {
    if (event.key === "Escape") search.blur();
    return;
  }
  if (event.key === "/") search.focus();
  else if (event.key === "n") go(1);
  else if (event.key === "p") go(-1);
  else return;
  event.preventDefault();
});
addEventListener("hashchange", reveal);

// A link may say what is shown: report.html?q=relay&target=exim&status=fail
const asked = new URLSearchParams(location.search);
search.value = asked.get("q") ?? "";
if (target && asked.has("target")) target.value = asked.get("target");
if (asked.has("status")) for (const box of boxes) box.checked = asked.getAll("status").includes(box.value);
apply();
reveal();
