// The page renders a dashboard with the layout of Grafana. shoot.js sets window.job, which contains the dashboard and
// the address of Prometheus.
import { flushSync } from 'react-dom';
import { createRoot } from 'react-dom/client';
import { ThemeContext, rangeUtil } from '@grafana/data';
import { GlobalStyles } from '@grafana/ui';
import { initialize } from './grafana.js';
import { Panel } from './panel.jsx';
import { Prometheus } from './prometheus.js';
import { loadVariables } from './variables.js';

const columns = 24,
  rowHeight = 30,
  gap = 8,
  padding = 16;

async function main({ dashboard, url, to, scrapeInterval, mode, variables: overrides }) {
  if (dashboard.panels.some(p => p.collapsed || p.repeat))
    throw new Error('collapsed rows and repeated panels: not supported');
  const theme = initialize(mode);
  const from = dashboard.time?.from ?? 'now-6h';
  const range = { from: to - rangeUtil.intervalToSeconds(from.replace(/^now-/, '').replace(/\/.*/, '')), to };
  const prometheus = new Prometheus(url);
  const variables = await loadVariables(dashboard.templating?.list, prometheus, range, overrides);
  const page = { prometheus, range, from, scrapeInterval, variables, theme };
  Object.assign(document.body.style, {
    margin: 0,
    padding: 0,
    background: theme.colors.background.canvas,
    color: theme.colors.text.primary,
    fontFamily: theme.typography.fontFamily,
  });
  const root = createRoot(document.getElementById('root'));
  const render = content =>
    root.render(
      <ThemeContext.Provider value={theme}>
        <GlobalStyles hackNoBackdropBlur />
        {content}
      </ThemeContext.Provider>,
    );
  // Panels measure their texts when they are rendered, so the fonts must be loaded first.
  flushSync(() => render(null));
  await Promise.all([400, 500].map(weight => document.fonts.load(`${weight} 12px Inter`)));
  render(<Dashboard dashboard={dashboard} page={page} />);
}

function Dashboard({ dashboard, page }) {
  const { colors } = page.theme;
  const width = document.documentElement.clientWidth - 2 * padding;
  const column = (width + gap) / columns;
  const height = Math.max(...dashboard.panels.map(p => p.gridPos.y + p.gridPos.h));
  const visibleVariables = Object.values(page.variables).filter(v => !v.hidden);
  return (
    <main style={{ padding }}>
      <header style={{ display: 'flex', gap: 16, alignItems: 'baseline', marginBottom: padding }}>
        <h1 style={{ fontSize: 20, fontWeight: 500, margin: 0, flex: 1 }}>{dashboard.title}</h1>
        {visibleVariables.map(v => (
          <span key={v.label} style={{ fontSize: 12, color: colors.text.secondary }}>
            {v.label}{' '}
            <b
              style={{
                fontWeight: 500,
                color: colors.text.primary,
                background: colors.background.secondary,
                border: `1px solid ${colors.border.weak}`,
                padding: '4px 8px',
                borderRadius: 2,
                marginLeft: 4,
              }}
            >
              {v.text}
            </b>
          </span>
        ))}
      </header>
      <div style={{ position: 'relative', height: height * (rowHeight + gap) }}>
        {dashboard.panels.map(p => (
          <div
            key={p.id}
            style={{ position: 'absolute', left: p.gridPos.x * column, top: p.gridPos.y * (rowHeight + gap) }}
          >
            {p.type === 'row' ? (
              <h2 style={{ fontSize: 16, fontWeight: 500, margin: 0, lineHeight: `${rowHeight}px` }}>{p.title}</h2>
            ) : (
              <Panel
                panel={p}
                page={page}
                width={p.gridPos.w * column - gap}
                height={p.gridPos.h * (rowHeight + gap) - gap}
              />
            )}
          </div>
        ))}
      </div>
    </main>
  );
}

main(window.job).catch(error => {
  window.fatal = String(error.stack);
});
