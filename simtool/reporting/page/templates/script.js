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

  for (const table of document.querySelectorAll("table")) {
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
  const apply = () => {
    const wanted = Object.fromEntries(new FormData(form));
    const part = (wanted.model ?? "").toLowerCase();
    let count = 0;
    for (const row of document.querySelectorAll("tr[data-model]")) {
      const fits = row.dataset.model.toLowerCase().includes(part)
        && (!wanted.distance || row.dataset.distance === wanted.distance);
      row.hidden = !fits;
      count += fits ? 1 : 0;
    }
    for (const block of document.querySelectorAll(".block")) {
      block.hidden = Boolean((wanted.type && block.dataset.type !== wanted.type)
        || (wanted.metric && block.dataset.metric !== wanted.metric));
    }
    form.elements.count.textContent = part || wanted.distance ? `${count} rows` : "";
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
