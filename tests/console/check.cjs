// The console as a person uses it. Starts three simulated platforms, a sidecar with a session for each
// and two readers, opens the console in Chromium and looks: see tests/console/run.
'use strict';

const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');
const { chromium } = require('playwright-core');

const PATIENCE = 30000;
const CHANNELS = ['routing.queueStats', 'routing.agentEvent', 'platform.connectionEvent'];
const NAMES = ['agent-desk', 'contact-centre', 'queue-stats'];

function option(name) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
}

const tieline = path.resolve(option('tieline'));
const pictures = process.argv.includes('--pictures') ? __dirname : null;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tieline-console-'));
const running = [];
const problems = [];

// Starts the binary; the first line that it prints, or that it logs and that matches.
function start(name, args, { line, log } = {}) {
  const child = spawn(tieline, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH } });
  const file = fs.createWriteStream(path.join(folder, `${name}.log`));
  running.push(child);
  const out = readline.createInterface({ input: child.stdout });
  const err = readline.createInterface({ input: child.stderr });
  out.on('line', (text) => file.write(`${text}\n`));
  err.on('line', (text) => file.write(`${text}\n`));
  if (!line && !log) return Promise.resolve(child);
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${name} did not say where it is`)), PATIENCE);
    const heard = (text, wanted) => {
      if (!wanted(text)) return;
      clearTimeout(late);
      resolve(text);
    };
    if (line) out.on('line', (text) => heard(text, () => true));
    if (log) err.on('line', (text) => heard(text, log));
    child.on('exit', (code) => reject(new Error(`${name} ended with ${code}`)));
  });
}

async function control(sandbox, method, where, body) {
  const url = `${sandbox.control.replace(/\/$/, '')}${where}`;
  const answer = await fetch(url, { method, body: body && JSON.stringify(body), headers: body ? { 'content-type': 'application/json' } : {} });
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
}

function secret(name, text) {
  const file = path.join(folder, name);
  fs.writeFileSync(file, text, { mode: 0o600 });
  return file;
}

function ok(what, is) {
  console.log(`  ${is ? 'ok   ' : 'FAILED'} ${what}`);
  if (!is) problems.push(what);
}

async function main() {
  const sandboxes = [];
  for (const [index, name] of NAMES.entries()) {
    const announced = await start(`sandbox-${name}`, ['sandbox', '--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', '--rate', String(8 + 9 * index), '--seed', String(index + 1), '--json'], { line: true });
    sandboxes.push(JSON.parse(announced));
  }
  const admin = path.join(folder, 'admin.sock');
  const grpc = `unix:${path.join(folder, 'tieline.sock')}`;
  const config = {
    listen: { grpc: [grpc], health: '', admin: ['127.0.0.1:0', `unix:${admin}`], admin_payloads: true },
    journals: [{ name: 'default', path: path.join(folder, 'journal') }],
    sessions: NAMES.map((name, index) => ({
      name,
      platform: 'genesys-events',
      endpoint: sandboxes[index].endpoint,
      channels: CHANNELS,
      timing: { backoff: { base: '2s', cap: '20s' }, reorder_window: '2s' },
      auth: {
        grant: 'client_credentials',
        client_id_file: secret(`id-${index}`, sandboxes[index].client_id),
        client_secret_file: secret(`secret-${index}`, sandboxes[index].client_secret),
      },
    })),
  };
  const file = path.join(folder, 'tieline.yaml');
  fs.writeFileSync(file, JSON.stringify(config));
  const serving = await start('tieline', ['--log-format', 'json', 'run', '--config', file], { log: (text) => text.includes('"Serving"') });
  const told = JSON.parse(serving);
  const origin = `http://${/127\.0\.0\.1:\d+/.exec(JSON.stringify(told.admin))[0]}`;
  await start('reader-wallboard', ['tail', '--address', grpc, '--earliest', '--json']);
  await start('reader-crm', ['tail', '--address', grpc, '--latest', '--filter', 'type=ccaas.*', '--json']).catch(() => {});

  const browser = await chromium.launch({ executablePath: option('chromium'), args: ['--no-sandbox', '--disable-gpu'] });
  const watch = (page, name) => {
    page.on('console', (m) => { if (m.type() === 'error' || m.type() === 'warning') problems.push(`${name}: console says ${m.text()}`); });
    page.on('pageerror', (error) => problems.push(`${name}: ${error}`));
  };

  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: 'light' });
  const page = await context.newPage();
  watch(page, 'light');
  await page.goto(origin);
  await page.waitForSelector('#live.on');
  const state = (name) => page.locator('#sessions-table tbody tr', { hasText: name }).locator('.pill').first();
  const until = (what, test, given) => page.waitForFunction(test, given, { timeout: PATIENCE }).then(() => ok(what, true), () => ok(what, false));
  for (const name of NAMES) await state(name).filter({ hasText: 'active' }).waitFor({ timeout: PATIENCE });
  ok('each session is shown, and active', true);

  const sequence = () => page.locator('#journals-table tbody td.n').nth(1).innerText();
  const before = await sequence();
  await until('updates arrive while nobody touches the page', (was) => document.querySelectorAll('#journals-table tbody td.n')[1].innerText !== was, before);

  // Trouble of three kinds.
  await control(sandboxes[0], 'PUT', '/faults/strip_upgrade', {});
  await control(sandboxes[0], 'PUT', '/faults/websocket_reset', { count: 1 });
  await control(sandboxes[1], 'PUT', '/faults/skip', { history: false, count: 2 });
  await control(sandboxes[2], 'PUT', '/faults/platform_down', {});
  await until('a platform that is down is seen, with its reason', () => [...document.querySelectorAll('#sessions-table tbody tr')].some((row) => row.textContent.includes('queue-stats') && row.textContent.includes('reconnecting') && row.querySelector('td.why').textContent));
  await until('it is said what to look at', () => document.querySelector('#attention-list').textContent.includes('sessions/queue-stats'));
  await until('a stripped upgrade is seen as long polling', () => [...document.querySelectorAll('#sessions-table tbody tr')].some((row) => row.textContent.includes('agent-desk') && row.textContent.includes('long poll')));
  await until('what is lost is listed', () => document.querySelector('#losses-table').textContent.includes('confirmed'));

  // By keyboard alone: to the session, its timeline, the tail.
  await page.locator('[data-key="s:queue-stats"]').focus();
  await page.keyboard.press('Enter');
  await until('a session is chosen by keyboard and keeps the focus', () => document.activeElement && document.activeElement.getAttribute('data-key') === 's:queue-stats' && document.querySelector('#timeline-session').value === 'queue-stats');
  await until('its timeline tells when and why', () => /active\s*→\s*reconnecting/.test(document.querySelector('#timeline-table').innerText));
  const outlined = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle !== 'none');
  ok('the focus is visible', outlined);
  await page.locator('#tail-switch').focus();
  await page.keyboard.press('Space');
  await until('the tail shows events', () => document.querySelectorAll('#tail-table tbody tr').length > 3);
  ok('and no payload', !(await page.locator('#tail-table pre').count()));
  await page.locator('#tail-payload').focus();
  await page.keyboard.press('Space');
  await until('but with the switch', () => document.querySelectorAll('#tail-table pre').length > 0);
  await page.locator('#tail-switch').click();
  await page.locator('[data-copy="sessions"]').click();
  await until('a panel is copied as JSON', () => document.querySelector('#said').textContent !== '');
  const picture = async (shown, name) => {
    await shown.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0); });
    const shot = await shown.screenshot(pictures ? { path: path.join(pictures, `${name}.png`) } : {});
    ok(`the picture ${name} is below 200 KB (${Math.round(shot.length / 1024)} KB)`, shot.length < 200 * 1024);
  };
  await picture(page, 'light');

  const dark = await (await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: 'dark' })).newPage();
  watch(dark, 'dark');
  await dark.goto(origin);
  await dark.waitForSelector('#live.on');
  const ground = await dark.evaluate(() => getComputedStyle(document.body).backgroundColor);
  ok(`dark is dark (${ground})`, /rgb\((\d+), (\d+), (\d+)\)/.exec(ground).slice(1).every((c) => Number(c) < 64));
  await picture(dark, 'dark');

  const narrow = await (await browser.newContext({ viewport: { width: 360, height: 900 } })).newPage();
  watch(narrow, 'narrow');
  await narrow.goto(origin);
  await narrow.waitForSelector('#live.on');
  const wide = await narrow.evaluate(() => document.documentElement.scrollWidth);
  ok(`nothing is wider than a narrow window (${wide} px)`, wide <= 360);
  await picture(narrow, 'narrow');

  const plain = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
  await plain.goto(origin);
  const text = await plain.locator('#sessions-table').innerText();
  ok('without JavaScript the sessions are there', NAMES.every((name) => text.includes(name)));

  const top = spawnSync(tieline, ['top', '--once', '--address', `unix:${admin}`], { encoding: 'utf8' });
  ok('top prints the same', top.status === 0 && NAMES.every((name) => top.stdout.includes(name)));

  await control(sandboxes[2], 'DELETE', '/faults');
  await until('what is over is seen to be over', () => [...document.querySelectorAll('#sessions-table tbody tr')].some((row) => row.textContent.includes('queue-stats') && row.textContent.includes('active')));
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
