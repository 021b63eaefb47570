// The address bar is the state: reading it in components, changing it, and following links without loading the page anew.

import { useEffect, useState } from 'preact/hooks'
import { withParams, type Patch } from './address'

export interface Place {
  path: string
  search: string
}

const changed = new EventTarget()
const here = (): Place => ({ path: location.pathname, search: location.search })

/** Goes to an address of this UI. replace leaves no entry for the back button. */
export function go(href: string, replace = false): void {
  const to = new URL(href, location.href)
  if (to.href !== location.href) history[replace ? 'replaceState' : 'pushState'](null, '', to)
  changed.dispatchEvent(new Event('place'))
}

/** Changes parameters of the address on this screen. */
export function setParams(patch: Patch, replace = false): void {
  go(location.pathname + withParams(location.search, patch), replace)
}

export function usePlace(): Place {
  const [place, setPlace] = useState(here)
  useEffect(() => {
    const on = (): void => setPlace((p) => (p.path === location.pathname && p.search === location.search ? p : here()))
    changed.addEventListener('place', on)
    addEventListener('popstate', on)
    return () => {
      changed.removeEventListener('place', on)
      removeEventListener('popstate', on)
    }
  }, [])
  return place
}

/** Follows clicks on links within the UI. Others, and those meant for a new tab, are the browser's. */
export function followLinks(): void {
  document.addEventListener('click', (e) => {
    if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return
    const a = e.target instanceof Element ? e.target.closest('a') : null
    if (!a || a.target || a.hasAttribute('download') || a.origin !== location.origin) return
    if (a.pathname.startsWith('/api/') || a.getAttribute('href')?.startsWith('#')) return
    e.preventDefault()
    const path = location.pathname
    go(a.href)
    if (a.pathname !== path) scrollTo(0, 0)
  })
}
