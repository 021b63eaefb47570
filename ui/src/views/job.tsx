import { route } from '../api/client'
import type { Incident, JobList, StreamInfo } from '../api/types'
import { useApi, usePages } from '../api/use'
import { logsHref } from '../lib/address'
import { bytes, count } from '../lib/numbers'
import { setParams, usePlace } from '../lib/router'
import type { RangeName } from '../lib/time'
import { Icon } from '../parts/icons'
import { IncidentList, summary } from '../parts/incident-row'
import { More } from '../parts/more'
import { RangePicker, useChosen } from '../parts/range-picker'
import { Empty, Failed, Loading } from '../parts/states'
import { When } from '../parts/when'
import { useTitle } from './title'

const page = 100

const names: RangeName[] = ['last-night', '24h', '7d', '30d']

/** One job: its incidents, and the container instances that it had. */
export function Job({ namespace, name }: { namespace: string; name: string }) {
  const { search } = usePlace()
  const time = useChosen(search, '7d')
  const interval = time.interval
  const job = useApi<JobList>(route.jobs({ namespace, name }))
  const incidents = usePages<Incident>(route.incidents({ ...interval, namespace, job: name, planned: true, chain: false, limit: 200 }))
  const known = job.data?.items.find((j) => j.name === name) ?? job.data?.items[0]
  const workload = known?.workload || name
  const streams = usePages<StreamInfo>(job.data ? route.streams({ ...interval, namespace, job: workload, order: 'newest', limit: page }) : undefined)
  useTitle(name)
  const items = incidents.items ?? []
  return (
    <>
      <div class="head">
        <p class="crumbs"><a href="/jobs">Jobs</a> in {namespace}</p>
        <h1>{name}</h1>
        {known && <p class="quiet">{known.kind}, seen <When at={known.first_seen} /> to <When at={known.last_seen} />{known.flink_ids?.length ? `, Flink job id ${known.flink_ids.join(', ')}` : ''}</p>}
      </div>
      <div class="bar">
        <RangePicker value={time} names={names} fallback="7d" />
        <a class="button" href={logsHref({ namespace, job: workload, ...interval })}><Icon name="log" /> Log of the whole job</a>
      </div>
      {job.data && !known && <Empty title={`No job ${name} in ${namespace}`}><p>See <a href="/jobs">what jobs there are</a>.</p></Empty>}
      <section>
        <h2>Incidents {incidents.items && <span class="quiet">{summary(items)}</span>}</h2>
        {incidents.error && !incidents.items ? <Failed error={incidents.error} again={incidents.again} />
          : !incidents.items ? <Loading what="incidents" cancel={incidents.cancel} />
          : items.length ? <><IncidentList incidents={items} /><More pages={incidents} what="incidents" /></>
          : <p class="quiet">None {time.within}. {time.name !== '30d' && <button type="button" class="small" onClick={() => setParams({ range: '30d', start: undefined, end: undefined })}>Look at 30 days</button>}</p>}
      </section>
      <section>
        <h2>Container instances</h2>
        {streams.error && !streams.items ? <Failed error={streams.error} again={streams.again} />
          : !streams.items ? <Loading what="container instances" cancel={streams.cancel} />
          : streams.items.length ? <><Streams streams={streams.items} /><More pages={streams} what="container instances" /></>
          : <p class="quiet">None wrote a line in this time.</p>}
      </section>
    </>
  )
}

function Streams({ streams }: { streams: StreamInfo[] }) {
  return (
    <table class="list">
      <caption class="sr">Container instances, newest first</caption>
      <thead>
        <tr><th scope="col">Pod</th><th scope="col">Container</th><th scope="col">Node</th><th scope="col">First line</th><th scope="col">Last line</th><th scope="col">Lines</th></tr>
      </thead>
      <tbody>
        {streams.map((s) => (
          <tr key={s.id}>
            <th scope="row"><a data-row href={logsHref({ namespace: s.namespace, pod: s.pod, pod_uid: s.pod_uid, container: s.container, restart: s.restart })}>{s.pod}</a></th>
            <td data-name="Container">{s.container}{s.restart ? `, restart ${s.restart}` : ''}</td>
            <td data-name="Node">{s.node || '–'}</td>
            <td data-name="First line"><When at={s.first} /></td>
            <td data-name="Last line"><When at={s.last} /></td>
            <td data-name="Lines" class="number" title={bytes(s.bytes)}>{count(s.lines)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
