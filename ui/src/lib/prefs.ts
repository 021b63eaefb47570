// What this browser remembers: the look and the zone. Nothing else is kept outside of the address.

import { createContext } from 'preact'
import { useContext, useEffect, useState } from 'preact/hooks'
import { isZone, type Zone } from './time'

export type Theme = 'system' | 'light' | 'dark'

export interface Prefs {
  theme: Theme
  zone: Zone
  set: (p: Partial<Pick<Prefs, 'theme' | 'zone'>>) => void
}

const read = (key: string): string | null => {
  try {
    return localStorage.getItem('lastnight.' + key)
  } catch {
    return null // Storage may be forbidden; then nothing is remembered.
  }
}

const write = (key: string, value: string): void => {
  try {
    localStorage.setItem('lastnight.' + key, value)
  } catch {
    // See read.
  }
}

function show(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = theme
}

const savedTheme = (): Theme => {
  const t = read('theme')
  return t === 'light' || t === 'dark' ? t : 'system'
}

/** Sets the remembered look before anything is drawn. */
export const showSavedTheme = (): void => show(savedTheme())

export const PrefsContext = createContext<Prefs>({ theme: 'system', zone: 'local', set: () => undefined })

export const usePrefs = (): Prefs => useContext(PrefsContext)

export const useZone = (): Zone => useContext(PrefsContext).zone

/** The preferences themselves; for the root only. */
export function usePrefsState(): Prefs {
  const [theme, setTheme] = useState<Theme>(savedTheme)
  const [zone, setZone] = useState<Zone>(() => { const z = read('zone') ?? 'local'; return isZone(z) ? z : 'local' })
  useEffect(() => show(theme), [theme])
  return {
    theme,
    zone,
    set: (p) => {
      if (p.theme) { setTheme(p.theme); write('theme', p.theme) }
      if (p.zone) { setZone(p.zone); write('zone', p.zone) }
    },
  }
}
