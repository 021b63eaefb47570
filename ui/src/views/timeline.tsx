import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import { route } from '../api/client'
import type { Document, DocumentList, Histogram, Incident, StreamList } from '../api/types'
import { useApi } from '../api/use'
import { logsHref } from '../lib/address'
import { useZone } from '../lib/prefs'
import { go, setParams, usePlace } from '../lib/router'
import { harmless } from '../lib/text'
import { clock, clockMillis, duration, parseTime } from '../lib/time'
import { eventName, isBad, jobStates, podLanes, ticks, type Span } from '../lib/timeline'
import { Failed, Loading } from '../parts/states'

const before = 3 * 60_000
const after = 2 * 60_000
const iso = (ms: number): string => new Date(ms).toISOString()

/** The documents that tell what happened: events, and records that are landmarks. */
export function storyUrl(i: Incident, from: number, to: number, what: { kind?: 'event'; signal?: string[] }): string {
  return route.search({
    namespace: i.namespace, job: i.workload || i.job, start: iso(from), end: iso(to), scope: 'important', order: 'oldest', limit: 2000,
    ...(what.kind ? { kind: [what.kind] } : {}), ...(what.signal ? { signal: what.signal } : {}),
  })
}

export const landmarks = ['transition', 'checkpoint', 'restore', 'lifecycle', 'task']

/** What stood when: lanes over one axis of time, which can be zoomed. */
export function Timeline({ incident: i }: { incident: Incident }) {
  const asked = useMemo(() => ({ from: Math.floor(parseTime(i.start) / 1000) * 1000 - before, to: Math.ceil(parseTime(i.end) / 1000) * 1000 + after }), [i.id, i.start, i.end])
  const job = i.workload || i.job
  const events = useApi<DocumentList>(storyUrl(i, asked.from, asked.to, { kind: 'event' }))
  const records = useApi<DocumentList>(storyUrl(i, asked.from, asked.to, { signal: landmarks }))
  const streams = useApi<StreamList>(route.streams({ namespace: i.namespace, job, start: iso(asked.from), end: iso(asked.to) }))
  const seconds = Math.max(1, Math.ceil((asked.to - asked.from) / 1000 / 150))
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600].find((x) => x >= seconds) ?? 7200
  const rates = useApi<Histogram>(route.histogram({ namespace: i.namespace, job, start: iso(asked.from), end: iso(asked.to), step: `${step}s` }))
  const error = events.error ?? records.error
  const whole = useMemo(() => trim(asked, i, [...(events.data?.items ?? []), ...(records.data?.items ?? [])]), [asked, events.data, records.data])
  return (
    <section aria-labelledby="timeline" class="timeline">
      <h2 id="timeline">Timeline</h2>
      {error ? <Failed error={error} again={() => { events.again(); records.again() }} />
        : !events.data || !records.data ? <div class="tl-room"><Loading what="the timeline" /></div>
        : <Lanes incident={i} whole={whole} events={events.data.items} records={records.data.items} streams={streams.data?.items ?? []} rates={rates.data} />}
    </section>
  )
}

/** The interval without the time before and after in which nothing is known. */
function trim(asked: { from: number; to: number }, i: Incident, docs: Document[]): { from: number; to: number } {
  const times = [parseTime(i.start), parseTime(i.end), ...docs.map((d) => parseTime(d.time))]
  const room = 10_000
  return { from: Math.max(asked.from, Math.min(...times) - room), to: Math.min(asked.to, Math.max(...times) + 3 * room) }
}

interface LanesProps {
  incident: Incident
  whole: { from: number; to: number }
  events: Document[]
  records: Document[]
  streams: StreamList['items']
  rates: Histogram | undefined
}

const maxPods = 12
const rowHeight = 24
const axisHeight = 22
const ratesHeight = 46

