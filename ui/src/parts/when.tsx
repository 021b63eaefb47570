import { useZone } from '../lib/prefs'
import { clock, clockMillis, date, dateTime, isNoTime } from '../lib/time'

const forms = { full: dateTime, clock, millis: clockMillis, date }

/** A time in the reader's zone; the exact one, as the server gave it, is in the tooltip. */
export function When({ at, as = 'full' }: { at: string | undefined; as?: keyof typeof forms }) {
  const zone = useZone()
  if (!at || isNoTime(at)) return <span>–</span>
  return <time dateTime={at} title={at}>{forms[as](at, zone)}</time>
}
