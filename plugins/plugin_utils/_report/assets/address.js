// Copyright (c) 2026, Rayfleet contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The filters and the open finding in the fragment of the page's address, so that what is seen can be linked.

function writeAddress() {
  const open = evidence.row ? { cloud: evidence.row.name, finding: evidence.chosen } : {};
  const parts = Object.entries({ ...filters, states: [...filters.states].join(), ...open }).filter(([, value]) => value);
  history.replaceState(null, "", `#${new URLSearchParams(parts)}`);
}

/** Filter, and open, what the address says; what it says wrong is left out. */
function readAddress() {
  const said = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(NO_FILTERS)) filters[name] = said.get(name) ?? "";
  filters.states = new Set((said.get("states") ?? "").split(",").filter((state) => STATES.includes(state)));
  const row = rows.find((one) => one.name === said.get("cloud"));
  const finding = said.get("finding");
  update();
  for (const name of ["account", "region", "check", "change"]) if (byId(name).value !== filters[name]) setFilter(name, "");
  if (row) openEvidence(row, finding);
  else byId("evidence").close();
}