function Lanes({ incident: i, whole, events, records, streams, rates }: LanesProps) {
  const zone = useZone()
  const { search } = usePlace()
  const box = useRef<HTMLDivElement>(null)
  const width = useWidth(box)
  const label = width < 560 ? 0 : 210
  const view = readView(search, whole)
  const zoom = (from: number, to: number): void => {
    const f = Math.max(whole.from, Math.round(from))
    const t = Math.min(whole.to, Math.round(to))
    if (t - f < 500) return
    const all = f <= whole.from && t >= whole.to
    setParams({ from: all ? undefined : iso(f), to: all ? undefined : iso(t) }, true)
  }
  const x = (ms: number): number => label + ((ms - view.from) / (view.to - view.from)) * (width - label - 8)
  const timeAt = (px: number): number => view.from + ((px - label) / (width - label - 8)) * (view.to - view.from)
  const states = jobStates(records, whole.from, whole.to)
  const pods = podLanes(events, streams, whole.from, whole.to)
  const shown = pods.slice(0, maxPods)
  const marks = records.filter((d) => d.signals?.includes('checkpoint') || d.signals?.includes('restore'))
  const inView = (s: Span): boolean => s.to >= view.from && s.from <= view.to
  const [brush, setBrush] = useState<[number, number]>()
  const rows = 2 + shown.length + 1
  const height = axisHeight + rows * rowHeight + ratesHeight + (label ? 0 : rows * 14 + 14)
  const start = parseTime(i.start)
  const end = parseTime(i.end)
  const onKey = (e: KeyboardEvent): void => {
    const span = view.to - view.from
    const mid = (view.from + view.to) / 2
    if (e.key === '+' || e.key === '=') zoom(mid - span / 4, mid + span / 4)
    else if (e.key === '-') zoom(mid - span, mid + span)
    else if (e.key === 'ArrowLeft') zoom(Math.max(whole.from, view.from - span / 4), Math.max(whole.from, view.from - span / 4) + span)
    else if (e.key === 'ArrowRight') zoom(Math.min(whole.to, view.to + span / 4) - span, Math.min(whole.to, view.to + span / 4))
    else if (e.key === '0') zoom(whole.from, whole.to)
    else if (e.key === 'f') zoom(start - 5000, Math.max(end, start) + 5000)
    else return
    e.preventDefault()
  }
  const px = (e: PointerEvent): number => e.clientX - (box.current?.getBoundingClientRect().left ?? 0)
  let top = axisHeight
  const row = (name: string, title: string, children: ComponentChildren, h = rowHeight): ComponentChildren => {
    const head = label ? 0 : 14
    const y = top
    top += h + head
    return (
      <g key={name + title} transform={`translate(0 ${y})`}>
        <line x1={0} x2={width} y1={h + head} y2={h + head} class="tl-rule" />
        <text x={0} y={label ? h / 2 + 4 : 11} class="tl-name"><title>{title}</title>{clipName(name, label ? 30 : 60)}</text>
        <g clip-path="url(#tl-clip)"><g transform={`translate(0 ${head})`}>{children}</g></g>
      </g>
    )
  }
  return (
    <>
      <p class="tl-tools">
        <button type="button" class="small" onClick={() => zoom(start - 5000, Math.max(end, start) + 5000)}>The failure</button>{' '}
        <button type="button" class="small" disabled={view.from === whole.from && view.to === whole.to} onClick={() => zoom(whole.from, whole.to)}>All of it</button>
        <span class="quiet"> {duration(view.to - view.from)} shown. Drag to zoom; keys <kbd>+</kbd> <kbd>-</kbd> <kbd>←</kbd> <kbd>→</kbd> <kbd>0</kbd></span>
      </p>
      <div ref={box} class="tl-box" role="group" tabIndex={0} aria-label={`Timeline, ${clock(iso(view.from), zone)} to ${clock(iso(view.to), zone)}. Plus and minus zoom, arrows move, 0 shows all. The same as text stands below.`} onKeyDown={onKey}
        onPointerDown={(e) => { if (e.button === 0 && px(e) > label) { setBrush([px(e), px(e)]) ; e.currentTarget.setPointerCapture(e.pointerId) } }}
        onPointerMove={(e) => { if (brush) setBrush([brush[0], px(e)]) }}
        onPointerUp={(e) => {
          if (!brush) return
          setBrush(undefined)
          const [a, b] = [brush[0], px(e)].sort((p, q) => p - q) as [number, number]
          if (b - a > 6) zoom(timeAt(a), timeAt(b))
          else clicked(e)
        }}>
        <svg width={width} height={height} aria-hidden="true" focusable="false" class="tl">
          <defs><clipPath id="tl-clip"><rect x={label} y={0} width={Math.max(0, width - label)} height={height} /></clipPath></defs>
          <g clip-path="url(#tl-clip)">
            <rect class="tl-failure" x={x(start)} width={Math.max(2, x(end) - x(start))} y={axisHeight} height={height - axisHeight} />
          </g>
          {ticks(view.from, view.to, Math.max(2, (width - label) / 90)).map((t) => (
            <g key={t}>
              <line x1={x(t)} x2={x(t)} y1={axisHeight - 5} y2={height} class="tl-tick" />
              <text x={x(t)} y={12} class="tl-time" text-anchor="middle">{clock(iso(t), zone)}</text>
            </g>
          ))}
          {row('Job', `State of ${i.job}`, states.filter(inView).map((s) => <Bar key={s.from} s={s} x={x} min={label - 4} cls={`st-${stateTone(s.name)}`} text={s.name} />))}
          {row('Checkpoints, restores', 'Checkpoints and restores', marks.map((d) => <Dot key={d.id} doc={d} x={x} bad={/fail|expired|declin/i.test(d.text)} name={d.text.slice(d.message_at ?? 0)} incident={i} />))}
          {shown.map((p) => row(p.pod, `${p.pod}${p.node ? ` on ${p.node}` : ''}`, (
            <>
              {p.spans.filter(inView).map((s) => <Bar key={s.name + s.from} s={s} x={x} min={label - 4} cls={s.name === 'starting' ? 'pod-starting' : 'pod'} text={s.name === 'starting' ? '' : p.node} />)}
              {p.marks.map((m) => <Dot key={m.doc.id} doc={m.doc} x={x} bad={m.bad} name={m.name} incident={i} />)}
            </>
          )))}
          {row('Events', 'Kubernetes events and changes', events.map((d) => <Dot key={d.id} doc={d} x={x} bad={isBad(d)} name={eventName(d)} incident={i} />))}
          {row('Lines, by level', 'Lines over time: other, warnings, errors', rates && <Rates rates={rates} x={x} />, ratesHeight)}
          {brush && <rect class="tl-brush" x={Math.min(...brush)} width={Math.abs(brush[1] - brush[0])} y={0} height={height} />}
        </svg>
      </div>
      <p class="tl-legend quiet">
        <span class="key failure" /> the incident <span class="key bad">▲</span> warning or bad end <span class="key">●</span> other event <span class="key starting" /> pod starting
        {pods.length > shown.length && <> · {pods.length - shown.length} more pods in the table</>}
      </p>
      <AsText incident={i} states={states} pods={pods} events={events} records={records} />
    </>
  )
}

