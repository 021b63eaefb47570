// What stands in the lanes: bars, marks, and counts over time.

import type { Document, Histogram, Incident } from '../../api/types'
import { logsHref } from '../../lib/address'
import type { TemplateLane } from '../../lib/rates'
import { harmless } from '../../lib/text'
import { duration, parseTime } from '../../lib/time'
import { eventName, isBad, type Span } from '../../lib/timeline'

export const rowHeight = 24
export const ratesHeight = 46
export const templateHeight = 26
const iso = (ms: number): string => new Date(ms).toISOString()

/** A tone for a state; its name is written on it too. */
export function stateTone(state: string): string {
  if (state === 'RUNNING') return 'good'
  if (state === 'FINISHED' || state === 'CANCELED' || state === 'CREATED') return 'calm'
  return 'bad'
}

export function Bar({ s, x, min, cls, text }: { s: Span; x: (ms: number) => number; min: number; cls: string; text: string }) {
  const left = Math.max(min, x(s.from))
  const w = Math.max(2, x(s.to) - left)
  return (
    <g>
      <rect x={left} y={4} width={w} height={rowHeight - 8} rx={2} class={`tl-bar ${cls}`}><title>{s.name}, {duration(s.to - s.from)}</title></rect>
      {w > text.length * 7 + 10 && <text x={left + 5} y={rowHeight / 2 + 4} class="tl-on">{text}</text>}
    </g>
  )
}

/** Marks nearer to each other than this are drawn as one, with their number. */
const together = 9

/** Moments in a lane. bad are those that are worse than they say themselves. */
export function Marks({ docs, bad = [], x, incident: i }: { docs: Document[]; bad?: Document[]; x: (ms: number) => number; incident: Incident }) {
  const groups: { at: number; docs: Document[] }[] = []
  for (const d of docs) {
    const at = x(parseTime(d.time))
    const last = groups.at(-1)
    if (last && at - last.at < together) last.docs.push(d)
    else groups.push({ at, docs: [d] })
  }
  return <>{groups.filter((g) => g.at > -50 && g.at < 10_000).map((g) => <Mark key={g.docs[0]?.id} at={g.at} docs={g.docs} isBad={g.docs.some((d) => worrying(d) || bad.includes(d))} incident={i} />)}</>
}

const worrying = (d: Document): boolean => (d.kind === 'event' ? isBad(d) : /fail|expired|declin/i.test(d.text))

const nameOf = (d: Document): string => (d.kind === 'event' ? eventName(d) : d.text.slice(d.message_at ?? 0).split('\n')[0] ?? '')

function Mark({ at, docs, isBad: bad, incident: i }: { at: number; docs: Document[]; isBad: boolean; incident: Incident }) {
  const d = docs.find(worrying) ?? docs[0]
  if (!d) return null
  const y = rowHeight / 2
  const href = d.kind === 'record' ? logsHref({ line: d.id })
    : logsHref({ namespace: d.namespace, job: i.workload || i.job, start: iso(parseTime(d.time) - 5000), end: iso(parseTime(d.time) + 120_000), order: 'oldest', line: d.id })
  return (
    <g data-href={href} class="tl-mark">
      {bad ? <path d={`M${at} ${y - 7} l6.5 12 h-13 z`} class="bad" /> : <circle cx={at} cy={y} r={4} />}
      {docs.length > 1 && <text x={at + 7} y={y + 4} class="tl-many">{docs.length}</text>}
      <title>{harmless(docs.map(nameOf).join('\n')).slice(0, 600)}</title>
    </g>
  )
}

const tones = (levels: Record<string, number>): { bad: number; warn: number; rest: number } => {
  let bad = 0, warn = 0, rest = 0
  for (const [l, n] of Object.entries(levels)) {
    if (l === 'ERROR' || l === 'FATAL') bad += n
    else if (l === 'WARN') warn += n
    else rest += n
  }
  return { bad, warn, rest }
}

// Few errors among many lines must be seen: heights are of the square root.
const tall = (n: number, most: number, room: number): number => (n ? Math.max(2, Math.sqrt(n / most) * room) : 0)

export function Rates({ rates, x }: { rates: Histogram; x: (ms: number) => number }) {
  const all = rates.items.map((b) => ({ at: parseTime(b.start), ...tones(b.levels) }))
  const most = Math.max(1, ...all.map((b) => b.bad + b.warn + b.rest))
  const h = (n: number): number => tall(n, most, ratesHeight - 8)
  const step = rates.step_seconds * 1000
  return (
    <>
      {all.map((b) => {
        const left = x(b.at)
        const w = Math.max(1, x(b.at + step) - left - 1)
        const total = h(b.bad + b.warn + b.rest)
        const warn = h(b.bad + b.warn)
        const bad = h(b.bad)
        return (
          <g key={b.at}>
            <rect x={left} width={w} y={ratesHeight - total} height={total} class="rate-rest" />
            {warn > 0 && <rect x={left} width={w} y={ratesHeight - warn} height={warn} class="rate-warn" />}
            {bad > 0 && <rect x={left} width={w} y={ratesHeight - bad} height={bad} class="rate-bad" />}
            <title>{`${b.bad + b.warn + b.rest} lines: ${b.bad} errors, ${b.warn} warnings`}</title>
          </g>
        )
      })}
    </>
  )
}

/** How often one template occurred. */
export function TemplateBars({ lane: l, step, x }: { lane: TemplateLane; step: number; x: (ms: number) => number }) {
  const most = Math.max(1, ...l.points.map((p) => p.count))
  const tone = /ERROR|FATAL/.test(l.rate.level ?? '') ? 'rate-bad' : l.rate.level === 'WARN' ? 'rate-warn' : 'rate-rest'
  return (
    <>
      {l.points.map((p) => {
        const left = x(p.at)
        const high = tall(p.count, most, templateHeight - 7)
        return <rect key={p.at} x={left} width={Math.max(2, x(p.at + step) - left - 1)} y={templateHeight - high} height={high} class={tone}><title>{`${p.count} records`}</title></rect>
      })}
    </>
  )
}
