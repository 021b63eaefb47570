import type { ComponentChildren } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { get, route, type ApiError } from '../api/client'
import type { Histogram, LabelList, TemplateInfo, TemplateList } from '../api/types'
import { useApi } from '../api/use'
import { logsHref, templateHref } from '../lib/address'
import { count } from '../lib/numbers'
import { useZone } from '../lib/prefs'
import { setParams, usePlace } from '../lib/router'
import { compare, type Change, type Compared } from '../lib/templates'
import { bounded, parseTime, shift, spanName, type RangeName } from '../lib/time'
import { JobChooser } from '../parts/job-chooser'
import { RangePicker, useChosen } from '../parts/range-picker'
import { Span } from '../parts/span'
import { Sparkline } from '../parts/sparkline'
import { Empty, Failed, Loading } from '../parts/states'
import { TemplateText } from '../parts/template-text'
import { When } from '../parts/when'
import { changeNames } from './changes'
import { useTitle } from './title'

const names: RangeName[] = ['last-night', '24h', '7d', '30d']
const page = 100
const mostTemplates = 10_000
const day = 86_400_000

/** The log patterns of a job, or of all: how often, since when, and what changed from one time to another. */
export function Templates() {
  const { search } = usePlace()
  const p = new URLSearchParams(search)
  const time = useChosen(search, '24h')
  const namespace = p.get('namespace') ?? ''
  const job = p.get('job') ?? ''
  const find = (p.get('find') ?? '').toLowerCase()
  const only = p.get('only') ?? ''
  const interval = useMemo(() => bounded(time.interval), [time])
  const other = useOther(search, interval)
  const of = { namespace, job }
  const asked = useApi<TemplateList>(route.templates({ ...interval, ...of, limit: mostTemplates }))
  const before = useApi<TemplateList>(route.templates({ ...other, ...of, limit: mostTemplates }))
  const all = useApi<Histogram>(route.histogram({ ...interval, ...of }))
  const labels = useApi<LabelList>(route.labels({ state: ['approved', 'proposed'], limit: 1000 }))
  useTitle(`Templates ${job}`.trim())
  const rows = useMemo(() => {
    const found = compare(before.data?.items ?? [], asked.data?.items ?? [], minutes(other), minutes(interval))
    // Against a time in which nothing was written everything would be new.
    if (!before.data?.items.length) for (const r of found) r.change = 'same'
    return found.sort((a, b) => b.during - a.during || b.before - a.before)
  }, [asked.data, before.data])
  const said = useMemo(() => new Map((labels.data?.items ?? []).flatMap((l) => (l.target.template ? [[l.target.template.id, l.title || l.cause || l.id] as const] : []))), [labels.data])
  const shown = rows.filter((r) => kindsOf(r).includes(only) || !only).filter((r) => !find || r.template.text.toLowerCase().includes(find) || r.template.id === find)
  const total = all.data?.items.reduce((n, b) => n + Object.values(b.levels).reduce((x, y) => x + y, 0), 0)
  return (
    <>
      <div class="head">
        <h1>Templates{job && ` of ${job}`}</h1>
        {asked.data && <p class="lead" role="status">{count(rows.filter((r) => r.during).length)} templates, {count(sum(rows, 'during'))} records{shown.length < rows.length && `; ${count(shown.length)} shown, ${count(sum(shown, 'during'))} records`}{before.data && !before.data.items.length && '. Nothing was written in the time to compare with'}</p>}
      </div>
      <div class="bar">
        <RangePicker value={time} names={names} fallback="24h" />
        <JobChooser namespace={namespace} job={job} by="workload" choose={(ns, j) => setParams({ namespace: ns, job: j })} />
      </div>
      <div class="bar">
        <Against search={search} other={other} />
        <label class="grow">Find <input type="search" data-search value={p.get('find') ?? ''} placeholder="text or id" onInput={(e) => setParams({ find: e.currentTarget.value }, true)} /></label>
      </div>
      <Kinds rows={rows} only={only} />
      {asked.error ?? before.error ? <Failed error={(asked.error ?? before.error) as ApiError} again={() => { asked.again(); before.again() }} />
        : !asked.data || !before.data ? <Loading what="templates" cancel={() => { asked.cancel(); before.cancel() }} hint="One job, or a shorter time, is quicker." />
        : shown.length ? <Table rows={shown} all={rows} total={total} interval={interval} other={other} namespace={namespace} job={job} labels={said} />
        : rows.length ? <Empty title="No template is like that"><p><button type="button" onClick={() => setParams({ find: undefined, only: undefined })}>Show all</button></p></Empty>
        : <Empty title={`Nothing was written ${time.within}`}><p><button type="button" onClick={() => setParams({ range: '30d', start: undefined, end: undefined })}>Look at 30 days</button></p></Empty>}
    </>
  )
}

interface Window {
  start: string
  end: string
}

const sum = (rows: Compared[], of: 'during' | 'before'): number => rows.reduce((n, r) => n + r[of], 0)

const minutes = (i: Window): number => Math.max(1, (parseTime(i.end) - parseTime(i.start)) / 60_000)

const againsts = { before: 'the same time before', day: 'a day earlier', week: 'a week earlier', other: 'another time' } as const
type AgainstName = keyof typeof againsts

function againstOf(search: string): AgainstName {
  const p = new URLSearchParams(search)
  if (p.has('start2') || p.has('end2')) return 'other'
  const a = p.get('against') ?? ''
  return Object.hasOwn(againsts, a) ? (a as AgainstName) : 'before'
}

