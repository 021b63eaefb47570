import { route } from '../api/client'
import type { Incident as Found } from '../api/types'
import { useApi, useRefresh } from '../api/use'
import { incidentHref, jobHref, logsHref } from '../lib/address'
import { incidentMarkdown } from '../lib/markdown'
import { harmless } from '../lib/text'
import { duration, parseTime, shift } from '../lib/time'
import { ActionBadge, StateBadge } from '../parts/badge'
import { CopyButton } from '../parts/copy-button'
import { Icon } from '../parts/icons'
import { Failed, Loading } from '../parts/states'
import { When } from '../parts/when'
import { Chain } from './chain'
import { Changes } from './changes'
import { Feedback } from './feedback'
import { Lifecycle } from './lifecycle'
import { SimilarIncidents } from './similar'
import { Timeline } from './timeline'
import { useTitle } from './title'

/** One incident: the verdict, what to do, and how it came about. */
export function Incident({ id }: { id: string }) {
  const asked = useApi<Found>(route.incident(id))
  const i = asked.data?.id === id ? asked.data : undefined
  // One that is open goes on, and one that nobody could explain may be labeled meanwhile.
  useRefresh(asked.again, 15_000, !!i && (i.open || !i.diagnosis.explained))
  useTitle(i ? `${i.job}: ${i.diagnosis.title || 'unexplained'}` : 'Incident')
  if (asked.error) return <><h1>Incident {id}</h1><Failed error={asked.error} again={asked.again} /><p><a href="/?range=30d">The incidents of the last 30 days</a></p></>
  if (!i) return <><h1 class="sr">Incident</h1><Loading what="the incident" cancel={asked.cancel} /></>
  return <Shown incident={i} />
}

function Shown({ incident: i }: { incident: Found }) {
  const d = i.diagnosis
  const href = location.origin + incidentHref(i.id)
  return (
    <article>
      <div class="head">
        <p class="crumbs">
          <a href={jobHref(i.namespace, i.job)}>{i.job}</a> in {i.namespace}{i.cluster ? ` on ${i.cluster}` : ''}
        </p>
        <h1>{d.title || d.verdict}</h1>
        {d.title && <p class="verdict">{harmless(d.verdict)}</p>}
        <p class="badges"><ActionBadge incident={i} /> <StateBadge incident={i} /></p>
      </div>
      <Facts incident={i} />
      {d.advice && (
        <section class="advice" aria-labelledby="advice">
          <h2 id="advice">What to do</h2>
          <p>{d.advice}</p>
          {d.label && <p class="quiet">From the label of {d.label.author} ({d.label.state})</p>}
        </section>
      )}
      {!d.explained && (
        <section class="advice" aria-labelledby="advice">
          <h2 id="advice">No cause of the catalogue explains this</h2>
          <p>Below is what was seen. <a href={logsAround(i)}>Read the job’s log around it</a>; once you know what it was, <a href="/label?queue=incidents">label it</a>, and the next one is explained.</p>
        </section>
      )}
      <p class="actions">
        <CopyButton text={() => href} icon="link">Copy link</CopyButton>
        <CopyButton text={() => incidentMarkdown(i, href)}>Copy as Markdown</CopyButton>
        <a class="button" href={logsAround(i)}><Icon name="log" /> Log around it</a>
      </p>
      <Timeline incident={i} />
      <Chain incident={i} />
      <Lifecycle incident={i} />
      <Changes incident={i} />
      <Others incident={i} />
      <Feedback incident={i} />
    </article>
  )
}

/** The job's records from a little before the incident to a little after it. */
function logsAround(i: Found): string {
  return logsHref({ namespace: i.namespace, job: i.workload || i.job, start: shift(i.start, -60_000), end: shift(i.end, 60_000), order: 'oldest' })
}

function Facts({ incident: i }: { incident: Found }) {
  const d = i.diagnosis
  const took = duration(parseTime(i.end) - parseTime(i.start))
  return (
    <dl class="facts">
      <div><dt>Began</dt><dd><When at={i.start} /></dd></div>
      {i.open ? <div><dt>Last sign of it</dt><dd><When at={i.end} /></dd></div>
        : <div><dt>{i.recovered ? 'Recovered after' : i.planned ? 'Ended after' : 'Given up after'}</dt><dd>{took}</dd></div>}
      <div><dt>Failovers</dt><dd>{i.failovers}</dd></div>
      {d.explained && <div><dt>Cause</dt><dd>{d.cause}</dd></div>}
      {d.explained && <div><dt>Sure</dt><dd>{Math.round(d.confidence * 100)} %</dd></div>}
      {d.layer && <div><dt>Layer</dt><dd>{d.layer}</dd></div>}
      {d.severity && <div><dt>Severity</dt><dd>{d.severity}</dd></div>}
    </dl>
  )
}

function Others({ incident: i }: { incident: Found }) {
  const d = i.diagnosis
  return (
    <div class="columns">
      <section aria-labelledby="alternatives">
        <h2 id="alternatives">Less likely causes</h2>
        {d.alternatives.length ? (
          <ul class="plain">
            {d.alternatives.map((a) => (
              <li key={a.cause} class="alternative">
                <span>{a.title || a.cause}{a.title && <span class="quiet"> {a.cause}</span>}</span>
                <meter min={0} max={1} value={a.confidence} aria-label={`Confidence in ${a.cause}`} />
                <span class="number">{percent(a.confidence)}</span>
              </li>
            ))}
          </ul>
        ) : <p class="quiet">Nothing else had evidence.</p>}
      </section>
      <SimilarIncidents incident={i} />
    </div>
  )
}

function percent(x: number): string {
  return x > 0 && x < 0.01 ? '< 1 %' : `${Math.round(x * 100)} %`
}
