import { route } from '../api/client'
import type { Incident, IncidentList as Answer, JobList } from '../api/types'
import { useApi } from '../api/use'
import { readRange } from '../lib/address'
import { useZone } from '../lib/prefs'
import { setParams, usePlace } from '../lib/router'
import { rangeOf, ranges, type RangeName } from '../lib/time'
import { useMemo } from 'preact/hooks'
import { Health } from '../parts/health'
import { IncidentList, summary } from '../parts/incident-row'
import { RangePicker } from '../parts/range-picker'
import { Empty, Failed, Loading } from '../parts/states'
import { useTitle } from './title'

const names: RangeName[] = ['last-night', '24h', '7d', '30d']

/** What failed, last night first. */
export function Home() {
  const { search } = usePlace()
  const zone = useZone()
  const p = new URLSearchParams(search)
  const range = readRange(search, 'last-night')
  const namespace = p.get('namespace') ?? ''
  const job = p.get('job') ?? ''
  const planned = p.get('planned') === '1'
  // The interval is fixed when it is chosen: one that moved would ask anew on every drawing.
  const interval = useMemo(() => rangeOf(range, Date.now(), zone), [range, zone])
  const asked = useApi<Answer>(route.incidents({ ...interval, namespace, job, planned, chain: false, limit: 500 }))
  const title = range === 'last-night' ? 'Last night' : `Last ${ranges[range]}`
  useTitle(title)
  const all = asked.data?.items ?? []
  const state = readState(search)
  const items = all.filter(states[state].is)
  return (
    <>
      <div class="head">
        <h1>{title}</h1>
        {all.length > 0 && <p class="lead" role="status">{summary(all)}{asked.data?.next_cursor ? ' (the newest of them)' : ''}</p>}
      </div>
      <div class="bar">
        <RangePicker value={range} names={names} fallback="last-night" />
        <Filters namespace={namespace} job={job} planned={planned} />
      </div>
      {all.length > 0 && <States all={all} state={state} />}
      {asked.error ? <Failed error={asked.error} again={asked.again} />
        : !asked.data ? <Loading what="incidents" />
        : items.length ? <IncidentList incidents={items} />
        : all.length ? <Empty title={`None of them: ${states[state].name.toLowerCase()}`}><p><button type="button" onClick={() => setParams({ state: undefined })}>Show all {all.length}</button></p></Empty>
        : <Nothing range={range} filtered={!!(namespace || job)} planned={planned} />}
      {!namespace && !job && asked.data && !asked.error && <Health />}
    </>
  )
}

const states = {
  all: { name: 'All', is: () => true },
  acts: { name: 'Action needed', is: (i: Incident) => !i.planned && i.diagnosis.action_needed },
  unexplained: { name: 'Unexplained', is: (i: Incident) => !i.planned && !i.diagnosis.explained },
  open: { name: 'Open', is: (i: Incident) => i.open },
  lost: { name: 'Not recovered', is: (i: Incident) => !i.recovered && !i.open },
  labeled: { name: 'Explained by people', is: (i: Incident) => !!i.diagnosis.label },
} as const
type State = keyof typeof states

function readState(search: string): State {
  const s = new URLSearchParams(search).get('state') ?? ''
  return Object.hasOwn(states, s) ? (s as State) : 'all'
}

/** Choices of a state, each with how many there are; those without any are left out. */
function States({ all, state }: { all: Incident[]; state: State }) {
  return (
    <div class="choices states" role="group" aria-label="State">
      {(Object.keys(states) as State[]).map((s) => {
        const n = all.filter(states[s].is).length
        if (!n && s !== state && s !== 'all') return null
        return <button type="button" key={s} aria-pressed={s === state} onClick={() => setParams({ state: s === 'all' ? undefined : s })}>{states[s].name} {n}</button>
      })}
    </div>
  )
}

function Filters({ namespace, job, planned }: { namespace: string; job: string; planned: boolean }) {
  const jobs = useApi<JobList>(route.jobs({})).data?.items ?? []
  const namespaces = [...new Set([...jobs.map((j) => j.namespace), ...(namespace ? [namespace] : [])])].sort()
  const inIt = [...new Set([...jobs.filter((j) => !namespace || j.namespace === namespace).map((j) => j.name), ...(job ? [job] : [])])].sort()
  return (
    <div class="filters">
      <label>Namespace{' '}
        <select data-search value={namespace} onChange={(e) => setParams({ namespace: e.currentTarget.value, job: undefined })}>
          <option value="">all</option>
          {namespaces.map((n) => <option key={n} value={n}>{n}</option>)}
        </select>
      </label>
      <label>Job{' '}
        <select value={job} onChange={(e) => setParams({ job: e.currentTarget.value })}>
          <option value="">all</option>
          {inIt.map((n) => <option key={n} value={n}>{n}</option>)}
        </select>
      </label>
      <label class="check">
        <input type="checkbox" checked={planned} onChange={(e) => setParams({ planned: e.currentTarget.checked })} /> Planned too
      </label>
    </div>
  )
}

function Nothing({ range, filtered, planned }: { range: RangeName; filtered: boolean; planned: boolean }) {
  const wider = names[names.indexOf(range) + 1]
  return (
    <Empty title={(range === 'last-night' ? 'Nothing failed last night' : `Nothing failed in the last ${ranges[range]}`) + (filtered ? ', with these filters' : '')}>
      <p>No job left RUNNING against its owner’s will.</p>
      <p class="actions">
        {wider && <button type="button" onClick={() => setParams({ range: wider })}>Look at {wider === '24h' ? 'the last 24 hours' : `the last ${ranges[wider]}`}</button>}
        {filtered && <button type="button" onClick={() => setParams({ namespace: undefined, job: undefined })}>Drop the filters</button>}
        {!planned && <button type="button" onClick={() => setParams({ planned: true })}>Show planned ones</button>}
      </p>
      <p>Is the job known at all? See <a href="/jobs">jobs</a>. To load recorded logs: <code>lastnight import DIR</code>.</p>
    </Empty>
  )
}
