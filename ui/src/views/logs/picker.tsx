import { useState } from 'preact/hooks'
import { route } from '../../api/client'
import type { JobList, StreamInfo, StreamList } from '../../api/types'
import { useApi } from '../../api/use'
import { logsHref, withParams, type LogsState } from '../../lib/address'
import { count } from '../../lib/numbers'
import { setParams } from '../../lib/router'
import { Empty, Failed, Loading } from '../../parts/states'
import { When } from '../../parts/when'

const none = { pod: undefined, pod_uid: undefined, container: undefined, restart: undefined, line: undefined, order: undefined }

/** Which log: a job, and of it one container instance, gone or living, or all of them together. */
export function Picker({ state: s, search }: { state: LogsState; search: string }) {
  const [open, setOpen] = useState(() => matchMedia('(min-width: 60rem)').matches)
  const jobs = useApi<JobList>(route.jobs({}))
  // A link to a pod does not say the job: its streams do.
  const ofPod = useApi<StreamList>(!s.job && s.pod ? route.streams({ namespace: s.namespace, pod: s.pod }) : undefined)
  const job = s.job || ofPod.data?.items[0]?.job || ''
  const namespace = s.namespace || ofPod.data?.items[0]?.namespace || ''
  const streams = useApi<StreamList>(job ? route.streams({ namespace, job }) : undefined)
  const names = [...new Map((jobs.data?.items ?? []).map((j) => [`${j.namespace}/${j.workload || j.name}`, { namespace: j.namespace, name: j.workload || j.name }]))]
  return (
    <details class="picker" open={open} onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>{s.pod ? `${s.pod}${s.container ? ' / ' + s.container : ''}${s.restart ? ', restart ' + s.restart : ''}` : s.job ? `All of ${s.job}` : 'Choose a log'}</summary>
      <label class="picker-job">Job{' '}
        <select value={job ? `${namespace}/${job}` : ''} onChange={(e) => {
          const [ns, name] = split(e.currentTarget.value)
          setParams({ ...none, namespace: ns, job: name })
        }}>
          <option value="">all jobs</option>
          {job && !names.some(([k]) => k === `${namespace}/${job}`) && <option value={`${namespace}/${job}`}>{job}</option>}
          {names.map(([k, j]) => <option key={k} value={k}>{j.name} ({j.namespace})</option>)}
        </select>
      </label>
      {jobs.error && <Failed error={jobs.error} again={jobs.again} />}
      {job && (
        <ul class="plain pods">
          <li><a href={'/logs' + withParams(search, { ...none, namespace, job })} aria-current={!s.pod ? 'true' : undefined}>All of the job, by time</a></li>
        </ul>
      )}
      {streams.error ? <Failed error={streams.error} again={streams.again} />
        : job && !streams.data ? <Loading what="container instances" />
        : streams.data && <Pods streams={streams.data.items} state={s} search={search} />}
    </details>
  )
}

/** What to do where no log is chosen yet: the jobs. */
export function Choose() {
  const jobs = useApi<JobList>(route.jobs({}))
  if (jobs.error) return <Failed error={jobs.error} again={jobs.again} />
  if (!jobs.data) return <Loading what="jobs" />
  if (!jobs.data.items.length) {
    return <Empty title="No logs yet"><p>Load recorded ones with <code>lastnight import DIR</code>, or collect those of this node with <code>lastnight run</code>.</p></Empty>
  }
  return (
    <div class="choose">
      <h2>Which log?</h2>
      <p>Search all of them above, or choose a job, and then one of its containers, also one that is long gone.</p>
      <ul class="plain">
        {jobs.data.items.map((j) => (
          <li key={`${j.namespace}/${j.name}`}>
            <a data-row href={logsHref({ namespace: j.namespace, job: j.workload || j.name })}>{j.name}</a>
            <span class="quiet">{j.namespace}</span>
            <span class="quiet">last line <When at={j.last_seen} /></span>
          </li>
        ))}
      </ul>
    </div>
  )
}

function split(key: string): [string | undefined, string | undefined] {
  const at = key.indexOf('/')
  return at < 0 ? [undefined, undefined] : [key.slice(0, at), key.slice(at + 1)]
}

/** A job that restarts all night has thousands of pods; so many are listed. */
const maxPods = 200

function Pods({ streams, state: s, search }: { streams: StreamInfo[]; state: LogsState; search: string }) {
  const pods = new Map<string, StreamInfo[]>()
  for (const st of [...streams].sort((a, b) => b.first.localeCompare(a.first))) {
    const key = `${st.pod} ${st.pod_uid}`
    pods.set(key, [...(pods.get(key) ?? []), st])
  }
  const shown = [...pods].filter(([, list], n) => n < maxPods || list.some((st) => isChosen(st, s)))
  return (
    <ul class="plain pods">
      {shown.length < pods.size && <li class="quiet">The newest {shown.length} of {count(pods.size)} pods. Search for <code>pod:NAME</code> to find older ones.</li>}
      {shown.map(([key, list]) => (
        <li key={key}>
          <span class="pod-name">{list[0]?.pod}</span>
          <span class="quiet"> {list[0]?.component}</span>
          <ul class="plain">
            {list.map((st) => (
              <li key={st.id}>
                <a href={'/logs' + withParams(search, { ...none, job: undefined, namespace: st.namespace, pod: st.pod, pod_uid: st.pod_uid, container: st.container, restart: st.restart })} aria-current={isChosen(st, s) ? 'true' : undefined}>
                  {st.container}{st.restart ? `, restart ${st.restart}` : ''}
                  <span class="quiet"><When at={st.first} /> – <When at={st.last} as="clock" />, {count(st.lines)} lines</span>
                </a>
              </li>
            ))}
          </ul>
        </li>
      ))}
    </ul>
  )
}

function isChosen(st: StreamInfo, s: LogsState): boolean {
  return st.pod === s.pod && (!s.podUid || st.pod_uid === s.podUid) && (!s.container || st.container === s.container) && (s.restart === undefined || st.restart === s.restart)
}
