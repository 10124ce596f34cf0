// Copyright (c) 2026, Rayfleet contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The printed page: the rows of the table, and below it each finding with its reason and remedy, since panels cannot be opened on
// paper. Only the first ones are printed, with the number of the others, because browsers cannot lay out thousands.

const PAPER_ROWS = 300;
const PAPER_FINDINGS = 200;

function startPaper() {
  addEventListener("beforeprint", () => {
    byId("evidence").close();
    grid.whole = true;
    renderRows();
    byId("paper").replaceChildren(...findingsOnPaper());
  });
  addEventListener("afterprint", () => {
    grid.whole = false;
    renderRows();
    byId("paper").replaceChildren();
  });
}

function findingsOnPaper() {
  const parts = [element("h2", {}, "Findings")];
  let room = PAPER_FINDINGS;
  let left = 0;
  for (const row of grid.rows.filter(needsAttention)) {
    const found = row.entry.checks.filter((check) => isFinding(check.status));
    const errors = row.entry.error ? 1 : 0;
    const shown = Math.min(errors + found.length, room);
    if (shown) parts.push(cloudOnPaper(row, found.slice(0, shown - errors)));
    left += errors + found.length - shown;
    room -= shown;
  }
  return [...parts, ...leftOut(left)];
}

/** Notes on the findings and clouds that are not printed, if any. */
function leftOut(findings) {
  const clouds = Math.max(0, grid.rows.length - PAPER_ROWS);
  return [
    findings && `${plural(findings, "more finding is", "more findings are")} in report.json.`,
    clouds && `${plural(clouds, "more cloud is", "more clouds are")} in report.json. The table has the first ${PAPER_ROWS}.`,
  ]
    .filter(Boolean)
    .map((words) => element("p", { class: "left-out" }, words));
}

function cloudOnPaper(row, found) {
  const place = [row.facts.cloud_id, row.account, row.region].filter(Boolean).join("  ·  ");
  return element(
    "article",
    {},
    element("h3", {}, row.name, element("small", {}, `  ${place}`)),
    row.entry.error ? element("p", {}, pill("error"), " ", row.entry.error) : null,
    ...found.map((check) =>
      element(
        "div",
        { class: "finding" },
        element("p", {}, pill(check.status), " ", element("b", {}, titleOf(check)), " ", changeBadge(check.change)),
        element("p", {}, check.reason),
        ...acknowledgement(check),
        check.command ? element("pre", {}, check.command) : null,
        check.remedy ? element("pre", {}, check.remedy) : null,
      ),
    ),
  );
}
