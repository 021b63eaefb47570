import { useEffect, useMemo } from 'preact/hooks'
import { isLine, readLogs, withParams, type LogsState } from '../../lib/address'
import { count } from '../../lib/numbers'
import { setParams, usePlace } from '../../lib/router'
import { Empty, Failed, Loading } from '../../parts/states'
import { useTitle } from '../title'
import { asksForLog, boundsOf, defaultStart, useRecords, type Records } from './data'
import { RecordList } from './list'
import { Choose, Picker } from './picker'
import { Toolbar } from './toolbar'

/** The log of any container, gone or living. */
export function Logs() {
  const { search } = usePlace()
  const state = useMemo(() => readLogs(search), [search])
  const records = useRecords(state)
  useTitle(`Logs ${state.pod || state.job}`.trim())
  useFillIn(state, records)
  return (
    <div class="logs">
      <h1 class="sr">Logs {state.pod || state.job}</h1>
      <Picker state={state} search={search} />
      <section class="viewer" aria-label="Log">
        <Toolbar state={state} />
        <Said state={state} records={records} search={search} />
        <Shown state={state} records={records} />
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
      {n > 0 && `${count(n)} record${n === 1 ? '' : 's'}${records.below || records.above ? ' so far' : ''}`}
      {n > 0 && s.q && <> for <code>{s.q}</code></>}
      {boundsOf(s).start === defaultStart && !s.line ? ' in the last 7 days' : ''}
      {isLine(s.line) && !s.q && <> around the marked line. <a href={whole}>Whole log</a></>}
      {isLine(s.line) && s.q && <>. <a href={'/logs' + withParams(search, { q: undefined })}>Show around the marked line, unfiltered</a></>}
    </p>
  )
}

function Shown({ state: s, records }: { state: LogsState; records: Records }) {
  if (!asksForLog(s)) return <Choose />
  if (records.error && !records.items.length) return <Failed error={records.error} again={records.again} />
  if (records.loading) return <Loading what="records" />
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
      {records.error && <Failed error={records.error} />}
      <RecordList records={records} state={s} />
    </>
  )
}
