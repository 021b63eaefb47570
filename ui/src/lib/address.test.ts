import { describe, expect, test } from 'vitest'
import { incidentHref, jobHref, logsHref, readLogs, readRange, safeLink, screenOf, withParams } from './address'

test.each([
  ['/', { name: 'home' }],
  ['/incidents', { name: 'home' }],
  ['/incidents/a%2Fb', { name: 'incident', id: 'a/b' }],
  ['/logs', { name: 'logs' }],
  ['/jobs/', { name: 'jobs' }],
  ['/jobs/flink-prod/orders.v2', { name: 'job', namespace: 'flink-prod', job: 'orders.v2' }],
  ['/jobs/a', { name: 'unknown' }],
  ['/incidents/%', { name: 'unknown' }],
  ['/templates/x', { name: 'template', id: 'x' }],
  ['/templates/x/y', { name: 'unknown' }],
  ['/label', { name: 'label' }],
])('%s', (path, want) => expect(screenOf(path)).toEqual(want))

test('addresses lead back to what they were made of', () => {
  for (const name of ['orders', 'a/b c', 'ä?#%']) {
    expect(screenOf(incidentHref(name))).toEqual({ name: 'incident', id: name })
    expect(screenOf(jobHref('ns', name))).toEqual({ name: 'job', namespace: 'ns', job: name })
    expect(readLogs(logsHref({ pod: name, q: '"a & b"' }).slice('/logs'.length))).toMatchObject({ pod: name, q: '"a & b"' })
  }
})

test('parameters change and go', () => {
  expect(withParams('?a=1&b=2', { b: undefined, c: true, d: false, e: '', f: 0 })).toBe('?a=1&c=1&f=0')
  expect(withParams('?a=1', { a: null })).toBe('')
})

describe('logs', () => {
  test('defaults', () => {
    expect(readLogs('')).toMatchObject({ oldest: false, wrap: true, raw: false, important: false, restart: undefined })
  })
  test('around a line reads downwards, unless said otherwise', () => {
    expect(readLogs('?line=x.y.z').oldest).toBe(true)
    expect(readLogs('?line=x.y.z&order=newest').oldest).toBe(false)
    expect(readLogs('?line=x.y.z&q=y').oldest).toBe(false)
  })
  test('links of the command line', () => {
    expect(readLogs('?q=kind%3Aevent&pod=p&ns=prod&at=2026-11-21T03:07:46Z')).toMatchObject({
      namespace: 'prod', pod: 'p', q: 'kind:event', at: '2026-11-21T03:07:46Z', start: '', oldest: true,
    })
    expect(readLogs('?at=soon')).toMatchObject({ at: '', oldest: false })
  })
  test('nonsense is left out', () => {
    expect(readLogs('?restart=-1&scope=x&wrap=9').restart).toBeUndefined()
    expect(readLogs('?restart=3').restart).toBe(3)
    expect(readRange('?range=constructor', '7d')).toBe('7d')
    expect(readRange('?range=24h', '7d')).toBe('24h')
  })
})

test.each([['/logs?line=1', true], ['//evil.example', false], ['/\\evil.example', false], ['https://evil.example', false], ['javascript:alert(1)', false], ['', false], [undefined, false]])(
  'link %s is followed: %s', (link, ok) => expect(safeLink(link)).toBe(ok ? link : undefined))
