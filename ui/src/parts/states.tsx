// What a screen says while there is nothing to show. Each says what to do next.

import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { ApiError } from '../api/client'

/** Says that something is under way, after a moment: quick answers should not flicker. What takes long says how long, and can be ended. */
export function Loading({ what, cancel, hint }: { what: string; cancel?: () => void; hint?: string }) {
  const [seconds, setSeconds] = useState(-1)
  useEffect(() => {
    const begun = Date.now()
    const first = setTimeout(() => setSeconds(0), 250)
    const every = setInterval(() => setSeconds(Math.round((Date.now() - begun) / 1000)), 1000)
    return () => { clearTimeout(first); clearInterval(every) }
  }, [])
  return (
    <div class="state loading">
      <p role="status">{seconds >= 0 && <><span class="spinner" aria-hidden="true" /> Loading {what}…</>}</p>
      {seconds >= 2 && <p class="actions"><span class="quiet" aria-hidden="true">{seconds} s</span> {cancel && <button type="button" class="small" onClick={cancel}>Cancel</button>} {seconds >= 5 && hint && <span class="quiet">{hint}</span>}</p>}
    </div>
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
