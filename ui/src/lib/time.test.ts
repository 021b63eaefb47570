import { describe, expect, test } from 'vitest'
import { after, clock, clockMillis, compareTimes, date, dateTime, dayName, duration, fromInput, isNoTime, isZone, lastNight, parseTime, plusNano, rangeOf, toInput, addressTime, bounded, spanName } from './time'

describe('times of the server', () => {
  test('nanoseconds are read', () => {
    expect(parseTime('2026-11-21T11:54:46.547304747Z')).toBe(Date.UTC(2026, 10, 21, 11, 54, 46, 547))
    expect(parseTime('2026-11-21T12:54:46+01:00')).toBe(Date.UTC(2026, 10, 21, 11, 54, 46))
    expect(parseTime('soon')).toBeNaN()
  })
  test('the zero time of Go is none', () => {
    expect(isNoTime('0001-01-01T00:00:00Z')).toBe(true)
    expect(isNoTime(undefined)).toBe(true)
    expect(isNoTime('soon')).toBe(true)
    expect(isNoTime('2026-11-21T11:54:46Z')).toBe(false)
  })
  test('are shown', () => {
    const t = '2026-11-21T01:02:03.04550Z'
    expect(clock(t, 'utc')).toBe('01:02:03')
    expect(clock('2026-11-21T00:00:00Z', 'utc')).toBe('00:00:00')
    expect(clockMillis(t, 'utc')).toBe('01:02:03.045')
    expect(date(t, 'utc')).toBe('Sat 21 Nov')
    expect(dateTime(t, 'utc', Date.UTC(2026, 11, 1))).toBe('Sat 21 Nov 01:02:03')
    expect(dateTime(t, 'utc', Date.UTC(2027, 0, 1))).toBe('Sat 21 Nov 2026 01:02:03')
    expect(dateTime('0001-01-01T00:00:00Z', 'utc')).toBe('–')
    expect(clockMillis('soon', 'utc')).toBe('–')
  })
  test('days have names', () => {
    const now = Date.UTC(2026, 10, 21, 9)
    expect(dayName('2026-11-21T01:00:00Z', 'utc', now)).toBe('Today, Sat 21 Nov')
    expect(dayName('2026-11-20T23:59:59Z', 'utc', now)).toBe('Yesterday, Fri 20 Nov')
    expect(dayName('2026-11-19T01:00:00Z', 'utc', now)).toBe('Thu 19 Nov')
  })
})

test.each([
  [0, '0 ms'], [350, '350 ms'], [1000, '1 s'], [1349, '1.3 s'], [59_999, '59 s'], [60_000, '1 min'], [94_000, '1 min 34 s'],
  [7_500_000, '2 h 5 min'], [86_400_000, '1 d'], [273_600_000, '3 d 4 h'], [-5, '0 ms'], [NaN, '–'],
])('duration of %d ms is %s', (ms, want) => expect(duration(ms)).toBe(want))

test('after says how much later or earlier', () => {
  expect(after('2026-11-21T01:00:00Z', '2026-11-21T01:00:01.3Z')).toBe('+1.3 s')
  expect(after('2026-11-21T01:00:00Z', '2026-11-21T00:59:00Z')).toBe('−1 min')
  expect(after('2026-11-21T01:00:00Z', '2026-11-21T01:00:00Z')).toBe('')
  expect(after('', '2026-11-21T01:00:00Z')).toBe('')
})

describe('last night', () => {
  const night = (now: string) => lastNight(Date.parse(now), 'utc')
  test('before 08:00 is the night in progress', () => {
    expect(night('2026-11-21T07:59:59Z')).toEqual({ start: '2026-11-20T18:00:00.000Z', end: '2026-11-21T08:00:00.000Z' })
    expect(night('2026-11-21T00:00:00Z')).toEqual({ start: '2026-11-20T18:00:00.000Z', end: '2026-11-21T08:00:00.000Z' })
  })
  test('from 08:00 on is the night just past, in the evening too', () => {
    expect(night('2026-11-21T08:00:00Z')).toEqual({ start: '2026-11-20T18:00:00.000Z', end: '2026-11-21T08:00:00.000Z' })
    expect(night('2026-11-21T23:00:00Z')).toEqual({ start: '2026-11-20T18:00:00.000Z', end: '2026-11-21T08:00:00.000Z' })
  })
  test('goes over the end of a month', () => expect(night('2026-03-01T09:00:00Z').start).toBe('2026-02-28T18:00:00.000Z'))
  test('in the local zone begins at 18:00 on its clock', () => {
    const n = lastNight(Date.parse('2026-03-29T09:00:00Z'), 'local')
    expect(new Date(n.start).getHours()).toBe(18)
    expect(new Date(n.end).getHours()).toBe(8)
  })
})

