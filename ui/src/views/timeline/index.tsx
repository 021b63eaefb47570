import { useMemo } from 'preact/hooks'
import { route } from '../../api/client'
import type { Document, DocumentList, Histogram, Incident, StreamList, TemplateRates } from '../../api/types'
import { useApi } from '../../api/use'
import { templateLanes } from '../../lib/rates'
import { parseTime } from '../../lib/time'
import { Failed, Loading } from '../../parts/states'
import { Lanes } from './lanes'

const before = 3 * 60_000
const after = 2 * 60_000
const mostSteps = 320
const iso = (ms: number): string => new Date(ms).toISOString()

/** The documents that tell what happened: events, and records that are landmarks. */
function storyUrl(i: Incident, from: number, to: number, what: { kind?: 'event'; signal?: string[] }): string {
  return route.search({
    namespace: i.namespace, job: i.workload || i.job, start: iso(from), end: iso(to), scope: 'important', order: 'oldest', limit: 2000,
    ...(what.kind ? { kind: [what.kind] } : {}), ...(what.signal ? { signal: what.signal } : {}),
  })
}

export const landmarks = ['transition', 'checkpoint', 'restore', 'lifecycle', 'task']

/** What stood when: lanes over one axis of time, which can be zoomed. */
export function Timeline({ incident: i }: { incident: Incident }) {
  const asked = useMemo(() => ({ from: Math.floor(parseTime(i.start) / 1000) * 1000 - before, to: Math.ceil(parseTime(i.end) / 1000) * 1000 + after }), [i.id, i.start, i.end])
  const of = { namespace: i.namespace, job: i.workload || i.job, start: iso(asked.from), end: iso(asked.to) }
  const events = useApi<DocumentList>(storyUrl(i, asked.from, asked.to, { kind: 'event' }))
  const records = useApi<DocumentList>(storyUrl(i, asked.from, asked.to, { signal: landmarks }))
  const streams = useApi<StreamList>(route.streams({ ...of, order: 'newest', limit: 200 }))
  const step = stepOf(asked.to - asked.from)
  const levels = useApi<Histogram>(route.histogram({ ...of, step }))
  const rates = useApi<TemplateRates>(route.rates({ ...of, step }))
  const error = events.error ?? records.error
  const whole = useMemo(() => trim(asked, i, [...(events.data?.items ?? []), ...(records.data?.items ?? [])]), [asked, events.data, records.data])
  const lanes = useMemo(() => {
    if (!rates.data) return []
    const chain = new Set(i.diagnosis.chain.flatMap((e) => (e.template_id ? [e.template_id] : [])))
    return templateLanes(rates.data, { from: parseTime(i.start), to: parseTime(i.end) }, whole, chain)
  }, [rates.data, i, whole])
  return (
    <section aria-labelledby="timeline" class="timeline">
      <h2 id="timeline">Timeline</h2>
      {error ? <Failed error={error} again={() => { events.again(); records.again() }} />
        : !events.data || !records.data ? <div class="tl-room"><Loading what="the timeline" cancel={() => { events.cancel(); records.cancel() }} /></div>
        : <Lanes incident={i} whole={whole} events={events.data.items} records={records.data.items} streams={streams.data?.items ?? []} levels={levels.data}
            templates={lanes} step={(rates.data?.step_seconds ?? 1) * 1000} />}
    </section>
  )
}

/** A round step that gives few enough. */
function stepOf(ms: number): string {
  const seconds = Math.max(1, Math.ceil(ms / 1000 / mostSteps))
  return `${[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600].find((x) => x >= seconds) ?? 7200}s`
}

/** The interval without the time before and after in which nothing is known. */
function trim(asked: { from: number; to: number }, i: Incident, docs: Document[]): { from: number; to: number } {
  const times = [parseTime(i.start), parseTime(i.end), ...docs.map((d) => parseTime(d.time))]
  const room = 10_000
  return { from: Math.max(asked.from, Math.min(...times) - room), to: Math.min(asked.to, Math.max(...times) + 3 * room) }
}
