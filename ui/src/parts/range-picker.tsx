import { useMemo } from 'preact/hooks'
import { readRange } from '../lib/address'
import { useZone } from '../lib/prefs'
import { setParams } from '../lib/router'
import { addressTime, lastNight, rangeOf, ranges, spanName, type Interval, type RangeName, type Zone } from '../lib/time'
import { Span } from './span'

/** The time that a screen is about. */
export interface Chosen {
  interval: Interval
  name: RangeName | undefined // of the quick choice; undefined if it is one of the reader's own
  title: string
  within: string // the same, in a sentence: last night, in the last 7 days
}

const day = 86_400_000

/** The time in the address: range=, or start= and end=. It is fixed when it is chosen: one that moved would ask anew on every drawing. */
export function useChosen(search: string, fallback: RangeName): Chosen {
  const zone = useZone()
  const p = new URLSearchParams(search)
  const [start, end, range] = [p.get('start') ?? '', p.get('end') ?? '', readRange(search, fallback)]
  return useMemo(() => chosen(start, end, range, zone), [start, end, range, zone])
}

function chosen(start: string, end: string, range: RangeName, zone: Zone): Chosen {
  const now = Date.now()
  const iso = (t: string): string | undefined => { const ms = addressTime(t, now); return Number.isNaN(ms) ? undefined : new Date(ms).toISOString() }
  const own: Interval = { start: iso(start), end: iso(end) }
  if (own.start || own.end) {
    const said = spanName(own.start, own.end, zone)
    return { interval: own, name: undefined, title: said, within: `in the time ${said.replace(/^(From|To)/, (w) => w.toLowerCase())}` }
  }
  return {
    interval: rangeOf(range, now, zone), name: range, title: range === 'last-night' ? 'Last night' : `Last ${ranges[range]}`,
    within: range === 'last-night' ? 'last night' : `in the last ${ranges[range]}`,
  }
}

/** Quick choices of a time, and any other. */
export function RangePicker({ value, names, fallback }: { value: Chosen; names: RangeName[]; fallback: RangeName }) {
  const zone = useZone()
  const set = (start: string | undefined, end: string | undefined): void => setParams({ start, end, range: undefined })
  const night = (ago: number): void => { const n = lastNight(Date.now() - ago * day, zone); set(n.start, n.end) }
  return (
    <div class="ranges">
      <div class="choices" role="group" aria-label="Time range">
        {names.map((n) => (
          <button type="button" key={n} aria-pressed={n === value.name} onClick={() => setParams({ range: n === fallback ? undefined : n, start: undefined, end: undefined })}>
            {ranges[n]}
          </button>
        ))}
      </div>
      <Span start={value.interval.start} end={value.interval.end} set={set} name="Time" pressed={!value.name} said={value.name ? 'Other time' : value.title}
        quick={[['The night before', () => night(1)], ['Two nights before', () => night(2)]]} />
    </div>
  )
}
