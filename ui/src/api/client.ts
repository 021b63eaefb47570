// Asking the server: addresses of its routes, and its errors as it tells them.

import type { HistogramQuery, IncidentsQuery, JobsQuery, LabelsQuery, Problem, QueueQuery, RatesQuery, RawQuery, SearchQuery, StreamsQuery, TailQuery, TemplatesQuery, ValuesQuery } from './types'

const base = '/api/v1'

type Value = string | number | boolean | string[] | undefined

function address(path: string, query: Record<string, Value>): string {
  const p = new URLSearchParams()
  for (const [k, v] of Object.entries(query)) {
    if (v !== undefined && v !== '' && v !== false) p.set(k, Array.isArray(v) ? v.join(',') : String(v))
  }
  const s = p.toString()
  return base + path + (s ? '?' + s : '')
}

// A parameter that the document does not know is an error there, so it is one of types here.
type Loose<Q> = { [K in keyof Q]?: Q[K] | undefined }

export const route = {
  incidents: (q: Loose<IncidentsQuery>): string => address('/incidents', { ...q, chain: q.chain === false ? 'false' : undefined }),
  incident: (id: string): string => address(`/incidents/${encodeURIComponent(id)}`, {}),
  jobs: (q: Loose<JobsQuery>): string => address('/jobs', q),
  streams: (q: Loose<StreamsQuery>): string => address('/streams', q),
  search: (q: Loose<SearchQuery>): string => address('/search', q),
  context: (id: string, before: number, after: number): string =>
    address(`/records/${encodeURIComponent(id)}/context`, { before, after }),
  raw: (q: Loose<RawQuery>): string => address('/logs/raw', q),
  tail: (q: Loose<TailQuery>): string => address('/tail', q),
  histogram: (q: Loose<HistogramQuery>): string => address('/histogram', q),
  rates: (q: Loose<RatesQuery>): string => address('/rates', q),
  templates: (q: Loose<TemplatesQuery>): string => address('/templates', q),
  template: (id: string): string => address(`/templates/${encodeURIComponent(id)}`, {}),
  split: (id: string, preview: boolean): string => address(`/templates/${encodeURIComponent(id)}/split`, { preview: preview || undefined }),
  merges: (preview = false): string => address('/merges', { preview: preview || undefined }),
  labels: (q: Loose<LabelsQuery>): string => address('/labels', q),
  label: (id: string, what = ''): string => address(`/labels/${encodeURIComponent(id)}${what && '/' + what}`, {}),
  preview: (): string => address('/labels/preview', {}),
  queue: (q: Loose<QueueQuery>): string => address('/queue', q),
  coverage: (start: string): string => address('/coverage', { start }),
  causes: (): string => address('/causes', {}),
  feedback: (incident = ''): string => address('/feedback', { incident }),
  session: (): string => address('/session', {}),
  fields: (): string => address('/fields', {}),
  values: (field: string, q: Loose<ValuesQuery>): string => address(`/fields/${encodeURIComponent(field)}/values`, q),
}

/** What went wrong, for people: message and what to try. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly hint: string,
    readonly status: number,
  ) {
    super(message)
  }
}

/** Reads an error answer; one that is no problem document is told by its status. */
export function errorOf(status: number, statusText: string, body: string): ApiError {
  try {
    const p = JSON.parse(body) as Partial<Problem>
    if (p.detail || p.title) return new ApiError(p.detail || p.title || '', p.hint ?? '', status)
  } catch {
    // Not from lastnight itself: a proxy, say.
  }
  return new ApiError(`The server answered ${status} ${statusText}`.trim(), 'Look into the log of lastnight, or of the proxy before it.', status)
}

/** Changes something: throws as get does. version is the ETag of what the change was made of. */
export async function send<T>(method: 'POST' | 'PUT' | 'DELETE', url: string, body: unknown, version?: number): Promise<T> {
  let res: Response
  try {
    res = await fetch(url, {
      method,
      headers: {
        'Accept': 'application/json', 'Content-Type': 'application/json',
        'X-Lastnight-Request': '1', // Pages of other servers cannot send it.
        ...(version === undefined ? {} : { 'If-Match': `"${version}"` }),
      },
      body: JSON.stringify(body),
    })
  } catch {
    throw new ApiError('The server does not answer', 'Is lastnight still running at this address? Nothing was changed as far as is known.', 0)
  }
  const text = await res.text()
  if (!res.ok) throw errorOf(res.status, res.statusText, text)
  return (text ? JSON.parse(text) : undefined) as T
}

/** Gets one answer. Throws ApiError, or an AbortError if signal says so. */
export async function get<T>(url: string, signal?: AbortSignal): Promise<T> {
  let res: Response
  try {
    res = await fetch(url, { headers: { Accept: 'application/json' }, ...(signal ? { signal } : {}) })
  } catch (e) {
    if (e instanceof DOMException && e.name === 'AbortError') throw e
    throw new ApiError('The server does not answer', 'Is lastnight still running at this address? Try again once it is.', 0)
  }
  if (!res.ok) throw errorOf(res.status, res.statusText, await res.text())
  try {
    return (await res.json()) as T
  } catch {
    throw new ApiError('The answer was cut off', 'Try again; if it happens again, look into the log of lastnight.', res.status)
  }
}

/** Gets an answer that comes a line at a time (NDJSON), and gives what has come so far every so often. Throws as get does. */
export async function getLines<T>(url: string, signal: AbortSignal, sofar: (items: T[]) => void): Promise<T[]> {
  const away = new ApiError('The server does not answer', 'Is lastnight still running at this address? Try again once it is.', 0)
  const asked = fetch(url, { headers: { Accept: 'application/x-ndjson' }, signal })
  const res = await asked.catch((e: unknown) => { throw signal.aborted ? e : away })
  if (!res.ok || !res.body) throw errorOf(res.status, res.statusText, await res.text())
  const items: T[] = []
  const text = new TextDecoder()
  const reader = res.body.getReader()
  let rest = ''
  let told = performance.now()
  for (;;) {
    const { done, value } = await reader.read().catch((e: unknown) => { throw signal.aborted ? e : away })
    const lines = (rest + (done ? text.decode() : text.decode(value, { stream: true }))).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (!line) continue
      const item = JSON.parse(line) as T & { error?: Problem }
      if (item.error) throw new ApiError(item.error.detail || item.error.title, item.error.hint ?? '', item.error.status)
      items.push(item)
    }
    if (done) {
      if (rest) throw new ApiError('The answer was cut off', 'Try again; if it happens again, look into the log of lastnight.', res.status)
      return items
    }
    if (items.length && performance.now() - told > soFarEvery) {
      told = performance.now()
      sofar([...items])
    }
  }
}

const soFarEvery = 250 // ms
