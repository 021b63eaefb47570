import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Document, Histogram, Incident, StreamList } from '../../api/types'
import { logsHref } from '../../lib/address'
import { useZone } from '../../lib/prefs'
import { counted } from '../../lib/numbers'
import { laneChanges, type TemplateLane } from '../../lib/rates'
import { go, setParams, usePlace } from '../../lib/router'
import { harmless } from '../../lib/text'
import { clock, duration, parseTime } from '../../lib/time'
import { jobStates, podLanes, ticks, type PodLane, type Span } from '../../lib/timeline'
import { AsText } from './as-text'
import { Bar, Marks, Rates, ratesHeight, rowHeight, stateTone, TemplateBars, templateHeight } from './marks'

const iso = (ms: number): string => new Date(ms).toISOString()

export interface LanesProps {
  incident: Incident
  whole: { from: number; to: number }
  events: Document[]
  records: Document[]
  streams: StreamList['items']
  levels: Histogram | undefined
  templates: TemplateLane[] // the most telling first
  step: number // ms, of their points
}

/** One lane: what it is of, and how high its content is. */
interface Lane {
  name: string
  title: string
  height: number
  href?: string // what its name leads to
  mono?: boolean
  content: ComponentChildren
}

const maxPods = 12
const fewTemplates = 5
const manyTemplates = 20
const axisHeight = 22
const headHeight = 15 // of a name above its lane, where there is no room beside it
const nameWidth = 210
const wideName = 345 // where there is room: the words that tell templates apart come late

/** A stretch of time within the whole one, and how it is changed. */
interface View {
  from: number
  to: number
  zoom: (from: number, to: number) => void
  all: boolean
}

export function Lanes(props: LanesProps) {
  const { incident: i, whole, events, records, templates } = props
  const zone = useZone()
  const { search } = usePlace()
  const box = useRef<HTMLDivElement>(null)
  const width = useWidth(box)
  const [many, setMany] = useState(false)
  const left = width < 560 ? 0 : width < 1000 ? nameWidth : wideName
  const view = viewOf(search, whole)
  const x = (ms: number): number => left + ((ms - view.from) / (view.to - view.from)) * (width - left - 8)
  const timeAt = (px: number): number => view.from + ((px - left) / (width - left - 8)) * (view.to - view.from)
  const start = parseTime(i.start)
  const end = Math.max(start, parseTime(i.end))
  const states = jobStates(records, whole.from, whole.to)
  const pods = podLanes(events, props.streams, whole.from, whole.to)
  const shownTemplates = templates.slice(0, many ? manyTemplates : fewTemplates)
  const lanes = lanesOf(props, { states, pods: pods.slice(0, maxPods), templates: shownTemplates, view, x, left })
  const head = left ? 0 : headHeight
  const height = axisHeight + lanes.reduce((sum, l) => sum + l.height + head, 0)
  let top = axisHeight
  const brush = useBrush(box, left, (a, b) => view.zoom(timeAt(a), timeAt(b)))
  const failure = (): void => view.zoom(start - 5000, end + 5000)
  return (
    <>
      <Tools view={view} failure={failure} />
      <div ref={box} class="tl-box" role="group" tabIndex={0} aria-label={`Timeline, ${clock(iso(view.from), zone)} to ${clock(iso(view.to), zone)}. Plus and minus zoom, arrows move, 0 shows all. The same as text stands below.`}
        onKeyDown={(e) => { if (zoomKey(e.key, view, whole, failure)) e.preventDefault() }} {...brush.handlers}>
        <svg width={width} height={height} aria-hidden="true" focusable="false" class="tl">
          <defs><clipPath id="tl-clip"><rect x={left} y={0} width={Math.max(0, width - left)} height={height} /></clipPath></defs>
          <g clip-path="url(#tl-clip)">
            <rect class="tl-failure" x={x(start)} width={Math.max(2, x(end) - x(start))} y={axisHeight} height={height - axisHeight} />
            <line class="tl-failure-edge" x1={x(start)} x2={x(start)} y1={axisHeight - 6} y2={height} />
          </g>
          {ticks(view.from, view.to, Math.max(2, (width - left) / 90)).map((t) => (
            <g key={t}>
              <line x1={x(t)} x2={x(t)} y1={axisHeight - 5} y2={height} class="tl-tick" />
              <text x={x(t)} y={12} class="tl-time" text-anchor={x(t) > width - 30 ? 'end' : x(t) < left + 25 ? 'start' : 'middle'}>{clock(iso(t), zone)}</text>
            </g>
          ))}
          {lanes.map((l) => {
            const y = top
            top += l.height + head
            return (
              <g key={l.name + l.title} transform={`translate(0 ${y})`}>
                <line x1={0} x2={width} y1={l.height + head} y2={l.height + head} class="tl-rule" />
                <text x={0} y={left ? l.height / 2 + 4 : 11} data-href={l.href} class={`tl-name ${l.mono ? 'mono' : ''} ${l.href ? 'tl-link' : ''}`}><title>{l.title}</title>{l.name}</text>
                <g clip-path="url(#tl-clip)"><g transform={`translate(0 ${head})`}>{l.content}</g></g>
              </g>
            )
          })}
          {brush.at && <rect class="tl-brush" x={Math.min(...brush.at)} width={Math.abs(brush.at[1] - brush.at[0])} y={0} height={height} />}
        </svg>
      </div>
      <p class="tl-legend quiet">
        <span class="key failure" /> the incident <span class="key bad">▲</span> warning or bad end <span class="key">●</span> other event <span class="key starting" /> pod starting
        {pods.length > maxPods && <> · {counted(pods.length - maxPods, 'more pod')} in the table</>}
        {templates.length > fewTemplates && <> <button type="button" class="small" aria-expanded={many} onClick={() => setMany(!many)}>{many ? 'Fewer templates' : `${counted(Math.min(templates.length, manyTemplates) - fewTemplates, 'more template')}`}</button></>}
      </p>
      <AsText incident={i} states={states} pods={pods} events={events} records={records} templates={templates.slice(0, manyTemplates)} />
    </>
  )
}

