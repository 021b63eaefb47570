import { useRef, useState } from 'preact/hooks'
import type { Histogram } from '../../api/types'
import { useZone } from '../../lib/prefs'
import { setParams } from '../../lib/router'
import { dateTime, parseTime } from '../../lib/time'
import { byTone, type Extent } from './bars'

/**
 * The scrollbar of a log of any length: its height is time, not rows, so that it is right
 * without knowing how many there are. Where there is much, or trouble, it is marked.
 */
export function TimeMap({ histogram: h, extent, seen, oldest }: { histogram: Histogram | undefined; extent: Extent; seen: Extent | undefined; oldest: boolean }) {
  const zone = useZone()
  const bar = useRef<HTMLDivElement>(null)
  const [drag, setDrag] = useState<number>()
  const length = Math.max(1, extent.to - extent.from)
  const share = (ms: number): number => {
    const f = Math.min(1, Math.max(0, (ms - extent.from) / length))
    return (oldest ? f : 1 - f) * 100
  }
  const timeAt = (e: PointerEvent): number => {
    const box = bar.current?.getBoundingClientRect()
    const f = box ? Math.min(1, Math.max(0, (e.clientY - box.top) / box.height)) : 0
    return extent.from + (oldest ? f : 1 - f) * length
  }
  const to = (ms: number): void => setParams({
    at: new Date(Math.min(extent.to, Math.max(extent.from, ms))).toISOString(), line: undefined, live: undefined, order: oldest ? 'oldest' : 'newest',
  }, true)
  const middle = drag ?? (seen ? (seen.from + seen.to) / 2 : oldest ? extent.from : extent.to)
  const top = seen ? Math.min(share(seen.from), share(seen.to)) : 0
  const tall = seen ? Math.abs(share(seen.to) - share(seen.from)) : 0
  const down = oldest ? 1 : -1
  const onKey = (e: KeyboardEvent): void => {
    const by = { ArrowDown: length / 100, ArrowUp: -length / 100, PageDown: length / 10, PageUp: -length / 10 }[e.key]
    if (by !== undefined) to(middle + by * down)
    else if (e.key === 'Home') to(oldest ? extent.from : extent.to)
    else if (e.key === 'End') to(oldest ? extent.to : extent.from)
    else return
    e.preventDefault()
  }
  const buckets = (h?.items ?? []).map((b) => ({ at: parseTime(b.start), ...byTone(b.levels) }))
  const most = Math.max(1, ...buckets.map((b) => b.all))
  const step = (h?.step_seconds ?? 60) * 1000
  return (
    <div ref={bar} class="timemap" role="slider" tabIndex={0} aria-orientation="vertical" aria-label="Time that is shown" aria-valuemin={extent.from} aria-valuemax={extent.to}
      aria-valuenow={Math.round(middle)} aria-valuetext={dateTime(new Date(middle).toISOString(), zone)} title={dateTime(new Date(middle).toISOString(), zone)} onKeyDown={onKey}
      onPointerDown={(e) => { e.currentTarget.setPointerCapture(e.pointerId); setDrag(timeAt(e)) }}
      onPointerMove={(e) => { if (drag !== undefined) setDrag(timeAt(e)) }}
      onPointerCancel={() => setDrag(undefined)}
      onPointerUp={(e) => { if (drag !== undefined) { to(timeAt(e)); setDrag(undefined) } }}>
      <svg width="100%" height="100%" viewBox="0 0 14 100" preserveAspectRatio="none" aria-hidden="true" focusable="false">
        {buckets.map((b) => {
          const y = Math.min(share(b.at), share(b.at + step))
          const high = Math.max(0.25, Math.abs(share(b.at + step) - share(b.at)))
          return <rect key={b.at} x={14 - Math.max(2, Math.sqrt(b.all / most) * 14)} width={14} y={y} height={high} class={b.bad ? 'rate-bad' : b.warn ? 'rate-warn' : 'rate-rest'} />
        })}
        {seen && <rect class="timemap-seen" x={0} width={14} y={Math.min(top, 98.5)} height={Math.max(1.5, tall)} />}
        {drag !== undefined && <rect class="timemap-drag" x={0} width={14} y={Math.min(share(drag), 99)} height={1} />}
      </svg>
      {drag !== undefined && <span class="timemap-time">{dateTime(new Date(drag).toISOString(), zone)}</span>}
    </div>
  )
}
