import { useCallback, useEffect, useState } from 'preact/hooks'
import { ApiError, get } from './client'

export interface Asked<T> {
  data: T | undefined // may be that of the question before while loading
  error: ApiError | undefined
  loading: boolean
  again: () => void
}

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
  useEffect(() => {
    if (!url) {
      setState({ url, data: undefined, error: undefined, loading: false })
      return
    }
    const gone = new AbortController()
    setState((s) => ({ url, data: (kept.get(url) as T | undefined) ?? s.data, error: undefined, loading: true }))
    get<T>(url, gone.signal).then(
      (data) => { keep(url, data); setState({ url, data, error: undefined, loading: false }) },
      (e: unknown) => {
        if (gone.signal.aborted) return
        const error = e instanceof ApiError ? e : new ApiError(String(e), '', 0)
        setState({ url, data: undefined, error, loading: false })
      },
    )
    return () => gone.abort()
  }, [url, turn])
  const again = useCallback(() => setTurn((n) => n + 1), [])
  return { data: state.data, error: state.error, loading: state.loading || state.url !== url, again }
}
