import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import type { LogsState } from '../../lib/address'
import { setParams } from '../../lib/router'
import { wordsOf } from '../../lib/text'
import { useVirtual } from '../../lib/virtual'
import type { Records } from './data'
import { Record } from './record'

/** Height of a record of one line, px; each is measured once it is drawn. */
const estimate = (): number => 22

/** The records, of which only those in sight are drawn. */
export function RecordList({ records, state }: { records: Records; state: LogsState }) {
  const scroller = useRef<HTMLDivElement>(null)
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set())
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

  const several = !state.pod || state.restart === undefined || !state.container
  const words = wordsOf(state.q)
  const toggle = (id: string): void => {
    const next = new Set(open)
    if (!next.delete(id)) next.add(id)
    setOpen(next)
  }
  return (
    <>
    {records.above && <p class="above"><button type="button" class="small" disabled={records.busy} onClick={records.above}>{state.oldest ? 'Load earlier' : 'Load later'}</button></p>}
    <div class={`records ${state.wrap ? 'wrap' : 'nowrap'}`} ref={scroller} role="region" aria-label="Records" tabIndex={0}>
      <div class="rows" role="list" style={{ height: `${rows.getTotalSize()}px` }}>
        {drawn.map((v) => {
          const doc = items[v.index]
          if (!doc) return null
          return (
            <div key={v.key} data-index={v.index} ref={(el) => rows.measureElement(el)} class="row" role="listitem" aria-setsize={items.length} aria-posinset={v.index + 1} style={{ transform: `translateY(${v.start}px)` }}>
              <Record doc={doc} chosen={doc.id === state.line} open={open.has(doc.id)} toggle={() => toggle(doc.id)} several={several} raw={state.raw} words={words}
                choose={() => setParams({ line: doc.id, order: state.oldest ? 'oldest' : 'newest' }, true)} />
            </div>
          )
        })}
      </div>
      <p class="end">{records.busy ? 'Loading more…' : records.full ? 'That is as much as a browser holds well. Narrow the time or the search to see the rest.'
        : records.below ? <button type="button" class="small" onClick={records.below}>Load more</button>
        : state.oldest ? 'The log ends here.' : 'The log begins here.'}</p>
    </div>
    </>
  )
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
