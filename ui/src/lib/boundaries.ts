// Where container instances begin and end within the records that are shown. Pure.

import type { Document, StreamInfo } from '../api/types'
import { compareTimes, duration, parseTime } from './time'

export interface Boundary {
  begins?: string // said before the record, in the order of time
  ends?: string // said after it
  bad: boolean
}

/** Ends as Kubernetes told them: of a container's termination. */
interface End {
  at: number
  exit: number | undefined
  reason: string
}

const key = (podUid: string, container: string, restart: number): string => `${podUid}/${container}/${restart}`

/** The stream of a record: the first part of its id. */
const streamOf = (d: Document): string => d.id.slice(0, d.id.indexOf('.'))

/** A line so shortly before the last one of its container is its end: records have the time of their first line. */
const nearEnd = 2000

/** By record id, what begins and ends there. ends are the events of terminated containers. */
export function boundaries(items: Document[], streams: StreamInfo[], ends: Document[], now = Date.now()): Map<string, Boundary> {
  const ended = new Map<string, End>()
  for (const d of ends) {
    const e = d.event
    if (e?.kind !== 'container' || e.state !== 'terminated') continue
    ended.set(key(d.pod_uid ?? e.object.uid ?? '', e.container ?? '', e.restart ?? 0), { at: parseTime(d.time), exit: e.exit_code, reason: e.reason })
  }
  const byId = new Map(streams.map((s) => [String(s.id), s]))
  const first = new Map<string, Document>()
  const last = new Map<string, Document>()
  for (const d of items) {
    if (d.kind !== 'record') continue
    const id = streamOf(d)
    const f = first.get(id)
    const l = last.get(id)
    if (!f || compareTimes(d.time, f.time) < 0) first.set(id, d)
    if (!l || compareTimes(d.time, l.time) >= 0) last.set(id, d)
  }
  const out = new Map<string, Boundary>()
  for (const [id, d] of first) {
    const s = byId.get(id)
    if (!s || parseTime(d.time) - parseTime(s.first) > 50) continue
    const before = s.restart > 0 ? ended.get(key(s.pod_uid, s.container, s.restart - 1)) : undefined
    const restart = s.restart > 0 ? `restart ${s.restart}` : 'first start'
    out.set(d.id, { begins: `${s.pod} / ${s.container} begins, ${restart}${before ? `; the one before ended: ${say(before)}` : ''}`, bad: !!before && before.exit !== 0 })
  }
  for (const [id, d] of last) {
    const s = byId.get(id)
    if (!s || parseTime(s.last) - parseTime(d.time) > nearEnd) continue
    const end = ended.get(key(s.pod_uid, s.container, s.restart))
    if (!end && now - parseTime(s.last) < 5 * 60_000) continue // It may be running.
    const ran = duration((end?.at ?? parseTime(s.last)) - parseTime(s.first))
    const text = end ? `${s.pod} / ${s.container} ended: ${say(end)}, after ${ran}` : `The last line of ${s.pod} / ${s.container}, after ${ran}`
    out.set(d.id, { ...out.get(d.id), ends: text, bad: (out.get(d.id)?.bad ?? false) || (!!end && end.exit !== 0) })
  }
  return out
}

function say(e: End): string {
  return [e.reason, e.exit === undefined ? '' : `exit code ${e.exit}`].filter(Boolean).join(', ')
}
