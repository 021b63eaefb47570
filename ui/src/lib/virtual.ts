// A list of which only the rows in sight exist: @tanstack/virtual-core, for Preact.

import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from '@tanstack/virtual-core'
import { useLayoutEffect, useReducer, useRef, useState } from 'preact/hooks'

export type Rows = Virtualizer<HTMLElement, HTMLElement>

export interface VirtualOptions {
  count: number
  scroller: () => HTMLElement | null
  keyOf: (index: number) => string // the same function as long as the rows are the same
  estimate: (index: number) => number // px
}

export function useVirtual({ count, scroller, keyOf, estimate }: VirtualOptions): Rows {
  const [, redraw] = useReducer((n: number) => n + 1, 0)
  const firstKey = count ? keyOf(0) : ''
  const lastFirst = useRef(firstKey)
  const above = lastFirst.current !== '' && lastFirst.current !== firstKey
  lastFirst.current = firstKey
  const options = {
    count,
    getScrollElement: scroller,
    getItemKey: keyOf,
    estimateSize: estimate,
    overscan: 12,
    // What is looked at stays in its place when rows come in above it. Else the top does: a row that
    // grows by being unfolded must not push itself out of sight.
    anchorTo: above ? ('end' as const) : ('start' as const),
    observeElementRect,
    observeElementOffset,
    scrollToFn: elementScroll,
    onChange: () => redraw(undefined),
  }
  const [rows] = useState<Rows>(() => new Virtualizer<HTMLElement, HTMLElement>(options))
  rows.setOptions(options)
  useLayoutEffect(() => rows._didMount(), [rows])
  useLayoutEffect(() => rows._willUpdate())
  return rows
}
