// The visualizations of Grafana, with the options that its panels pass to them.
import { cacheFieldDisplayNames, getDisplayValueAlignmentFactors, getFieldDisplayValues } from '@grafana/data';
import { BarGauge, BigValue, DataLinksContextMenu, TimeSeries, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { Timeline } from './timeline.jsx';
import { Empty } from './empty.jsx';

const reduce = { values: false, calcs: ['lastNotNull'], fields: '' };

// The default options of each panel type. Options that are not listed do not exist in Grafana or have no effect on the
// picture.
const defaults = {
  timeseries: {
    legend: { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] },
    tooltip: { mode: 'single', sort: 'none' },
    timezone: undefined,
    orientation: undefined,
    annotations: undefined,
  },
  stat: {
    reduceOptions: reduce,
    orientation: 'auto',
    textMode: 'auto',
    colorMode: 'value',
    graphMode: 'area',
    justifyMode: 'auto',
    wideLayout: true,
    showPercentChange: false,
    percentChangeColorMode: 'standard',
    text: undefined,
  },
  bargauge: {
    reduceOptions: reduce,
    orientation: 'auto',
    displayMode: 'gradient',
    valueMode: 'color',
    namePlacement: 'auto',
    showUnfilled: true,
    sizing: 'auto',
    minVizWidth: 8,
    minVizHeight: 16,
    maxVizHeight: 300,
    text: undefined,
    legend: undefined,
  },
  table: {
    frameIndex: 0,
    showHeader: true,
    showTypeIcons: false,
    cellHeight: 'sm',
    sortBy: [],
    frozenColumns: {},
    enablePagination: false,
    maxRowHeight: undefined,
    footer: undefined,
    disableKeyboardEvents: false,
  },
  'state-timeline': {
    mergeValues: true,
    showValue: 'auto',
    alignValue: 'left',
    rowHeight: 0.9,
    perPage: 20,
    legend: undefined,
    tooltip: undefined,
    timezone: undefined,
  },
};

// options returns the options of a panel, completed with defaults. It throws an error for unknown options.
export function options(panel) {
  const known = defaults[panel.type];
  const unknown = Object.keys(panel.options ?? {}).filter(name => !(name in known));
  if (unknown.length > 0) throw new Error(`panel type ${panel.type}: unknown options ${unknown}`);
  return { ...known, ...panel.options };
}

export function Visualization({ type, ...props }) {
  const Component = { timeseries: Graph, stat: Stats, bargauge: Bars, table: Table, 'state-timeline': Timeline }[type];
  return <Component {...props} />;
}

function Graph({ data, options, width, height, range, noValue }) {
  if (data.every(frame => frame.length === 0)) return <Empty text={noValue} />;
  return (
    <TimeSeries
      frames={data}
      structureRev={1}
      width={width}
      height={height}
      timeRange={range}
      timeZone="utc"
      legend={options.legend}
      options={options}
    />
  );
}

function Stats(props) {
  const { options, theme } = props;
  return (
    <Values
      {...props}
      sparkline={options.graphMode !== 'none'}
      autoGrid
      itemSpacing={3}
      draw={({ value, width, height, count, alignmentFactors }, link) => (
        <BigValue
          value={value.display}
          sparkline={value.sparkline}
          count={count}
          width={width}
          height={height}
          theme={theme}
          text={options.text}
          colorMode={options.colorMode}
          graphMode={options.graphMode}
          justifyMode={options.justifyMode}
          textMode={textMode(options, count)}
          percentChangeColorMode={options.percentChangeColorMode}
          disableWideLayout={!options.wideLayout}
          alignmentFactors={alignmentFactors}
          {...link}
        />
      )}
    />
  );
}

const textMode = ({ textMode }, count) => (textMode === 'auto' ? (count === 1 ? 'value' : 'value_and_name') : textMode);

function Bars(props) {
  const { options, theme } = props;
  const manual = options.sizing === 'manual';
  return (
    <Values
      {...props}
      sparkline={false}
      itemSpacing={options.displayMode === 'lcd' ? 2 : 10}
      sizes={{
        minVizWidth: manual ? options.minVizWidth : 8,
        minVizHeight: manual ? options.minVizHeight : 16,
        maxVizHeight: manual ? options.maxVizHeight : 300,
      }}
      draw={({ value, width, height, orientation, alignmentFactors }, link) => (
        <BarGauge
          value={value.display}
          display={value.view?.getFieldDisplayProcessor(value.colIndex)}
          field={value.field}
          width={width}
          height={height}
          orientation={orientation}
          theme={theme}
          text={options.text}
          itemSpacing={10}
          lcdCellWidth={12}
          displayMode={options.displayMode}
          showUnfilled={options.showUnfilled}
          valueDisplayMode={options.valueMode}
          namePlacement={options.namePlacement}
          alignmentFactors={alignmentFactors}
          {...link}
        />
      )}
    />
  );
}

// Values renders a visualization for each value that the data is reduced to.
function Values({
  data,
  options,
  field,
  theme,
  interpolate,
  width,
  height,
  sparkline,
  autoGrid = false,
  itemSpacing,
  sizes,
  draw,
}) {
  const values = () =>
    getFieldDisplayValues({
      data,
      reduceOptions: { ...reduce, ...options.reduceOptions },
      fieldConfig: field,
      replaceVariables: interpolate,
      theme,
      sparkline,
      timeZone: 'utc',
      percentChange: options.showPercentChange,
    });
  return (
    <VizRepeater
      source={data}
      getValues={values}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderCounter={0}
      width={width}
      height={height}
      orientation={options.orientation}
      autoGrid={autoGrid}
      itemSpacing={itemSpacing}
      {...sizes}
      renderValue={props => {
        const { value } = props;
        if (!value.hasLinks || !value.getLinks) return draw(props, {});
        return (
          <DataLinksContextMenu links={value.getLinks}>
            {api => draw(props, { onClick: api.openMenu, className: api.targetClassName, hasLinks: true })}
          </DataLinksContextMenu>
        );
      }}
    />
  );
}

function Table({ data, options, field, width, height, range, noValue }) {
  const frames = data.filter(frame => frame.fields.length > 0);
  if (frames.length > 1) throw new Error(`table: ${frames.length} frames, want 1`);
  if (frames.length === 0 || frames[0].length === 0) return <Empty text={noValue} />;
  cacheFieldDisplayNames(frames);
  return (
    <TableNG
      data={frames[0]}
      width={width}
      height={height}
      noHeader={!options.showHeader}
      showTypeIcons={options.showTypeIcons}
      resizable
      sortBy={options.sortBy}
      cellHeight={options.cellHeight}
      maxRowHeight={options.maxRowHeight}
      enablePagination={options.enablePagination}
      frozenColumns={options.frozenColumns?.left}
      timeRange={range}
      fieldConfig={field}
      getActions={() => []}
      structureRev={1}
      noValue={noValue}
    />
  );
}
