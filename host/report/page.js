'use strict';
// Tables with the class "sortable" get a button in each heading. Everything can be read without this script.
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, place) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const value = (row) => row.cells[place].dataset.value ?? row.cells[place].textContent;
      const number = [...body.rows].every((row) => value(row) === '' || isFinite(value(row)));
      const way = head.getAttribute('aria-sort') === (number ? 'descending' : 'ascending') ? -1 : 1;
      const compare = (a, b) => {
        if (value(a) === '' || value(b) === '') return (value(a) === '') - (value(b) === '');
        return number ? way * (value(b) - value(a)) : way * value(a).localeCompare(value(b));
      };
      heads.forEach((other) => other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', (way === 1) === number ? 'descending' : 'ascending');
      body.append(...[...body.rows].sort(compare));
    });
  });
}
// In a big sweep, what is behind a network's fold is unpacked when the fold is opened; paper gets what was opened.
const trials = document.querySelectorAll('details.trial');
const unpack = (fold) => {
  const packed = fold.querySelector('noscript'), content = document.createElement('template');
  if (!packed) return;
  content.innerHTML = packed.textContent;
  packed.replaceWith(content.content);
};
for (const fold of trials) fold.addEventListener('toggle', () => unpack(fold));
// Paper has no folds; what was closed is closed again afterwards. Browsers that open them by style need no help.
if (!CSS.supports('selector(details::details-content)')) {
  const closed = () => document.querySelectorAll('details:not([open]):not(.config)');
  let opened = [];
  addEventListener('beforeprint', () => (opened = [...closed()]).forEach((fold) => (fold.open = true)));
  addEventListener('afterprint', () => opened.forEach((fold) => (fold.open = false)));
}