function clicked(e: PointerEvent): void {
  const href = (document.elementFromPoint(e.clientX, e.clientY) as SVGElement | null)?.closest('[data-href]')?.getAttribute('data-href')
  if (href) go(href)
}

const clipName = (s: string, n: number): string => (s.length > n ? '…' + s.slice(s.length - n + 1) : s)

function readView(search: string, whole: { from: number; to: number }): { from: number; to: number } {
  const p = new URLSearchParams(search)
  const from = parseTime(p.get('from') ?? '')
  const to = parseTime(p.get('to') ?? '')
  if (Number.isNaN(from) || Number.isNaN(to) || to <= from) return whole
  return { from: Math.max(whole.from, from), to: Math.min(whole.to, Math.max(to, from + 500)) }
}

function useWidth(box: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(900)
  useLayoutEffect(() => {
    const el = box.current
    if (!el) return
    const o = new ResizeObserver(() => setWidth(el.clientWidth))
    o.observe(el)
    setWidth(el.clientWidth)
    return () => o.disconnect()
  }, [])
  return width
}

/** A tone for a state; its name is written on it too. */
function stateTone(state: string): string {
  if (state === 'RUNNING') return 'good'
  if (state === 'FINISHED' || state === 'CANCELED' || state === 'CREATED') return 'calm'
  return 'bad'
}