test('other ranges have no end', () => {
  expect(rangeOf('24h', Date.UTC(2026, 10, 21), 'utc')).toEqual({ start: '2026-11-20T00:00:00.000Z' })
  expect(rangeOf('7d', Date.UTC(2026, 10, 21), 'utc')).toEqual({ start: '2026-11-14T00:00:00.000Z' })
})

test.each(['utc', 'local'] as const)('a time goes through an input field and back (%s)', (zone) => {
  const t = '2026-07-21T01:02:03.000Z'
  expect(fromInput(toInput(t, zone), zone)).toBe(t)
  expect(toInput(undefined, zone)).toBe('')
  expect(toInput('now-24h', zone)).toBe('')
  expect(fromInput('', zone)).toBeUndefined()
})

test('times in order though zeros are left out', () => {
  const times = ['2026-11-21T03:07:46Z', '2026-11-21T03:07:46.000001Z', '2026-11-21T03:07:46.123Z', '2026-11-21T03:07:46.123000001Z', '2026-11-21T03:07:47Z']
  expect([...times].reverse().sort(compareTimes)).toEqual(times)
  expect(compareTimes('2026-11-21T03:07:46.1Z', '2026-11-21T03:07:46.100Z')).toBe(0)
})

test('the nanosecond after', () => {
  expect(plusNano('2026-11-21T03:07:46.100326448Z')).toBe('2026-11-21T03:07:46.100326449Z')
  expect(plusNano('2026-11-21T03:07:46Z')).toBe('2026-11-21T03:07:46.000000001Z')
  expect(plusNano('2026-12-31T23:59:59.999999999Z')).toBe('2027-01-01T00:00:00.000Z')
  expect(plusNano('soon')).toBe('soon')
})

test('other zones, also where the clocks change', () => {
  expect(clock('2026-11-21T03:00:00Z', 'Asia/Kolkata')).toBe('08:30:00')
  expect(lastNight(Date.parse('2026-11-21T12:00:00Z'), 'America/New_York')).toEqual({ start: '2026-11-20T23:00:00.000Z', end: '2026-11-21T13:00:00.000Z' })
  // Berlin turned its clocks back at 03:00 of the 25th: this night has 15 hours.
  expect(lastNight(Date.parse('2026-10-25T12:00:00Z'), 'Europe/Berlin')).toEqual({ start: '2026-10-24T16:00:00.000Z', end: '2026-10-25T07:00:00.000Z' })
  expect(fromInput(toInput('2026-07-01T10:00:00Z', 'Asia/Kathmandu'), 'Asia/Kathmandu')).toBe('2026-07-01T10:00:00.000Z')
  expect(isZone('Europe/Berlin')).toBe(true)
  expect(isZone('Mars/Olympus')).toBe(false)
})

test('times of addresses are absolute or so long before now', () => {
  const now = Date.parse('2026-11-21T08:00:00Z')
  expect(addressTime('now', now)).toBe(now)
  expect(addressTime('now-2h', now)).toBe(now - 7200_000)
  expect(addressTime('-90s', now)).toBe(now - 90_000)
  expect(addressTime('2026-11-21T07:00:00.123456789Z', now)).toBe(now - 3600_000 + 123)
  expect(addressTime('soon', now)).toBeNaN()
})

test('an interval gets the bounds that it lacks', () => {
  const now = Date.parse('2026-11-21T08:00:00Z')
  expect(bounded({ start: '2026-11-20T00:00:00Z' }, now)).toEqual({ start: '2026-11-20T00:00:00Z', end: '2026-11-21T08:00:00.000Z' })
  expect(bounded({}, now)).toEqual({ start: '2026-10-22T08:00:00.000Z', end: '2026-11-21T08:00:00.000Z' })
})

test('a span says its day once where it is the same', () => {
  const thisYear = Date.parse('2026-11-22T00:00:00Z')
  expect(spanName('2026-11-21T01:00:00Z', '2026-11-21T02:00:00Z', 'utc', thisYear)).toBe('Sat 21 Nov 01:00:00 – 02:00:00')
  expect(spanName('2026-11-20T23:00:00Z', '2026-11-21T02:00:00Z', 'utc', thisYear)).toBe('Fri 20 Nov 23:00:00 – Sat 21 Nov 02:00:00')
  expect(spanName('now-7d', undefined, 'utc', thisYear)).toBe('From now-7d')
  expect(spanName(undefined, '2026-11-21T02:00:00Z', 'utc', thisYear)).toBe('To Sat 21 Nov 02:00:00')
  expect(spanName(undefined, undefined, 'utc', thisYear)).toBe('')
})