function Tools({ view, failure }: { view: View; failure: () => void }) {
  const mid = (view.from + view.to) / 2
  const span = view.to - view.from
  return (
    <p class="tl-tools">
      <button type="button" class="small" onClick={failure}>The failure</button>{' '}
      <button type="button" class="small" disabled={view.all} onClick={() => view.zoom(-Infinity, Infinity)}>All of it</button>{' '}
      <button type="button" class="small" aria-label="Zoom in" onClick={() => view.zoom(mid - span / 4, mid + span / 4)}>+</button>{' '}
      <button type="button" class="small" aria-label="Zoom out" disabled={view.all} onClick={() => view.zoom(mid - span, mid + span)}>−</button>
      <span class="quiet"> {duration(span)} shown<span class="tl-hint">. Drag to zoom; keys <kbd>+</kbd> <kbd>-</kbd> <kbd>←</kbd> <kbd>→</kbd> <kbd>0</kbd></span></span>
    </p>
  )
}

interface Drawn {
  states: Span[]
  pods: PodLane[]
  templates: TemplateLane[]
  view: View
  x: (ms: number) => number
  left: number
}

/** The lanes from top to bottom. */
function lanesOf({ incident: i, events, records, levels, step }: LanesProps, { states, pods, templates, view, x, left }: Drawn): Lane[] {
  const inView = (s: Span): boolean => s.to >= view.from && s.from <= view.to
  const bar = { x, min: left - 4 }
  const fits = left ? Math.floor(left / 7) : 52
  const landmarks = records.filter((d) => d.signals?.includes('checkpoint') || d.signals?.includes('restore'))
  return [
    { name: 'Job', title: `State of ${i.job}`, height: rowHeight, content: states.filter(inView).map((s) => <Bar key={s.from} s={s} {...bar} cls={`st-${stateTone(s.name)}`} text={s.name} />) },
    { name: 'Checkpoints, restores', title: 'Checkpoints and restores', height: rowHeight, content: <Marks docs={landmarks} x={x} incident={i} /> },
    ...pods.map((p): Lane => ({
      name: tailOf(p.pod, fits), title: `${p.pod}${p.node ? ` on ${p.node}` : ''}`, height: rowHeight, content: (
        <>
          {p.spans.filter(inView).map((s) => <Bar key={s.name + s.from} s={s} {...bar} cls={s.name === 'starting' ? 'pod-starting' : 'pod'} text={s.name === 'starting' ? '' : p.node} />)}
          <Marks docs={p.marks.map((m) => m.doc)} bad={p.marks.filter((m) => m.bad).map((m) => m.doc)} x={x} incident={i} />
        </>
      ),
    })),
    { name: 'Events', title: 'Kubernetes events and changes', height: rowHeight, content: <Marks docs={events} x={x} incident={i} /> },
    { name: 'Lines, by level', title: 'Lines over time: other, warnings, errors', height: ratesHeight, content: levels && <Rates rates={levels} x={x} /> },
    ...templates.map((t): Lane => ({
      name: headOf((t.rate.text || t.rate.id).replaceAll('<*>', '…'), fits), mono: true, height: templateHeight,
      title: `${t.rate.level ?? ''} ${harmless(t.rate.text).slice(0, 500)}: ${t.rate.count} records${t.change ? `, ${laneChanges[t.change]}` : ''}. Press for its records.`,
      href: logsHref({ namespace: i.namespace, job: i.workload || i.job, q: `template:${t.rate.id}`, start: iso(view.from), end: iso(view.to), order: 'oldest' }),
      content: <TemplateBars lane={t} step={step} x={x} />,
    })),
  ]
}

