// Copyright (c) 2026, Rayfleet contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// What paper cannot open: all rows of the table, and below it each finding with its reason and remedy.

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
  const clouds = grid.rows.filter(needsAttention);
  return [element("h2", {}, "Findings"), ...clouds.map(cloudOnPaper)];
}

function cloudOnPaper(row) {
  const place = [row.facts.cloud_id, row.account, row.region].filter(Boolean).join("  ·  ");
  const found = row.entry.checks.filter((check) => isFinding(check.status));
  return element(
    "article",
    {},
    element("h3", {}, row.name, element("small", {}, `  ${place}`)),
    row.entry.error ? element("p", {}, pill("error"), " ", row.entry.error) : null,
    ...found.map((check) =>
      element(
        "div",
        { class: "finding" },
        element("p", {}, pill(check.status), " ", element("b", {}, titleOf(check.id)), " ", changeBadge(check.change)),
        element("p", {}, check.reason),
        check.remedy ? element("pre", {}, check.remedy) : null,
      ),
    ),
  );
}
