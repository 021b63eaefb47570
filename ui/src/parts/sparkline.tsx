import type { Histogram } from '../api/types'
import { count } from '../lib/numbers'
import { parseTime } from '../lib/time'

const width = 110
const height = 22

/** How often over time, in the size of a word. */
export function Sparkline({ histogram: h, interval }: { histogram: Histogram; interval: { start: string; end: string }; name?: string }) {
  const from = parseTime(interval.start)
  const to = parseTime(interval.end)
  const bars = h.items.map((b) => ({ at: parseTime(b.start), n: Object.values(b.levels).reduce((a, x) => a + x, 0) }))
  const most = Math.max(1, ...bars.map((b) => b.n))
  const w = Math.max(2, (h.step_seconds * 1000 / (to - from)) * width - 0.5)
  return (
    <svg width={width} height={height} role="img" aria-label={`at most ${count(most)} in ${h.step_seconds / 60} min`}>
      <line x1={0} x2={width} y1={height - 0.5} y2={height - 0.5} class="tl-rule" />
      {bars.map((b) => {
        const tall = Math.max(2, (b.n / most) * (height - 2))
        return <rect key={b.at} x={Math.min(width - w, Math.max(0, ((b.at - from) / (to - from)) * width))} width={w} y={height - tall} height={tall} class="spark-bar" />
      })}
    </svg>
  )
}
