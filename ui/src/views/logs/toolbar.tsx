import { useEffect, useState } from 'preact/hooks'
import { route } from '../../api/client'
import type { LogsState } from '../../lib/address'
import { useZone } from '../../lib/prefs'
import { setParams } from '../../lib/router'
import { lastNight, spanName } from '../../lib/time'
import { onWalk } from '../../lib/keys'
import { asksForLog, boundsOf, filtersOf } from './asked'
import { SearchBox } from './complete'
import { Icon } from '../../parts/icons'
import { Popup } from '../../parts/popup'
import { Span } from '../../parts/span'

/** The search box and what is shown how. Everything goes into the address. */
export function Toolbar({ state: s }: { state: LogsState }) {
  const [q, setQ] = useState(s.q)
  useEffect(() => setQ(s.q), [s.q])
  const search = (text: string): void => setParams({ q: text.trim(), line: undefined, mark: undefined })
  const live = (on: boolean): void => setParams({ live: on, line: undefined, at: undefined, end: undefined, order: on ? 'oldest' : undefined })
  useEffect(() => onWalk((key) => { if (key === 'f') live(!s.live) }), [s.live])
  return (
    <form class="tools" role="search" onSubmit={(e) => { e.preventDefault(); search(q) }}>
      <div class="bar">
      <SearchBox value={q} namespace={s.namespace} job={s.job} set={(v) => { setQ(v); if (!v && s.q) setParams({ q: undefined }) }} submit={search} />
      <div class="choices" role="group" aria-label="Where to search">
        <button type="button" aria-pressed={!s.important} onClick={() => setParams({ scope: undefined })} title="Every record, and events">Everything</button>
        <button type="button" aria-pressed={s.important} onClick={() => setParams({ scope: 'important', line: undefined })} title="Warnings, exceptions, state changes, events; alike ones merged">Important</button>
      </div>
      </div>
      {asksForLog(s) && <div class="bar">
      <div class="choices" role="group" aria-label="Order">
        <button type="button" aria-pressed={!s.oldest} onClick={() => setParams({ order: 'newest', live: undefined })}>Newest first</button>
        <button type="button" aria-pressed={s.oldest} onClick={() => setParams({ order: 'oldest' })}>Oldest first</button>
      </div>
      <button type="button" class="live" aria-pressed={s.live} title="Show what arrives as it does (f)" onClick={() => live(!s.live)}>Live</button>
      <Times state={s} />
      <Popup said="View" title="How records are shown">
        <label class="check"><input type="checkbox" checked={s.wrap} onChange={(e) => setParams({ wrap: e.currentTarget.checked ? undefined : '0' }, true)} /> Wrap</label>
        <label class="check"><input type="checkbox" checked={s.raw} onChange={(e) => setParams({ raw: e.currentTarget.checked }, true)} /> Whole lines</label>
        <label class="check"><input type="checkbox" checked={s.ansi} onChange={(e) => setParams({ ansi: e.currentTarget.checked ? undefined : '0' }, true)} /> Colours</label>
      </Popup>
      <Popup title="Streamed by the server, of any length" said={<><Icon name="down" /> Download</>}>
          {(s.pod || s.job) && <a download={`${nameOf(s)}.log`} href={rawHref(s)}>Raw lines, as written</a>}
          {(s.pod || s.job) && <a download={`${nameOf(s)}.ndjson`} href={rawHref(s, 'ndjson')}>Lines with time and source, NDJSON</a>}
          <a download={`${nameOf(s)}-records.ndjson`} href={route.search({ ...filtersOf(s), ...boundsOf(s), order: s.oldest ? 'oldest' : 'newest', format: 'ndjson' })}>The records{s.q ? ' found' : ''}, NDJSON</a>
      </Popup>
      </div>}
    </form>
  )
}

const nameOf = (s: LogsState): string => `${s.pod || s.job || 'search'}${s.container ? '_' + s.container : ''}`

function rawHref(s: LogsState, format?: 'ndjson'): string {
  return route.raw({ format, namespace: s.namespace, job: s.pod ? '' : s.job, pod: s.pod, pod_uid: s.podUid, container: s.container, restart: s.restart, start: s.start, end: s.end })
}

/** The time range: two fields, and the night. */
function Times({ state: s }: { state: LogsState }) {
  const zone = useZone()
  const set = (start: string | undefined, end: string | undefined): void => setParams({ start, end, line: undefined, at: undefined, live: undefined })
  const night = (): void => { const n = lastNight(Date.now(), zone); set(n.start, n.end) }
  return (
    <Span start={s.start} end={s.end} set={set} said={spanName(s.start, s.end, zone) || (s.pod || s.job ? 'Time: all' : 'Time: 7 days')}
      quick={[['Last night', night], ['24 hours', () => set('now-24h', undefined)], ['7 days', () => set('now-7d', undefined)], ['All', () => set(undefined, undefined)]]} />
  )
}
