import { useState } from 'preact/hooks'
import { route } from '../../api/client'
import type { Job, StreamInfo, StreamList } from '../../api/types'
import { useApi, usePages } from '../../api/use'
import { logsHref, withParams, type LogsState } from '../../lib/address'
import { useDeferred } from '../../lib/deferred'
import { count } from '../../lib/numbers'
import { setParams } from '../../lib/router'
import { JobChooser } from '../../parts/job-chooser'
import { More } from '../../parts/more'
import { Empty, Failed, Loading } from '../../parts/states'
import { When } from '../../parts/when'

const page = 200 // a job that restarts all night has thousands of pods

const none = { pod: undefined, pod_uid: undefined, container: undefined, restart: undefined, line: undefined, order: undefined }

/** Which log: a job, and of it one container instance, gone or living, or all of them together. */
export function Picker({ state: s, search }: { state: LogsState; search: string }) {
  const [open, setOpen] = useState(() => matchMedia('(min-width: 60rem)').matches)
  // A link to a pod does not say the job: its streams do.
  const ofPod = useApi<StreamList>(!s.job && s.pod ? route.streams({ namespace: s.namespace, pod: s.pod, limit: 1 }) : undefined)
  const job = s.job || ofPod.data?.items[0]?.job || ''
  const namespace = s.namespace || ofPod.data?.items[0]?.namespace || ''
  const [find, setFind] = useState('')
  const wanted = useDeferred(find)
  const streams = usePages<StreamInfo>(job ? route.streams({ namespace, job, find: wanted, order: 'newest', limit: page }) : undefined)
  return (
    <details class="picker" open={open} onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>{s.pod ? `${s.pod}${s.container ? ' / ' + s.container : ''}${s.restart ? ', restart ' + s.restart : ''}` : s.job ? `All of ${s.job}` : 'Choose a log'}</summary>
      <div class="picker-job"><JobChooser namespace={namespace} job={job} by="workload" choose={(ns, name) => setParams({ ...none, namespace: ns, job: name })} /></div>
      {job && (
        <ul class="plain pods">
          <li><a href={'/logs' + withParams(search, { ...none, namespace, job })} aria-current={!s.pod ? 'true' : undefined}>All of the job, by time</a></li>
        </ul>
      )}
      {job && (streams.more || find) && <label class="picker-find">Find <input type="search" value={find} placeholder="pod, container or node" spellcheck={false} onInput={(e) => setFind(e.currentTarget.value)} /></label>}
      {streams.error && !streams.items ? <Failed error={streams.error} again={streams.again} />
        : job && !streams.items ? <Loading what="container instances" cancel={streams.cancel} />
        : streams.items && <><Pods streams={streams.items} state={s} search={search} /><More pages={streams} what="container instances" /></>}
      {streams.items?.length === 0 && find && <p class="quiet">None has “{find}” in its name.</p>}
    </details>
  )
}

/** What to do where no log is chosen yet: the jobs. */
export function Choose() {
  const jobs = usePages<Job>(route.jobs({ limit: page }))
  if (jobs.error && !jobs.items) return <Failed error={jobs.error} again={jobs.again} />
  if (!jobs.items) return <Loading what="jobs" cancel={jobs.cancel} />
  if (!jobs.items.length) {
    return <Empty title="No logs yet"><p>Load recorded ones with <code>lastnight import DIR</code>, or collect those of this node with <code>lastnight run</code>.</p></Empty>
  }
  return (
    <div class="choose">
      <h2>Which log?</h2>
      <p>Search all of them above, or choose a job, and then one of its containers, also one that is long gone.</p>
      <ul class="plain">
        {jobs.items.map((j) => (
          <li key={`${j.namespace}/${j.name}`}>
            <a data-row href={logsHref({ namespace: j.namespace, job: j.workload || j.name })}>{j.name}</a>
            <span class="quiet">{j.namespace}</span>
            <span class="quiet">last line <When at={j.last_seen} /></span>
          </li>
        ))}
      </ul>
      <More pages={jobs} what="jobs" />
    </div>
  )
}

function Pods({ streams, state: s, search }: { streams: StreamInfo[]; state: LogsState; search: string }) {
  const pods = new Map<string, StreamInfo[]>()
  for (const st of streams) {
    const key = `${st.pod} ${st.pod_uid}`
    pods.set(key, [...(pods.get(key) ?? []), st])
  }
  return (
    <ul class="plain pods">
      {[...pods].map(([key, list]) => (
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
