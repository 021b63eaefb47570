import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Document } from '../../api/types'
import type { LogsState } from '../../lib/address'
import { useZone } from '../../lib/prefs'
import { setParams } from '../../lib/router'
import type { Boundary } from '../../lib/boundaries'
import { onWalk } from '../../lib/keys'
import { splitHits, wordsOf } from '../../lib/text'
import { date, parseTime } from '../../lib/time'
import { useVirtual } from '../../lib/virtual'
import { Icon } from '../../parts/icons'
import type { Extent } from './bars'
import type { Records } from './data'
import { Record, type Differences } from './record'

/** Height of a record of one line, px; each is measured once it is drawn. */
const estimate = (): number => 22

interface ListProps {
  records: Records
  state: LogsState
  ends: Map<string, Boundary>
  labels: Map<string, string> // titles by template
  saw: (seen: Extent | undefined) => void // the times between which what is in sight stands
}

/** The records, of which only those in sight are drawn. */
export function RecordList({ records, state, ends, labels, saw }: ListProps) {
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
  useGoToLine(rows, items, state.line, 'center')
  useGoToLine(rows, items, state.line ? '' : records.anchor, 'start')
  const follows = useFollow(scroller, rows, items, state)
  const drawn = rows.getVirtualItems()
  const first = drawn[0]?.index ?? 0
  const last = drawn.at(-1)?.index ?? 0
  const nearEnd = items.length > 0 && last >= items.length - 20
  const offset = rows.scrollOffset ?? 0
  // Not before the reader has moved up: what is above a line that was linked is loaded when it is wanted.
  const up = useRef(0)
  const movedUp = offset < up.current
  up.current = offset
  const nearTop = items.length > 0 && first <= 15 && movedUp
  useEffect(() => {
    if (records.busy || records.error) return
    if (nearEnd && !(state.live && state.oldest)) records.below?.()
    else if (nearTop) records.above?.()
  }, [nearEnd, nearTop, items.length, records.busy])

  const view = { from: offset, to: offset + (rows.scrollRect?.height ?? 0) }
  const inSight = drawn.filter((v) => v.end > view.from && v.start < view.to)
  const a = items[inSight[0]?.index ?? -1]?.time
  const b = items[inSight.at(-1)?.index ?? -1]?.time
  useEffect(() => {
    saw(a && b ? { from: Math.min(parseTime(a), parseTime(b)), to: Math.max(parseTime(a), parseTime(b)) } : undefined)
  }, [a, b])

  const differ = useMemo(() => differences(items), [items])
  const words = useMemo(() => [...wordsOf(state.q), ...wordsOf(state.mark)], [state.q, state.mark])
  const toggle = (id: string): void => {
    const next = new Set(open)
    if (!next.delete(id)) next.add(id)
    setOpen(next)
  }
  const walk = useWalk(rows, items, words, ends, records)
  return (
    <>
    {(records.above || records.around || state.at) && (
      <p class="above">
        {records.above ? <button type="button" class="small" disabled={records.busy} onClick={records.above}>{state.oldest ? 'Load earlier' : 'Load later'}</button>
          : state.oldest ? 'The log begins here.' : 'The log ends here.'}
      </p>
    )}
    <div class={`records ${state.wrap ? 'wrap' : 'nowrap'}`} ref={scroller} role="region" aria-label="Records" tabIndex={0} data-walk={walk}>
      <div class="rows" role="list" style={{ height: `${rows.getTotalSize()}px` }}>
        {drawn.map((v) => {
          const doc = items[v.index]
          if (!doc) return null
          const end = ends.get(doc.id)
          return (
            <div key={v.key} data-index={v.index} ref={(el) => rows.measureElement(el)} class="row" role="listitem" aria-setsize={-1} aria-posinset={v.index + 1} style={{ transform: `translateY(${v.start}px)` }}>
              <Limit text={state.oldest ? end?.begins : end?.ends} bad={end?.bad} />
              <Record doc={doc} chosen={doc.id === state.line} open={open.has(doc.id)} toggle={() => toggle(doc.id)} differ={differ} newDay={v.index === 0 || date(items[v.index - 1]?.time ?? '', zone) !== date(doc.time, zone)} raw={state.raw} ansi={state.ansi} words={words} label={labels.get(doc.template_id ?? '')}
                choose={() => setParams({ line: doc.id, order: state.oldest ? 'oldest' : 'newest', live: undefined }, true)} />
              <Limit text={state.oldest ? end?.ends : end?.begins} bad={end?.bad} />
            </div>
          )
        })}
      </div>
      <p class="end">{records.busy ? <>{state.oldest ? 'Searched up to here' : 'Searched back to here'}, and on… <button type="button" class="small" onClick={records.cancel}>Cancel</button></>
        : records.below ? <button type="button" class="small" onClick={records.below}>Load more</button>
        : state.live && state.oldest ? 'What arrives comes here.'
        : state.q || state.important || state.start || state.end ? 'No more records match.'
        : state.oldest ? 'The log ends here.' : 'The log begins here.'}</p>
    </div>
    {state.live && state.oldest && !follows.now && <button type="button" class="to-end" onClick={follows.again}>Follow again ↓</button>}
    </>
  )
}