/** The window to compare with: relative to the one that is shown, or chosen freely (start2, end2). */
function useOther(search: string, i: Window): Window {
  const p = new URLSearchParams(search)
  const [start2, end2, against] = [p.get('start2') ?? '', p.get('end2') ?? '', againstOf(search)]
  return useMemo(() => {
    if (against === 'other') {
      const own = { start: Number.isNaN(parseTime(start2)) ? undefined : start2, end: Number.isNaN(parseTime(end2)) ? undefined : end2 }
      const length = parseTime(i.end) - parseTime(i.start)
      // Of a window with one bound the other is as far away as that of the one that is shown.
      if (own.start && !own.end) return { start: own.start, end: shift(own.start, length) }
      if (own.end && !own.start) return { start: shift(own.end, -length), end: own.end }
      if (own.start && own.end && parseTime(own.start) < parseTime(own.end)) return { start: own.start, end: own.end }
    }
    const by = against === 'day' ? day : against === 'week' ? 7 * day : parseTime(i.end) - parseTime(i.start)
    return { start: shift(i.start, -by), end: shift(i.end, -by) }
  }, [start2, end2, against, i])
}

/** What the time that is shown is compared with. */
function Against({ search, other }: { search: string; other: Window }) {
  const zone = useZone()
  const against = againstOf(search)
  const set = (start: string | undefined, end: string | undefined): void => setParams({ against: undefined, start2: start, end2: end })
  return (
    <div class="filters">
      <label>Compared with{' '}
        <select value={against} onChange={(e) => {
          const to = e.currentTarget.value as AgainstName
          if (to === 'other') set(other.start, other.end)
          else setParams({ against: to === 'before' ? undefined : to, start2: undefined, end2: undefined })
        }}>
          {(Object.keys(againsts) as AgainstName[]).map((a) => <option key={a} value={a}>{againsts[a]}</option>)}
        </select>
      </label>
      {against === 'other' ? <Span name="Compared with" start={other.start} end={other.end} set={set} said={spanName(other.start, other.end, zone)} />
        : <span class="quiet">{spanName(other.start, other.end, zone)}</span>}
    </div>
  )
}

/** Choices of what changed, each with how many there are. */
function Kinds({ rows, only }: { rows: Compared[]; only: string }) {
  return (
    <div class="choices states" role="group" aria-label="Which templates">
      <button type="button" aria-pressed={!only} onClick={() => setParams({ only: undefined })}>All {count(rows.length)}</button>
      {[...countBy(rows)].map(([k, n]) => <button type="button" key={k} aria-pressed={only === k} onClick={() => setParams({ only: k })}>{kindNames[k] ?? k} {count(n)}</button>)}
    </div>
  )
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

interface TableProps {
  rows: Compared[]
  all: Compared[] // also those that are not shown
  total: number | undefined // records in the time, however they were counted
  interval: Window
  other: Window
  namespace: string
  job: string
  labels: Map<string, string>
}

function Table({ rows, all, total, interval, other, namespace, job, labels }: TableProps) {
  const [most, setMost] = useState(page)
  const hidden = rows.length < all.length
  return (
    <>
      <table class="list templates">
        <caption class="sr">Templates, the most frequent first</caption>
        <thead><tr><th scope="col">Records</th><th scope="col">Before</th><th scope="col">Over time</th><th scope="col">Template</th><th scope="col">First seen</th><th scope="col">Last seen</th></tr></thead>
        <tbody>
          {rows.slice(0, most).map((r) => (
            <tr key={r.template.id}>
              <td data-name="Records"><a href={logsHref({ namespace, job, q: `template:${r.template.id}`, ...interval })} aria-label={`${count(r.during)} records of ${r.template.text.slice(0, 80)}`}>{count(r.during)}</a></td>
              <td data-name="Before">{r.before ? <a href={logsHref({ namespace, job, q: `template:${r.template.id}`, ...other })} aria-label={`${count(r.before)} records before`}>{count(r.before)}</a> : '0'}{r.change !== 'same' && <ChangeMark change={r.change} />}</td>
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
        <Sums rows={rows} all={all} total={total} hidden={hidden} />
      </table>
      {rows.length > most && <p class="actions"><button type="button" onClick={() => setMost(most + 4 * page)}>{count(rows.length - most)} more</button></p>}
    </>
  )
}

/** That the counts add up: what is shown, what is not, and what has no template. */
function Sums({ rows, all, total, hidden }: { rows: Compared[]; all: Compared[]; total: number | undefined; hidden: boolean }) {
  const rest = total === undefined ? 0 : total - sum(all, 'during')
  const line = (name: string, during: number, before?: number): ComponentChildren => (
    <tr><td data-name="Records" class="number">{count(during)}</td><td data-name="Before" class="number">{before === undefined ? '' : count(before)}</td><td /><th scope="row" colSpan={3}>{name}</th></tr>
  )
  return (
    <tfoot>
      {hidden && line(`the ${count(rows.length)} shown`, sum(rows, 'during'), sum(rows, 'before'))}
      {hidden && line(`the ${count(all.length - rows.length)} others`, sum(all, 'during') - sum(rows, 'during'), sum(all, 'before') - sum(rows, 'before'))}
      {rest !== 0 && line(rest > 0 ? 'of templates beyond these, or arrived meanwhile' : 'counted twice while records arrive', rest)}
      {line(hidden || rest ? 'all together' : `all ${count(all.length)} templates together`, sum(all, 'during') + rest, sum(all, 'before'))}
    </tfoot>
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
