// What Grafana's application sets up before its panels can draw.
import {
  FieldConfigOptionsRegistry, booleanOverrideProcessor, createTheme, dataLinksOverrideProcessor,
  displayNameOverrideProcessor, identityOverrideProcessor, locationUtil, numberOverrideProcessor,
  standardFieldConfigEditorRegistry, standardTransformers, standardTransformersRegistry,
  stringOverrideProcessor, thresholdsOverrideProcessor, unitOverrideProcessor, valueMappingsOverrideProcessor,
} from '@grafana/data';

// What a field can be configured with, in every panel.
const standard = {
  displayName: displayNameOverrideProcessor,
  description: stringOverrideProcessor,
  unit: unitOverrideProcessor,
  min: numberOverrideProcessor,
  max: numberOverrideProcessor,
  decimals: numberOverrideProcessor,
  fieldMinMax: booleanOverrideProcessor,
  noValue: stringOverrideProcessor,
  color: identityOverrideProcessor,
  thresholds: thresholdsOverrideProcessor,
  mappings: valueMappingsOverrideProcessor,
  links: dataLinksOverrideProcessor,
  actions: identityOverrideProcessor,
  filterable: booleanOverrideProcessor,
};

const graph = {
  drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, lineStyle: { fill: 'solid' }, lineColor: undefined,
  fillOpacity: 0, fillColor: undefined, fillBelowTo: undefined, gradientMode: 'none', barAlignment: 0,
  barWidthFactor: 0.6, barMaxWidth: undefined, showPoints: 'auto', showValues: false, pointSize: 5, pointColor: undefined,
  spanNulls: false, insertNulls: false, stacking: { mode: 'none', group: 'A' }, transform: undefined,
  axisPlacement: 'auto', axisLabel: '', axisWidth: undefined, axisColorMode: 'text', axisGridShow: undefined,
  axisSoftMin: undefined, axisSoftMax: undefined, axisCenteredZero: false, axisBorderShow: false,
  scaleDistribution: { type: 'linear' }, thresholdsStyle: { mode: 'off' }, hideFrom: { tooltip: false, viz: false, legend: false },
};

const table = {
  align: 'auto', cellOptions: { type: 'auto' }, width: undefined, minWidth: undefined, hidden: false, inspect: false,
  filterable: false, wrapText: false, wrapHeaderText: false, tooltip: undefined, footer: { reducers: [] }, hideFrom: undefined,
};

const timeline = {
  lineWidth: 0, fillOpacity: 70, spanNulls: false, insertNulls: false, axisPlacement: 'auto', axisLabel: '', axisWidth: undefined,
  hideFrom: { tooltip: false, viz: false, legend: false },
};

// What each type of panel adds to that, with the values that Grafana takes where
// a dashboard says nothing.
const custom = { timeseries: graph, table, stat: {}, bargauge: {}, 'state-timeline': timeline };

// fieldConfig completes the configuration of a panel's fields with the defaults.
// It does not take what Grafana would not know either.
export function fieldConfig(panel) {
  const { defaults = {}, overrides = [] } = panel.fieldConfig ?? {};
  const known = custom[panel.type];
  if (!known) throw new Error(`there is no panel ${panel.type} here`);
  for (const id of [
    ...Object.keys(defaults).filter(id => id !== 'custom'),
    ...Object.keys(defaults.custom ?? {}).map(id => 'custom.' + id),
    ...overrides.flatMap(o => o.properties.map(p => p.id)),
  ]) {
    const name = id.replace(/^custom\./, '').replace(/\..*/, '');
    if (!(id.startsWith('custom.') ? name in known : name in standard)) throw new Error(`a field of a ${panel.type} has no ${id}`);
  }
  return {
    defaults: {
      color: { mode: panel.type === 'timeseries' ? 'palette-classic' : 'thresholds' },
      thresholds: { mode: 'absolute', steps: [{ value: -Infinity, color: 'green' }, { value: 80, color: 'red' }] },
      ...defaults,
      custom: { ...known, ...defaults.custom },
    },
    overrides: overrides.map(o => ({ ...o, properties: o.properties.map(migrate) })),
  };
}

// migrate is what Grafana makes of what older versions of it understand, too.
const migrate = property => (property.id === 'custom.hidden' ? { id: 'custom.hideFrom.viz', value: property.value } : property);

// fieldRegistry is what overrides can change in a panel of that type.
export const fieldRegistry = type => new FieldConfigOptionsRegistry(() => [
  ...standardItems(),
  ...[...Object.keys(custom[type]), 'hideFrom.viz'].map(path => ({
    id: 'custom.' + path, path, name: path, isCustom: true, process: identityOverrideProcessor, shouldApply: () => true,
  })),
]);

const standardItems = () => Object.entries(standard).map(([id, process]) => ({
  id, path: id, name: id, process, shouldApply: () => true, override: () => null, editor: () => null,
}));

export function setUp(mode) {
  const theme = createTheme({ colors: { mode } });
  standardFieldConfigEditorRegistry.setInit(standardItems);
  // Some transformers have a second name for the same.
  const transformers = new Map(Object.values(standardTransformers).map(t => [t.id, t]));
  standardTransformersRegistry.setInit(() => [...transformers.values()].map(t => ({
    id: t.id, name: t.name, transformation: async () => t, editor: () => null,
  })));
  locationUtil.initialize({
    config: { appSubUrl: '' }, getTimeRangeForUrl: () => ({ from: 'now-6h', to: 'now' }), getVariablesUrlParams: () => ({}),
  });
  return theme;
}
