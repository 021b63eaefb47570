import { expect, test } from 'vitest'
import { errorOf, route } from './client'

test('addresses of routes', () => {
  expect(route.incidents({ start: 'now-1d', namespace: '', planned: false, limit: 5 })).toBe('/api/v1/incidents?start=now-1d&limit=5')
  expect(route.search({ q: 'a & b', restart: 0, kind: ['record', 'event'] })).toBe('/api/v1/search?q=a+%26+b&restart=0&kind=record%2Cevent')
  expect(route.context('a/b', 1, 2)).toBe('/api/v1/records/a%2Fb/context?before=1&after=2')
})

test('problems tell what and what to try', () => {
  const e = errorOf(400, 'Bad Request', '{"title":"Invalid request","detail":"query: unexpected )","hint":"Quote it."}')
  expect([e.message, e.hint, e.status]).toEqual(['query: unexpected )', 'Quote it.', 400])
  expect(errorOf(404, 'Not Found', '{"title":"Not found"}').message).toBe('Not found')
})

test('an answer that is no problem is told by its status', () => {
  for (const body of ['<html>502</html>', '{}', 'null', '']) {
    const e = errorOf(502, 'Bad Gateway', body)
    expect(e.message).toBe('The server answered 502 Bad Gateway')
    expect(e.hint).not.toBe('')
  }
})
