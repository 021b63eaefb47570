import { setParams } from '../lib/router'
import { ranges, type RangeName } from '../lib/time'

/** Quick choices of a time range, kept in the address as range=. */
export function RangePicker({ value, names, fallback }: { value: RangeName; names: RangeName[]; fallback: RangeName }) {
  return (
    <div class="choices" role="group" aria-label="Time range">
      {names.map((n) => (
        <button type="button" key={n} aria-pressed={n === value} onClick={() => setParams({ range: n === fallback ? undefined : n })}>
          {ranges[n]}
        </button>
      ))}
    </div>
  )
}
