// How long each part of a job's start took, from its records and events, and how long it usually takes. Pure.

import type { Document } from '../api/types'
import { parseTime } from './time'

export const phases = ['resources', 'image', 'deploy', 'checkpoint'] as const
export type Phase = (typeof phases)[number]

export const phaseNames: Record<Phase, string> = {
  resources: 'Resources: until the last pod had a node',
  image: 'Image and dependencies: until its container ran',
  deploy: 'Deploy: until the job was RUNNING',
  checkpoint: 'Running: until a checkpoint completed',
}

/** One start of the job. A part that nothing tells of is not there. */
export interface Start {
  from: number // ms: the job was told to restart, or its first pod got a node
  to: number // the last moment that is known of it
  again: boolean // a restart, not the first start of a deployment
  took: Partial<Record<Phase, number>> // ms
}

const toState = /switched from state (\w+) to (\w+)/
const most = 30 * 60_000 // a start that takes longer is several

/** The starts of the job in the documents, oldest first. */
export function startsOf(docs: Document[]): Start[] {
  const all = [...docs].sort((a, b) => parseTime(a.time) - parseTime(b.time))
  const out: Start[] = []
  let left = NaN // when it last left RUNNING or was created
  let again = false
  all.forEach((d, i) => {
    const m = d.signals?.includes('transition') ? toState.exec(d.text) : null
    if (!m) return
    const at = parseTime(d.time)
    if (m[2] !== 'RUNNING') {
      if (m[1] === 'RUNNING' || Number.isNaN(left)) { left = at; again = true }
      return
    }
    if (m[1] === 'CREATED' || Number.isNaN(left)) {
      left = firstPod(all, i, at)
      again = m[1] !== 'CREATED'
    }
    out.push(startOf(all, i, Number.isNaN(left) ? at : left, again))
    left = NaN
  })
  return out
}

/** When the first pod of this start got a node. */
function firstPod(all: Document[], running: number, at: number): number {
  let first = NaN
  for (let i = running - 1; i >= 0; i--) {
    const d = all[i] as Document
    const t = parseTime(d.time)
    if (at - t > 10 * 60_000) break
    if (d.event?.reason === 'Scheduled') first = t
  }
  return first
}

function startOf(all: Document[], running: number, from: number, again: boolean): Start {
  const at = parseTime((all[running] as Document).time)
  let scheduled = NaN
  let ran = NaN
  let checkpoint = NaN
  // Events have whole seconds only: what is of the second of the beginning belongs to it.
  const begins = Math.floor(from / 1000) * 1000
  for (const d of all) {
    const t = parseTime(d.time)
    if (t < begins) continue
    if (t - from > most || (t > at && toState.test(d.text) && d.signals?.includes('transition'))) break
    if (d.event?.kind === 'pod' && d.event.reason === 'Scheduled') scheduled = Math.max(t, from)
    if (d.event?.kind === 'container' && d.event.state === 'running') ran = Math.max(t, from)
    if (t >= at && /Completed checkpoint/.test(d.text) && Number.isNaN(checkpoint)) {
      checkpoint = t
      break
    }
  }
  const took: Start['took'] = {}
  let last = from
  const put = (phase: Phase, end: number): void => {
    if (Number.isNaN(end) || end < last) return
    took[phase] = end - last
    last = end
  }
  put('resources', scheduled)
  put('image', ran)
  put('deploy', at)
  put('checkpoint', checkpoint)
  return { from, to: last, again, took }
}

/** The middle of the values; NaN of none. */
export function median(values: number[]): number {
  if (!values.length) return NaN
  const s = [...values].sort((a, b) => a - b)
  const half = s.length >> 1
  return s.length % 2 ? (s[half] as number) : ((s[half - 1] as number) + (s[half] as number)) / 2
}

/** How long a phase took in other starts: the middle, and of how many. */
export function usual(starts: Start[], phase: Phase): { ms: number; of: number } {
  const known = starts.map((s) => s.took[phase]).filter((x): x is number => x !== undefined)
  return { ms: median(known), of: known.length }
}
