import type { ComponentChildren } from 'preact'
import { useZone } from '../lib/prefs'
import { fromInput, toInput } from '../lib/time'
import { Popup } from './popup'

interface Props {
  start: string | undefined
  end: string | undefined
  said: ComponentChildren // what is chosen, in words
  set: (start: string | undefined, end: string | undefined) => void
  quick?: [string, () => void][]
  name?: string // what it is the time of, for those who do not see where it stands
  pressed?: boolean
}

/** A time from and to, chosen freely; in the reader's zone. */
export function Span({ start, end, said, set, quick, name, pressed }: Props) {
  const zone = useZone()
  return (
    <Popup said={said} {...(name ? { name } : {})} pressed={pressed ?? false}>
      <label>From <input type="datetime-local" step="1" value={toInput(start, zone)} onChange={(e) => set(fromInput(e.currentTarget.value, zone), end)} /></label>
      <label>To <input type="datetime-local" step="1" value={toInput(end, zone)} onChange={(e) => set(start, fromInput(e.currentTarget.value, zone))} /></label>
      {quick && <div class="choices wrap-choices">{quick.map(([n, go]) => <button type="button" key={n} onClick={go}>{n}</button>)}</div>}
    </Popup>
  )
}
