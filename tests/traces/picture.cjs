// A picture of one event's three spans in the backend's page: created, sent, processed, each in its trace,
// with the references that join the latter two to the first. See tests/traces/run.
//
//   node picture.cjs --chromium BIN --out FILE.png --url URL…   URLs of the spans, the created one first
'use strict';

const { chromium } = require('playwright-core');

const PATIENCE = 30000;
const WIDTH = 1180;

function options(name) {
  const at = process.argv.indexOf(`--${name}`);
  const values = process.argv.slice(at + 1);
  const end = values.findIndex((value) => value.startsWith('--'));
  return at < 0 ? [] : values.slice(0, end < 0 ? undefined : end);
}

// One span's page from its title down, with what it refers to opened.
async function look(browser, url, refers) {
  const page = await browser.newPage({ viewport: { width: WIDTH, height: 620 } });
  page.setDefaultTimeout(PATIENCE);
  await page.goto(url);
  const detail = page.locator('.detail-row').first();
  await detail.waitFor();
  if (refers) {
    await detail.getByText('References', { exact: false }).first().click();
    await detail.locator('.ReferencesList, .ReferencesList--List, [class*=ReferencesList]').first().waitFor();
  }
  // What folds out does so in its own time.
  await page.waitForTimeout(500);
  const top = await page.locator('header.TracePageHeader, .TracePageHeader').first().boundingBox();
  const bottom = await detail.boundingBox();
  const y = top ? top.y : 0;
  const clip = { x: 0, y, width: WIDTH, height: bottom.y + bottom.height - y };
  const seen = await page.screenshot({ clip });
  await page.close();
  return seen.toString('base64');
}

async function main() {
  const browser = await chromium.launch({
    executablePath: options('chromium')[0],
    args: ['--no-sandbox', '--no-proxy-server'],
  });
  try {
    const urls = options('url');
    const seen = [];
    for (const [at, url] of urls.entries()) seen.push(await look(browser, url, at > 0));
    const page = await browser.newPage({ viewport: { width: WIDTH, height: 100 } });
    const pictures = seen.map((png) => `<img src="data:image/png;base64,${png}">`);
    await page.setContent(
      `<style>body{margin:0;background:#fff}img{display:block;width:100%;margin-bottom:14px}</style>${pictures.join('')}`,
    );
    await page.screenshot({ path: options('out')[0], fullPage: true });
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
