// Filters, sorts and updates the pages. Everything can be read without it.
'use strict';

// What the user has chosen, which an update keeps.
const view = { text: '', severity: '', column: -1, descending: false };

function cellValue(row, column) {
  const cell = row.cells[column];
  const value = cell.dataset.value;
  return value === undefined ? cell.textContent.trim() : value === '' ? -1 : Number(value);
}

function compare(a, b) {
  return typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b));
}

function apply() {
  const table = document.getElementById('vms');
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  if (view.column >= 0) {
    rows.sort((a, b) => compare(cellValue(a, view.column), cellValue(b, view.column)) * (view.descending ? -1 : 1));
    body.append(...rows);
  }
  let shown = 0;
  for (const row of rows) {
    row.hidden = view.severity !== '' && row.dataset.severity !== view.severity ||
      !row.textContent.toLowerCase().includes(view.text.toLowerCase());
    if (!row.hidden) shown++;
  }
  document.getElementById('count').textContent = `${shown} of ${rows.length} rows`;
}

// Makes the headers buttons and shows the filter.
function enhance() {
  const table = document.getElementById('vms');
  if (!table) return;
  document.querySelector('.filter').hidden = false;
  const text = document.getElementById('filter');
  const severity = document.getElementById('severity');
  text.value = view.text;
  severity.value = view.severity;
  text.addEventListener('input', () => { view.text = text.value; apply(); });
  severity.addEventListener('change', () => { view.severity = severity.value; apply(); });
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = header.textContent;
    header.replaceChildren(button);
    button.addEventListener('click', () => {
      view.descending = view.column === column && !view.descending;
      view.column = column;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
      header.setAttribute('aria-sort', view.descending ? 'descending' : 'ascending');
      apply();
    });
    if (column === view.column) header.setAttribute('aria-sort', view.descending ? 'descending' : 'ascending');
  });
  apply();
}

// Replaces what has changed, and leaves the focus, the scroll position and open details as they are.
function replace(update) {
  const oldRows = document.querySelector('#vms tbody');
  const newRows = update.querySelector('#vms tbody');
  if (oldRows && newRows) {
    oldRows.replaceWith(document.adoptNode(newRows));
    document.querySelector('.summary').textContent = update.querySelector('.summary').textContent;
    apply();
  } else {
    const open = [...document.querySelectorAll('details')].map((d) => d.open);
    document.getElementById('main').replaceWith(document.adoptNode(update.getElementById('main')));
    document.querySelectorAll('details').forEach((d, i) => { d.open = open[i] === true; });
  }
  document.querySelector('footer').replaceWith(document.adoptNode(update.querySelector('footer')));
}

async function refresh() {
  const selection = document.getSelection();
  if (document.hidden || selection && !selection.isCollapsed) return;
  try {
    const response = await fetch(location.href, { cache: 'no-store' });
    if (!response.ok) throw new Error(response.statusText);
    replace(new DOMParser().parseFromString(await response.text(), 'text/html'));
    document.body.classList.remove('offline');
  } catch {
    document.body.classList.add('offline');
  }
}

enhance();
setInterval(refresh, Number(document.getElementById('main').dataset.refresh) * 1000);
