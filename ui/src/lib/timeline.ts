// What the lanes of an incident's timeline show, from records, events and container instances. Pure.

import type { Document, StreamInfo } from '../api/types'
import { parseTime } from './time'

/** A stretch of time in a lane, ms since 1970. */
export interface Span {
  from: number
  to: number
  name: string
}

/** A moment in a lane. */
export interface Mark {
  at: number
  name: string
  bad: boolean // a warning, or an end that nobody wanted
  doc: Document
}

export interface PodLane {
  pod: string
  node: string
  spans: Span[] // pending, then each container instance
  marks: Mark[]
}

const transition = /switched from state (\w+) to (\w+)/

/** The state of the job over time: what it left and entered, from its transitions. */
export function jobStates(docs: Document[], from: number, to: number): Span[] {
  const out: Span[] = []
  for (const d of docs) {
    const m = d.kind === 'record' && d.signals?.includes('transition') ? transition.exec(d.text) : null
    if (!m?.[1] || !m[2]) continue
    const at = parseTime(d.time)
    const last = out.at(-1)
    if (last) last.to = at
    else if (m[1] !== 'CREATED') out.push({ from, to: at, name: m[1] })
    out.push({ from: at, to, name: m[2] })
  }
  return out.map((s) => ({ ...s, from: Math.max(from, s.from), to: Math.min(to, s.to) })).filter((s) => s.to > s.from)
}

/** What an event says in a few words. */
export function eventName(d: Document): string {
  const e = d.event
  if (!e) return d.text
  const exit = e.exit_code === undefined ? '' : `, exit code ${e.exit_code}`
  return `${e.reason} ${e.object.kind} ${e.object.name}${e.container ? ` / ${e.container}` : ''}${exit}`
}

export const isBad = (d: Document): boolean => d.event?.type === 'Warning'

/** A lane for each pod that lived in the interval, in the order of their beginning. */
export function podLanes(docs: Document[], streams: StreamInfo[], from: number, to: number): PodLane[] {
  const lanes = new Map<string, PodLane & { first: number; scheduled: number; gone: number }>()
  const lane = (pod: string, node = ''): PodLane & { first: number; scheduled: number; gone: number } => {
    let l = lanes.get(pod)
    if (!l) lanes.set(pod, (l = { pod, node, spans: [], marks: [], first: Infinity, scheduled: NaN, gone: NaN }))
    l.node ||= node
    return l
  }
  for (const d of docs) {
    const e = d.event
    if (!e || e.object.kind !== 'Pod') continue
    const at = parseTime(d.time)
    const l = lane(e.object.name, e.node)
    l.first = Math.min(l.first, at)
    if (e.kind === 'pod' && e.reason === 'Scheduled' && Number.isNaN(l.scheduled)) l.scheduled = at
    if (e.kind === 'pod' && e.reason === 'Removed') l.gone = at
    if (e.kind === 'container' && e.state === 'terminated') l.marks.push({ at, name: eventName(d), bad: isBad(d) || (e.exit_code ?? 0) !== 0, doc: d })
  }
  for (const s of streams) {
    const l = lane(s.pod, s.node)
    l.first = Math.min(l.first, parseTime(s.first))
    l.spans.push({ from: parseTime(s.first), to: parseTime(s.last), name: `${s.container}${s.restart ? `, restart ${s.restart}` : ''}` })
  }
  for (const l of lanes.values()) {
    l.spans.sort((a, b) => a.from - b.from)
    const begins = l.spans[0]?.from ?? (Number.isNaN(l.gone) ? to : l.gone)
    const asked = Number.isNaN(l.scheduled) ? l.first : l.scheduled
    if (asked < begins) l.spans.unshift({ from: asked, to: begins, name: 'starting' })
  }
  return [...lanes.values()]
    .map(({ first, ...l }) => ({ first, lane: { pod: l.pod, node: l.node, marks: l.marks.filter((m) => m.at >= from && m.at < to), spans: clipTo(l.spans, from, to) } }))
    .filter(({ lane: l }) => l.spans.length + l.marks.length > 0)
    .sort((a, b) => a.first - b.first)
    .map(({ lane: l }) => l)
}

function clipTo(spans: Span[], from: number, to: number): Span[] {
  return spans.map((s) => ({ ...s, from: Math.max(from, s.from), to: Math.min(to, s.to) })).filter((s) => s.to >= s.from)
}

/** Times for an axis, round ones, at most so many. */
export function ticks(from: number, to: number, most: number): number[] {
  const s = 1000
  const steps = [s, 2 * s, 5 * s, 10 * s, 15 * s, 30 * s, 60 * s, 120 * s, 300 * s, 600 * s, 900 * s, 1800 * s, 3600 * s, 7200 * s, 10_800 * s, 21_600 * s, 43_200 * s, 86_400 * s, 604_800 * s, 2_592_000 * s]
  const step = steps.find((x) => (to - from) / x <= most) ?? (steps.at(-1) as number)
  const out: number[] = []
  for (let t = Math.ceil(from / step) * step; t < to; t += step) out.push(t)
  return out
}
