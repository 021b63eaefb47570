// What the log viewer knows besides the records: how far the log goes, how much there is when,
// how its containers ended, and what people said of its templates.

import { useMemo } from 'preact/hooks'
import { route } from '../../api/client'
import type { Document, DocumentList, Histogram, LabelList, StreamInfo, StreamList } from '../../api/types'
import { useApi } from '../../api/use'
import type { LogsState } from '../../lib/address'
import { parseTime } from '../../lib/time'
import { stepOf, type Extent } from './bars'
import { asksForLog } from './data'

export interface About {
  extent: Extent | undefined
  histogram: Histogram | undefined
  streams: StreamInfo[]
  ends: Document[]
  labels: Map<string, string>
}

const none: never[] = []
const week = 7 * 86_400_000
const mostBars = 160

/** A time as the address has it: absolute, or so long before now. */
function moment(text: string, now: number): number {
  const m = /^(?:now)?-(\d+)([smhdw])$/.exec(text)
  if (m) return now - Number(m[1]) * ({ s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }[m[2] as 's'] ?? 1) * 1000
  return text === 'now' ? now : parseTime(text)
}

export function useAbout(s: LogsState): About {
  const now = useMemo(() => Date.now(), [s.start, s.end, s.job, s.pod])
  const of = s.pod || s.job
  const streams = useApi<StreamList>(of ? route.streams({ namespace: s.namespace, job: s.pod ? '' : s.job, pod: s.pod }) : undefined)
  const found = of ? streams.data?.items : undefined
  const extent = useMemo(() => extentOf(s, found, now), [s.start, s.end, s.container, s.restart, s.podUid, of, found, now])
  const counts = extent && asksForLog(s) && !s.live
  const step = extent ? stepOf(extent.to - extent.from, mostBars) : 60
  const filtered = s.q || s.pod
  const histogram = useApi<Histogram>(counts ? route.histogram({
    namespace: s.namespace, job: s.pod ? '' : s.job, pod: s.pod, pod_uid: s.podUid, container: s.container, restart: s.restart, q: s.q,
    start: new Date(extent.from).toISOString(), end: new Date(extent.to).toISOString(), step: `${filtered || step < 60 ? step : Math.ceil(step / 60) * 60}s`,
  }) : undefined)
  const ends = useApi<DocumentList>(of ? route.search({ namespace: s.namespace, job: s.pod ? '' : s.job, pod: s.pod, kind: ['event'], q: 'kind:container', scope: 'important', limit: 2000 }) : undefined)
  const labels = useApi<LabelList>(of || s.q ? route.labels({ state: ['approved'], limit: 1000 }) : undefined)
  const byTemplate = useMemo(() => {
    const m = new Map<string, string>()
    for (const l of labels.data?.items ?? []) if (l.target.template) m.set(l.target.template.id, l.title || l.cause || l.id)
    return m
  }, [labels.data])
  return { extent, histogram: counts ? histogram.data : undefined, streams: found ?? none, ends: of ? (ends.data?.items ?? none) : none, labels: byTemplate }
}

/** From when to when the log goes that is asked for. */
function extentOf(s: LogsState, streams: StreamInfo[] | undefined, now: number): Extent | undefined {
  const of = s.pod || s.job
  let from = s.start ? moment(s.start, now) : of ? NaN : now - week
  let to = s.end ? moment(s.end, now) : of ? NaN : now
  if (of && streams) {
    const mine = streams.filter((x) => (!s.podUid || x.pod_uid === s.podUid) && (!s.container || x.container === s.container) && (s.restart === undefined || x.restart === s.restart))
    if (Number.isNaN(from)) from = Math.min(...mine.map((x) => parseTime(x.first)))
    if (Number.isNaN(to)) to = Math.max(...mine.map((x) => parseTime(x.last))) + 1000
  }
  return Number.isFinite(from) && Number.isFinite(to) && to > from ? { from, to } : undefined
}
