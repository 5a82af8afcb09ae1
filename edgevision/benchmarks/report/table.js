"use strict";
// Sorts and filters each table that names its controls in data-controls. Without this script it reads as it is written.
for (const table of document.querySelectorAll("table[data-controls]")) {
  const controls = document.getElementById(table.dataset.controls);
  const heads = [...table.tHead.rows[0].cells];
  const rows = [...table.tBodies[0].rows];
  const picker = controls.querySelector("select[name=sort]");

  const compare = (a, b, sign) => {
    if (a === "" || b === "") return (a === "") - (b === ""); // what is not known comes last either way
    const difference = Number(a) - Number(b);
    return sign * (Number.isNaN(difference) ? a.localeCompare(b, "en", { numeric: true }) : difference);
  };

  const sort = (column, direction) => {
    heads.forEach((head, i) => (i === column ? head.setAttribute("aria-sort", direction) : head.removeAttribute("aria-sort")));
    const value = (row) => row.cells[column].dataset.value;
    rows.sort((a, b) => compare(value(a), value(b), direction === "ascending" ? 1 : -1));
    table.tBodies[0].append(...rows);
    picker.value = String(column);
  };

  const filter = () => {
    const text = controls.querySelector("input").value.trim().toLowerCase();
    const wanted = [...controls.querySelectorAll("select[data-filter]")].filter((select) => select.value);
    for (const row of rows) {
      const fits = wanted.every((select) => row.dataset[select.name] === select.value);
      row.hidden = !(fits && row.cells[0].textContent.toLowerCase().includes(text));
    }
    const shown = rows.filter((row) => !row.hidden).length;
    controls.querySelector("[role=status]").textContent = `${shown} of ${rows.length} artifacts`;
  };

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    const other = { ascending: "descending", descending: "ascending" };
    button.addEventListener("click", () => sort(column, other[head.getAttribute("aria-sort")] ?? head.dataset.first));
    picker.add(new Option(head.textContent, String(column)));
  });
  picker.addEventListener("change", () => sort(Number(picker.value), heads[Number(picker.value)].dataset.first));
  controls.addEventListener("input", filter);
  picker.value = String(heads.findIndex((head) => head.hasAttribute("aria-sort")));
  filter();
  controls.hidden = false;
}
