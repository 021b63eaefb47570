import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Histogram } from '../../api/types'
import { count } from '../../lib/numbers'
import { useZone } from '../../lib/prefs'
import { setParams } from '../../lib/router'
import { clock, dateTime, duration, parseTime } from '../../lib/time'
import { ticks } from '../../lib/timeline'

const height = 58

export interface Extent {
  from: number
  to: number
}

/** How many of a bucket are errors, warnings, the rest. */
export function byTone(levels: Record<string, number>): { bad: number; warn: number; rest: number; all: number } {
  let bad = 0
  let warn = 0
  let all = 0
  for (const [level, n] of Object.entries(levels)) {
    all += n
    if (level === 'ERROR' || level === 'FATAL') bad += n
    else if (level === 'WARN') warn += n
  }
  return { bad, warn, rest: all - bad - warn, all }
}

/** A round step that gives at most so many bars; seconds where it is short. */
export function stepOf(ms: number, most: number): number {
  const s = Math.max(1, Math.ceil(ms / 1000 / most))
  return [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400].find((x) => x >= s) ?? 604_800
}

/** Records over time by level. Dragging over it sets the time range. */
export function Bars({ histogram: h, extent, seen }: { histogram: Histogram; extent: Extent; seen: Extent | undefined }) {
  const zone = useZone()
  const box = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(800)
  const [brush, setBrush] = useState<[number, number]>()
  useLayoutEffect(() => {
    const el = box.current
    if (!el) return
    const o = new ResizeObserver(() => setWidth(el.clientWidth))
    o.observe(el)
    return () => o.disconnect()
  }, [])
  const x = (ms: number): number => ((ms - extent.from) / (extent.to - extent.from)) * width
  const timeAt = (px: number): number => extent.from + (px / width) * (extent.to - extent.from)
  const step = h.step_seconds * 1000
  const all = h.items.map((b) => ({ at: parseTime(b.start), ...byTone(b.levels) }))
  const most = Math.max(1, ...all.map((b) => b.all))
  const total = all.reduce((n, b) => n + b.all, 0)
  const bad = all.reduce((n, b) => n + b.bad, 0)
  const warn = all.reduce((n, b) => n + b.warn, 0)
  // Few errors among many lines must be seen.
  const tall = (n: number): number => (n ? Math.max(2, Math.sqrt(n / most) * (height - 16)) : 0)
  const px = (e: PointerEvent): number => Math.min(width, Math.max(0, e.clientX - (box.current?.getBoundingClientRect().left ?? 0)))
  const iso = (ms: number): string => new Date(ms).toISOString()
  const said = `${count(total)} records by level over ${duration(extent.to - extent.from)}: ${count(bad)} errors, ${count(warn)} warnings${h.partial ? ', only the newest were counted' : ''}`
  return (
    <div ref={box} class="bars" role="img" aria-label={said} title={`${said}. Drag to choose a time.`}
      onPointerDown={(e) => { if (e.button === 0) { setBrush([px(e), px(e)]); e.currentTarget.setPointerCapture(e.pointerId) } }}
      onPointerMove={(e) => { if (brush) setBrush([brush[0], px(e)]) }}
      onPointerCancel={() => setBrush(undefined)}
      onPointerUp={(e) => {
        if (!brush) return
        setBrush(undefined)
        const [a, b] = [brush[0], px(e)].sort((p, q) => p - q) as [number, number]
        if (b - a > 4) setParams({ start: iso(timeAt(a)), end: iso(Math.ceil(timeAt(b))), line: undefined, at: undefined, live: undefined })
        else setParams({ at: iso(timeAt(a)), order: new URLSearchParams(location.search).get('order') ?? 'newest', line: undefined, live: undefined }, true)
      }}>
      <svg width={width} height={height} aria-hidden="true" focusable="false">
        {ticks(extent.from, extent.to, Math.max(2, width / 110)).map((t) => (
          <g key={t}>
            <line x1={x(t)} x2={x(t)} y1={0} y2={height - 13} class="tl-tick" />
            <text x={x(t)} y={height - 2} text-anchor={x(t) < 30 ? 'start' : x(t) > width - 30 ? 'end' : 'middle'} class="bars-time">{extent.to - extent.from > 86_400_000 * 2 ? dateTime(iso(t), zone).slice(0, -3) : clock(iso(t), zone)}</text>
          </g>
        ))}
        {seen && <rect class="bars-seen" x={x(seen.from)} width={Math.max(2, x(seen.to) - x(seen.from))} y={0} height={height - 13} />}
        {all.map((b) => {
          const left = x(b.at)
          const w = Math.max(1, x(b.at + step) - left - 1)
          const base = height - 13
          return (
            <g key={b.at}>
              <rect x={left} width={w} y={base - tall(b.all)} height={tall(b.all)} class="rate-rest" />
              {b.warn + b.bad > 0 && <rect x={left} width={w} y={base - tall(b.bad + b.warn)} height={tall(b.bad + b.warn)} class="rate-warn" />}
              {b.bad > 0 && <rect x={left} width={w} y={base - tall(b.bad)} height={tall(b.bad)} class="rate-bad" />}
            </g>
          )
        })}
        {brush && <rect class="tl-brush" x={Math.min(...brush)} width={Math.abs(brush[1] - brush[0])} y={0} height={height} />}
      </svg>
    </div>
  )
}
