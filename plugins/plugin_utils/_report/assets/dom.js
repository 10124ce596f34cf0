// Copyright (c) 2026, Rayfleet contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Create elements. Text becomes text nodes only, so that no value of the report is ever parsed as markup.

const SVG = "http://www.w3.org/2000/svg";

const byId = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function drawing(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

/** A button. Its handler is a parameter, because the page's Content-Security-Policy allows none in an attribute. */
function button(attributes, onClick, ...children) {
  const made = element("button", { type: "button", ...attributes }, ...children);
  made.addEventListener("click", onClick);
  return made;
}

/** The icon of a state or status, which differs in shape as well as in color. */
function sign(kind) {
  return element(
    "span",
    { class: `sign ${kind}`, "aria-hidden": "true" },
    drawing("svg", {}, drawing("use", { href: `#i-${kind}` })),
  );
}

function pill(kind) {
  return element("span", { class: `pill ${kind}` }, sign(kind), WORDS[kind]);
}

function changeBadge(change) {
  return change ? element("span", { class: `badge ${change}` }, WORDS[change]) : null;
}

/** The small mark of a check that changed since the previous audit. */
function changeMark(change) {
  return change === "new" || change === "fixed" ? element("span", { class: `mark ${change}` }) : null;
}

// Why a finding is accepted as it is, where it is.
function acknowledgement(check) {
  const found = check.acknowledged;
  return found ? [element("p", {}, `Acknowledged until ${found.until}: ${found.reason}`)] : [];
}