const tailOf = (s: string, n: number): string => (s.length > n ? '…' + s.slice(s.length - n + 1) : s)
const headOf = (s: string, n: number): string => { const one = harmless(s).replace(/\s+/g, ' ').replace(/\(…\)(#…)? ?/g, ''); return one.length > n ? one.slice(0, n - 1) + '…' : one }

function zoomKey(key: string, view: View, whole: { from: number; to: number }, failure: () => void): boolean {
  const span = view.to - view.from
  const mid = (view.from + view.to) / 2
  if (key === '+' || key === '=') view.zoom(mid - span / 4, mid + span / 4)
  else if (key === '-') view.zoom(mid - span, mid + span)
  else if (key === 'ArrowLeft') view.zoom(Math.max(whole.from, view.from - span / 4), Math.max(whole.from, view.from - span / 4) + span)
  else if (key === 'ArrowRight') view.zoom(Math.min(whole.to, view.to + span / 4) - span, Math.min(whole.to, view.to + span / 4))
  else if (key === '0') view.zoom(whole.from, whole.to)
  else if (key === 'f') failure()
  else return false
  return true
}

/** The stretch of time in the address, within the whole. */
function viewOf(search: string, whole: { from: number; to: number }): View {
  const p = new URLSearchParams(search)
  const from = parseTime(p.get('from') ?? '')
  const to = parseTime(p.get('to') ?? '')
  const none = Number.isNaN(from) || Number.isNaN(to) || to <= from
  const view = none ? whole : { from: Math.max(whole.from, from), to: Math.min(whole.to, Math.max(to, from + 500)) }
  const zoom = (f: number, t: number): void => {
    const [a, b] = [Math.max(whole.from, Math.round(f)), Math.min(whole.to, Math.round(t))]
    if (b - a < 500) return
    const all = a <= whole.from && b >= whole.to
    setParams({ from: all ? undefined : iso(a), to: all ? undefined : iso(b) }, true)
  }
  return { ...view, zoom, all: view.from <= whole.from && view.to >= whole.to }
}

/** Dragging over the lanes chooses a stretch of them; a press without dragging follows what is under it. */
function useBrush(box: { current: HTMLElement | null }, left: number, chosen: (a: number, b: number) => void) {
  const [at, setAt] = useState<[number, number]>()
  const px = (e: PointerEvent): number => e.clientX - (box.current?.getBoundingClientRect().left ?? 0)
  const handlers = {
    onPointerDown: (e: PointerEvent & { currentTarget: HTMLElement }): void => {
      if (e.button !== 0) return
      if (px(e) <= left) { clicked(e); return }
      setAt([px(e), px(e)])
      e.currentTarget.setPointerCapture(e.pointerId)
    },
    onPointerMove: (e: PointerEvent): void => { if (at) setAt([at[0], px(e)]) },
    onPointerCancel: (): void => setAt(undefined),
    onPointerUp: (e: PointerEvent): void => {
      if (!at) return
      setAt(undefined)
      const [a, b] = [at[0], px(e)].sort((p, q) => p - q) as [number, number]
      if (b - a > 6) chosen(a, b)
      else clicked(e)
    },
  }
  return { at, handlers }
}

function clicked(e: PointerEvent): void {
  const href = (document.elementFromPoint(e.clientX, e.clientY) as SVGElement | null)?.closest('[data-href]')?.getAttribute('data-href')
  if (href) go(href)
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
