import type { Screen } from '../lib/address'
import { usePrefs, type Theme } from '../lib/prefs'
import { zoneName } from '../lib/time'
import { Icon } from './icons'
import { Who } from './who'

const nextTheme: Record<Theme, Theme> = { system: 'dark', dark: 'light', light: 'system' }
const themeNames: Record<Theme, string> = { system: 'Auto', dark: 'Dark', light: 'Light' }

const nav: { href: string; name: string; screens: Screen['name'][] }[] = [
  { href: '/', name: 'Incidents', screens: ['home', 'incident'] },
  { href: '/logs', name: 'Logs', screens: ['logs'] },
  { href: '/jobs', name: 'Jobs', screens: ['jobs', 'job'] },
  { href: '/templates', name: 'Templates', screens: ['templates', 'template'] },
  { href: '/label', name: 'Label', screens: ['label'] },
]

const zones = Intl.supportedValuesOf('timeZone')

export function Header({ screen, help }: { screen: Screen; help: () => void }) {
  const prefs = usePrefs()
  return (
    <header class="top">
      <a class="brand" href="/">lastnight</a>
      <nav aria-label="Screens">
        {nav.map((n) => (
          <a key={n.href} href={n.href} aria-current={n.screens.includes(screen.name) ? 'page' : undefined}>{n.name}</a>
        ))}
      </nav>
      <div class="settings">
        <label class="zone"><span class="wide">Times in </span><span class="sr">Zone of all times</span>
          <select value={prefs.zone} onChange={(e) => prefs.set({ zone: e.currentTarget.value })}>
            <option value="local">{zoneName('local')}</option>
            <option value="utc">UTC</option>
            {prefs.zone !== 'local' && prefs.zone !== 'utc' && <option value={prefs.zone}>{prefs.zone}</option>}
            <optgroup label="Other zones">{zones.map((z) => <option key={z} value={z}>{z}</option>)}</optgroup>
          </select>
        </label>
        <button type="button" onClick={() => prefs.set({ theme: nextTheme[prefs.theme] })} title={`Look: ${themeNames[prefs.theme]}. Switch to ${themeNames[nextTheme[prefs.theme]]}`}>
          <Icon name="theme" /> <span class="sr">Look: </span><span class="wide">{themeNames[prefs.theme]}</span>
        </button>
        <Who />
        <button type="button" onClick={help} title="Keys (?)" aria-label="Keys">?</button>
      </div>
    </header>
  )
}
