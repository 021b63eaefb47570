import { route } from '../api/client'
import type { Job } from '../api/types'
import { usePages } from '../api/use'
import { jobHref, logsHref } from '../lib/address'
import { useDeferred } from '../lib/deferred'
import { setParams, usePlace } from '../lib/router'
import type { RangeName } from '../lib/time'
import { Icon } from '../parts/icons'
import { More } from '../parts/more'
import { RangePicker, useChosen, type Chosen } from '../parts/range-picker'
import { Empty, Failed, Loading } from '../parts/states'
import { When } from '../parts/when'
import { useTitle } from './title'

const page = 100

const names: RangeName[] = ['last-night', '24h', '7d', '30d']

/** What there is: jobs, those with incidents first. */
export function Jobs() {
  const { search } = usePlace()
  const time = useChosen(search, '7d')
  const name = new URLSearchParams(search).get('name') ?? ''
  const find = useDeferred(name)
  const asked = usePages<Job>(route.jobs({ ...time.interval, find, order: 'incidents', limit: page }))
  useTitle('Jobs')
  const items = asked.items ?? []
  return (
    <>
      <div class="head"><h1>Jobs</h1></div>
      <div class="bar">
        <RangePicker value={time} names={names} fallback="7d" />
        <label class="grow">Find{' '}
          <input type="search" data-search value={name} placeholder="name, namespace or Flink job id" onInput={(e) => setParams({ name: e.currentTarget.value }, true)} />
        </label>
      </div>
      {asked.error && !asked.items ? <Failed error={asked.error} again={asked.again} />
        : !asked.items ? <Loading what="jobs" cancel={asked.cancel} />
        : items.length ? <><Table jobs={items} time={time} /><More pages={asked} what="jobs" /></>
        : name ? <Empty title={`No job has “${name}” in its name ${time.within}`}><p><button type="button" onClick={() => setParams({ name: undefined })}>Show all jobs</button></p></Empty>
        : <Empty title="No job left logs in this time"><p>Choose a longer time, or load recorded logs: <code>lastnight import DIR</code>.</p></Empty>}
    </>
  )
}

function Table({ jobs, time }: { jobs: Job[]; time: Chosen }) {
  return (
    <table class="list">
      <caption class="sr">Jobs and their incidents, {time.title}</caption>
      <thead>
        <tr><th scope="col">Job</th><th scope="col">Namespace</th><th scope="col">Incidents</th><th scope="col">Kind</th><th scope="col">First seen</th><th scope="col">Last seen</th><th scope="col">Log</th></tr>
      </thead>
      <tbody>
        {jobs.map((j) => (
          <tr key={`${j.namespace}/${j.name}`}>
            <th scope="row"><a data-row href={jobHref(j.namespace, j.name)}>{j.name}</a></th>
            <td data-name="Namespace">{j.namespace}</td>
            <td data-name="Incidents">{j.incidents ? <strong class="count">{j.incidents}</strong> : <span class="quiet">none</span>}</td>
            <td data-name="Kind">{j.kind}</td>
            <td data-name="First seen"><When at={j.first_seen} /></td>
            <td data-name="Last seen"><When at={j.last_seen} /></td>
            <td><a href={logsHref({ namespace: j.namespace, job: j.workload || j.name })} aria-label={`Log of ${j.name}`}><Icon name="log" /> Log</a></td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
