// The console. It reads /admin/v1/events, or asks /admin/v1/status where that breaks, and draws every
// table anew from it. Whatever it shows is set as text, never as markup.
'use strict';

const $ = (id) => document.getElementById(id);
const KIND = {
  active: 'well', live: 'well', ready: 'well', closed: 'rest', closing: 'rest',
  degraded: 'watch', connecting: 'watch', replaying: 'watch', draining: 'watch', suspected: 'watch',
  reconnecting: 'bad', suspended: 'bad', blocked: 'bad', confirmed: 'bad',
};
let status = null;
let receivedAt = 0;
let how = '';
let picked = '';
let story = null;
let tail = null;
let tailRows = [];

// --- words ---

function el(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === true) made.setAttribute(key, '');
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

function svg(name, attributes, ...children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const pill = (word) => el('span', { class: `pill ${KIND[word] || 'rest'}` }, word);
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const number = (n) => whole.format(n);
const now = () => (status ? Date.parse(status.time) + (performance.now() - receivedAt) : Date.now());

function span(milliseconds) {
  const s = Math.max(0, Math.floor(milliseconds / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

function bytes(n) {
  for (const [unit, size] of [['GiB', 2 ** 30], ['MiB', 2 ** 20], ['KiB', 2 ** 10]]) {
    if (n >= size) return `${(n / size).toFixed(1)} ${unit}`;
  }
  return `${n} B`;
}

function seconds(s) {
  if (s == null) return '–';
  if (!Number.isFinite(s)) return 'more';
  if (s < 0.001) return `${Math.round(s * 1e6)} µs`;
  if (s < 1) return `${(s * 1000).toFixed(s < 0.01 ? 1 : 0)} ms`;
  return `${s.toFixed(1)} s`;
}

const clock = (time) => new Date(time).toISOString().slice(11, 19);
// A time that says how long ago it was, and moves with the clock.
function ago(time) {
  if (!time) return null;
  return el('time', { datetime: time, title: time, 'data-ago': '' }, span(now() - Date.parse(time)));
}
function until(time) {
  if (!time) return null;
  const left = Date.parse(time) - now();
  return el('time', { datetime: time, title: time, 'data-until': '' }, left > 0 ? `in ${span(left)}` : 'now');
}
function moveClocks() {
  for (const t of document.querySelectorAll('time[data-ago]')) t.textContent = span(now() - Date.parse(t.dateTime));
  for (const t of document.querySelectorAll('time[data-until]')) {
    const left = Date.parse(t.dateTime) - now();
    t.textContent = left > 0 ? `in ${span(left)}` : 'now';
  }
}

// --- tables ---

// Rows are replaced, but what has the focus keeps it.
function fill(tableId, rows, nothing) {
  const table = $(tableId);
  const labels = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
  const focused = document.activeElement && document.activeElement.getAttribute('data-key');
  const body = el('tbody');
  for (const row of rows) {
    const tr = el('tr', row.attributes);
    row.cells.forEach((cell, index) => {
      const { kind, content } = cell && cell.content !== undefined ? cell : { kind: '', content: cell };
      const empty = content == null || content === '';
      const made = index === 0
        ? el('th', { scope: 'row', class: kind || null })
        : el('td', { class: [kind, empty ? 'none' : ''].filter(Boolean).join(' ') || null, 'data-label': labels[index] });
      // One child, which is one cell of the grid that a narrow window makes of a row.
      if (!empty) made.append(el('div', null, ...[].concat(content)));
      tr.append(made);
    });
    for (const extra of row.after || []) tr.append(extra);
    body.append(tr);
  }
  if (!rows.length) body.append(el('tr', null, el('td', { class: 'empty', colspan: labels.length }, nothing)));
  table.tBodies[0].replaceWith(body);
  if (focused) {
    const again = body.querySelector(`[data-key="${CSS.escape(focused)}"]`);
    if (again) again.focus({ preventScroll: true });
  }
}

const n = (content) => ({ kind: 'n', content });
const t = (content) => ({ kind: 't', content });
const why = (content) => ({ kind: 'why', content });

function drawSessions() {
  const rows = status.sessions.map((s) => {
    const name = el('button', { type: 'button', class: 'name', 'data-key': `s:${s.name}`, 'aria-pressed': String(s.name === picked), title: 'Show its timeline' }, s.name);
    name.addEventListener('click', () => pick(s.name));
    const open = Math.max(0, s.gaps_suspected - s.gaps_closed - s.gaps_confirmed);
    const gaps = [
      open ? el('span', { class: 'watch-text' }, `${open} open`) : null,
      s.gaps_confirmed ? el('span', { class: 'bad-text' }, `${s.gaps_confirmed} lost`) : null,
      s.gaps_closed ? el('span', null, `${s.gaps_closed} closed`) : null,
    ].filter(Boolean);
    const attempt = s.next_attempt_time
      ? [until(s.next_attempt_time), s.failed_attempts ? el('small', null, `${s.failed_attempts} failed`) : null].filter(Boolean)
      : (s.failed_attempts ? [s.phase.replaceAll('_', ' '), el('small', null, `${s.failed_attempts} failed`)] : '');
    const topics = s.rejected_topics ? el('span', { class: 'watch-text' }, `${s.topics - s.rejected_topics}/${s.topics}`) : String(s.topics);
    return {
      attributes: { class: s.name === picked ? 'picked' : null },
      cells: [
        [name, el('small', null, s.platform)],
        [pill(s.state), s.review_required ? el('small', null, 'review') : null].filter(Boolean),
        t(ago(s.since)),
        why(s.reason),
        t(s.transport ? [s.transport.replace('_', ' '), s.round_trip_ms ? el('small', null, `${s.round_trip_ms.toFixed(1)} ms`) : null].filter(Boolean) : ''),
        t(attempt), t(until(s.token_expire_time)), n(topics), t(ago(s.last_receive_time)),
        n(s.events_per_second.toFixed(1)), { kind: 'lines', content: gaps.length ? gaps : '' },
      ],
    };
  });
  fill('sessions-table', rows, 'No session is configured.');
  const counts = {};
  for (const s of status.sessions) counts[s.state] = (counts[s.state] || 0) + 1;
  $('sessions-count').textContent = Object.entries(counts).map(([state, count]) => `${count} ${state}`).join(', ');
}

function drawTimeline() {
  const names = status.sessions.map((s) => s.name);
  options($('timeline-session'), names.map((name) => [name, name]), picked);
  const own = story && story.name === picked ? story : status.sessions.find((s) => s.name === picked);
  const transitions = own ? own.transitions : [];
  strip(own, transitions);
  const rows = [...transitions].reverse().map((change) => ({
    cells: [
      t([clock(change.time), el('small', null, ago(change.time), ' ago')]),
      t(own.name),
      t(change.from === change.to ? pill(change.to) : [pill(change.from), ' → ', pill(change.to)]),
      t(change.transport.replace('_', ' ')), why(change.cause),
    ],
  }));
  fill('timeline-table', rows, picked ? 'Nothing has changed since the start.' : 'No session is chosen.');
}

// The states of the last ten minutes as a band.
function strip(own, transitions) {
  const box = $('strip');
  box.hidden = !own;
  if (!own) return;
  const end = now();
  const began = Date.parse(status.process.start_time);
  const start = Math.max(began, end - 600000);
  const width = Math.max(1, end - start);
  const band = svg('svg', { viewBox: '0 0 1000 16', preserveAspectRatio: 'none', role: 'img', 'aria-label': `States of ${own.name} over the last ${span(width)}` });
  const marks = transitions.filter((c) => c.from !== c.to);
  const first = marks.length ? marks[0].from : own.state;
  const states = [[began, first], ...marks.map((c) => [Date.parse(c.time), c.to])];
  states.forEach(([at, state], index) => {
    const from = Math.max(start, at);
    const to = index + 1 < states.length ? states[index + 1][0] : end;
    if (to <= from) return;
    const rect = svg('rect', { x: ((from - start) / width) * 1000, y: 0, width: Math.max(2, ((to - from) / width) * 1000), height: 16, class: `f-${KIND[state] || 'rest'}` });
    rect.append(svg('title', null, `${state} from ${new Date(at).toISOString()}`));
    band.append(rect);
  });
  box.replaceChildren(band, el('div', { class: 'legend' }, el('span', null, `${span(width)} ago`), el('span', null, 'now')));
}

function losses() {
  return status.sessions.flatMap((s) => s.losses.map((loss) => ({ session: s.name, ...loss })))
    .sort((a, b) => (a.start_time < b.start_time ? 1 : -1));
}

function drawLosses() {
  const all = losses();
  const rows = all.map((loss) => ({
    cells: [
      loss.session, pill(loss.outcome), why(loss.reason),
      t(loss.first_number == null ? '' : [`${loss.first_number} – ${loss.last_number}`, el('small', null, `${number(loss.last_number - loss.first_number + 1)} events`)]),
      t([`${clock(loss.start_time)} – ${clock(loss.end_time)}`, el('small', null, `${span(Date.parse(loss.end_time) - Date.parse(loss.start_time))} long`)]),
    ],
  }));
  fill('losses-table', rows, 'None since the start.');
  const lost = all.filter((loss) => loss.outcome === 'confirmed').length;
  $('losses-count').textContent = lost ? `${lost} of ${all.length} stay lost` : '';
}

function drawJournals() {
  const rows = status.journals.map((j) => ({
    cells: [
      j.name, { kind: 'mono', content: j.epoch }, n(number(j.earliest_sequence)), n(number(j.latest_sequence)),
      n([bytes(j.size_bytes), j.max_bytes ? el('small', null, `of ${bytes(j.max_bytes)}`) : null].filter(Boolean)),
      t(j.earliest_time ? [ago(j.earliest_time), ' old'] : ''), n(j.events_per_second.toFixed(1)),
      j.trouble ? el('span', { class: 'bad-text' }, j.trouble) : '',
    ],
  }));
  fill('journals-table', rows, 'There is no journal.');
  const figures = status.journals.flatMap((j) => j.latencies.map((l) => figure(j.name, l)));
  $('latencies').replaceChildren(...figures);
}

const WHAT = { append: 'Append until durable', sync: 'Sync', delivery: 'Delivery delay' };

function figure(journal, l) {
  const most = Math.max(1, ...l.counts);
  const bars = svg('svg', { viewBox: `0 0 ${l.counts.length * 10} 42`, preserveAspectRatio: 'none', role: 'img', 'aria-label': `${WHAT[l.name] || l.name} of ${journal}: half within ${seconds(l.p50_seconds)}, 99 of 100 within ${seconds(l.p99_seconds)}` });
  l.counts.forEach((count, index) => {
    if (!count) return;
    const height = Math.max(2, (count / most) * 40);
    const bar = svg('rect', { x: index * 10 + 1, y: 42 - height, width: 8, height, class: 'f-accent' });
    const bound = index < l.bounds_seconds.length ? `up to ${seconds(l.bounds_seconds[index])}` : 'more';
    bar.append(svg('title', null, `${bound}: ${number(count)}`));
    bars.append(bar);
  });
  const few = l.bounds_seconds;
  return el('figure', null,
    el('figcaption', null, el('b', null, `${WHAT[l.name] || l.name}`), el('span', null, `p50 ${seconds(l.p50_seconds)} · p99 ${seconds(l.p99_seconds)}`)),
    bars,
    el('div', { class: 'scale' }, el('span', null, few.length ? seconds(few[0]) : ''), el('span', null, `${journal} · ${number(l.count)}`), el('span', null, few.length ? seconds(few[few.length - 1]) : '')));
}

function drawSubscribers() {
  const latest = Object.fromEntries(status.journals.map((j) => [j.name, j]));
  const rows = status.subscribers.map((s) => {
    const j = latest[s.journal];
    const kept = j ? Math.max(1, j.latest_sequence - j.earliest_sequence + 1) : 1;
    const share = Math.min(1, s.lag / kept);
    const meter = svg('svg', { viewBox: '0 0 64 8', class: 'meter', 'aria-hidden': 'true' },
      svg('rect', { x: 0, y: 0, width: 64, height: 8, rx: 2, class: 'bg' }),
      svg('rect', { x: 0, y: 0, width: s.lag ? Math.max(2, share * 64) : 0, height: 8, rx: 2, class: `f-${KIND[s.state] === 'well' ? 'accent' : KIND[s.state] || 'rest'}` }));
    return {
      cells: [
        String(s.id), [s.client_id || '–', s.subscription ? el('small', null, `by ${s.subscription}`) : null].filter(Boolean),
        { kind: 'mono', content: s.peer }, s.journal, pill(s.state), n([meter, number(s.lag)]), n(number(s.through_sequence)),
        t([ago(s.last_progress_time), ' ago']), n([number(s.sent_events), el('small', null, bytes(s.sent_bytes))]), s.filter,
      ],
    };
  });
  fill('subscribers-table', rows, 'Nobody reads.');
  $('subscribers-count').textContent = status.subscribers.length ? `${status.subscribers.length} open` : '';
}

function drawHeader() {
  const p = status.process;
  const word = p.draining ? 'draining' : p.not_ready.length ? 'not ready' : 'ready';
  const ready = $('ready');
  const text = word === 'not ready' ? `not ready: ${p.not_ready.join(', ')}` : word;
  if (ready.textContent !== text) ready.textContent = text;
  ready.className = `pill ${word === 'not ready' ? 'bad' : KIND[word]}`;
  $('version').textContent = p.version;
  $('uptime').replaceChildren(ago(p.start_time), ' ago');
  $('config').replaceChildren(el('code', null, p.config_hash));
  const reload = $('reload');
  reload.textContent = !p.reload ? 'none' : `${p.reload.applied ? 'applied' : 'refused'} ${clock(p.reload.time)}`;
  reload.className = p.reload && !p.reload.applied ? 'bad-text' : '';
  reload.title = p.reload ? p.reload.message : '';
  $('telemetry').textContent = p.telemetry || 'off';
}

function drawAttention() {
  const list = $('attention-list');
  const items = status.attention.map((a) => [`${a.what} ${a.why}`, a]);
  // It is read out when it changes, so it is touched only then.
  const key = items.map(([text]) => text).join('\n');
  $('attention').classList.toggle('quiet', items.length === 0);
  $('attention-title').textContent = items.length ? 'Look at' : 'All is well: every session is active, nobody is far behind';
  if (list.dataset.shown === key) return;
  list.dataset.shown = key;
  list.replaceChildren(...items.map(([, a]) => el('li', null, el('b', null, a.what), a.why, a.since ? el('small', null, 'for ', ago(a.since)) : null)));
}

function options(select, wanted, chosen) {
  const have = [...select.options].map((o) => o.value).join('\n');
  if (have !== wanted.map(([value]) => value).join('\n')) {
    select.replaceChildren(...wanted.map(([value, text]) => el('option', { value }, text)));
  }
  if (chosen !== undefined && select.value !== chosen) select.value = chosen;
}

function draw() {
  if (!picked || !status.sessions.some((s) => s.name === picked)) {
    const bad = status.attention.find((a) => a.what.startsWith('sessions/'));
    picked = bad ? bad.what.slice(9) : (status.sessions[0] || { name: '' }).name;
    loadStory();
  }
  drawHeader();
  drawAttention();
  drawSessions();
  drawTimeline();
  drawLosses();
  drawJournals();
  drawSubscribers();
  options($('tail-journal'), status.journals.map((j) => [j.name, j.name]));
  options($('tail-session'), [['', 'all'], ...status.sessions.map((s) => [s.name, s.name])]);
  const payload = $('tail-payload');
  payload.disabled = !status.process.tail_payloads;
  payload.parentElement.title = payload.disabled ? 'Allowed by listen.admin_payloads: true' : 'Payloads are customers’ words';
}

function pick(name) {
  picked = name;
  loadStory();
  draw();
}

// The whole timeline of the session that is looked at; asked for again when it has moved on.
async function loadStory() {
  const name = picked;
  if (!name) return;
  try {
    const answer = await fetch(`/admin/v1/sessions/${encodeURIComponent(name)}`);
    if (answer.ok && name === picked) {
      story = await answer.json();
      drawTimeline();
    }
  } catch { /* The few of the status are shown meanwhile. */ }
}

// --- getting it ---

function take(next, by) {
  const before = status && status.sessions.find((s) => s.name === picked);
  status = next;
  receivedAt = performance.now();
  how = by;
  const after = status.sessions.find((s) => s.name === picked);
  const last = (s) => (s && s.transitions.length ? s.transitions[s.transitions.length - 1].time : '');
  if (last(before) !== last(after)) loadStory();
  draw();
  showLife();
}

function showLife() {
  const age = performance.now() - receivedAt;
  const live = $('live');
  const stale = age > 5000;
  const text = !status ? 'connecting' : stale ? `nothing heard for ${span(age)}` : how;
  if (live.textContent !== text) live.textContent = text;
  live.className = `live ${stale ? 'stale' : 'on'}`;
}

let polling = 0;

async function poll() {
  try {
    const answer = await fetch('/admin/v1/status');
    if (answer.ok) take(await answer.json(), 'asked every 3 s');
  } catch { /* Shown as stale. */ }
}

function listen() {
  const events = new EventSource('/admin/v1/events');
  events.addEventListener('status', (event) => {
    clearInterval(polling);
    polling = 0;
    take(JSON.parse(event.data), 'live');
  });
  events.onerror = () => {
    if (!polling) polling = setInterval(poll, 3000);
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 15000);
  };
}

// --- live tail ---

function drawTail() {
  const rows = tailRows.map((e) => {
    const delay = e.time && e.record_time ? Date.parse(e.record_time) - Date.parse(e.time) : null;
    return {
      cells: [
        n(number(e.sequence)),
        [e.type, e.provider_type ? el('small', null, e.provider_type) : null, e.payload ? el('pre', null, e.payload) : null].filter(Boolean),
        e.session, t(e.record_time ? e.record_time.slice(11, 23) : ''), n(delay == null ? '' : `${number(delay)} ms`), n(number(e.size_bytes)), e.origin,
      ],
    };
  });
  fill('tail-table', rows, tail ? 'Waiting for the next event.' : 'Stopped.');
}

function startTail() {
  const query = new URLSearchParams({ journal: $('tail-journal').value });
  if ($('tail-session').value) query.set('session', $('tail-session').value);
  if ($('tail-type').value.trim()) query.set('type', $('tail-type').value.trim());
  if ($('tail-payload').checked) query.set('payload', 'true');
  tailRows = [];
  let shown = 0;
  let skipped = 0;
  tail = new EventSource(`/admin/v1/tail?${query}`);
  tail.addEventListener('tail', (event) => {
    const { events, skipped: more } = JSON.parse(event.data);
    shown += events.length;
    skipped += more;
    tailRows = [...events.reverse(), ...tailRows].slice(0, 200);
    $('tail-count').textContent = `${number(shown)} events${skipped ? `, ${number(skipped)} skipped` : ''}`;
    drawTail();
  });
  tail.onerror = () => {
    if (tail && tail.readyState === EventSource.CLOSED) {
      stopTail();
      $('tail-note').textContent = 'The tail was refused: check the type, or whether four run already.';
    }
  };
  $('tail-note').textContent = '';
  tailSwitch(true);
}

function stopTail() {
  if (tail) tail.close();
  tail = null;
  tailSwitch(false);
}

function tailSwitch(on) {
  $('tail-switch').textContent = on ? 'Stop' : 'Start';
  $('tail-switch').setAttribute('aria-pressed', String(on));
  drawTail();
}

// --- copying ---

function shown(panel) {
  switch (panel) {
    case 'timeline': return story && story.name === picked ? story.transitions : [];
    case 'losses': return losses();
    case 'tail': return tailRows;
    default: return status[panel];
  }
}

let saidUntil = 0;

function say(text) {
  $('said').textContent = text;
  clearTimeout(saidUntil);
  saidUntil = setTimeout(() => { $('said').textContent = ''; }, 2500);
}

async function copy(panel) {
  if (!status) return;
  const text = JSON.stringify(shown(panel), null, 2);
  try {
    await navigator.clipboard.writeText(text);
    say('Copied.');
  } catch {
    // Without a secure context there is no clipboard: the text is selected to be copied by hand.
    const area = el('textarea', { readonly: true, 'aria-label': `${panel} as JSON` });
    area.value = text;
    $(panel).append(area);
    area.focus();
    area.select();
    area.addEventListener('blur', () => area.remove());
    say('Press Ctrl-C to copy.');
  }
}

// --- beginning ---

document.documentElement.classList.add('js');

for (const button of document.querySelectorAll('[data-copy]')) {
  button.hidden = false;
  button.setAttribute('aria-label', `Copy ${button.dataset.copy} as JSON`);
  button.addEventListener('click', () => copy(button.dataset.copy));
}
document.querySelector('.pick').hidden = false;
$('tail').hidden = false;
$('timeline-session').addEventListener('change', (event) => pick(event.target.value));
$('tail-switch').addEventListener('click', () => (tail ? stopTail() : startTail()));
for (const id of ['tail-journal', 'tail-session', 'tail-type', 'tail-payload']) {
  $(id).addEventListener('change', () => { if (tail) { stopTail(); startTail(); } });
}
drawTail();
setInterval(() => { moveClocks(); showLife(); }, 1000);
listen();
