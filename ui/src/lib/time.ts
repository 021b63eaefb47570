// Times as people read them. The server speaks RFC 3339 in UTC with up to nanoseconds;
// people read their own zone or UTC, chosen by a switch.

/** 'local', 'utc', or an IANA name. */
export type Zone = string

const hour = 3600_000
const day = 24 * hour

/** Milliseconds since 1970 of an RFC 3339 time; NaN if it is none. Digits below milliseconds are dropped. */
export function parseTime(iso: string): number {
  return Date.parse(iso.replace(/(\.\d{3})\d+/, '$1'))
}

/** True for a missing time; Go writes the year 1 for it. */
export function isNoTime(iso: string | undefined): boolean {
  return !iso || iso.startsWith('0001-') || Number.isNaN(parseTime(iso))
}

const formats = new Map<string, Intl.DateTimeFormat>()

function format(zone: Zone, name: string, options: Intl.DateTimeFormatOptions, ms: number): string {
  const key = zone + name
  let f = formats.get(key)
  if (!f) {
    f = new Intl.DateTimeFormat('en-GB', zone === 'local' ? options : { ...options, timeZone: zone === 'utc' ? 'UTC' : zone })
    formats.set(key, f)
  }
  return f.format(ms).replaceAll(',', '')
}

/** 01:12:44 */
export function clock(iso: string, zone: Zone): string {
  const ms = parseTime(iso)
  if (Number.isNaN(ms)) return '–'
  return format(zone, 'clock', { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }, ms)
}

/** 01:12:44.547 */
export function clockMillis(iso: string, zone: Zone): string {
  const ms = parseTime(iso)
  if (Number.isNaN(ms)) return '–'
  return clock(iso, zone) + '.' + String(((ms % 1000) + 1000) % 1000).padStart(3, '0')
}

/** Sat 21 Nov */
export function date(iso: string, zone: Zone): string {
  const ms = parseTime(iso)
  if (Number.isNaN(ms)) return '–'
  return format(zone, 'date', { weekday: 'short', day: 'numeric', month: 'short' }, ms)
}

/** Sat 21 Nov 01:12:44, with the year if it is not this one. */
export function dateTime(iso: string, zone: Zone, now = Date.now()): string {
  if (isNoTime(iso)) return '–'
  const ms = parseTime(iso)
  const year = format(zone, 'year', { year: 'numeric' }, ms)
  const thisYear = format(zone, 'year', { year: 'numeric' }, now)
  return date(iso, zone) + (year === thisYear ? '' : ' ' + year) + ' ' + clock(iso, zone)
}

/** 350 ms, 94 s → 1 min 34 s, 2 h 5 min, 3 d 4 h. Negative ones count as 0. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return '–'
  if (ms < 0) ms = 0
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toString()} s`
  const s = Math.floor(ms / 1000)
  if (s < 60) return `${s} s`
  const [a, b, unitA, unitB] =
    s < 3600 ? [Math.floor(s / 60), s % 60, 'min', 's']
    : s < 86_400 ? [Math.floor(s / 3600), Math.floor((s % 3600) / 60), 'h', 'min']
    : [Math.floor(s / 86_400), Math.floor((s % 86_400) / 3600), 'd', 'h']
  return b ? `${a} ${unitA} ${b} ${unitB}` : `${a} ${unitA}`
}

/** How long after from: +1.3 s. Empty for the very moment. */
export function after(from: string, to: string): string {
  const ms = parseTime(to) - parseTime(from)
  if (!Number.isFinite(ms) || ms === 0) return ''
  return (ms < 0 ? '−' : '+') + duration(Math.abs(ms))
}

/** A time moved by milliseconds. */
export function shift(iso: string, by: number): string {
  return new Date(parseTime(iso) + by).toISOString()
}

/** Today, Yesterday, or the date: a heading for a list by days. */
export function dayName(iso: string, zone: Zone, now = Date.now()): string {
  const d = date(iso, zone)
  const at = (ms: number): string => date(new Date(ms).toISOString(), zone)
  if (d === at(now)) return `Today, ${d}`
  if (d === at(now - day)) return `Yesterday, ${d}`
  return d
}

/** The name of the zone that times are shown in: Europe/Berlin, or UTC. */
export function zoneName(zone: Zone): string {
  return zone === 'utc' ? 'UTC' : zone === 'local' ? Intl.DateTimeFormat().resolvedOptions().timeZone : zone
}

/** True for a zone that this browser knows. */
export function isZone(zone: string): boolean {
  if (zone === 'local' || zone === 'utc') return true
  try {
    new Intl.DateTimeFormat('en-GB', { timeZone: zone })
    return true
  } catch {
    return false
  }
}

