// Copyright (c) 2026, Rayfleet contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Begin: the words at the top, the filters, and what happens when they change.

const MANY = 500;
const SEARCH_DELAY = 150; // milliseconds

let searching = 0;

/** How the fleet is. A cloud to which no check applies needs no attention, but nobody knows that it is right. */
function headline() {
  const needing = rows.filter(needsAttention).length;
  const right = rows.filter((row) => row.state === "pass").length;
  const all = plural(rows.length, "cloud", "clouds");
  if (needing) return `${number.format(needing)} of ${all} ${needing === 1 ? "needs" : "need"} attention`;
  if (right < rows.length) return `No check applies to ${number.format(rows.length - right)} of ${all}, and none needs attention`;
  return `All ${plural(rows.length, "cloud is", "clouds are")} right`;
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
    columns.map((column) => [column.id, column.title]),
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
        element("li", {}, element("span", { class: `mark ${change}` }), `${WORDS[change]} since last time`),
      )
    : [];
  byId("key").append(...STATUSES.map((status) => element("li", {}, sign(status), WORDS[status])), ...marks);
}

/** Look for what is typed: at once among a few clouds, among many when the typing pauses. */
function search(text) {
  filters.text = text;
  clearTimeout(searching);
  if (rows.length <= MANY) update();
  else searching = setTimeout(update, SEARCH_DELAY);
}

/** Set one filter. ``toggles``: the same again takes it away. */
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

/** Bring the controls and the table in line with the filters and the order. */
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
startGrid(openEvidence, sortBy);
startEvidence();
startPaper();
document.addEventListener("keydown", onPageKey);
update();
