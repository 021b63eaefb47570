import { useMemo } from 'preact/hooks'
import { route } from '../../api/client'
import type { Document, DocumentList, Histogram, QueueItem, TemplateDetail } from '../../api/types'
import { useApi } from '../../api/use'
import { incidentHref, logsHref, templateHref } from '../../lib/address'
import { count, counted } from '../../lib/numbers'
import { indexOfByte } from '../../lib/text'
import { LogText } from '../../parts/log-text'
import { Sparkline } from '../../parts/sparkline'
import { Failed, Loading } from '../../parts/states'
import { TemplateText } from '../../parts/template-text'
import { When } from '../../parts/when'
import { Variables } from '../template'
import { Parting } from './parting'
import { targetName } from './work'

interface ItemProps {
  item: QueueItem | undefined
  template: string
  picked: string[] // other templates that are chosen
  adopt: (labelId: string) => void
  changed: () => void
}

const day = 86_400_000
const newest = 200

/** What there is to know of one thing in the queue before it is labeled. */
export function Item({ item, template, picked, adopt, changed }: ItemProps) {
  const asked = useApi<TemplateDetail>(template ? route.template(template) : undefined)
  const t = asked.data
  const month = useMemo(() => { const now = Date.now(); return { start: new Date(now - 30 * day).toISOString(), end: new Date(now).toISOString() } }, [template])
  const found = useApi<DocumentList>(template ? route.search({ q: `template:${template}`, ...month, limit: newest }) : undefined)
  const over = useApi<Histogram>(template ? route.histogram({ template_id: template, ...month }) : undefined)
  if (template && asked.error) return <Failed error={asked.error} again={asked.again} />
  if (template && !t) return <Loading what="the template" cancel={asked.cancel} />
  const incidents = t?.incidents ?? item?.incidents ?? []
  const similar = t?.similar.length ? t.similar : (item?.proposals ?? [])
  const docs = found.data?.items.length ? found.data.items : (t?.samples ?? [])
  const firstLines = docs.map((d) => (d.text.split('\n')[0] ?? '').slice(indexOfByte(d.text, d.message_at ?? 0)))
  return (
    <div class="label-item">
      <h2 class="label-what">{t ? <TemplateText text={t.text} max={1500} /> : item ? (item.title || targetName(item.target)) : ''}</h2>
      <p class="quiet">
        {t && <><a href={templateHref(t.id)}>{t.id}</a>, seen <When at={t.first_seen} /> to <When at={t.last_seen} />, {count(t.jobs)} job{t.jobs === 1 ? '' : 's'}, </>}
        {t ? count(t.failovers) : count(item?.failovers ?? 0)} failovers{item && `, ${count(item.explained)} of them explained already`}
      </p>
      {t && t.labels.length > 0 && <p>Labeled already: {t.labels.map((l) => <a key={l.id} class="record-label" href={`/label?queue=labels&label=${encodeURIComponent(l.id)}`}>{l.title || l.cause || l.id}, {l.state}</a>)}</p>}
      {similar.length > 0 && (
        <section>
          <h3>What people said of similar ones</h3>
          <ol class="plain">
            {similar.slice(0, 9).map((p, n) => (
              <li key={p.label.id}>
                <button type="button" class="small" onClick={() => adopt(p.label.id)}><kbd>{n + 1}</kbd> Say this and next</button>{' '}
                <strong>{p.title || p.cause}</strong> <span class="quiet">{Math.round(p.score * 100)} % alike, {p.label.author}, {p.label.state}</span>
                {p.text && <div><TemplateText text={p.text} /></div>}
              </li>
            ))}
          </ol>
        </section>
      )}
      {t && t.samples.length > 0 && (
        <section>
          <h3>Samples</h3>
          <ul class="plain samples">
            {t.samples.slice(0, 4).map((d) => <li key={d.id}><a data-row href={logsHref({ line: d.id })}><When at={d.time} /></a> <span class="quiet">{d.job} / {d.pod}</span><pre class="evidence" tabIndex={0}><LogText text={d.text} first={1200} /></pre></li>)}
          </ul>
        </section>
      )}
      {t && <Variables template={t.text} messages={firstLines} loading={!found.data && !found.error} />}
      {t && <Where docs={docs} over={over.data} month={month} template={t.id} />}
      <section>
        <h3>Incidents that it touches</h3>
        {incidents.length ? (
          <ul class="plain">{incidents.slice(0, 20).map((i) => <li key={i.id}><a data-row href={incidentHref(i.id)}>{i.job} · <When at={i.start} /></a> <span class="quiet">{i.cause || 'unexplained'}, {i.failovers} failover{i.failovers === 1 ? '' : 's'}</span></li>)}</ul>
        ) : <p class="quiet">None so far.</p>}
      </section>
      {t && <Parting template={t} picked={picked} changed={changed} />}
    </div>
  )
}

/** In which jobs and pods it stands, and how often over the last month. */
function Where({ docs, over, month, template }: { docs: Document[]; over: Histogram | undefined; month: { start: string; end: string }; template: string }) {
  const total = over?.items.reduce((n, b) => n + Object.values(b.levels).reduce((x, y) => x + y, 0), 0)
  const jobs = new Map<string, { namespace: string; job: string; n: number; pods: Set<string> }>()
  for (const d of docs) {
    const j = jobs.get(`${d.namespace}/${d.job}`) ?? { namespace: d.namespace ?? '', job: d.job ?? '', n: 0, pods: new Set<string>() }
    j.n += d.alike ?? 1
    j.pods.add(d.pod ?? '')
    jobs.set(`${d.namespace}/${d.job}`, j)
  }
  return (
    <section>
      <h3>Where and when {over && <><span class="quiet">{counted(total ?? 0, 'record')} in 30 days</span> <Sparkline histogram={over} interval={month} /></>}</h3>
      <ul class="plain">
        {[...jobs.values()].sort((a, b) => b.n - a.n).slice(0, 8).map((j) => (
          <li key={`${j.namespace}/${j.job}`}><a data-row href={logsHref({ namespace: j.namespace, job: j.job, q: `template:${template}`, ...month })}>{j.job}</a> <span class="quiet">{j.namespace}, {count(j.n)} in {count(j.pods.size)} pod{j.pods.size === 1 ? '' : 's'}</span></li>
        ))}
      </ul>
      {docs.length >= newest && <p class="quiet">Of the newest {count(newest)} records.</p>}
    </section>
  )
}
