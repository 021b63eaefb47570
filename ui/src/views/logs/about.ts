// What the log viewer knows besides the records: how far the log goes, how much there is when,
// how its containers ended, and what people said of its templates.

import { useMemo } from 'preact/hooks'
import { route } from '../../api/client'
import type { Document, DocumentList, Histogram, JobList, LabelList, StreamInfo, StreamList } from '../../api/types'
import { useApi } from '../../api/use'
import type { LogsState } from '../../lib/address'
import { addressTime, parseTime } from '../../lib/time'
import { stepOf, type Extent } from './bars'
import { asksForLog } from './asked'

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

export function useAbout(s: LogsState): About {
  const now = useMemo(() => Date.now(), [s.start, s.end, s.job, s.pod])
  const of = s.pod || s.job
  const streams = useApi<StreamList>(of ? route.streams({ namespace: s.namespace, job: s.pod ? '' : s.job, pod: s.pod, order: 'newest' }) : undefined)
  const found = of ? streams.data?.items : undefined
  // Of a job with more container instances than a page has, the job itself says since when there is a log.
  const many = s.job && !s.pod && streams.data?.next_cursor
  const jobs = useApi<JobList>(many ? route.jobs({ namespace: s.namespace, name: s.job }) : undefined)
  const since = many ? jobs.data?.items[0]?.first_seen : undefined
  const extent = useMemo(() => extentOf(s, found, since, now), [s.start, s.end, s.container, s.restart, s.podUid, of, found, since, now])
  const counts = extent && asksForLog(s) && !s.live
  const step = extent ? stepOf(extent.to - extent.from, mostBars) : 60
  const filtered = s.q || s.pod || s.important
  const histogram = useApi<Histogram>(counts ? route.histogram({
    namespace: s.namespace, job: s.pod ? '' : s.job, pod: s.pod, pod_uid: s.podUid, container: s.container, restart: s.restart, q: s.q, scope: s.important ? 'important' : undefined,
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
function extentOf(s: LogsState, streams: StreamInfo[] | undefined, since: string | undefined, now: number): Extent | undefined {
  const of = s.pod || s.job
  let from = s.start ? addressTime(s.start, now) : of ? NaN : now - week
  let to = s.end ? addressTime(s.end, now) : of ? NaN : now
  if (of && streams) {
    const mine = streams.filter((x) => (!s.podUid || x.pod_uid === s.podUid) && (!s.container || x.container === s.container) && (s.restart === undefined || x.restart === s.restart))
    if (Number.isNaN(from)) from = Math.min(...mine.map((x) => parseTime(x.first)), since ? parseTime(since) : Infinity)
    if (Number.isNaN(to)) to = Math.max(...mine.map((x) => parseTime(x.last))) + 1000
  }
  return Number.isFinite(from) && Number.isFinite(to) && to > from ? { from, to } : undefined
}