/** Where a container instance begins or ends. */
function Limit({ text, bad }: { text: string | undefined; bad: boolean | undefined }) {
  if (!text) return null
  return <p class={`limit ${bad ? 'bad' : ''}`}>{bad && <Icon name="alert" />} {text}</p>
}

/** While the end of the list is in sight, what arrives keeps it there. */
function useFollow(scroller: { current: HTMLDivElement | null }, rows: Virtual, items: Document[], s: LogsState): { now: boolean; again: () => void } {
  const on = s.live && s.oldest
  const [now, setNow] = useState(true)
  const at = useRef(0)
  useEffect(() => {
    const el = scroller.current
    if (!on || !el) return
    setNow(true)
    const scrolled = (): void => {
      const end = el.scrollHeight - el.clientHeight - el.scrollTop < 60
      if (end) setNow(true)
      else if (el.scrollTop < at.current - 4) setNow(false) // The reader moved up; rows that are measured move down.
      at.current = el.scrollTop
    }
    el.addEventListener('scroll', scrolled, { passive: true })
    return () => el.removeEventListener('scroll', scrolled)
  }, [on])
  useEffect(() => {
    if (!on || !now || !items.length) return
    const toEnd = (): void => { const el = scroller.current; if (el) el.scrollTop = el.scrollHeight }
    toEnd()
    const f = requestAnimationFrame(toEnd)
    return () => cancelAnimationFrame(f)
  }, [on, now, items, rows.getTotalSize()])
  return { now, again: () => setNow(true) }
}

/** j and k go to the next and previous record, n and N to one with the words, ] and [ to trouble. */
function useWalk(rows: Virtual, items: Document[], words: string[], ends: Map<string, Boundary>, records: Records): string {
  const now = useRef({ items, words, ends, records })
  now.current = { items, words, ends, records }
  const going = useRef<{ to: number; id: string } | undefined>(undefined) // chosen, but not drawn yet: keys may come quicker
  useEffect(() => onWalk((key) => {
    const { items: all, words: w, ends: limits, records: r } = now.current
    const near = key === 'j' || key === 'k'
    const hit = (d: Document): boolean => near || (key === 'n' || key === 'N' ? splitHits(d.text, w).length > 1 : isTrouble(d) || limits.has(d.id))
    const by = key === 'n' || key === ']' || key === 'j' ? 1 : -1
    const focused = document.activeElement?.closest('[data-index]')
    const top = rows.getVirtualItems().find((v) => v.end > (rows.scrollOffset ?? 0))?.index ?? 0
    const pending = going.current && all[going.current.to]?.id === going.current.id ? going.current.to : undefined
    let at = pending ?? (focused ? Number(focused.getAttribute('data-index')) : top - (by > 0 ? 1 : 0))
    for (at += by; at >= 0 && at < all.length; at += by) if (hit(all[at] as Document)) break
    if (at < 0 || at >= all.length) {
      if (by > 0) r.below?.()
      else r.above?.()
      return
    }
    const mine = { to: at, id: all[at]?.id ?? '' }
    going.current = mine
    rows.scrollToIndex(at, { align: near ? 'auto' : 'center' })
    const focus = (tries: number): void => {
      if (going.current !== mine) return
      const el = document.querySelector<HTMLElement>(`.row[data-index="${mine.to}"] [data-row]`)
      if (el) el.focus({ preventScroll: true })
      else if (tries) { requestAnimationFrame(() => focus(tries - 1)); return }
      going.current = undefined
    }
    focus(60)
  }), [rows])
  return 'j k n N [ ]'
}

const isTrouble = (d: Document): boolean => d.event?.type === 'Warning' || /^(WARN|ERROR|FATAL)$/.test(d.level ?? '')

/** What tells the container instances in the list apart. */
function differences(items: Document[]): Differences {
  const records = items.filter((d) => d.kind === 'record') // Events name their object themselves.
  const first = records[0]
  const differs = (of: (d: Document) => unknown): boolean => first !== undefined && records.some((d) => of(d) !== of(first))
  return { pod: differs((d) => d.pod), container: differs((d) => d.container), restart: differs((d) => d.restart), prefix: commonPrefix([...new Set(records.map((d) => d.pod ?? ''))]) }
}

/** How many characters the names of the pods have in common, up to a dash: the job's name, which the reader knows. */
function commonPrefix(names: string[]): number {
  const [first = '', ...rest] = names
  if (!rest.length) return 0
  let n = first.length
  for (const name of rest) {
    let i = 0
    while (i < n && first[i] === name[i]) i++
    n = i
  }
  n = first.lastIndexOf('-', n - 1) + 1
  return n > 8 ? n : 0
}

type Virtual = ReturnType<typeof useVirtual>

/** Brings the line of the address into the middle, once for each that was not there before. */
function useGoToLine(rows: Virtual, items: Records['items'], line: string, align: 'center' | 'start'): void {
  const gone = useRef('')
  useEffect(() => {
    if (!line) gone.current = ''
    if (!line || gone.current === line) return
    const at = items.findIndex((d) => d.id === line)
    if (at < 0) return
    gone.current = line
    const seen = rows.getVirtualItems().some((v) => v.index === at && v.start >= (rows.scrollOffset ?? 0) && v.end <= (rows.scrollOffset ?? 0) + (rows.scrollRect?.height ?? 0))
    if (!seen) rows.scrollToIndex(at, { align })
  }, [line, items])
}
