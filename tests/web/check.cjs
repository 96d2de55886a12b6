// The page as a browser runs it: a simulated platform, a sidecar that is killed, and two static servers,
// one of an origin that is allowed and one of an origin that is not. See tests/web/run.
'use strict';

const { spawn } = require('node:child_process');
const { randomInt } = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');
const { chromium } = require('playwright-core');

const PATIENCE = 60000;
const KILLS = 2;
const CHANNELS = ['routing.queueStats', 'routing.agentEvent', 'platform.connectionEvent'];
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript' };

function option(name) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
}

const tieline = path.resolve(option('tieline'));
const page = path.resolve(option('page'));
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tieline-web-'));
const running = new Set();
const problems = [];

function ok(what, is) {
  console.log(`  ${is ? 'ok   ' : 'FAILED'} ${what}`);
  if (!is) problems.push(what);
}

// Starts the binary; its first line on standard output, or the one of its log that matches.
function start(name, args, wanted) {
  const child = spawn(tieline, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH } });
  const file = fs.createWriteStream(path.join(folder, `${name}.log`), { flags: 'a' });
  running.add(child);
  child.on('exit', () => running.delete(child));
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${name} did not say where it is`)), PATIENCE);
    for (const [stream, test] of [[child.stdout, (text) => !wanted || text.includes(wanted)], [child.stderr, (text) => wanted && text.includes(wanted)]]) {
      readline.createInterface({ input: stream }).on('line', (text) => {
        file.write(`${text}\n`);
        if (!test(text)) return;
        clearTimeout(late);
        resolve({ child, text });
      });
    }
    child.on('exit', (code) => reject(new Error(`${name} ended with ${code}`)));
  });
}

function kill(child, signal) {
  return new Promise((resolve) => {
    child.on('exit', resolve);
    child.kill(signal);
  });
}

function secret(name, text) {
  const file = path.join(folder, name);
  fs.writeFileSync(file, text, { mode: 0o600 });
  return file;
}

// A static server; its origin.
function serve() {
  const server = http.createServer((request, response) => {
    const name = path.basename(new URL(request.url, 'http://x').pathname) || 'index.html';
    fs.readFile(path.join(page, name), (error, bytes) => {
      response.writeHead(error ? 404 : 200, { 'content-type': TYPES[path.extname(name)] ?? 'text/plain' });
      response.end(error ? '' : bytes);
    });
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`)));
}

// A port that is free and stays so, being below those that systems hand out by themselves: the sidecar has
// to come back on the one that the page knows. Browsers refuse some, the last of which is 10080.
function port() {
  const drawn = randomInt(10081, 32768);
  return new Promise((resolve) => {
    const probe = net.createServer().once('error', () => resolve(port()));
    probe.listen(drawn, '127.0.0.1', () => probe.close(() => resolve(drawn)));
  });
}

async function main() {
  const announced = await start('sandbox', ['sandbox', '--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', '--rate', '40', '--seed', '3', '--json']);
  const sandbox = JSON.parse(announced.text);
  const [allowed, foreign] = [await serve(), await serve()];
  const sidecar = `127.0.0.1:${await port()}`;
  const config = {
    listen: { grpc: [sidecar], health: '', admin: [], allowed_origins: [allowed] },
    journals: [{ name: 'default', path: path.join(folder, 'journal') }],
    sessions: [{
      name: 'queue-stats',
      platform: 'genesys-events',
      endpoint: sandbox.endpoint,
      channels: CHANNELS,
      timing: { backoff: { base: '50ms', cap: '500ms' } },
      auth: {
        grant: 'client_credentials',
        client_id_file: secret('id', sandbox.client_id),
        client_secret_file: secret('secret', sandbox.client_secret),
      },
    }],
  };
  const file = path.join(folder, 'tieline.yaml');
  fs.writeFileSync(file, JSON.stringify(config));
  const run = () => start('tieline', ['--log-format', 'json', 'run', '--config', file], '"Serving"');
  let { child } = await run();

  const browser = await chromium.launch({ executablePath: option('chromium'), args: ['--no-sandbox', '--disable-gpu'] });
  const context = await browser.newContext();
  // The page writes down what it shows, and in the same place as its position: a word sent out of a page
  // that is reloaded may be lost, which what it wrote is not.
  await context.addInitScript(() => addEventListener('shown', (event) => {
    localStorage.setItem('shown', `${localStorage.getItem('shown') ?? ''}${event.detail}\n`);
  }));
  const tab = await context.newPage();
  const seen = () => tab.evaluate(() => (localStorage.getItem('shown') ?? '').split('\n').slice(0, -1));
  tab.on('pageerror', (error) => problems.push(String(error)));
  const url = (origin) => `${origin}/index.html?sidecar=http://${sidecar}`;
  const more = async (what, count) => {
    const goal = (await seen()).length + count;
    const until = Date.now() + PATIENCE;
    while ((await seen()).length < goal && Date.now() < until) await tab.waitForTimeout(50);
    ok(what, (await seen()).length >= goal);
  };
  await tab.goto(url(allowed));
  await more('a page of another origin shows events', 100);
  ok('and says that it is live', (await tab.locator('#state').innerText()) === 'live');
  for (let n = 1; n <= KILLS; n += 1) {
    await kill(child, n === KILLS ? 'SIGTERM' : 'SIGKILL');
    await tab.waitForFunction(() => document.querySelector('#state').textContent.startsWith('interrupted'), null, { timeout: PATIENCE });
    ({ child } = await run());
    await more(`it goes on after the sidecar was ${n === KILLS ? 'drained' : 'killed'}`, 100);
  }
  await tab.reload();
  await more('it goes on after it was reloaded', 100);

  const lines = (await seen()).map((line) => line.split(' '));
  ok('in one epoch', new Set(lines.map(([epoch]) => epoch)).size === 1);
  const numbers = lines.map(([, sequence]) => Number(sequence));
  // What was shown and not yet stored when the page was reloaded is shown again, and nothing else is.
  const unique = [...new Set(numbers)];
  const gap = unique.findIndex((n, at) => n !== at + 1);
  ok(`every one of ${unique.length} events came in order (${numbers.length - unique.length} again at the reload)`, gap < 0);
  if (gap >= 0) console.log(`        but ${unique[gap]} came after ${unique[gap - 1] ?? 'nothing'}`);

  const other = await context.newPage();
  const said = [];
  other.on('console', (message) => said.push(message.text()));
  await tab.close();
  await other.goto(url(foreign));
  await other.waitForFunction(() => /interrupted|ended/.test(document.querySelector('#state').textContent), null, { timeout: PATIENCE });
  const shown = await other.locator('#events tr').count();
  ok('a page of an origin that is not allowed gets nothing', shown === 0);
  ok('because the browser was told so', said.some((text) => text.includes('CORS')));
  const left = () => {
    const log = fs.readFileSync(path.join(folder, 'tieline.log'), 'utf8');
    const life = log.slice(log.lastIndexOf('"Serving"'));
    return life.split('"Subscription opened"').length - life.split('"Subscription ended"').length;
  };
  for (const until = Date.now() + PATIENCE; left() > 0 && Date.now() < until;) await other.waitForTimeout(50);
  ok('the reader of the closed page is gone', left() === 0);
  await browser.close();
  await kill(child, 'SIGTERM');
}

function finish(code) {
  for (const child of running) child.kill('SIGTERM');
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
