import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Document } from '../../api/types'
import type { LogsState } from '../../lib/address'
import { useZone } from '../../lib/prefs'
import { setParams } from '../../lib/router'
import { wordsOf } from '../../lib/text'
import { date } from '../../lib/time'
import { useVirtual } from '../../lib/virtual'
import type { Records } from './data'
import { Record, type Differences } from './record'

/** Height of a record of one line, px; each is measured once it is drawn. */
const estimate = (): number => 22

/** The records, of which only those in sight are drawn. */
export function RecordList({ records, state }: { records: Records; state: LogsState }) {
  const scroller = useRef<HTMLDivElement>(null)
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set())
  const zone = useZone()
  const { items } = records
  const rows = useVirtual({
    count: items.length,
    scroller: () => scroller.current,
    keyOf: useCallback((i: number) => items[i]?.id ?? String(i), [items]),
    estimate,
  })
  useGoToLine(rows, items, state.line)
  const drawn = rows.getVirtualItems()
  const last = drawn.at(-1)?.index ?? 0
  const nearEnd = items.length > 0 && last >= items.length - 20
  useEffect(() => {
    if (nearEnd && !records.busy && !records.error) records.below?.()
  }, [nearEnd, items.length, records.busy])

  const differ = useMemo(() => differences(items), [items])
  const words = wordsOf(state.q)
  const toggle = (id: string): void => {
    const next = new Set(open)
    if (!next.delete(id)) next.add(id)
    setOpen(next)
  }
  return (
    <>
    {records.around && (
      <p class="above">
        {records.above ? <button type="button" class="small" disabled={records.busy} onClick={records.above}>{state.oldest ? 'Load earlier' : 'Load later'}</button>
          : state.oldest ? 'The log begins here.' : 'The log ends here.'}
      </p>
    )}
    <div class={`records ${state.wrap ? 'wrap' : 'nowrap'}`} ref={scroller} role="region" aria-label="Records" tabIndex={0}>
      <div class="rows" role="list" style={{ height: `${rows.getTotalSize()}px` }}>
        {drawn.map((v) => {
          const doc = items[v.index]
          if (!doc) return null
          return (
            <div key={v.key} data-index={v.index} ref={(el) => rows.measureElement(el)} class="row" role="listitem" aria-setsize={items.length} aria-posinset={v.index + 1} style={{ transform: `translateY(${v.start}px)` }}>
              <Record doc={doc} chosen={doc.id === state.line} open={open.has(doc.id)} toggle={() => toggle(doc.id)} differ={differ} newDay={v.index === 0 || date(items[v.index - 1]?.time ?? '', zone) !== date(doc.time, zone)} raw={state.raw} words={words}
                choose={() => setParams({ line: doc.id, order: state.oldest ? 'oldest' : 'newest' }, true)} />
            </div>
          )
        })}
      </div>
      <p class="end">{records.busy ? 'Loading more…' : records.full ? 'That is as much as a browser holds well. Narrow the time or the search to see the rest.'
        : records.below ? <button type="button" class="small" onClick={records.below}>Load more</button>
        : state.q || state.important || state.start || state.end ? 'No more records match.'
        : state.oldest ? 'The log ends here.' : 'The log begins here.'}</p>
    </div>
    </>
  )
}

/** What tells the container instances in the list apart. */
function differences(items: Document[]): Differences {
  const records = items.filter((d) => d.kind === 'record') // Events name their object themselves.
  const first = records[0]
  const differs = (of: (d: Document) => unknown): boolean => first !== undefined && records.some((d) => of(d) !== of(first))
  return { pod: differs((d) => d.pod), container: differs((d) => d.container), restart: differs((d) => d.restart) }
}

type Virtual = ReturnType<typeof useVirtual>

/** Brings the line of the address into the middle, once for each that was not there before. */
function useGoToLine(rows: Virtual, items: Records['items'], line: string): void {
  const gone = useRef('')
  useEffect(() => {
    if (!line) gone.current = ''
    if (!line || gone.current === line) return
    const at = items.findIndex((d) => d.id === line)
    if (at < 0) return
    gone.current = line
    const seen = rows.getVirtualItems().some((v) => v.index === at && v.start >= (rows.scrollOffset ?? 0) && v.end <= (rows.scrollOffset ?? 0) + (rows.scrollRect?.height ?? 0))
    if (!seen) rows.scrollToIndex(at, { align: 'center' })
  }, [line, items])
}
