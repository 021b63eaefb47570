import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { get, route } from '../api/client'
import type { Histogram, JobList, LabelList, TemplateInfo, TemplateList } from '../api/types'
import { useApi } from '../api/use'
import { logsHref, readRange, templateHref } from '../lib/address'
import { count } from '../lib/numbers'
import { useZone } from '../lib/prefs'
import { setParams, usePlace } from '../lib/router'
import { compare, type Change, type Compared } from '../lib/templates'
import { parseTime, rangeOf, ranges, type RangeName } from '../lib/time'
import { RangePicker } from '../parts/range-picker'
import { Sparkline } from '../parts/sparkline'
import { Empty, Failed, Loading } from '../parts/states'
import { TemplateText } from '../parts/template-text'
import { When } from '../parts/when'
import { changeNames } from './changes'
import { useTitle } from './title'

const names: RangeName[] = ['last-night', '24h', '7d', '30d']
const page = 100

/** The log patterns of a job, or of all: how often, since when, and what changed. */
export function Templates() {
  const { search } = usePlace()
  const zone = useZone()
  const p = new URLSearchParams(search)
  const range = readRange(search, '24h')
  const namespace = p.get('namespace') ?? ''
  const job = p.get('job') ?? ''
  const find = (p.get('find') ?? '').toLowerCase()
  const only = p.get('only') ?? ''
  // The window before, of the same length, or of another time.
  const against = p.get('against') ?? 'before'
  const interval = useMemo(() => {
    const r = rangeOf(range, Date.now(), zone)
    return { start: r.start ?? '', end: r.end ?? new Date().toISOString() }
  }, [range, zone])
  const other = useMemo(() => otherWindow(interval, against), [interval, against])
  const asked = useApi<TemplateList>(route.templates({ ...interval, namespace, job, limit: 10_000 }))
  const before = useApi<TemplateList>(route.templates({ ...other, namespace, job, limit: 10_000 }))
  const labels = useApi<LabelList>(route.labels({ state: ['approved', 'proposed'], limit: 1000 }))
  useTitle(`Templates ${job}`.trim())
  const length = minutes(interval)
  const rows = useMemo(() => {
    const all = compare(before.data?.items ?? [], asked.data?.items ?? [], minutes(other), length)
    // Against a time in which nothing was written everything would be new.
    if (!before.data?.items.length) for (const r of all) r.change = 'same'
    return all.sort((a, b) => b.during - a.during || b.before - a.before)
  }, [asked.data, before.data])
  const said = useMemo(() => new Map((labels.data?.items ?? []).flatMap((l) => (l.target.template ? [[l.target.template.id, l.title || l.cause || l.id] as const] : []))), [labels.data])
  const total = rows.reduce((n, r) => n + r.during, 0)
  const kinds = countBy(rows)
  const shown = rows.filter((r) => kindsOf(r).includes(only) || !only).filter((r) => !find || r.template.text.toLowerCase().includes(find) || r.template.id === find)
  return (
    <>
      <div class="head">
        <h1>Templates{job && ` of ${job}`}</h1>
        {asked.data && <p class="lead" role="status">{count(rows.filter((r) => r.during).length)} templates, {count(total)} records{shown.length < rows.length && `; ${count(shown.length)} shown, ${count(shown.reduce((n, r) => n + r.during, 0))} records`}{before.data && !before.data.items.length && '. Nothing was written in the time to compare with'}</p>}
      </div>
      <div class="bar">
        <RangePicker value={range} names={names} fallback="24h" />
        <Scope namespace={namespace} job={job} />
        <label>Against{' '}
          <select value={against} onChange={(e) => setParams({ against: e.currentTarget.value === 'before' ? undefined : e.currentTarget.value })}>
            <option value="before">the same time before</option>
            <option value="day">a day earlier</option>
            <option value="week">a week earlier</option>
          </select>
        </label>
        <label class="grow">Find <input type="search" data-search value={p.get('find') ?? ''} placeholder="text or id" onInput={(e) => setParams({ find: e.currentTarget.value }, true)} /></label>
      </div>
      <div class="choices states" role="group" aria-label="Which templates">
        <button type="button" aria-pressed={!only} onClick={() => setParams({ only: undefined })}>All {count(rows.length)}</button>
        {[...kinds].map(([k, n]) => <button type="button" key={k} aria-pressed={only === k} onClick={() => setParams({ only: k })}>{kindNames[k] ?? k} {count(n)}</button>)}
      </div>
      {asked.error ? <Failed error={asked.error} again={asked.again} />
        : !asked.data || !before.data ? <Loading what="templates" />
        : shown.length ? <Table rows={shown} interval={interval} namespace={namespace} job={job} labels={said} />
        : rows.length ? <Empty title="No template is like that"><p><button type="button" onClick={() => setParams({ find: undefined, only: undefined })}>Show all</button></p></Empty>
        : <Empty title={`Nothing was written (${ranges[range].toLowerCase()})`}><p><button type="button" onClick={() => setParams({ range: '30d' })}>Look at 30 days</button></p></Empty>}
    </>
  )
}

const minutes = (i: { start: string; end: string }): number => Math.max(1, (parseTime(i.end) - parseTime(i.start)) / 60_000)

