// A substitute for the state timeline, which is part of the Grafana application and not of its libraries. The picture
// has a note about it. The names, colors and texts of the fields are those of Grafana.
import { getFieldDisplayName } from '@grafana/data';
import { Empty } from './empty.jsx';

const axisHeight = 24;

export function Timeline({ data, options, theme, width, height, range, noValue }) {
  const frames = data.filter(frame => frame.length > 0);
  if (frames.length === 0) return <Empty text={noValue} />;
  const rowHeight = (height - axisHeight) / frames.length;
  const from = range.from.valueOf(),
    to = range.to.valueOf();
  const x = time => ((time - from) / (to - from)) * width;
  return (
    <svg data-substitute={frames.length} width={width} height={height} style={{ display: 'block', fontSize: 12 }}>
      {frames.map((frame, i) => {
        const [time, field] = frame.fields;
        return (
          <g key={i} transform={`translate(0 ${i * rowHeight})`}>
            {mergeEqualValues(time, field).map(({ start, end, value }) => (
              <rect
                key={start}
                x={x(start)}
                width={x(end) - x(start)}
                y={18}
                height={(rowHeight - 18) * options.rowHeight}
                fill={field.display(value).color}
              />
            ))}
            <text y={13} fill={theme.colors.text.primary}>
              {getFieldDisplayName(field, frame, frames)}
            </text>
          </g>
        );
      })}
      <text x={width} y={height - 6} textAnchor="end" fill={theme.colors.text.secondary}>
        substitute for the state timeline of Grafana
      </text>
    </svg>
  );
}

// mergeEqualValues merges consecutive samples with equal values into spans.
function mergeEqualValues(time, field) {
  const spans = [];
  time.values.forEach((at, i) => {
    const last = spans.at(-1),
      value = field.values[i],
      end = at + time.config.interval;
    if (last && last.value === value && last.end >= at) last.end = end;
    else spans.push({ start: at, end, value });
  });
  return spans;
}