/** How far the clocks of the zone are ahead of UTC at a time, ms. */
function ahead(ms: number, zone: Zone): number {
  if (zone === 'utc') return 0
  if (zone === 'local') return -new Date(ms).getTimezoneOffset() * 60_000
  const said = format(zone, 'offset', { timeZoneName: 'longOffset' }, ms)
  const m = /GMT([+-])(\d+):?(\d+)?/.exec(said)
  return m ? (m[1] === '-' ? -1 : 1) * (Number(m[2]) * hour + Number(m[3] ?? 0) * 60_000) : 0
}

/** The moment at which the clocks of the zone show what UTC's show at clockMs. */
function momentOf(clockMs: number, zone: Zone): number {
  const guess = clockMs - ahead(clockMs, zone)
  return clockMs - ahead(guess, zone) // Once more: the clocks may have changed in between.
}

/** The moment a nanosecond after an RFC 3339 time, however many digits it has. */
export function plusNano(iso: string): string {
  const m = /^(.*?:\d\d)(?:\.(\d+))?(Z|[+-].*)$/.exec(iso)
  if (!m) return iso
  const digits = (m[2] ?? '').padEnd(9, '0').slice(0, 9)
  const next = Number(digits) + 1
  if (next === 1_000_000_000) return new Date(Date.parse(`${m[1] ?? ''}${m[3] ?? ''}`) + 1000).toISOString()
  return `${m[1] ?? ''}.${String(next).padStart(9, '0')}${m[3] ?? ''}`
}

export interface Interval {
  start?: string | undefined // RFC 3339, inclusive
  end?: string | undefined // exclusive
}

/** Last night is 18:00 to 08:00: the one in progress before 08:00, else the one just past. */
export function lastNight(now: number, zone: Zone): { start: string; end: string } {
  const c = new Date(now + ahead(now, zone)) // its UTC fields are what the clocks show
  const at = (daysBack: number, h: number): Date =>
    new Date(momentOf(Date.UTC(c.getUTCFullYear(), c.getUTCMonth(), c.getUTCDate() - daysBack, h), zone))
  return { start: at(1, 18).toISOString(), end: at(0, 8).toISOString() }
}

export const ranges = {
  'last-night': 'Last night',
  '24h': '24 hours',
  '7d': '7 days',
  '30d': '30 days',
} as const
export type RangeName = keyof typeof ranges

/** The interval of a quick choice. Those that end now have no end, so that what arrives meanwhile is in them. */
export function rangeOf(name: RangeName, now: number, zone: Zone): Interval {
  switch (name) {
    case 'last-night': return lastNight(now, zone)
    case '24h': return { start: new Date(now - day).toISOString() }
    case '7d': return { start: new Date(now - 7 * day).toISOString() }
    case '30d': return { start: new Date(now - 30 * day).toISOString() }
  }
}

/** The interval with both bounds: one without an end ends now, one without a beginning has 30 days. */
export function bounded(i: Interval, now = Date.now()): { start: string; end: string } {
  const end = i.end ?? new Date(now).toISOString()
  return { start: i.start ?? new Date(parseTime(end) - 30 * day).toISOString(), end }
}

/** A time as an address has it, ms: absolute, or so long before now. NaN if it is none. */
export function addressTime(text: string, now: number): number {
  const m = /^(?:now)?-(\d+)([smhdw])$/.exec(text)
  if (m) return now - Number(m[1]) * ({ s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }[m[2] as 's'] ?? 1) * 1000
  return text === 'now' ? now : parseTime(text)
}

/** Sat 21 Nov 18:00:00 – Sun 22 Nov 08:00:00, the day said once where it is the same. */
export function spanName(start: string | undefined, end: string | undefined, zone: Zone, now = Date.now()): string {
  const say = (t: string): string => (Number.isNaN(parseTime(t)) ? t : dateTime(t, zone, now))
  if (start && end) return `${say(start)} – ${date(start, zone) === date(end, zone) ? clock(end, zone) : say(end)}`
  return start ? `From ${say(start)}` : end ? `To ${say(end)}` : ''
}

/** What an input of type datetime-local shows for a time, in the zone. */
export function toInput(iso: string | undefined, zone: Zone): string {
  if (isNoTime(iso)) return ''
  const ms = parseTime(iso as string)
  return new Date(ms + ahead(ms, zone)).toISOString().slice(0, 19)
}

/** The time that such an input says, or undefined. */
export function fromInput(value: string, zone: Zone): string | undefined {
  if (!value) return undefined
  const ms = Date.parse(value + 'Z')
  return Number.isNaN(ms) ? undefined : new Date(momentOf(ms, zone)).toISOString()
}

/** Orders RFC 3339 times of UTC to the nanosecond: trailing zeros may be missing, so text alone does not order them. */
export function compareTimes(a: string, b: string): number {
  const [x, y] = [a, b].map((t) => t.replace(/(?:\.(\d+))?Z$/, (_, f: string | undefined) => '.' + (f ?? '').padEnd(9, '0')))
  return (x as string) < (y as string) ? -1 : (x as string) > (y as string) ? 1 : 0
}
