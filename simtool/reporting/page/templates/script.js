"use strict";
// Sorts tables, and filters their rows. Without scripts, all tables are shown in full.
(() => {
  const numberOf = (text) => {
    const found = text.replace(/,/g, "").match(/[-+<]?\s*\d*\.?\d+/);
    return found ? Number(found[0].replace(/[<+\s]/g, "")) : -Infinity;
  };

  const sort = (table, column, heading) => {
    const up = heading.getAttribute("aria-sort") === "descending";
    const isText = !heading.classList.contains("n");
    const rows = [...table.tBodies[0].rows];
    const key = (row) => (isText ? row.cells[column].textContent : numberOf(row.cells[column].textContent));
    const compare = isText ? (one, two) => key(two).localeCompare(key(one)) : (one, two) => key(two) - key(one);
    rows.sort((one, two) => (up ? compare(two, one) : compare(one, two)));
    table.tBodies[0].append(...rows);
    for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", up ? "ascending" : "descending");
  };

  for (const table of document.querySelectorAll("table.sorted")) {
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      if (heading.classList.contains("bar")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sort(table, column, heading));
      heading.append(button);
    });
  }

  const form = document.getElementById("filters");
  const subjects = ["trials", "metric", "stratum"];
  // Values of choices begin with a sign, since a stratum may have no name.
  const fits = (element, wanted, name) => !wanted[name] || wanted[name] === `=${element.dataset[name]}`;
  const states = (element, name) => element.dataset[name] !== undefined;
  const fitsModel = (row, wanted) => !states(row, "model")
    || (row.dataset.model.toLowerCase().includes(wanted.model.toLowerCase()) && fits(row, wanted, "distance"));

  // Shows the lines and the columns of a table that fit, and counts the lines.
  const filtered = (table, wanted) => {
    const rows = [...table.querySelectorAll("tbody tr")];
    const columns = [...table.querySelectorAll("thead th")];
    const told = (name) => states(table, name) || [...rows, ...columns].some((each) => states(each, name));
    if (!subjects.every((name) => !wanted[name] || (told(name) && (!states(table, name) || fits(table, wanted, name))))) {
      return 0;
    }
    const named = rows.some((row) => states(row, "model"));
    if (!named && (wanted.model || wanted.distance)) return 0;
    columns.forEach((heading, column) => {
      if (!states(heading, "stratum")) return;
      const hidden = !fits(heading, wanted, "stratum");
      for (const row of [heading.parentElement, ...rows]) row.cells[column].hidden = hidden;
    });
    for (const row of rows) {
      row.hidden = !(fitsModel(row, wanted) && subjects.every((name) => !states(row, name) || fits(row, wanted, name)));
    }
    return rows.filter((row) => !row.hidden).length;
  };

  const apply = () => {
    const wanted = { model: "", ...Object.fromEntries(new FormData(form)) };
    let [count, tables] = [0, 0];
    for (const table of document.querySelectorAll(".table")) {
      const shown = filtered(table, wanted);
      table.hidden = !shown;
      count += shown;
      tables += shown ? 1 : 0;
    }
    for (const part of document.querySelectorAll(".part")) {
      part.hidden = part.querySelector(".table") && !part.querySelector(".table:not([hidden])");
    }
    const number = (size, things) => `${size.toLocaleString("en")} ${things}${size === 1 ? "" : "s"}`;
    const isChosen = Object.values(wanted).some(Boolean);
    form.elements.count.textContent = isChosen ? `${number(count, "row")} in ${number(tables, "table")}` : "";
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.querySelector("button").addEventListener("click", (event) => {
    event.preventDefault();
    form.reset();
    apply();
  });
  form.hidden = false;
})();
