// Renders dashboards and takes screenshots of them. Usage: node shoot.js JOB, where JOB is a JSON file:
//
//	{"prometheus": URL, "to": Unix time, "scrapeInterval": seconds, "width": pixels,
//	 "shots": [{"dashboard": FILE, "mode": "dark" or "light", "variables": {NAME: VALUE}, "picture": FILE}, ...]}
//
// Writes the content of each rendered dashboard to standard output, as a JSON array in the order of the shots.
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import puppeteer from 'puppeteer-core';
import { inspectPanels } from './inspect.js';

const baseDir = fileURLToPath(new URL('.', import.meta.url));
const contentTypes = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.woff': 'font/woff',
};
// The files of the page by URL. Icons and fonts have the same URLs as in the Grafana application.
const folders = { '/dist/': 'dist/', '/public/build/img/': 'node_modules/@grafana/ui/dist/public/img/' };
const files = {
  '/': 'index.html',
  '/public/fonts/inter/Inter-Regular.woff2': 'node_modules/@fontsource/inter/files/inter-latin-400-normal.woff2',
  '/public/fonts/inter/Inter-Medium.woff2': 'node_modules/@fontsource/inter/files/inter-latin-500-normal.woff2',
};

const browserFlags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--force-color-profile=srgb',
  '--font-render-hinting=none',
  '--hide-scrollbars',
];

function serve() {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://localhost').pathname));
    const folder = Object.keys(folders).find(prefix => path.startsWith(prefix));
    const file = join(baseDir, files[path] ?? (folder ? folders[folder] + path.slice(folder.length) : 'none'));
    try {
      const content = readFileSync(file);
      response
        .writeHead(200, { 'Content-Type': contentTypes[extname(file)] ?? 'application/octet-stream' })
        .end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  return new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(server)));
}

// shoot renders one dashboard, takes a screenshot and returns the content of its panels.
async function shoot(browser, address, job, shot) {
  const page = await browser.newPage();
  const complaints = [];
  page.on('console', message => ['error', 'warn'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', error => complaints.push(String(error)));
  page.on('requestfailed', request => complaints.push(`${request.url()}: ${request.failure()?.errorText}`));
  page.on(
    'response',
    response => response.status() >= 400 && complaints.push(`${response.url()}: ${response.status()}`),
  );
  await page.setViewport({ width: job.width, height: 1000 });
  await page.evaluateOnNewDocument(
    pageJob => {
      window.job = pageJob;
    },
    {
      dashboard: JSON.parse(readFileSync(shot.dashboard)),
      url: job.prometheus,
      to: job.to,
      scrapeInterval: job.scrapeInterval,
      mode: shot.mode,
      variables: shot.variables,
    },
  );
  await page.goto(address);
  await page.waitForFunction(
    () => window.fatal || (document.querySelector('[data-panel]') && !document.querySelector('[data-state=loading]')),
  );
  const fatal = await page.evaluate(() => window.fatal);
  if (fatal) throw new Error(`${shot.dashboard}: ${fatal}`);
  const height = await page.evaluate(() => Math.ceil(document.querySelector('main').getBoundingClientRect().height));
  await page.setViewport({ width: job.width, height });
  await waitUntilStable(page);
  await page.screenshot({ path: shot.picture });
  const panels = await page.evaluate(inspectPanels);
  await page.close();
  return { dashboard: shot.dashboard, mode: shot.mode, panels, complaints };
}

// waitUntilStable waits until the page no longer changes: tables and legends adjust their size after they are drawn.
async function waitUntilStable(page) {
  for (let previous, current; ; previous = current) {
    current = await page.evaluate(
      () =>
        new Promise(resolve =>
          requestAnimationFrame(() => requestAnimationFrame(() => resolve(document.body.innerHTML))),
        ),
    );
    if (current === previous) return;
  }
}

const job = JSON.parse(readFileSync(process.argv[2]));
const server = await serve();
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: browserFlags,
});
try {
  const results = [];
  for (const shot of job.shots)
    results.push(await shoot(browser, `http://127.0.0.1:${server.address().port}/`, job, shot));
  process.stdout.write(JSON.stringify(results));
} finally {
  await browser.close();
  server.close();
}
