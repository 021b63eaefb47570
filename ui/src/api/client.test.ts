import { afterEach, expect, test, vi } from 'vitest'
import { ApiError, errorOf, getLines, route } from './client'

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

afterEach(() => vi.unstubAllGlobals())

/** Answers every request with these pieces of a body, one after the other. */
const answers = (...pieces: Uint8Array[]): void => {
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(new ReadableStream({ start(c) { for (const p of pieces) c.enqueue(p); c.close() } }), { status: 200 })))
}
const bytes = (s: string): Uint8Array => new TextEncoder().encode(s)
const gone = new AbortController().signal

test('lines are put together from pieces, wherever they were cut', async () => {
  const all = bytes('{"id":"ä"}\n{"id":"b"}\n')
  for (let cut = 1; cut < all.length; cut++) {
    answers(all.slice(0, cut), all.slice(cut))
    expect(await getLines<{ id: string }>('/x', gone, () => undefined)).toEqual([{ id: 'ä' }, { id: 'b' }])
  }
  answers()
  expect(await getLines('/x', gone, () => undefined)).toEqual([])
})

test('an error as the last line, and an answer that was cut off, are told', async () => {
  answers(bytes('{"id":"a"}\n{"error":{"title":"Away","detail":"the archive is away","status":503,"hint":"wait"}}\n'))
  await expect(getLines('/x', gone, () => undefined)).rejects.toMatchObject({ message: 'the archive is away', hint: 'wait', status: 503 })
  answers(bytes('{"id":"a"}\n{"id":'))
  await expect(getLines('/x', gone, () => undefined)).rejects.toBeInstanceOf(ApiError)
})
