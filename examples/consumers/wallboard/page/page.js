// The page of the wallboard: draws each message of /events anew. What it shows is set as text, never as
// markup.
'use strict';

const $ = (id) => document.getElementById(id);
// The server tells something every second; after so long without, what stands here is old.
const PATIENCE_MS = 5000;
const STATES = [
  ['available', 'Available'],
  ['busy', 'Busy'],
  ['after_contact_work', 'After work'],
  ['away', 'Away'],
  ['not_responding', 'Not responding'],
  ['offline', 'Offline'],
  ['unknown', 'Unknown'],
];
const HEADS = ['Queue', 'Waiting', 'Longest wait', 'With agents', 'Service level', 'Gave up'];
const ORDER = {
  name: (row) => row.name.toLowerCase(),
  waiting: (row) => row.waiting,
  longest: (row) => (row.waitingSince === null ? 0 : -row.waitingSince),
  handled: (row) => row.handled,
  level: (row) => (row.serviceLevel === null ? 2 : row.serviceLevel),
  abandoned: (row) => row.abandoned,
};
let board = null;
let heardAt = performance.now();
let sorting = { by: 'name', down: false };

function el(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// The server's clock, which this one may differ from.
const now = () => (board ? board.now + (performance.now() - heardAt) : Date.now());
const clock = (at) => new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });

function span(milliseconds) {
  const s = Math.max(0, Math.floor(milliseconds / 1000));
  if (s < 3600) return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

function cell(column, kind, ...children) {
  return el('td', { class: kind, 'data-label': HEADS[column] }, ...children);
}

function row(queue) {
  const waited = queue.waitingSince === null ? 0 : now() - queue.waitingSince;
  const target = board.targetSeconds * 1000;
  const level = queue.serviceLevel;
  return el('tr', { 'data-queue': queue.id },
    el('th', { scope: 'row' }, queue.name),
    cell(1, queue.waiting ? 'watch' : '', String(queue.waiting)),
    cell(2, waited > 3 * target ? 'bad' : waited > target ? 'watch' : '', queue.waiting ? span(waited) : '–'),
    cell(3, '', String(queue.handled)),
    level === null
      ? cell(4, '', '–')
      : cell(4, level >= 0.8 ? 'well' : level >= 0.5 ? 'watch' : 'bad', `${Math.round(level * 100)} % `,
        el('small', {}, `of ${queue.answered + queue.abandoned}`)),
    cell(5, '', String(queue.abandoned)));
}

function draw() {
  const silent = performance.now() - heardAt > PATIENCE_MS;
  $('clock').textContent = clock(now());
  if (!board) return;
  const banners = [...board.banners];
  if (silent) banners.unshift({ kind: 'silent', text: 'This page hears nothing from its server: what stands here is old', since: 0 });
  const old = banners.some(({ kind }) => kind === 'silent' || kind === 'away');
  document.body.classList.toggle('old', old);
  $('live').classList.toggle('on', !old);
  const said = old ? 'stale' : 'live';
  if ($('live').textContent !== said) $('live').textContent = said;
  // Redrawn only where it says something else: screen readers would say it again.
  const texts = banners.map(({ kind, text, since }) => [kind, since ? `${text} (since ${clock(since)})` : text]);
  if ($('banners').dataset.said !== JSON.stringify(texts)) {
    $('banners').dataset.said = JSON.stringify(texts);
    $('banners').replaceChildren(...texts.map(([kind, text]) => el('p', { class: kind }, text)));
  }
  $('agents').replaceChildren(...STATES
    .filter(([word]) => word !== 'unknown' || board.agents[word])
    .map(([word, name]) => el('li', { class: word }, el('b', {}, String(board.agents[word])), name)));
  $('legend').textContent = `service level: answered within ${board.targetSeconds} s, last ${board.windowMinutes} min`;
  const key = ORDER[sorting.by];
  const rows = [...board.queues].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0) * (sorting.down ? -1 : 1));
  $('queues').tBodies[0].replaceChildren(...rows.map(row));
  $('none').hidden = rows.length > 0;
}

function sort(by) {
  sorting = { by, down: sorting.by === by ? !sorting.down : by !== 'name' };
  for (const button of document.querySelectorAll('[data-sort]')) {
    const head = button.closest('th');
    if (button.dataset.sort === by) head.setAttribute('aria-sort', sorting.down ? 'descending' : 'ascending');
    else head.removeAttribute('aria-sort');
  }
  draw();
}

for (const button of document.querySelectorAll('[data-sort]')) {
  button.addEventListener('click', () => sort(button.dataset.sort));
}
const source = new EventSource('events');
source.addEventListener('message', ({ data }) => {
  board = JSON.parse(data);
  heardAt = performance.now();
  draw();
});
setInterval(draw, 1000);