function otherWindow(i: { start: string; end: string }, against: string): { start: string; end: string } {
  const by = against === 'day' ? 86_400_000 : against === 'week' ? 7 * 86_400_000 : parseTime(i.end) - parseTime(i.start)
  const move = (t: string): string => new Date(parseTime(t) - by).toISOString()
  return { start: move(i.start), end: move(i.end) }
}

const kindNames: Record<string, string> = { ...changeNames, rare: 'Rare', bad: 'Warnings and errors' }

/** Fewer than so many records are rare. */
const rare = 3

function kindsOf(r: Compared): string[] {
  const kinds: string[] = r.change === 'same' ? [] : [r.change]
  if (r.during > 0 && r.during <= rare) kinds.push('rare')
  if (/^(WARN|ERROR|FATAL)$/.test(r.template.level ?? '')) kinds.push('bad')
  return kinds
}

function countBy(rows: Compared[]): Map<string, number> {
  const m = new Map<string, number>(['bad', 'new', 'spiking', 'missing', 'rarer', 'rare'].map((k) => [k, 0]))
  for (const r of rows) for (const k of kindsOf(r)) m.set(k, (m.get(k) ?? 0) + 1)
  return new Map([...m].filter(([, n]) => n > 0))
}

function Scope({ namespace, job }: { namespace: string; job: string }) {
  const jobs = useApi<JobList>(route.jobs({})).data?.items ?? []
  const all = [...new Map(jobs.map((j) => [`${j.namespace}/${j.workload || j.name}`, { namespace: j.namespace, job: j.workload || j.name }]))]
  const value = job ? `${namespace}/${job}` : ''
  return (
    <label>Job{' '}
      <select value={value} onChange={(e) => {
        const c = all.find(([k]) => k === e.currentTarget.value)?.[1]
        setParams({ namespace: c?.namespace, job: c?.job })
      }}>
        <option value="">all</option>
        {job && !all.some(([k]) => k === value) && <option value={value}>{job}</option>}
        {all.map(([k, j]) => <option key={k} value={k}>{j.job} ({j.namespace})</option>)}
      </select>
    </label>
  )
}

interface TableProps {
  rows: Compared[]
  interval: { start: string; end: string }
  namespace: string
  job: string
  labels: Map<string, string>
}

function Table({ rows, interval, namespace, job, labels }: TableProps) {
  const [most, setMost] = useState(page)
  return (
    <>
      <table class="list templates">
        <caption class="sr">Templates, the most frequent first</caption>
        <thead><tr><th scope="col">Records</th><th scope="col">Before</th><th scope="col">Over time</th><th scope="col">Template</th><th scope="col">First seen</th><th scope="col">Last seen</th></tr></thead>
        <tbody>
          {rows.slice(0, most).map((r) => (
            <tr key={r.template.id}>
              <td data-name="Records"><a href={logsHref({ namespace, job, q: `template:${r.template.id}`, ...interval })}>{count(r.during)}</a></td>
              <td data-name="Before">{count(r.before)}{r.change !== 'same' && <ChangeMark change={r.change} />}</td>
              <td data-name="Over time"><Lazy url={route.histogram({ namespace, job, template_id: r.template.id, ...interval })} template={r.template} interval={interval} /></td>
              <th scope="row">
                {r.template.level && <span class={`level-tag lv-${r.template.level.toLowerCase()}`}>{r.template.level}</span>}{' '}
                <a data-row href={templateHref(r.template.id, { namespace, job })}><TemplateText text={r.template.text} /></a>
                {labels.has(r.template.id) && <span class="record-label">{labels.get(r.template.id)}</span>}
              </th>
              <td data-name="First seen"><When at={r.template.first_seen} /></td>
              <td data-name="Last seen"><When at={r.template.last_seen} /></td>
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > most && <p class="actions"><button type="button" onClick={() => setMost(most + 4 * page)}>{count(rows.length - most)} more</button></p>}
    </>
  )
}

function ChangeMark({ change }: { change: Change }) {
  return <> <span class={`change-kind ${change}`}>{changeNames[change].toLowerCase()}</span></>
}

// One question for each row in sight, a few at a time, so that a long table does not take all the places of a server.
const waiting: (() => void)[] = []
let running = 0
const atOnce = 3

function queue(job: () => Promise<unknown>): void {
  const run = (): void => {
    running++
    void job().finally(() => { running--; waiting.shift()?.() })
  }
  if (running < atOnce) run()
  else waiting.push(run)
}

/** A sparkline that is asked for when it comes into sight. */
function Lazy({ url, template, interval }: { url: string; template: TemplateInfo; interval: { start: string; end: string } }) {
  const el = useRef<HTMLSpanElement>(null)
  const [data, setData] = useState<Histogram>()
  useEffect(() => {
    if (!el.current) return
    const gone = new AbortController()
    const o = new IntersectionObserver((seen) => {
      if (!seen.some((s) => s.isIntersecting)) return
      o.disconnect()
      queue(async () => {
        if (gone.signal.aborted) return
        try {
          setData(await get<Histogram>(url, gone.signal))
        } catch {
          // A sparkline that cannot be had leaves its place empty: the count stands beside it.
        }
      })
    })
    o.observe(el.current)
    return () => { gone.abort(); o.disconnect() }
  }, [url])
  return <span ref={el} class="spark">{data && <Sparkline histogram={data} interval={interval} name={template.text} />}</span>
}
