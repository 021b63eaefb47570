import type { IncidentList, Incident, LabelList, TemplateList } from '../src/api/types'
import { incidentHref, jobHref, logsHref, templateHref, templatesHref } from '../src/lib/address'

/** An incident that is explained by a record of a pod, from the server under test. */
export async function example(url: string): Promise<{ incident: Incident; logLink: string }> {
  const res = await fetch(`${url}/api/v1/incidents?start=now-7d`)
  const { items } = (await res.json()) as IncidentList
  for (const incident of items) {
    const e = incident.diagnosis.chain.find((x) => x.record_id && x.link)
    if (incident.diagnosis.explained && e) return { incident, logLink: e.link }
  }
  throw new Error('no incident is explained by a record')
}

/** An incident with an event in its chain, and where in it. */
export async function exampleEvent(url: string): Promise<{ incident: Incident; at: number }> {
  const res = await fetch(`${url}/api/v1/incidents?start=now-7d`)
  for (const incident of ((await res.json()) as IncidentList).items) {
    const at = incident.diagnosis.chain.findIndex((e) => e.kind === 'event' && e.event_id)
    if (at >= 0) return { incident, at }
  }
  throw new Error('no incident has an event in its chain')
}

/** Every screen and state, by name. */
export async function screens(url: string): Promise<Record<string, string>> {
  const { incident: i, logLink } = await example(url)
  const record = i.diagnosis.chain.find((e) => e.record_id)?.record_id ?? ''
  const found = (await (await fetch(`${url}/api/v1/templates?namespace=${i.namespace}&job=${i.workload || i.job}&limit=3`)).json()) as TemplateList
  const template = found.items[2]?.id ?? ''
  const { items } = (await (await fetch(`${url}/api/v1/incidents?start=now-7d`)).json()) as IncidentList
  const alike = items.find((x) => x.similar.length > 0)
  const { items: labels } = (await (await fetch(`${url}/api/v1/labels?limit=1`)).json()) as LabelList
  return {
    'home': '/?planned=1',
    'home-time': '/?start=2026-01-01T00:00:00Z',
    'home-empty': '/?namespace=nowhere',
    'incident': incidentHref(i.id),
    ...(alike ? { 'incident-alike': incidentHref(alike.id) } : {}),
    'incident-zoomed': incidentHref(i.id) + '?from=' + encodeURIComponent(i.start) + '&to=' + encodeURIComponent(new Date(Date.parse(i.end) + 2000).toISOString()),
    'incident-unknown': incidentHref('no-such-incident'),
    'logs-choose': '/logs',
    'logs-line': logLink,
    'logs-search': logsHref({ namespace: i.namespace, job: i.workload || i.job, q: 'switched', scope: 'important' }),
    'logs-job': logsHref({ namespace: i.namespace, job: i.workload || i.job }),
    'logs-error': logsHref({ namespace: i.namespace, job: i.workload || i.job, q: '(open' }),
    'logs-around': logsHref({ line: record, mark: 'job' }),
    'logs-live': logsHref({ namespace: i.namespace, job: i.workload || i.job, live: true }),
    'templates': templatesHref({ namespace: i.namespace, job: i.workload || i.job }),
    'templates-windows': templatesHref({ namespace: i.namespace, job: i.workload || i.job, start: i.start, end: new Date(Date.parse(i.end) + 60_000).toISOString(), start2: new Date(Date.parse(i.start) - 1800_000).toISOString(), end2: i.start }),
    'template': templateHref(template, { namespace: i.namespace, job: i.workload || i.job }),
    'label': '/label',
    'label-incidents': '/label?queue=incidents',
    'label-review': '/label?queue=review',
    'label-all': '/label?queue=labels',
    ...(labels[0] ? { 'label-history': `/label?queue=labels&label=${encodeURIComponent(labels[0].id)}` } : {}),
    'label-merges': '/label?queue=merges',
    'jobs': '/jobs',
    'job': jobHref(i.namespace, i.job),
  }
}
