// Initialization that the Grafana application does before it renders panels.
import {
  FieldConfigOptionsRegistry,
  booleanOverrideProcessor,
  createTheme,
  dataLinksOverrideProcessor,
  displayNameOverrideProcessor,
  identityOverrideProcessor,
  locationUtil,
  numberOverrideProcessor,
  standardFieldConfigEditorRegistry,
  standardTransformers,
  standardTransformersRegistry,
  stringOverrideProcessor,
  thresholdsOverrideProcessor,
  unitOverrideProcessor,
  valueMappingsOverrideProcessor,
} from '@grafana/data';

// The standard field options, which all panel types have.
const standardOptions = {
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

const graphOptions = {
  drawStyle: 'line',
  lineInterpolation: 'linear',
  lineWidth: 1,
  lineStyle: { fill: 'solid' },
  lineColor: undefined,
  fillOpacity: 0,
  fillColor: undefined,
  fillBelowTo: undefined,
  gradientMode: 'none',
  barAlignment: 0,
  barWidthFactor: 0.6,
  barMaxWidth: undefined,
  showPoints: 'auto',
  showValues: false,
  pointSize: 5,
  pointColor: undefined,
  spanNulls: false,
  insertNulls: false,
  stacking: { mode: 'none', group: 'A' },
  transform: undefined,
  axisPlacement: 'auto',
  axisLabel: '',
  axisWidth: undefined,
  axisColorMode: 'text',
  axisGridShow: undefined,
  axisSoftMin: undefined,
  axisSoftMax: undefined,
  axisCenteredZero: false,
  axisBorderShow: false,
  scaleDistribution: { type: 'linear' },
  thresholdsStyle: { mode: 'off' },
  hideFrom: { tooltip: false, viz: false, legend: false },
};

const tableOptions = {
  align: 'auto',
  cellOptions: { type: 'auto' },
  width: undefined,
  minWidth: undefined,
  hidden: false,
  inspect: false,
  filterable: false,
  wrapText: false,
  wrapHeaderText: false,
  tooltip: undefined,
  footer: { reducers: [] },
  hideFrom: undefined,
};

const timelineOptions = {
  lineWidth: 0,
  fillOpacity: 70,
  spanNulls: false,
  insertNulls: false,
  axisPlacement: 'auto',
  axisLabel: '',
  axisWidth: undefined,
  hideFrom: { tooltip: false, viz: false, legend: false },
};

// The additional field options of each panel type, with the default values of Grafana.
const customOptions = {
  timeseries: graphOptions,
  table: tableOptions,
  stat: {},
  bargauge: {},
  'state-timeline': timelineOptions,
};

// fieldConfig returns the field configuration of a panel, completed with defaults. It throws an error for options that
// Grafana does not have.
export function fieldConfig(panel) {
  const { defaults = {}, overrides = [] } = panel.fieldConfig ?? {};
  const known = customOptions[panel.type];
  if (!known) throw new Error(`panel type ${panel.type}: not supported`);
  for (const id of [
    ...Object.keys(defaults).filter(id => id !== 'custom'),
    ...Object.keys(defaults.custom ?? {}).map(id => 'custom.' + id),
    ...overrides.flatMap(o => o.properties.map(p => p.id)),
  ]) {
    const name = id.replace(/^custom\./, '').replace(/\..*/, '');
    if (!(id.startsWith('custom.') ? name in known : name in standardOptions)) {
      throw new Error(`panel type ${panel.type}: unknown field option ${id}`);
    }
  }
  return {
    defaults: {
      color: { mode: panel.type === 'timeseries' ? 'palette-classic' : 'thresholds' },
      thresholds: {
        mode: 'absolute',
        steps: [
          { value: -Infinity, color: 'green' },
          { value: 80, color: 'red' },
        ],
      },
      ...defaults,
      custom: { ...known, ...defaults.custom },
    },
    overrides: overrides.map(o => ({ ...o, properties: o.properties.map(migrate) })),
  };
}

// migrate converts an option of older dashboards as Grafana does.
const migrate = property =>
  property.id === 'custom.hidden' ? { id: 'custom.hideFrom.viz', value: property.value } : property;

// fieldRegistry returns the registry of the field options that overrides can set in a panel of this type.
export const fieldRegistry = type =>
  new FieldConfigOptionsRegistry(() => [
    ...standardItems(),
    ...[...Object.keys(customOptions[type]), 'hideFrom.viz'].map(path => ({
      id: 'custom.' + path,
      path,
      name: path,
      isCustom: true,
      process: identityOverrideProcessor,
      shouldApply: () => true,
    })),
  ]);

const standardItems = () =>
  Object.entries(standardOptions).map(([id, process]) => ({
    id,
    path: id,
    name: id,
    process,
    shouldApply: () => true,
    override: () => null,
    editor: () => null,
  }));

// initialize initializes the Grafana libraries and returns the theme.
export function initialize(mode) {
  const theme = createTheme({ colors: { mode } });
  standardFieldConfigEditorRegistry.setInit(standardItems);
  // Some transformers are listed twice, under different names.
  const transformers = new Map(Object.values(standardTransformers).map(t => [t.id, t]));
  standardTransformersRegistry.setInit(() =>
    [...transformers.values()].map(t => ({
      id: t.id,
      name: t.name,
      transformation: async () => t,
      editor: () => null,
    })),
  );
  locationUtil.initialize({
    config: { appSubUrl: '' },
    getTimeRangeForUrl: () => ({ from: 'now-6h', to: 'now' }),
    getVariablesUrlParams: () => ({}),
  });
  return theme;
}
