// Copyright (c) 2026, Rayfleet contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The start of the page: the headline, the filters, and their event handlers.

const MANY = 500;
const SEARCH_DELAY = 150; // milliseconds

let searching = 0;

/** The state of the fleet. A cloud without applicable checks needs no attention, but may not be in sync. */
function headline() {
  const needing = rows.filter(needsAttention).length;
  const passing = rows.filter((row) => row.state === "pass").length;
  const all = plural(rows.length, "cloud", "clouds");
  if (needing) return `${number.format(needing)} of ${all} ${needing === 1 ? "needs" : "need"} attention`;
  if (passing < rows.length) return `No check applies to ${number.format(rows.length - passing)} of ${all}, and none needs attention`;
  return rows.length === 1 ? "The cloud passes all checks" : `All ${all} pass all checks`;
}

function drawHeadline() {
  byId("headline").textContent = headline();
  const count = (key) => new Set(rows.map((row) => row[key]).filter(Boolean)).size;
  byId("about").textContent = [
    moment(report.generated_at),
    plural(count("account"), "account", "accounts"),
    plural(count("region"), "region", "regions"),
    `rayfleet.anyscale ${report.collection_version}`,
  ].join("  ·  ");
}

function options(select, anyWords, entries) {
  select.replaceChildren(
    element("option", { value: "" }, anyWords),
    ...entries.map(([value, words]) => element("option", { value }, words)),
  );
}

function drawFilters() {
  const distinct = (key) =>
    [...new Set(rows.map((row) => row[key]).filter(Boolean))].sort(collator.compare).map((value) => [value, value]);
  options(byId("account"), "All", distinct("account"));
  options(byId("region"), "All", distinct("region"));
  options(
    byId("check"),
    "Any check",
    columns.map((column) => [column.id, column.problem]),
  );
  options(
    byId("change"),
    "Any",
    CHANGES.map((change) => [change, WORDS[change]]),
  );
  byId("change").disabled = !report.previous;
  byId("states").append(
    ...STATES.map((state) =>
      button(
        { class: `chip ${state}`, "data-state": state, "aria-pressed": "false" },
        () => toggleState(state),
        sign(state),
        WORDS[state],
      ),
    ),
  );
  for (const name of ["account", "region", "check", "change"])
    byId(name).addEventListener("change", (event) => setFilter(name, event.target.value));
  byId("search").addEventListener("input", (event) => search(event.target.value));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("filters").addEventListener("reset", (event) => {
    event.preventDefault();
    filters.states.clear();
    Object.assign(filters, NO_FILTERS);
    update();
  });
}

function drawKey() {
  const marks = report.previous
    ? ["new", "fixed"].map((change) =>
        element("li", {}, element("span", { class: `mark ${change}` }), `${WORDS[change]} since the previous audit`),
      )
    : [];
  byId("key").append(...STATUSES.map((status) => element("li", {}, sign(status), WORDS[status])), ...marks);
}

/** Search at once among few clouds; among many, when the typing pauses. */
function search(text) {
  filters.text = text;
  clearTimeout(searching);
  if (rows.length <= MANY) update();
  else searching = setTimeout(update, SEARCH_DELAY);
}

/** Set one filter. ``toggles``: setting the same value again clears it. */
function setFilter(name, value, toggles = false) {
  filters[name] = toggles && filters[name] === value ? "" : value;
  update();
}

function toggleState(state) {
  if (!filters.states.delete(state)) filters.states.add(state);
  update();
}

function sortBy(by) {
  order.descending = order.by === by && !order.descending;
  order.by = by;
  update();
}

/** Update the controls and the table for the filters and the order. */
function update() {
  byId("search").value = filters.text;
  for (const name of ["account", "region", "check", "change"]) byId(name).value = filters[name];
  for (const made of document.querySelectorAll("[data-state]"))
    made.setAttribute("aria-pressed", String(filters.states.has(made.dataset.state)));
  for (const made of document.querySelectorAll("[data-change]"))
    made.setAttribute("aria-pressed", String(filters.change === made.dataset.change));
  for (const made of document.querySelectorAll("[data-check]"))
    made.setAttribute("aria-pressed", String(filters.check === made.dataset.check));
  const chosen = chosenRows();
  const isFiltered = filters.states.size || Object.keys(NO_FILTERS).some((name) => filters[name]);
  byId("shown").textContent = isFiltered
    ? `${number.format(chosen.length)} of ${plural(rows.length, "cloud", "clouds")}`
    : plural(rows.length, "cloud", "clouds");
  byId("reset").disabled = !isFiltered;
  byId("nothing").hidden = chosen.length > 0;
  showRows(chosen);
  writeAddress();
}

function onPageKey(event) {
  const isTyping = event.target.matches("input, select, textarea") || byId("evidence").open;
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  byId("search").focus();
}

byId("main").hidden = false;
drawHeadline();
drawScorecard();
drawFilters();
drawKey();
drawRunning();
startGrid(openEvidence, sortBy);
startEvidence();
startPaper();
document.addEventListener("keydown", onPageKey);
addEventListener("hashchange", readAddress);
readAddress();
