// What a screen says while there is nothing to show. Each says what to do next.

import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { ApiError } from '../api/client'

/** Says that something is under way, after a moment: quick answers should not flicker. */
export function Loading({ what, cancel }: { what: string; cancel?: () => void }) {
  const [late, setLate] = useState(false)
  useEffect(() => {
    const t = setTimeout(() => setLate(true), 250)
    return () => clearTimeout(t)
  }, [])
  return (
    <p class="state" role="status">
      {late ? <><span class="spinner" aria-hidden="true" /> Loading {what}… {cancel && <button type="button" class="small" onClick={cancel}>Cancel</button>}</> : ''}
    </p>
  )
}

/** What the command line says in lower case begins a sentence here. */
const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

export function Failed({ error, again }: { error: ApiError; again?: () => void }) {
  // A wrong question stays wrong; a server that is away may come back.
  const mayPass = error.status === 0 || error.status === 429 || error.status >= 500
  return (
    <div class="state failed" role="alert">
      <p><strong>{sentence(error.message)}</strong></p>
      {error.hint && <p>{sentence(error.hint)}</p>}
      {again && mayPass && <p><button type="button" onClick={again}>Try again</button></p>}
    </div>
  )
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="state empty">
      <p><strong>{title}</strong></p>
      {children}
    </div>
  )
}
