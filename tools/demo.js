// Asks the server what a form holds, and shows the answer, in which the server has escaped every text.
"use strict";

const tabs = [...document.querySelectorAll("[role=tab]")];
const panels = [...document.querySelectorAll("[role=tabpanel]")];
const LONGEST_ADDRESS = 2000;

function choose(name) {
  for (const tab of tabs) tab.setAttribute("aria-selected", tab.dataset.tab === name);
  for (const panel of panels) panel.hidden = panel.dataset.tab !== name;
}

function note(text) {
  const paragraph = document.createElement("p");
  paragraph.className = "note";
  paragraph.textContent = text;
  return paragraph;
}

function remember(tab, question) {
  const address = "?" + new URLSearchParams({ tab, ...question });
  history.replaceState(null, "", address.length < LONGEST_ADDRESS ? address : "?" + new URLSearchParams({ tab }));
}

async function ask(panel) {
  const button = panel.querySelector(".ask");
  const place = panel.querySelector(".answer");
  if (button.disabled) return;
  const question = Object.fromEntries(new FormData(panel.querySelector("form")));
  button.disabled = true;
  button.textContent = "Asking";
  try {
    remember(panel.dataset.tab, question);
    const body = JSON.stringify({ tab: panel.dataset.tab, question });
    const headers = { "Content-Type": "application/json" };
    const found = await (await fetch("answer", { method: "POST", headers, body })).json();
    if (found.error) place.replaceChildren(note(found.error));
    else place.innerHTML = found.html;
  } catch (error) {
    place.replaceChildren(note("The server must run. Received: no answer. Start tools/demo.py again."));
  }
  button.disabled = false;
  button.textContent = "Ask";
}

function fill(panel, values) {
  let filled = 0;
  for (const area of panel.querySelectorAll("textarea")) {
    const value = values[area.name];
    if (value === undefined) continue;
    area.value = value;
    filled += 1;
  }
  return filled;
}

for (const tab of tabs) tab.addEventListener("click", () => choose(tab.dataset.tab));
for (const panel of panels) {
  panel.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    ask(panel);
  });
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) ask(panel);
  });
  for (const example of panel.querySelectorAll("[data-example]")) {
    example.addEventListener("click", () => {
      fill(panel, JSON.parse(example.dataset.example));
      ask(panel);
    });
  }
}

const asked = Object.fromEntries(new URLSearchParams(location.search));
const first = panels.find((panel) => panel.dataset.tab === asked.tab) ?? panels[0];
choose(first.dataset.tab);
if (fill(first, asked)) ask(first);
