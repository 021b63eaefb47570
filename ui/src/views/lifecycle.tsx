import { route } from '../api/client'
import type { DocumentList, Incident } from '../api/types'
import { useApi } from '../api/use'
import { phaseNames, phases, startsOf, usual, type Start } from '../lib/lifecycle'
import { duration, parseTime } from '../lib/time'
import { landmarks } from './timeline'

const day = 86_400_000

/** How long each part of the restart took, against the job's other starts. */
export function Lifecycle({ incident: i }: { incident: Incident }) {
  const from = new Date(parseTime(i.start) - 30 * day).toISOString()
  const to = new Date(parseTime(i.end) + 30 * 60_000).toISOString()
  const base = { namespace: i.namespace, job: i.workload || i.job, start: from, end: to, scope: 'important' as const, limit: 2000 }
  const records = useApi<DocumentList>(route.search({ ...base, signal: landmarks }))
  const events = useApi<DocumentList>(route.search({ ...base, q: 'reason:(Scheduled or Running)', kind: ['event'] }))
  if (!records.data || !events.data) return null
  const starts = startsOf([...records.data.items, ...events.data.items])
  const begin = Math.floor(parseTime(i.start) / 1000) * 1000
  const mine = starts.filter((s) => s.from >= begin && s.from <= parseTime(i.end))
  const last = mine.at(-1)
  if (!last) return null
  const others = starts.filter((s) => !mine.includes(s))
  return (
    <section aria-labelledby="lifecycle">
      <h2 id="lifecycle">How long the restart took <span class="quiet">{mine.length > 1 ? `the last of ${mine.length}; ` : ''}{others.length ? `against ${others.length} other start${others.length === 1 ? '' : 's'} of the job` : 'no other start of the job is known'}</span></h2>
      <Table start={last} others={others} />
    </section>
  )
}

function Table({ start, others }: { start: Start; others: Start[] }) {
  const longest = Math.max(1, ...phases.map((p) => Math.max(start.took[p] ?? 0, usual(others, p).ms || 0)))
  return (
    <table class="list lifecycle">
      <thead><tr><th scope="col">Part</th><th scope="col">Took</th><th scope="col">Usually</th><th scope="col"><span class="sr">Picture</span></th></tr></thead>
      <tbody>
        {phases.map((p) => {
          const took = start.took[p]
          const u = usual(others, p)
          const slow = took !== undefined && u.of > 0 && took > 2 * u.ms && took - u.ms > 5000
          return (
            <tr key={p}>
              <th scope="row">{phaseNames[p]}</th>
              <td data-name="Took">{took === undefined ? <span class="quiet">no sign of it</span> : <>{duration(took)}{slow && <strong class="count"> slow</strong>}</>}</td>
              <td data-name="Usually">{u.of ? `${duration(u.ms)}` : <span class="quiet">–</span>}</td>
              <td><meter min={0} max={longest} value={took ?? 0} aria-label={`${phaseNames[p]}: ${took === undefined ? 'unknown' : duration(took)}`} /></td>
            </tr>
          )
        })}
      </tbody>
    </table>
  )
}
