// What people have done and said, so that no screen is shown empty: labels in every state, answers, a merge, incidents that are alike.

import type { IncidentList, Label, Queue } from '../src/api/types'
import { failJob, failingNamespace } from './otlp'

async function as<T>(url: string, who: string, method: 'GET' | 'POST', path: string, body?: unknown, version?: number): Promise<T> {
  const res = await fetch(url + path, {
    method, headers: { 'Content-Type': 'application/json', 'X-Lastnight-Request': '1', 'X-Lastnight-User': who, ...(version ? { 'If-Match': `"${version}"` } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  if (!res.ok) throw new Error(`${method} ${path}: ${res.status} ${await res.text()}`)
  return (await res.json()) as T
}

/** Fills a server that has the demo's incidents. */
export async function people(url: string): Promise<void> {
  const minute = 60_000
  await failJob(url, 'lamps-a', 'a1'.repeat(16), Date.now() - 20 * minute)
  await failJob(url, 'lamps-b', 'b2'.repeat(16), Date.now() - 8 * minute)
  for (let i = 0; i < 100; i++) {
    if ((await as<IncidentList>(url, 'Anna', 'GET', `/api/v1/incidents?start=now-1d&namespace=${failingNamespace}`)).items.length === 2) break
    await new Promise((done) => setTimeout(done, 300))
  }
  const label = async (template: string, title: string, cause: string, advice: string): Promise<Label> =>
    as<Label>(url, 'Anna', 'POST', '/api/v1/labels', { label: { title, cause, advice, state: 'proposed', target: { template: { id: template } } }, why: 'seen last night' })
  const { items } = await as<Queue>(url, 'Anna', 'GET', '/api/v1/queue?kind=template&limit=100')
  const lamps = items.find((i) => i.title.startsWith('Source: lamps'))
  const others = items.filter((i) => i !== lamps)
  if (lamps) {
    const l = await label(lamps.id, 'The seal of the lanterns is broken', 'lantern-seal', 'Renew the seal with the keeper on call, then restart the job.')
    await as(url, 'Boris', 'POST', `/api/v1/labels/${l.id}/review`, { action: 'approve', why: 'the same as in March' }, l.version)
  }
  if (others[0]) await label(others[0].id, 'The licence of the rates feed has run out', 'licence-expired', 'Order a new licence; the feed restarts by itself.')
  if (others[2]) await label(others[2].id, 'The bucket’s policy was changed', 'storage-permission-denied', 'Ask the storage team for write access to the checkpoint folder.')
  if (others[3] && others[4]) await as(url, 'Boris', 'POST', '/api/v1/merges', { from: [others[4].id], into: others[3].id, why: 'the same failure, told by the task and by the JobManager' })
  const incidents = await as<IncidentList>(url, 'Anna', 'GET', `/api/v1/incidents?start=now-1d&namespace=${failingNamespace}`)
  for (const i of incidents.items) await as(url, 'Clara', 'POST', '/api/v1/feedback', { incident: i.id, answer: 'yes', comment: 'the keeper confirmed it' })
}
