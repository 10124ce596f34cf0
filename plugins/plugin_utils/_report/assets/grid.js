// Copyright (c) 2026, Rayfleet contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The table of clouds and checks. Only the rows in view are elements, so that thousands of clouds scroll smoothly.
//
// The focus stays on the scroller, which references the active cell, because a row that scrolls out of view would lose it.

const FACTS = [
  { by: "name", label: "Cloud", class: "name" },
  { by: "account", label: "Account", class: "account" },
  { by: "region", label: "Region", class: "region" },
  { by: "state", label: "State", class: "state" },
];
const SPARE_ROWS = 8;
const HEAD_ROWS = 2;

const grid = {
  rows: [],
  made: new Map(),
  active: { row: 0, column: 0 },
  rowHeight: 44,
  whole: false,
  onOpen: null,
  onSort: null,
};
const columnCount = () => FACTS.length + columns.length;
const cellId = (row, column) => `cell-${row}-${column}`;

function startGrid(onOpen, onSort) {
  Object.assign(grid, { onOpen, onSort });
  grid.rowHeight = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row"));
  byId("widths").append(
    ...FACTS.map((fact) => element("col", { class: fact.class })),
    ...columns.map(() => element("col", { class: "check" })),
  );
  drawHead();
  const scroller = byId("scroller");
  scroller.setAttribute("aria-colcount", columnCount());
  scroller.addEventListener("scroll", () => requestAnimationFrame(renderRows), { passive: true });
  scroller.addEventListener("keydown", onGridKey);
  scroller.addEventListener("click", onGridClick);
  addEventListener("resize", () => requestAnimationFrame(renderRows));
}

function drawHead() {
  const facts = FACTS.map((fact) => ({ by: fact.by, label: fact.label, class: fact.class, title: null }));
  const checks = columns.map(({ id, label, title }, index) => ({ by: id, label, class: checkClass(index), title }));
  const names = [...facts, ...checks].map((head, place) => {
    const position = { id: cellId(-1, place), "data-row": -1, "data-column": place, "aria-colindex": place + 1 };
    const attributes = { role: "columnheader", scope: "col", class: head.class, "data-by": head.by, title: head.title };
    return element("th", { ...attributes, ...position }, element("span", { class: "head-label" }, head.label));
  });
  byId("grid-head").replaceChildren(
    element("tr", { role: "row", class: "groups", "aria-rowindex": 1 }, ...groupHeads()),
    element("tr", { role: "row", class: "names", "aria-rowindex": 2 }, ...names),
  );
}

function groupHeads() {
  const groups = [];
  for (const column of columns) {
    if (groups.at(-1)?.name === column.group) groups.at(-1).size += 1;
    else groups.push({ name: column.group, size: 1 });
  }
  return [
    ...FACTS.map((fact) => element("td", { role: "presentation", class: fact.class })),
    ...groups.map(({ name, size }) =>
      element("th", { role: "columnheader", scope: "colgroup", colspan: size, class: "group" }, name),
    ),
  ];
}

/** The first column of a group has a border. */
const checkClass = (index) => (index === 0 || columns[index - 1].group !== columns[index].group ? "check first" : "check");

/** Show these rows, from the top. */
function showRows(chosen) {
  grid.rows = chosen;
  grid.made.clear();
  grid.active.row = Math.min(grid.active.row, Math.max(0, chosen.length - 1));
  byId("scroller").setAttribute("aria-rowcount", chosen.length + HEAD_ROWS);
  byId("scroller").scrollTop = 0;
  for (const head of byId("grid-head").querySelectorAll("[data-by]")) {
    const sorted = head.dataset.by === order.by;
    head.setAttribute("aria-sort", sorted ? (order.descending ? "descending" : "ascending") : "none");
  }
  renderRows();
}

/** Create the rows that scrolled into view, and reuse those that still are. */
function renderRows() {
  const scroller = byId("scroller");
  const first = grid.whole ? 0 : Math.max(0, Math.floor(scroller.scrollTop / grid.rowHeight) - SPARE_ROWS);
  const inView = Math.ceil(scroller.clientHeight / grid.rowHeight) + 2 * SPARE_ROWS;
  const end = Math.min(grid.rows.length, grid.whole ? PAPER_ROWS : first + inView);
  const made = new Map();
  for (let place = first; place < end; place += 1) made.set(place, grid.made.get(place) || rowElement(grid.rows[place], place));
  grid.made = made;
  byId("grid-body").replaceChildren(spacer(first), ...made.values(), spacer(grid.whole ? 0 : grid.rows.length - end));
  markActive();
}

