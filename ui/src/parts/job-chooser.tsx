import { useId, useState } from 'preact/hooks'
import { route } from '../api/client'
import type { JobList } from '../api/types'
import { useApi } from '../api/use'
import { useDeferred } from '../lib/deferred'

/** So many jobs are a list to choose from; more are found by typing. */
const listed = 300

interface Props {
  namespace: string
  job: string
  by: 'name' | 'workload' // what is given to choose
  within?: boolean // only jobs of the namespace are offered
  search?: boolean // the key / leads here
  choose: (namespace: string | undefined, job: string | undefined) => void
}

interface Choice {
  key: string
  namespace: string
  name: string
}

/** Which job, of few by a list, of many by typing a part of its name. */
export function JobChooser({ namespace, job, by, within, search, choose }: Props) {
  const [typed, setTyped] = useState('')
  const asked = useDeferred(typed)
  const list = useId()
  const all = useApi<JobList>(route.jobs({ limit: listed, namespace: within ? namespace : '' }))
  const many = !!all.data?.next_cursor
  const found = useApi<JobList>(many ? route.jobs({ limit: 50, find: asked, namespace: within ? namespace : '' }) : undefined)
  const jobs = (many ? found.data : all.data)?.items ?? []
  const choices = [...new Map(jobs.map((j): [string, Choice] => {
    const name = by === 'name' ? j.name : j.workload || j.name
    return [`${j.namespace}/${name}`, { key: `${j.namespace}/${name}`, namespace: j.namespace, name }]
  })).values()]
  // A link may name a job without its namespace.
  const value = job ? (namespace ? `${namespace}/${job}` : (choices.find((c) => c.name === job)?.key ?? job)) : ''
  const take = (key: string): void => {
    const c = choices.find((x) => x.key === key)
    if (c) choose(c.namespace, c.name)
    else if (!key) choose(undefined, undefined)
  }
  if (!many) {
    return (
      <label>Job{' '}
        <select value={value} data-search={search} onChange={(e) => take(e.currentTarget.value)}>
          <option value="">all</option>
          {value && !choices.some((c) => c.key === value) && <option value={value}>{job}</option>}
          {choices.map((c) => <option key={c.key} value={c.key}>{within && namespace ? c.name : `${c.name} (${c.namespace})`}</option>)}
        </select>
      </label>
    )
  }
  return (
    <label>Job{' '}
      <input type="search" list={list} data-search={search} value={typed || value} placeholder="all; type to find" spellcheck={false}
        onInput={(e) => { setTyped(e.currentTarget.value); take(e.currentTarget.value) }} onBlur={() => setTyped('')} />
      <datalist id={list}>{choices.map((c) => <option key={c.key} value={c.key} />)}</datalist>
    </label>
  )
}
