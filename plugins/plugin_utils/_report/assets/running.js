// Copyright (c) 2026, Rayfleet contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// What still runs with another role, or may, in all clouds: from the evidence of the checks of launches. There is no table where
// these checks were not made.

const RUNNING_CHECKS = { launches_use_the_config: "launches", instances_run_with_the_role: "instances" };
const MOST_RUNNING = 300;
const RUNNING_HEADS = ["Cloud", "What", "State", "Compute config", "Runs with", "Why"];

function drawRunning() {
  const found = rows.flatMap(runningOf);
  byId("running").hidden = !rows.some((row) => Object.keys(RUNNING_CHECKS).some((id) => row.checks.has(id)));
  byId("running-count").textContent = found.length
    ? `${plural(found.length, "entry", "entries")}${found.length > MOST_RUNNING ? `, of which ${MOST_RUNNING} are shown; report.json has more` : ""}`
    : "Nothing that is known";
  byId("running-table").hidden = !found.length;
  byId("running-table").replaceChildren(
    element("thead", {}, element("tr", {}, ...RUNNING_HEADS.map((words) => element("th", { scope: "col" }, words)))),
    element("tbody", {}, ...found.slice(0, MOST_RUNNING).map(runningRow)),
  );
}

function runningOf(row) {
  return Object.entries(RUNNING_CHECKS).flatMap(([id, key]) =>
    (row.checks.get(id)?.evidence?.[key] || []).map((one) => ({ row, id, one })),
  );
}

function runningRow({ row, id, one }) {
  const config = one.compute_config;
  const cells = [
    button({ class: "plain" }, () => openEvidence(row, id), row.name),
    [one.kind, one.name ?? one.id].join(" "),
    String(one.state),
    config?.name ? `${config.name}:${config.version}` : "",
    one.instance_profiles.join(", "),
    one.reason,
  ];
  return element("tr", {}, ...cells.map((cell) => element("td", {}, cell)));
}
