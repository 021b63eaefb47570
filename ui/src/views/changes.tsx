import { useState } from 'preact/hooks'
import { route } from '../api/client'
import type { Incident, TemplateList } from '../api/types'
import { useApi } from '../api/use'
import { logsHref, templateHref } from '../lib/address'
import { count } from '../lib/numbers'
import { compare, type Change, type Compared } from '../lib/templates'
import { duration, parseTime } from '../lib/time'
import { TemplateText } from '../parts/template-text'

const minute = 60_000
const goodRun = 60 // minutes before the incident that count as the last good run

export const changeNames: Record<Change, string> = { new: 'New', missing: 'Missing', spiking: 'Spiking', rarer: 'Rarer', same: 'As before' }

/** What the job wrote that it did not write, or not so often, in its run before. */
export function Changes({ incident: i }: { incident: Incident }) {
  const [all, setAll] = useState(false)
  const iso = (ms: number): string => new Date(ms).toISOString()
  const begin = parseTime(i.start)
  const end = parseTime(i.end) + 5000
  const job = { namespace: i.namespace, job: i.workload || i.job, limit: 5000, exact: true }
  const before = useApi<TemplateList>(route.templates({ ...job, start: iso(begin - goodRun * minute), end: iso(begin) }))
  const during = useApi<TemplateList>(route.templates({ ...job, start: iso(begin), end: iso(end) }))
  if (!before.data || !during.data) return null
  const first = Math.min(...before.data.items.map((t) => parseTime(t.first_seen)), begin)
  const ran = Math.max(0.1, (begin - Math.max(first, begin - goodRun * minute)) / minute)
  const lasted = (end - begin) / minute
  const rows = before.data.items.length ? compare(before.data.items, during.data.items, ran, lasted).filter((c) => c.change !== 'same') : []
  const shown = all ? rows : rows.slice(0, 8)
  return (
    <section aria-labelledby="changes">
      <h2 id="changes">What it wrote differently <span class="quiet">
        {before.data.items.length ? `in these ${duration(end - begin)} than in the ${duration(ran * minute)} before` : 'there is no run before it to compare with'}</span></h2>
      {rows.length ? (
        <>
          <ul class="plain changes">{shown.map((c) => <Row key={c.template.id} c={c} incident={i} start={iso(begin)} end={iso(end)} />)}</ul>
          {rows.length > shown.length && <button type="button" class="small" onClick={() => setAll(true)}>{rows.length - shown.length} more</button>}
        </>
      ) : before.data.items.length > 0 && <p class="quiet">Nothing: the same templates, about as often.</p>}
    </section>
  )
}

function Row({ c, incident: i, start, end }: { c: Compared; incident: Incident; start: string; end: string }) {
  const said = c.change === 'new' ? `${count(c.during)} ×` : c.change === 'missing' ? `${count(c.before)} × before` : `${count(c.during)} ×, ${c.times >= 1 ? `${c.times.toFixed(c.times < 10 ? 1 : 0)} times as often` : `${Math.round(c.times * 100)} % as often`}`
  return (
    <li class="change">
      <span class={`change-kind ${c.change}`}>{changeNames[c.change]}</span>
      <span class="level-name">{c.template.level}</span>
      <a data-row href={templateHref(c.template.id, { namespace: i.namespace, job: i.workload || i.job })}><TemplateText text={c.template.text} /></a>
      <span class="quiet">{said}{' '}
        {c.during > 0 && <a href={logsHref({ namespace: i.namespace, job: i.workload || i.job, q: `template:${c.template.id}`, start, end, order: 'oldest' })}>lines</a>}
      </span>
    </li>
  )
}
