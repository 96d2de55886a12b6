// The wallboard as people see it: a simulated contact centre with faults, the real sidecar, the wallboard,
// headless Chromium. What the page shows is held against the contact centre's own state.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');
const { chromium } = require('playwright-core');

const PATIENCE = 30000;

function option(name) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
}

const tieline = path.resolve(option('tieline'));
const picture = process.argv.includes('--picture')
  ? path.resolve(__dirname, '../../examples/consumers/wallboard/wallboard.png')
  : null;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tieline-wallboard-'));
const running = [];
const problems = [];

// Starts a program; with `line`, what it prints first.
function start(name, command, args, { line, env } = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH, ...env } });
  const file = fs.createWriteStream(path.join(folder, `${name}.log`), { flags: 'a' });
  running.push(child);
  child.stderr.pipe(file);
  const out = readline.createInterface({ input: child.stdout });
  if (!line) return Promise.resolve(child);
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${name} did not say where it is`)), PATIENCE);
    out.once('line', (text) => { clearTimeout(late); resolve({ child, text }); });
    child.on('exit', (code) => reject(new Error(`${name} ended with ${code}`)));
  });
}

function ok(what, is) {
  console.log(`  ${is ? 'ok   ' : 'FAILED'} ${what}`);
  if (!is) problems.push(what);
}

async function main() {
  const listening = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0'];
  const announced = await start('sandbox', tieline, ['sandbox', '--platform', 'genesys-notifications', ...listening, '--rate', '0', '--seed', '7', '--json'], { line: true });
  const sandbox = JSON.parse(announced.text);
  const control = async (method, where, body) => {
    const url = `${sandbox.control}/${where}`;
    const answer = await fetch(url, { method, body: body && JSON.stringify(body), headers: body ? { 'content-type': 'application/json' } : {} });
    if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
    return answer.json().catch(() => null);
  };
  const target = `unix:${path.join(folder, 'tieline.sock')}`;
  const config = {
    listen: { grpc: [target], health: '', admin: [] },
    journals: [{ name: 'default', path: path.join(folder, 'journal') }],
    sessions: [{
      name: 'contact-centre',
      platform: 'genesys-notifications',
      endpoint: sandbox.endpoint,
      topics: [{ 'v2.users.{id}?presence&routingStatus': 'all' }, { 'v2.routing.queues.{id}.conversations': 'all' }],
      timing: { backoff: { base: '200ms', cap: '1s' } },
      auth: { grant: 'client_credentials', client_id_env: 'CLIENT_ID', client_secret_env: 'CLIENT_SECRET' },
    }],
  };
  fs.writeFileSync(path.join(folder, 'tieline.yaml'), JSON.stringify(config));
  const env = { CLIENT_ID: sandbox.client_id, CLIENT_SECRET: sandbox.client_secret };
  const sidecar = await start('sidecar', tieline, ['run', '--config', path.join(folder, 'tieline.yaml')], { env });
  const world = await control('GET', 'world');
  const names = Object.fromEntries(Object.entries(world.queues).map(([id, queue]) => [id, queue.name]));
  fs.writeFileSync(path.join(folder, 'names.json'), JSON.stringify({ queues: names }));
  const wallboard = await start('wallboard', process.execPath, [
    path.join(option('built'), 'dist/src/main.js'), '--target', target, '--listen', '127.0.0.1:0', '--names', path.join(folder, 'names.json'),
  ], { line: true });
  const address = /http:\S+/.exec(wallboard.text)[0];

  // Once the sidecar listens, everybody tells where they are, and the day begins.
  const tail = await start('tail', tieline, ['tail', '--address', target, '--earliest', '--json', '--filter', 'type=tieline.session.connected.v1'], { line: true });
  tail.child.kill();
  for (const [user, { presence }] of Object.entries(world.users)) await control('POST', 'changes', { change: 'presence', user, presence });
  await control('PUT', 'rate', { per_second: 60 });

  const browser = await chromium.launch({ executablePath: option('chromium'), args: ['--no-sandbox', '--disable-gpu'] });
  const open = async (name, how) => {
    const page = await (await browser.newContext(how)).newPage();
    page.on('console', (m) => { if (m.type() === 'error' || m.type() === 'warning') problems.push(`${name}: console says ${m.text()}`); });
    page.on('pageerror', (error) => problems.push(`${name}: ${error}`));
    await page.goto(address);
    await page.waitForSelector('#live.on');
    return page;
  };
  const page = await open('light', { viewport: { width: 1280, height: 510 }, colorScheme: 'light' });
  const until = (what, test, given) => page.waitForFunction(test, given, { timeout: PATIENCE }).then(() => ok(what, true), () => ok(what, false));
  await until('queues are shown by their names', (wanted) => {
    const shown = [...document.querySelectorAll('#queues tbody th')].map((th) => th.innerText);
    return wanted.every((name) => shown.includes(name));
  }, Object.values(names));
  await until('service levels are shown', () => [...document.querySelectorAll('#queues tbody tr')].every((tr) => /\d %/.test(tr.cells[4].innerText)));
  await page.waitForFunction(() => [...document.querySelectorAll('#queues tbody td:nth-child(3)')].some((td) => td.innerText !== '–'), null, { timeout: PATIENCE }).catch(() => ok('somebody waits', false));
  const shot = await page.screenshot(picture ? { path: picture } : {});
  ok(`the picture is below 200 KB (${Math.round(shot.length / 1024)} KB)`, shot.length < 200 * 1024);

  // What is shown is what is so, once nothing happens any more.
  await control('PUT', 'rate', { per_second: 0 });
  const still = await control('GET', 'world');
  const sum = (counts) => Object.values(counts).reduce((a, b) => a + b, 0);
  const conversations = Object.values(still.conversations);
  const expected = {
    queues: Object.entries(still.queues).map(([id, { name }]) => {
      const here = conversations.filter(({ queue }) => queue === id);
      const count = (...stages) => here.filter(({ stage }) => stages.includes(stage)).length;
      return [name, count('queued', 'alerting'), count('connected', 'wrap_up')];
    }).sort(),
    agents: sum(Object.fromEntries(Object.keys(still.users).map((id) => [id, 1]))),
    busy: Object.values(still.users).filter(({ routing_status: status }) => status === 'INTERACTING').length,
  };
  const shows = () => page.evaluate(() => ({
    queues: [...document.querySelectorAll('#queues tbody tr')].map((tr) => [tr.cells[0].innerText, Number(tr.cells[1].innerText), Number(tr.cells[3].innerText)]).sort(),
    agents: [...document.querySelectorAll('#agents b')].map((b) => Number(b.innerText)).reduce((a, b) => a + b, 0),
    busy: Number(document.querySelector('#agents .busy b').innerText),
  }));
  const wanted = JSON.stringify(expected);
  const latest = Date.now() + PATIENCE;
  let shown = await shows();
  while (JSON.stringify(shown) !== wanted && Date.now() < latest) {
    await page.waitForFunction((was) => document.body.innerText !== was, await page.evaluate(() => document.body.innerText), { timeout: PATIENCE }).catch(() => {});
    shown = await shows();
  }
  const right = JSON.stringify(shown) === wanted;
  ok(`who waits, who is talked to, and ${expected.busy} busy agents of ${expected.agents} are those of the contact centre`, right);
  if (!right) console.log(`  shown  ${JSON.stringify(shown)}\n  wanted ${wanted}`);
  ok('no banner is shown while all is well', (await page.locator('#banners p:not(.silent)').count()) === 0);
  // On a loaded machine nothing may be heard for a while.
  await until('nor that nothing is heard', () => !document.querySelector('#banners .silent'));

  // By keyboard alone.
  await page.keyboard.press('Tab');
  ok('the first stop leads past the head', await page.evaluate(() => document.activeElement.className === 'skip'));
  await page.locator('[data-sort="waiting"]').focus();
  await page.keyboard.press('Enter');
  await until('the table is sorted by keyboard, and the focus stays', () => {
    const waiting = [...document.querySelectorAll('#queues tbody td:nth-child(2)')].map((td) => Number(td.innerText));
    return document.activeElement.dataset.sort === 'waiting'
      && document.activeElement.closest('th').getAttribute('aria-sort') === 'descending'
      && waiting.every((n, at) => at === 0 || n <= waiting[at - 1]);
  });
  ok('the focus is visible', await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle !== 'none'));

  const dark = await open('dark', { viewport: { width: 1280, height: 760 }, colorScheme: 'dark' });
  const ground = await dark.evaluate(() => getComputedStyle(document.body).backgroundColor);
  ok(`dark is dark (${ground})`, /rgb\((\d+), (\d+), (\d+)\)/.exec(ground).slice(1).every((c) => Number(c) < 64));
  const narrow = await open('narrow', { viewport: { width: 360, height: 800 } });
  const wide = await narrow.evaluate(() => document.documentElement.scrollWidth);
  ok(`nothing is wider than a narrow window (${wide} px)`, wide <= 360);
  const pictures = option('pictures');
  if (pictures) {
    await dark.screenshot({ path: path.join(pictures, 'dark.png') });
    await narrow.screenshot({ path: path.join(pictures, 'narrow.png'), fullPage: true });
  }
  await dark.close();
  await narrow.close();

  // Trouble of three kinds, each told while it lasts.
  const banner = (what, kind) => until(what, (k) => document.querySelector(`#banners .${k}`), kind);
  const gone = (what, kind) => until(what, (k) => !document.querySelector(`#banners .${k}`), kind);
  await control('PUT', 'faults/platform_down', {});
  await banner('a contact centre that is away is told', 'away');
  ok('what is old looks so', await page.evaluate(() => document.body.classList.contains('old')));
  if (pictures) await page.screenshot({ path: path.join(pictures, 'away.png') });
  await control('DELETE', 'faults');
  await gone('and that it is back', 'away');
  await banner('events that may be missing are told', 'gap');
  sidecar.kill('SIGSTOP');
  await banner('a sidecar that says nothing is told', 'silent');
  sidecar.kill('SIGCONT');
  await gone('and that it is heard again', 'silent');
  await page.close();

  // Without its server the page knows that it is old. The browser says in its console that it lost it.
  const left = await (await browser.newContext()).newPage();
  await left.goto(address);
  await left.waitForSelector('#live.on');
  wallboard.child.removeAllListeners('exit');
  const ended = new Promise((resolve) => wallboard.child.once('exit', (code) => resolve(code)));
  wallboard.child.kill('SIGTERM');
  ok('the wallboard ends with 0 after SIGTERM', (await ended) === 0);
  await left.waitForSelector('#banners .silent', { timeout: PATIENCE }).then(() => ok('a page without its server says so', true), () => ok('a page without its server says so', false));
  await browser.close();
}

function finish(code) {
  for (const child of running.reverse()) child.kill('SIGTERM');
  if (code !== 0) {
    for (const name of fs.readdirSync(folder).filter((n) => n.endsWith('.log'))) {
      const lines = fs.readFileSync(path.join(folder, name), 'utf8').trim().split('\n');
      console.log(`--- ${name}\n${lines.slice(-8).join('\n')}`);
    }
  }
  fs.rmSync(folder, { recursive: true, force: true });
  process.exit(code);
}

main().then(
  () => {
    for (const problem of problems) console.log(`FAILED: ${problem}`);
    finish(problems.length ? 1 : 0);
  },
  (error) => {
    console.log(`FAILED: ${error.stack}`);
    finish(1);
  },
);
