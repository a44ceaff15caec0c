// shoot.js JOBS: draws dashboards and takes pictures of them. JOBS is a file of
//
//	{"prometheus": URL, "to": Unix time, "scrapeInterval": seconds, "width": pixels,
//	 "shots": [{"dashboard": FILE, "mode": "dark" or "light", "variables": {NAME: VALUE}, "picture": FILE}, ...]}
//
// What it saw of each goes to the standard output, as JSON, in the same order.
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import puppeteer from 'puppeteer-core';
import { facts } from './facts.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2', '.woff': 'font/woff' };
// Where the page finds its parts: Grafana's icons and fonts where its application has them.
const folders = { '/dist/': 'dist/', '/public/build/img/': 'node_modules/@grafana/ui/dist/public/img/' };
const files = {
  '/': 'index.html',
  '/public/fonts/inter/Inter-Regular.woff2': 'node_modules/@fontsource/inter/files/inter-latin-400-normal.woff2',
  '/public/fonts/inter/Inter-Medium.woff2': 'node_modules/@fontsource/inter/files/inter-latin-500-normal.woff2',
};

const flags = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--force-color-profile=srgb', '--font-render-hinting=none', '--hide-scrollbars',
];

function serve() {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://localhost').pathname));
    const folder = Object.keys(folders).find(prefix => path.startsWith(prefix));
    const file = join(here, files[path] ?? (folder ? folders[folder] + path.slice(folder.length) : 'none'));
    try {
      const content = readFileSync(file);
      response.writeHead(200, { 'Content-Type': types[extname(file)] ?? 'application/octet-stream' }).end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  return new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(server)));
}

// shoot opens the page for one dashboard, and gives what it saw there.
async function shoot(browser, address, job, shot) {
  const page = await browser.newPage();
  const complaints = [];
  page.on('console', message => ['error', 'warn'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', error => complaints.push(String(error)));
  page.on('requestfailed', request => complaints.push(`${request.url()}: ${request.failure()?.errorText}`));
  page.on('response', response => response.status() >= 400 && complaints.push(`${response.url()}: ${response.status()}`));
  await page.setViewport({ width: job.width, height: 1000 });
  await page.evaluateOnNewDocument(shown => { window.job = shown; }, {
    dashboard: JSON.parse(readFileSync(shot.dashboard)), url: job.prometheus, to: job.to, scrapeInterval: job.scrapeInterval, mode: shot.mode, variables: shot.variables,
  });
  await page.goto(address);
  await page.waitForFunction(() => window.fatal || (document.querySelector('[data-panel]') && !document.querySelector('[data-state=loading]')));
  const fatal = await page.evaluate(() => window.fatal);
  if (fatal) throw new Error(`${shot.dashboard}: ${fatal}`);
  const height = await page.evaluate(() => Math.ceil(document.querySelector('main').getBoundingClientRect().height));
  await page.setViewport({ width: job.width, height });
  await still(page);
  await page.screenshot({ path: shot.picture });
  const panels = await page.evaluate(facts);
  await page.close();
  return { dashboard: shot.dashboard, mode: shot.mode, panels, complaints };
}

// still waits until two looks at the page in a row see the same: tables and legends
// measure themselves after they are drawn.
async function still(page) {
  for (let last, now; ; last = now) {
    now = await page.evaluate(() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(() => resolve(document.body.innerHTML)))));
    if (now === last) return;
  }
}

const job = JSON.parse(readFileSync(process.argv[2]));
const server = await serve();
const browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags });
try {
  const seen = [];
  for (const shot of job.shots) seen.push(await shoot(browser, `http://127.0.0.1:${server.address().port}/`, job, shot));
  process.stdout.write(JSON.stringify(seen));
} finally {
  await browser.close();
  server.close();
}
