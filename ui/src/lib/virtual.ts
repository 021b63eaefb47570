// A list of which only the rows in sight exist: @tanstack/virtual-core, for Preact.

import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from '@tanstack/virtual-core'
import { useLayoutEffect, useReducer, useState } from 'preact/hooks'

export type Rows = Virtualizer<HTMLElement, HTMLElement>

export interface VirtualOptions {
  count: number
  scroller: () => HTMLElement | null
  keyOf: (index: number) => string // the same function as long as the rows are the same
  estimate: (index: number) => number // px
}

export function useVirtual({ count, scroller, keyOf, estimate }: VirtualOptions): Rows {
  const [, redraw] = useReducer((n: number) => n + 1, 0)
  const options = {
    count,
    getScrollElement: scroller,
    getItemKey: keyOf,
    estimateSize: estimate,
    overscan: 12,
    // What is looked at stays in its place when records come in above it.
    anchorTo: 'end' as const,
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
