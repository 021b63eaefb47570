import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { ApiError, get } from './client'

export interface Asked<T> {
  data: T | undefined // may be that of the question before while loading
  error: ApiError | undefined
  loading: boolean
  again: () => void
  cancel: () => void // ends the question; it can be asked again
}

/** What a question that the reader ended says in the place of an answer. */
export const cancelled = (hint = ''): ApiError => new ApiError('Cancelled', hint, 0)

// The last answers, so that going back shows at once what was there, while it is asked again.
const kept = new Map<string, unknown>()
const maxKept = 24

function keep(url: string, data: unknown): void {
  kept.delete(url)
  kept.set(url, data)
  const oldest = kept.keys().next()
  if (kept.size > maxKept && !oldest.done) kept.delete(oldest.value)
}

/** Asks url whenever it changes; undefined asks nothing. A question that was left is cancelled. */
export function useApi<T>(url: string | undefined): Asked<T> {
  const [turn, setTurn] = useState(0)
  const [state, setState] = useState<{ url: string | undefined; data: T | undefined; error: ApiError | undefined; loading: boolean }>(
    () => ({ url, data: url ? (kept.get(url) as T | undefined) : undefined, error: undefined, loading: url !== undefined }),
  )
  const running = useRef<AbortController | undefined>(undefined)
  useEffect(() => {
    if (!url) {
      setState({ url, data: undefined, error: undefined, loading: false })
      return
    }
    const gone = new AbortController()
    running.current = gone
    setState((s) => ({ url, data: (kept.get(url) as T | undefined) ?? s.data, error: undefined, loading: true }))
    get<T>(url, gone.signal).then(
      (data) => { keep(url, data); setState({ url, data, error: undefined, loading: false }) },
      (e: unknown) => {
        if (gone.signal.aborted) return
        const error = e instanceof ApiError ? e : new ApiError(String(e), '', 0)
        // What is shown stays while the server is away for a moment, if it is asked again by itself.
        setState((s) => (kept.has(url) && turn > 0 && error.status === 0 ? { ...s, loading: false } : { url, data: undefined, error, loading: false }))
      },
    )
    return () => gone.abort()
  }, [url, turn])
  const again = useCallback(() => setTurn((n) => n + 1), [])
  const cancel = useCallback(() => {
    running.current?.abort()
    setState((s) => ({ ...s, data: undefined, error: cancelled(), loading: false }))
  }, [])
  return { data: state.data, error: state.error, loading: state.loading || state.url !== url, again, cancel }
}

/** Asks again every so many ms while somebody looks and wanted is true, and at once when the page comes into sight again. */
export function useRefresh(again: () => void, every: number, wanted = true): void {
  useEffect(() => {
    if (!wanted) return
    let last = Date.now()
    const look = (): void => {
      if (document.visibilityState !== 'visible' || Date.now() - last < every) return
      last = Date.now()
      again()
    }
    const t = setInterval(look, Math.min(every, 5000))
    document.addEventListener('visibilitychange', look)
    return () => { clearInterval(t); document.removeEventListener('visibilitychange', look) }
  }, [again, every, wanted])
}

export interface Paged<T> extends Omit<Asked<unknown>, 'data'> {
  items: T[] | undefined // of the pages so far
  more: (() => void) | undefined // asks for the next page, if there is one
}

/** A list that comes in pages: the first at once, each further one when it is asked for. */
export function usePages<T>(url: string | undefined): Paged<T> {
  const first = useApi<{ items: T[]; next_cursor: string }>(url)
  const [rest, setRest] = useState<{ of: unknown; items: T[]; next: string; error: ApiError | undefined; busy: boolean }>()
  const running = useRef<AbortController | undefined>(undefined)
  useEffect(() => () => running.current?.abort(), [url])
  const later = rest && rest.of === first.data ? rest : undefined
  const next = later ? later.next : (first.data?.next_cursor ?? '')
  const load = (): void => {
    if (!url || later?.busy) return
    const gone = new AbortController()
    running.current = gone
    const had = { of: first.data, items: later?.items ?? [], next, error: undefined }
    setRest({ ...had, busy: true })
    get<{ items: T[]; next_cursor: string }>(`${url}${url.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(next)}`, gone.signal).then(
      (page) => setRest({ ...had, items: [...had.items, ...page.items], next: page.next_cursor, busy: false }),
      (e: unknown) => { if (!gone.signal.aborted) setRest({ ...had, error: e instanceof ApiError ? e : new ApiError(String(e), '', 0), busy: false }) },
    )
  }
  return {
    items: first.data && [...first.data.items, ...(later?.items ?? [])],
    error: first.error ?? later?.error,
    loading: first.loading || !!later?.busy,
    again: later?.error ? load : first.again,
    cancel: () => { running.current?.abort(); if (later?.busy) setRest({ ...later, busy: false }); else first.cancel() },
    more: next ? load : undefined,
  }
}
