import type { Incident } from '../api/types'
import { incidentHref, jobHref } from '../lib/address'
import { harmless } from '../lib/text'
import { useZone } from '../lib/prefs'
import { dayName, duration, parseTime } from '../lib/time'
import { ActionBadge, StateBadge } from './badge'
import { When } from './when'

/** One incident in a list: when, what, and whether somebody has to act. */
function IncidentRow({ incident: i }: { incident: Incident }) {
  const d = i.diagnosis
  const took = duration(parseTime(i.end) - parseTime(i.start))
  // What it was, in the words of the log or of Kubernetes.
  const detail = d.title ? d.chain.find((e) => e.role === 'cause')?.what : undefined
  return (
    <li class={`incident ${d.action_needed ? 'acts' : ''}`}>
      <div class="incident-when"><When at={i.start} as="clock" /></div>
      <div class="incident-what">
        <a class="incident-link" data-row href={incidentHref(i.id)}>
          <span class="incident-job">{i.job}</span>
          <span class="incident-cause">{d.title || d.verdict}</span>
        </a>
        {detail && <p class="incident-detail">{harmless(detail)}</p>}
        <p class="incident-facts">
          {d.explained ? <span>{d.label ? `${d.cause ?? 'label'}, said by ${d.label.author} (${d.label.state})` : d.cause}, {Math.round(d.confidence * 100)} % sure</span> : <span>no cause found</span>}
          <a href={jobHref(i.namespace, i.job)}>{i.namespace}</a>
          <span>{i.open ? (took === '0 ms' ? 'no other sign yet' : `last sign after ${took}`) : i.recovered ? `recovered after ${took}` : i.planned ? `ended after ${took}` : `given up after ${took}`}</span>
          <span>{i.failovers} failover{i.failovers === 1 ? '' : 's'}</span>
        </p>
      </div>
      <div class="incident-badges">
        <ActionBadge incident={i} />
        <StateBadge incident={i} />
      </div>
    </li>
  )
}

/** Incidents under the days on which they began, in the order given. */
export function IncidentList({ incidents }: { incidents: Incident[] }) {
  const zone = useZone()
  const days: { name: string; items: Incident[] }[] = []
  for (const i of incidents) {
    const name = dayName(i.start, zone)
    const last = days.at(-1)
    if (last?.name === name) last.items.push(i)
    else days.push({ name, items: [i] })
  }
  return (
    <>
      {days.map((d) => (
        <section key={d.name}>
          <h2 class="day">{d.name}</h2>
          <ol class="incidents">{d.items.map((i) => <IncidentRow key={i.id} incident={i} />)}</ol>
        </section>
      ))}
    </>
  )
}

/** 5 incidents: 3 need action, 1 unexplained, 1 not recovered. */
export function summary(incidents: Incident[]): string {
  const n = (list: Incident[]): number => list.length
  const real = incidents.filter((i) => !i.planned)
  const parts = [
    [n(real.filter((i) => i.diagnosis.action_needed)), 'need action', 'needs action'],
    [n(real.filter((i) => !i.diagnosis.explained)), 'unexplained', 'unexplained'],
    [n(real.filter((i) => i.open)), 'still open', 'still open'],
    [n(real.filter((i) => !i.recovered && !i.open)), 'not recovered', 'not recovered'],
    [n(incidents) - n(real), 'planned', 'planned'],
  ] as const
  const said = parts.filter(([count]) => count > 0).map(([count, many, one]) => `${count} ${count === 1 ? one : many}`)
  const total = `${n(incidents)} incident${n(incidents) === 1 ? '' : 's'}`
  return said.length ? `${total}: ${said.join(', ')}` : incidents.length ? `${total}, all explained, no action needed` : total
}
