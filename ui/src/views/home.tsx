import { route } from '../api/client'
import type { Incident, JobList } from '../api/types'
import { useApi, usePages, useRefresh } from '../api/use'
import { setParams, usePlace } from '../lib/router'
import { ranges, type RangeName } from '../lib/time'
import { Health } from '../parts/health'
import { IncidentList, summary } from '../parts/incident-row'
import { JobChooser } from '../parts/job-chooser'
import { More } from '../parts/more'
import { RangePicker, useChosen, type Chosen } from '../parts/range-picker'
import { Empty, Failed, Loading } from '../parts/states'
import { useTitle } from './title'

const pageSize = 500
const names: RangeName[] = ['last-night', '24h', '7d', '30d']

/** What failed, last night first. */
export function Home() {
  const { search } = usePlace()
  const p = new URLSearchParams(search)
  const time = useChosen(search, 'last-night')
  const namespace = p.get('namespace') ?? ''
  const job = p.get('job') ?? ''
  const planned = p.get('planned') === '1'
  const asked = usePages<Incident>(route.incidents({ ...time.interval, namespace, job, planned, chain: false, limit: pageSize }))
  // Failures come while somebody looks; pages that were asked for are left as they are.
  useRefresh(asked.again, 15_000, (asked.items?.length ?? 0) <= pageSize)
  useTitle(time.title)
  const all = asked.items ?? []
  const state = readState(search)
  const items = all.filter(states[state].is)
  return (
    <>
      <div class="head">
        <h1>{time.title}</h1>
        {all.length > 0 && <p class="lead" role="status">{summary(all)}{asked.more ? ' (the newest of them)' : ''}</p>}
      </div>
      <div class="bar">
        <RangePicker value={time} names={names} fallback="last-night" />
        <Filters namespace={namespace} job={job} planned={planned} />
      </div>
      {all.length > 0 && <States all={all} state={state} />}
      {asked.error && !asked.items ? <Failed error={asked.error} again={asked.again} />
        : !asked.items ? <Loading what="incidents" cancel={asked.cancel} />
        : items.length ? <IncidentList incidents={items} />
        : all.length ? <Empty title={`None of them: ${states[state].name.toLowerCase()}`}><p><button type="button" onClick={() => setParams({ state: undefined })}>Show all {all.length}</button></p></Empty>
        : <Nothing time={time} filtered={!!(namespace || job)} planned={planned} />}
      {asked.items && <More pages={asked} what="incidents" />}
      {!namespace && !job && asked.items && !asked.error && <Health />}
    </>
  )
}

const states = {
  all: { name: 'All', is: () => true },
  acts: { name: 'Action needed', is: (i: Incident) => !i.planned && i.diagnosis.action_needed },
  unexplained: { name: 'Unexplained', is: (i: Incident) => !i.planned && !i.diagnosis.explained },
  open: { name: 'Open', is: (i: Incident) => !i.planned && i.open },
  lost: { name: 'Not recovered', is: (i: Incident) => !i.planned && !i.recovered && !i.open },
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
  const jobs = useApi<JobList>(route.jobs({ limit: 1000 })).data?.items ?? []
  const namespaces = [...new Set([...jobs.map((j) => j.namespace), ...(namespace ? [namespace] : [])])].sort()
  return (
    <div class="filters">
      <label>Namespace{' '}
        <select data-search value={namespace} onChange={(e) => setParams({ namespace: e.currentTarget.value, job: undefined })}>
          <option value="">all</option>
          {namespaces.map((n) => <option key={n} value={n}>{n}</option>)}
        </select>
      </label>
      <JobChooser namespace={namespace} job={job} by="name" within choose={(n, j) => setParams(j ? { namespace: n, job: j } : { job: undefined })} />
      <label class="check">
        <input type="checkbox" checked={planned} onChange={(e) => setParams({ planned: e.currentTarget.checked })} /> Planned too
      </label>
    </div>
  )
}

function Nothing({ time, filtered, planned }: { time: Chosen; filtered: boolean; planned: boolean }) {
  const wider = time.name ? names[names.indexOf(time.name) + 1] : '7d'
  return (
    <Empty title={`Nothing failed ${time.within}` + (filtered ? ', with these filters' : '')}>
      <p>No job left RUNNING against its owner’s will.</p>
      <p class="actions">
        {wider && <button type="button" onClick={() => setParams({ range: wider, start: undefined, end: undefined })}>Look at {wider === '24h' ? 'the last 24 hours' : `the last ${ranges[wider]}`}</button>}
        {filtered && <button type="button" onClick={() => setParams({ namespace: undefined, job: undefined })}>Drop the filters</button>}
        {!planned && <button type="button" onClick={() => setParams({ planned: true })}>Show planned ones</button>}
      </p>
      <p>Is the job known at all? See <a href="/jobs">jobs</a>. To load recorded logs: <code>lastnight import DIR</code>.</p>
    </Empty>
  )
}
