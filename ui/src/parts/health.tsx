import { route } from '../api/client'
import { useMemo } from 'preact/hooks'
import type { Incident, IncidentList, JobList } from '../api/types'
import { useApi } from '../api/use'
import { jobHref } from '../lib/address'
import { useZone } from '../lib/prefs'
import { date, parseTime, type Zone } from '../lib/time'
import { Failed } from './states'

const days = 7
const day = 86_400_000

interface Cell {
  failovers: number
  unexplained: number
  acts: number
}

/** Failovers of each job by day: rows by how much there was, columns oldest first. */
export function health(incidents: Incident[], now: number, zone: Zone): { days: string[]; rows: { namespace: string; job: string; cells: Cell[]; total: number }[] } {
  const names = Array.from({ length: days }, (_, n) => date(new Date(now - (days - 1 - n) * day).toISOString(), zone))
  const rows = new Map<string, { namespace: string; job: string; cells: Cell[]; total: number }>()
  for (const i of incidents) {
    const at = names.indexOf(date(i.start, zone))
    if (at < 0 || i.planned || now - parseTime(i.start) > days * day) continue
    const key = `${i.namespace}/${i.job}`
    const row = rows.get(key) ?? { namespace: i.namespace, job: i.job, total: 0, cells: names.map(() => ({ failovers: 0, unexplained: 0, acts: 0 })) }
    rows.set(key, row)
    const c = row.cells[at] as Cell
    c.failovers += i.failovers
    row.total += i.failovers
    if (!i.diagnosis.explained) c.unexplained += i.failovers
    if (i.diagnosis.action_needed) c.acts += i.failovers
  }
  return { days: names, rows: [...rows.values()].sort((a, b) => b.total - a.total || a.job.localeCompare(b.job)) }
}

/** The jobs' health at a glance over the last days. */
export function Health() {
  const zone = useZone()
  const now = useMemo(() => Date.now(), [])
  const asked = useApi<IncidentList>(route.incidents({ start: new Date(now - days * day).toISOString(), chain: false, limit: 1000 }))
  const jobs = useApi<JobList>(route.jobs({ start: new Date(now - days * day).toISOString() }))
  if (asked.error) return <Failed error={asked.error} again={asked.again} />
  if (!asked.data) return null
  const h = health(asked.data.items, now, zone)
  const well = (jobs.data?.items.length ?? 0) - h.rows.length
  return (
    <section aria-labelledby="health">
      <h2 id="health">Jobs, the last {days} days <span class="quiet">failovers a day{asked.data.next_cursor ? ', of the newest 1,000 incidents' : ''}</span></h2>
      {h.rows.length > 0 && (
        <div class="scroll">
          <table class="health">
            <thead><tr><th scope="col">Job</th>{h.days.map((d) => <th scope="col" key={d}>{d.slice(0, 3)}<span class="health-date"> {d.slice(4)}</span></th>)}</tr></thead>
            <tbody>
              {h.rows.slice(0, 30).map((r) => (
                <tr key={`${r.namespace}/${r.job}`}>
                  <th scope="row"><a data-row href={jobHref(r.namespace, r.job)}>{r.job}</a></th>
                  {r.cells.map((c, n) => (
                    <td key={n} class={c.acts ? 'bad' : c.unexplained ? 'warn' : c.failovers ? 'calm' : ''}>
                      {c.failovers ? <span title={`${c.failovers} failovers, ${c.unexplained} unexplained, ${c.acts} need action`}>{c.failovers}{c.unexplained > 0 && '?'}{c.acts > 0 && '!'}</span> : <span class="quiet" aria-label="none">·</span>}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <p class="quiet">
        {h.rows.length > 30 && `${h.rows.length - 30} more jobs failed over. `}
        {well > 0 && <><a href="/jobs">{well} other job{well === 1 ? '' : 's'}</a> had no failover. </>}
        ! action needed, ? unexplained.
      </p>
    </section>
  )
}
