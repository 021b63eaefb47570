import { useState } from 'preact/hooks'
import { route } from '../api/client'
import type { FeedbackList, Incident, Similar as Ref } from '../api/types'
import { useApi } from '../api/use'
import { incidentHref } from '../lib/address'
import { stateOf } from '../lib/markdown'
import { duration, parseTime } from '../lib/time'
import { When } from '../parts/when'
import { Answers } from './feedback'

const few = 4

/** Incidents like this one, with what was found out and what people said of them then. */
export function SimilarIncidents({ incident: i }: { incident: Incident }) {
  const [all, setAll] = useState(false)
  const shown = all ? i.similar : i.similar.slice(0, few)
  return (
    <section aria-labelledby="similar">
      <h2 id="similar">Similar incidents</h2>
      {shown.length ? <ul class="plain similar">{shown.map((s) => <Row key={s.id} similar={s} cause={i.diagnosis.cause} />)}</ul> : <p class="quiet">None so far.</p>}
      {shown.length < i.similar.length && <button type="button" class="small" onClick={() => setAll(true)}>{i.similar.length - shown.length} more</button>}
    </section>
  )
}

function Row({ similar: s, cause }: { similar: Ref; cause: string | undefined }) {
  const found = useApi<Incident>(route.incident(s.id))
  const said = useApi<FeedbackList>(route.feedback(s.id))
  const then = found.data
  const d = then?.diagnosis
  // What is known now: a label may have explained it since.
  const was = d ? d.cause : s.cause
  return (
    <li>
      <a data-row href={incidentHref(s.id)}>{s.job || 'Incident'} · <When at={s.start} /></a>
      <span class="quiet"> {Math.round(s.score * 100)} % alike</span>
      <p>{d ? d.title || d.verdict : s.cause || 'unexplained'}{' '}
        <span class="quiet">{was ? (was === cause ? 'the same cause' : was) : 'unexplained'}{then && `, ${stateOf(then)}${then.open ? '' : ` after ${duration(parseTime(then.end) - parseTime(then.start))}`}`}</span></p>
      {d?.label && <p class="said-then"><strong>{d.label.author}</strong> ({d.label.state} label): {d.advice || d.title}</p>}
      {said.data && said.data.items.length > 0 && <div class="said-then"><Answers items={said.data.items} /></div>}
      {d && !d.label && said.data && !said.data.items.length && <p class="quiet">Nobody said anything of it.</p>}
    </li>
  )
}
