import { useMemo } from 'preact/hooks'
import { route } from '../api/client'
import type { DocumentList, Histogram, TemplateDetail } from '../api/types'
import { useApi } from '../api/use'
import { incidentHref, logsHref, templateHref, templatesHref } from '../lib/address'
import { count, counted } from '../lib/numbers'
import { usePlace } from '../lib/router'
import { indexOfByte } from '../lib/text'
import { valuesOf } from '../lib/templates'
import { bounded, type RangeName } from '../lib/time'
import { Icon } from '../parts/icons'
import { LogText } from '../parts/log-text'
import { RangePicker, useChosen } from '../parts/range-picker'
import { Sparkline } from '../parts/sparkline'
import { Failed, Loading } from '../parts/states'
import { TemplateText } from '../parts/template-text'
import { When } from '../parts/when'
import { useTitle } from './title'

const names: RangeName[] = ['last-night', '24h', '7d', '30d']
const samples = 500
const mostValues = 8

/** One template: where and when, the values of its variables, what people said of it. */
export function Template({ id }: { id: string }) {
  const { search } = usePlace()
  const p = new URLSearchParams(search)
  const namespace = p.get('namespace') ?? ''
  const job = p.get('job') ?? ''
  const time = useChosen(search, '7d')
  const interval = useMemo(() => bounded(time.interval), [time])
  const asked = useApi<TemplateDetail>(route.template(id))
  const t = asked.data?.id === id ? asked.data : undefined
  useTitle(t ? t.text.slice(0, 60) : 'Template')
  const found = useApi<DocumentList>(route.search({ q: `template:${id}`, ...interval, namespace, job, limit: samples }))
  const over = useApi<Histogram>(route.histogram({ template_id: id, ...interval, namespace, job }))
  if (asked.error) return <><h1>Template {id}</h1><Failed error={asked.error} again={asked.again} /></>
  if (!t) return <><h1 class="sr">Template</h1><Loading what="the template" cancel={asked.cancel} /></>
  const docs = found.data?.items ?? []
  const n = over.data?.items.reduce((sum, b) => sum + Object.values(b.levels).reduce((a, x) => a + x, 0), 0)
  return (
    <article>
      <div class="head">
        <p class="crumbs"><a href={templatesHref({ namespace, job })}>Templates{job && ` of ${job}`}</a></p>
        <h1 class="template-title">{t.level && <span class={`level-tag lv-${t.level.toLowerCase()}`}>{t.level}</span>} <TemplateText text={t.text} max={2000} /></h1>
        <p class="quiet">{t.id}{t.became && t.became !== t.id && <>, became <a href={templateHref(t.became, { namespace, job })}>{t.became}</a></>}, seen <When at={t.first_seen} /> to <When at={t.last_seen} /></p>
      </div>
      <div class="bar">
        <RangePicker value={time} names={names} fallback="7d" />
        <a class="button" href={logsHref({ namespace, job, q: `template:${id}`, ...interval })}><Icon name="log" /> Its records</a>
        <a class="button" href={`/label?template=${encodeURIComponent(id)}`}>Label this</a>
        {over.data && <span>{counted(n ?? 0, 'record')} <Sparkline histogram={over.data} interval={interval} /></span>}
      </div>
      {t.labels.length > 0 && (
        <section class="advice"><h2>What people say</h2>
          {t.labels.map((l) => <p key={l.id}><strong>{l.title || l.cause}</strong> {l.advice} <span class="quiet">{l.author}, {l.state}</span></p>)}
        </section>
      )}
      <Variables template={t.text} messages={docs.map((d) => (d.text.split('\n')[0] ?? '').slice(indexOfByte(d.text, d.message_at ?? 0)))} loading={!found.data} />
      <section>
        <h2>Samples</h2>
        {found.error ? <Failed error={found.error} again={found.again} /> : (
          <ul class="plain samples">
            {(docs.length ? docs : t.samples).slice(0, 8).map((d) => (
              <li key={d.id}><a data-row href={logsHref({ line: d.id })}><When at={d.time} /></a> <span class="quiet">{d.job} / {d.pod}</span><pre class="evidence"><LogText text={d.text} first={1500} /></pre></li>
            ))}
          </ul>
        )}
      </section>
      {t.incidents.length > 0 && (
        <section><h2>In incidents</h2>
          <ul class="plain">{t.incidents.map((i) => <li key={i.id}><a data-row href={incidentHref(i.id)}>{i.job} · <When at={i.start} /></a> <span class="quiet">{i.cause || 'unexplained'}</span></li>)}</ul>
        </section>
      )}
    </article>
  )
}

/** What stood in the place of each variable, in the newest records. */
export function Variables({ template, messages, loading }: { template: string; messages: string[]; loading: boolean }) {
  const values = useMemo(() => valuesOf(template, messages), [template, messages.length, messages[0]])
  if (!template.includes('<*>')) return null
  return (
    <section>
      <h2>Variables <span class="quiet">{loading ? 'loading…' : `of the newest ${counted(messages.length, 'record')}`}</span></h2>
      <div class="variables">
        {values.map((v, i) => (
          <div key={i}>
            <h3>Variable {i + 1} <span class="quiet">{count(v.length)} value{v.length === 1 ? '' : 's'}</span></h3>
            <ol class="plain">
              {v.slice(0, mostValues).map((x) => <li key={x.value}><code><LogText text={x.value || '(empty)'} first={120} /></code> <span class="quiet">{count(x.count)}</span></li>)}
            </ol>
          </div>
        ))}
      </div>
    </section>
  )
}
