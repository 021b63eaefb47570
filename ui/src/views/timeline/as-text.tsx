import type { Document, Incident } from '../../api/types'
import { useZone } from '../../lib/prefs'
import { laneChanges, type TemplateLane } from '../../lib/rates'
import { harmless } from '../../lib/text'
import { clockMillis, duration, parseTime } from '../../lib/time'
import { eventName, isBad, type PodLane, type Span } from '../../lib/timeline'

const iso = (ms: number): string => new Date(ms).toISOString()

interface AsTextProps {
  incident: Incident
  states: Span[]
  pods: PodLane[]
  events: Document[]
  records: Document[]
  templates: TemplateLane[]
}

interface Row {
  at: number
  what: string
  kind: string
}

/** The same as the picture, for those who do not see it, or want to copy it. */
export function AsText(props: AsTextProps) {
  const zone = useZone()
  const rows = rowsOf(props)
  return (
    <details class="as-text">
      <summary>The timeline as a table ({rows.length} rows)</summary>
      <div class="scroll" tabIndex={0} role="region" aria-label="The timeline as a table">
        <table class="list">
          <thead><tr><th scope="col">Time</th><th scope="col">Of</th><th scope="col">What</th></tr></thead>
          <tbody>
            {rows.slice(0, 1000).map((r, n) => <tr key={n}><td data-name="Time">{clockMillis(iso(r.at), zone)}</td><td data-name="Of">{r.kind}</td><td>{harmless(r.what).slice(0, 300)}</td></tr>)}
          </tbody>
        </table>
      </div>
    </details>
  )
}

function rowsOf({ incident: i, states, pods, events, records, templates }: AsTextProps): Row[] {
  const rows: Row[] = [
    ...states.map((s) => ({ at: s.from, kind: 'Job', what: `${s.name} for ${duration(s.to - s.from)}` })),
    ...pods.flatMap((p) => p.spans.map((s) => ({ at: s.from, kind: 'Pod', what: `${p.pod}: ${s.name} for ${duration(s.to - s.from)}${p.node ? ` on ${p.node}` : ''}` }))),
    ...events.map((d) => ({ at: parseTime(d.time), kind: isBad(d) ? 'Warning' : 'Event', what: eventName(d) })),
    ...records.filter((d) => d.signals?.includes('checkpoint') || d.signals?.includes('restore')).map((d) => ({ at: parseTime(d.time), kind: 'Log', what: d.text.slice(d.message_at ?? 0).split('\n')[0] ?? '' })),
    ...templates.map((t) => ({ at: t.points[0]?.at ?? parseTime(i.start), kind: 'Template', what: `${t.rate.level ?? ''} ${t.rate.text || t.rate.id}: ${t.rate.count} records${t.change ? `, ${laneChanges[t.change]}` : ''}`.trim() })),
    { at: parseTime(i.start), kind: 'Incident', what: 'The incident begins' },
    { at: parseTime(i.end), kind: 'Incident', what: i.recovered ? 'Recovered' : 'Last sign of it' },
  ]
  return rows.sort((a, b) => a.at - b.at)
}
