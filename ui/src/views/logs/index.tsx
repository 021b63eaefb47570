import { useEffect, useMemo, useState } from 'preact/hooks'
import { boundaries, type Boundary } from '../../lib/boundaries'
import { isLine, readLogs, withParams, type LogsState } from '../../lib/address'
import { count } from '../../lib/numbers'
import { setParams, usePlace } from '../../lib/router'
import { Empty, Failed, Loading } from '../../parts/states'
import { useTitle } from '../title'
import { asksForLog, boundsOf, defaultStart } from './asked'
import { useRecords, type Records } from './data'
import { RecordList } from './list'
import { useAbout } from './about'
import { Bars, type Extent } from './bars'
import { TimeMap } from './timemap'
import { Choose, Picker } from './picker'
import { Toolbar } from './toolbar'

/** The log of any container, gone or living. */
export function Logs() {
  const { search } = usePlace()
  const state = useMemo(() => readLogs(search), [search])
  const records = useRecords(state)
  useTitle(`Logs ${state.pod || state.job}`.trim())
  useFillIn(state, records)
  const about = useAbout(state)
  const [seen, setSeen] = useState<Extent>()
  const ends = useMemo(() => boundaries(records.items, about.streams, about.ends), [records.items, about.streams, about.ends])
  return (
    <div class="logs">
      <h1 class="sr">Logs {state.pod || state.job}</h1>
      <Picker state={state} search={search} />
      <section class="viewer" aria-label="Log">
        <Toolbar state={state} />
        {about.extent && about.histogram && about.histogram.items.length > 0 && <Bars histogram={about.histogram} extent={about.extent} seen={seen} />}
        <Said state={state} records={records} search={search} />
        <div class="with-map">
          <div class="shown"><Shown state={state} records={records} ends={ends} labels={about.labels} saw={setSeen} /></div>
          {about.extent && asksForLog(state) && <TimeMap histogram={about.histogram} extent={about.extent} seen={seen} oldest={state.oldest} />}
        </div>
      </section>
    </div>
  )
}

/** A link may hold only the line: the record tells the rest. */
function useFillIn(s: LogsState, records: Records): void {
  const d = records.around && isLine(s.line) && !s.pod ? records.items.find((r) => r.id === s.line) : undefined
  useEffect(() => {
    if (d) setParams({ namespace: d.namespace, pod: d.pod, pod_uid: d.pod_uid, container: d.container, restart: d.restart, job: undefined, start: undefined, end: undefined }, true)
  }, [d?.id])
}

/** What is being shown, in a line. */
function Said({ state: s, records, search }: { state: LogsState; records: Records; search: string }) {
  if (!asksForLog(s)) return null
  const n = records.items.length
  const whole = '/logs' + withParams(search, { line: undefined, order: undefined })
  return (
    <p class="said" role="status">
      {records.tail && <span class={records.tail.open ? 'live-on' : 'live-off'}>{records.tail.open ? '● Live' : '○ Connecting again…'}{records.tail.arrived > 0 && `, ${count(records.tail.arrived)} arrived`}. </span>}
      {n > 0 && `${count(n)} record${n === 1 ? '' : 's'}${records.below || records.above ? ' loaded' : ''}`}
      {n > 0 && s.q && <> for <code>{s.q}</code></>}
      {boundsOf(s).start === defaultStart && !s.line ? ' in the last 7 days' : ''}
      {isLine(s.line) && !s.q && <> around the marked line. <a href={whole}>Whole log</a></>}
      {isLine(s.line) && s.q && <>. <a href={'/logs' + withParams(search, { q: undefined, mark: s.q })}>Show around the marked line, unfiltered</a></>}
    </p>
  )
}

interface ShownProps {
  state: LogsState
  records: Records
  ends: Map<string, Boundary>
  labels: Map<string, string>
  saw: (seen: Extent | undefined) => void
}

function Shown({ state: s, records, ...rest }: ShownProps) {
  if (!asksForLog(s)) return <Choose />
  if (records.error && !records.items.length) return <Failed error={records.error} again={records.again} />
  if (records.loading) return <Loading what="records" cancel={records.cancel} />
  if (!records.items.length && s.live) return <Empty title="Nothing has arrived yet"><p>What is written from now on is shown here as it comes.</p></Empty>
  if (!records.items.length) {
    return (
      <Empty title={s.q ? 'No record matches' : 'No records here'}>
        <p>{s.important ? 'Important has only warnings, exceptions, state changes and events.' : 'Try fewer words, or a longer time.'}</p>
        <p class="actions">
          {s.important && <button type="button" onClick={() => setParams({ scope: undefined })}>Search everything</button>}
          {(s.start || s.end) && <button type="button" onClick={() => setParams({ start: undefined, end: undefined })}>Search all times</button>}
          {s.q && <button type="button" onClick={() => setParams({ q: undefined })}>Drop the search</button>}
        </p>
      </Empty>
    )
  }
  return (
    <>
      {records.error && <Failed error={records.error} again={records.again} />}
      <RecordList records={records} state={s} {...rest} />
    </>
  )
}