function spacer(count) {
  const cell = element("td", { role: "presentation", colspan: columnCount() });
  cell.style.height = `${count * grid.rowHeight}px`;
  return element("tr", { class: "spacer", "aria-hidden": "true", hidden: count === 0 }, cell);
}

function cell(place, column, attributes, ...children) {
  const position = { id: cellId(place, column), "data-row": place, "data-column": column, "aria-colindex": column + 1 };
  return element("td", { role: "gridcell", ...position, ...attributes }, ...children);
}

function rowElement(row, place) {
  const id = row.facts.cloud_id && row.facts.cloud_id !== row.name ? element("small", {}, row.facts.cloud_id) : null;
  const cells = [
    cell(place, 0, { role: "rowheader", class: "name", title: row.name }, element("span", { class: "cloud-name" }, row.name), id),
    cell(place, 1, { class: "account" }, row.account || "–"),
    cell(place, 2, { class: "region" }, row.region || "–"),
    cell(place, 3, { class: "state" }, pill(row.state)),
  ];
  if (row.entry.error) {
    cells.push(
      cell(place, FACTS.length, { class: "error-text", colspan: columns.length || 1, title: row.entry.error }, row.entry.error),
    );
  } else {
    cells.push(...columns.map((column, index) => checkCell(row, place, column, index)));
  }
  return element("tr", { role: "row", "aria-rowindex": place + HEAD_ROWS + 1 }, ...cells);
}

function checkCell(row, place, column, index) {
  const check = row.checks.get(column.id);
  const change = check?.change ? `, ${WORDS[check.change]}` : "";
  const words = check ? `${check.title ?? column.title}: ${WORDS[check.status]}${change}` : `${column.title}: not checked`;
  const content = check ? [sign(check.status), changeMark(check.change)] : [];
  return cell(place, FACTS.length + index, { class: checkClass(index), "aria-label": words, title: words }, ...content);
}

/** In a row without checks, the message spans all of their columns. */
function columnOn(place, column) {
  const isError = place >= 0 && grid.rows[place]?.entry.error;
  return isError ? Math.min(column, FACTS.length) : column;
}

function markActive() {
  const { row, column } = grid.active;
  const id = cellId(row, columnOn(row, column));
  byId("scroller").querySelector(".active")?.classList.remove("active");
  const found = byId(id);
  found?.classList.add("active");
  if (found) byId("scroller").setAttribute("aria-activedescendant", id);
  else byId("scroller").removeAttribute("aria-activedescendant");
  return found;
}

/** The next visible column in the direction of the move. Narrow screens hide some columns. */
function shownColumn(column) {
  const step = column < grid.active.column ? -1 : 1;
  let shown = Math.max(0, Math.min(columnCount() - 1, column));
  while (byId(cellId(-1, shown)).offsetParent === null && shown > 0 && shown < columnCount() - 1) shown += step;
  return shown;
}

function moveTo(row, column) {
  grid.active.row = Math.max(-1, Math.min(grid.rows.length - 1, row));
  grid.active.column = shownColumn(column);
  const scroller = byId("scroller");
  if (grid.active.row >= 0 && !grid.made.has(grid.active.row)) {
    scroller.scrollTop = grid.active.row * grid.rowHeight - scroller.clientHeight / 2;
    renderRows();
  }
  markActive()?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function onGridKey(event) {
  const { row, column } = grid.active;
  const page = Math.max(1, Math.floor(byId("scroller").clientHeight / grid.rowHeight) - 4);
  const last = columnCount() - 1;
  const moves = {
    ArrowUp: [row - 1, column],
    ArrowDown: [row + 1, column],
    ArrowLeft: [row, columnOn(row, column) - 1],
    ArrowRight: [row, column + 1],
    PageUp: [Math.max(0, row - page), column],
    PageDown: [row + page, column],
    Home: [event.ctrlKey ? 0 : row, 0],
    End: [event.ctrlKey ? grid.rows.length - 1 : row, last],
  };
  if (event.altKey || event.metaKey) return;
  if (moves[event.key]) moveTo(...moves[event.key]);
  else if (event.key === "Enter" || event.key === " ") act();
  else return;
  event.preventDefault();
}

function onGridClick(event) {
  const found = event.target.closest("[data-column]");
  if (!found) return;
  grid.active = { row: Number(found.dataset.row), column: Number(found.dataset.column) };
  markActive();
  act();
}

/** Handle Enter or a click at the active cell: sort by a column, or open a cloud at a check. */
function act() {
  const { row, column } = grid.active;
  const check = columns[column - FACTS.length]?.id ?? null;
  if (row < 0) grid.onSort(check ?? FACTS[column].by);
  else if (grid.rows[row]) grid.onOpen(grid.rows[row], check);
}