function Bar({ s, x, min, cls, text }: { s: Span; x: (ms: number) => number; min: number; cls: string; text: string }) {
  const left = Math.max(min, x(s.from))
  const w = Math.max(2, x(s.to) - left)
  return (
    <g>
      <rect x={left} y={4} width={w} height={rowHeight - 8} rx={2} class={`tl-bar ${cls}`}><title>{s.name}, {duration(s.to - s.from)}</title></rect>
      {w > text.length * 7 + 10 && <text x={left + 5} y={rowHeight / 2 + 4} class="tl-on">{text}</text>}
    </g>
  )
}

function Dot({ doc: d, x, bad, name, incident: i }: { doc: Document; x: (ms: number) => number; bad: boolean; name: string; incident: Incident }) {
  const at = x(parseTime(d.time))
  if (at < -50 || at > 10_000) return null
  const y = rowHeight / 2
  const href = d.kind === 'record' ? logsHref({ line: d.id })
    : logsHref({ namespace: d.namespace, job: i.workload || i.job, start: iso(parseTime(d.time) - 5000), end: iso(parseTime(d.time) + 120_000), order: 'oldest', line: d.id })
  return (
    <g data-href={href} class="tl-mark">
      {bad ? <path d={`M${at} ${y - 7} l6.5 12 h-13 z`} class="bad" /> : <circle cx={at} cy={y} r={4} />}
      <title>{harmless(name).slice(0, 300)}</title>
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

function Rates({ rates, x }: { rates: Histogram; x: (ms: number) => number }) {
  const all = rates.items.map((b) => ({ at: parseTime(b.start), ...tones(b.levels) }))
  const most = Math.max(1, ...all.map((b) => b.bad + b.warn + b.rest))
  // Few errors among many lines must be seen: heights are of the square root.
  const h = (n: number): number => (n ? Math.max(2, Math.sqrt(n / most) * (ratesHeight - 8)) : 0)
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

/** The same as the picture, for those who do not see it, or want to copy it. */
function AsText({ incident: i, states, pods, events, records }: { incident: Incident; states: Span[]; pods: ReturnType<typeof podLanes>; events: Document[]; records: Document[] }) {
  const zone = useZone()
  const rows: { at: number; what: string; kind: string }[] = [
    ...states.map((s) => ({ at: s.from, kind: 'Job', what: `${s.name} for ${duration(s.to - s.from)}` })),
    ...pods.flatMap((p) => p.spans.map((s) => ({ at: s.from, kind: 'Pod', what: `${p.pod}: ${s.name} for ${duration(s.to - s.from)}${p.node ? ` on ${p.node}` : ''}` }))),
    ...events.map((d) => ({ at: parseTime(d.time), kind: isBad(d) ? 'Warning' : 'Event', what: eventName(d) })),
    ...records.filter((d) => d.signals?.includes('checkpoint') || d.signals?.includes('restore')).map((d) => ({ at: parseTime(d.time), kind: 'Log', what: d.text.slice(d.message_at ?? 0).split('\n')[0] ?? '' })),
    { at: parseTime(i.start), kind: 'Incident', what: 'The incident begins' },
    { at: parseTime(i.end), kind: 'Incident', what: i.recovered ? 'Recovered' : 'Last sign of it' },
  ].sort((a, b) => a.at - b.at)
  return (
    <details class="as-text">
      <summary>The timeline as a table ({rows.length} rows)</summary>
      <div class="scroll" tabIndex={0} role="region" aria-label="The timeline as a table">
        <table class="list">
          <thead><tr><th scope="col">Time</th><th scope="col">What</th><th scope="col" /></tr></thead>
          <tbody>
            {rows.slice(0, 1000).map((r, n) => <tr key={n}><td data-name="Time">{clockMillis(iso(r.at), zone)}</td><td data-name="Lane">{r.kind}</td><td>{harmless(r.what).slice(0, 300)}</td></tr>)}
          </tbody>
        </table>
      </div>
    </details>
  )
}
