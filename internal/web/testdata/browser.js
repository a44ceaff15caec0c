// Opens the pages in Chromium as a user would. Usage: node browser.js DIRECTORY URL PICTURES, where DIRECTORY has the
// npm packages puppeteer-core and axe-core, and PICTURES is the directory for screenshots. Writes what the browser
// shows to standard output, as JSON.
const { createRequire } = require('node:module');
const { readFileSync } = require('node:fs');
const { join, resolve } = require('node:path');

const [directory, url, pictures] = process.argv.slice(2);
const load = createRequire(resolve(directory, 'package.json'));
const puppeteer = load('puppeteer-core').default ?? load('puppeteer-core');
const axe = readFileSync(load.resolve('axe-core/axe.min.js'), 'utf8');

// rows returns what the table of VMs shows.
function rows(page) {
  return page.$$eval('#vms tbody tr', (all) => all.filter((r) => !r.hidden).map((r) => ({
    name: r.cells[0].textContent, severity: r.dataset.severity, state: r.cells[2].textContent,
    lag: r.cells[3]?.dataset.value ?? '', pending: r.cells[4]?.dataset.value ?? '',
  })));
}

async function main() {
  const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
  const result = { errors: [], violations: [], rows: [], lags: [], filtered: [], updated: [], critical: [] };
  const page = await browser.newPage();
  await page.setBypassCSP(true); // for axe only: the policy is tested without it, below
  const open = async (path, theme, width) => {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
    await page.setViewport({ width, height: 1000 });
    await page.goto(url + path, { waitUntil: 'networkidle0' });
    const name = `page-${path === '/' ? 'vms' : path.split('/')[1]}-${theme}-${width}.png`;
    await page.screenshot({ path: join(pictures, name) });
    await page.evaluate(axe);
    const found = await page.evaluate(() => window.axe.run(document));
    for (const v of found.violations) {
      result.violations.push(`${name}: ${v.id}: ${v.help}: ${v.nodes[0].html}`);
    }
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
    if (wide) result.violations.push(`${name}: the page is wider than the window`);
  };
  await open('/', 'light', 1280);
  result.rows = await rows(page);
  const vm = await page.$eval('#vms tbody a', (a) => a.getAttribute('href'));
  for (const [theme, width] of [['dark', 1280], ['light', 400], ['dark', 400]]) await open('/', theme, width);
  for (const [theme, width] of [['light', 1280], ['dark', 400]]) {
    await open(vm, theme, width);
    await open('/exporter', theme, width);
  }
  await page.close();

  const strict = await browser.newPage();
  for (const event of ['error', 'pageerror']) strict.on(event, (e) => result.errors.push(String(e)));
  strict.on('console', (m) => { if (m.type() === 'error' || m.type() === 'warn') result.errors.push(m.text()); });
  strict.on('requestfailed', (r) => result.errors.push(`${r.url()}: ${r.failure().errorText}`));
  await strict.goto(url + '/', { waitUntil: 'networkidle0' });
  // Sort by lag with the keyboard, the largest first.
  await strict.focus('#vms thead th:nth-child(4) button');
  await strict.keyboard.press('Enter');
  await strict.keyboard.press('Enter');
  result.sorted = await strict.$eval('#vms thead th:nth-child(4)', (h) => h.getAttribute('aria-sort'));
  result.lags = (await rows(strict)).map((r) => r.lag);
  await strict.select('#severity', 'critical');
  result.critical = await rows(strict);
  await strict.select('#severity', '');
  await strict.focus('#filter');
  await strict.keyboard.type('WEB');
  result.filtered = (await rows(strict)).map((r) => r.name);
  await strict.evaluate(() => window.refresh());
  result.updated = (await rows(strict)).map((r) => r.name);
  result.focused = await strict.evaluate(() => document.activeElement.id);
  await strict.goto(url + vm, { waitUntil: 'networkidle0' });
  await strict.click('details summary');
  await strict.evaluate(() => window.refresh());
  result.open = await strict.$eval('details', (d) => d.open);
  await browser.close();
  process.stdout.write(JSON.stringify(result));
}

main().catch((e) => { console.error(e); process.exitCode = 1; });
