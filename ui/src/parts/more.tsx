import type { Paged } from '../api/use'
import { Failed } from './states'

/** The end of a list that comes in pages: asks for the next one, and says so while it does. */
export function More({ pages, what }: { pages: Paged<unknown>; what: string }) {
  if (pages.error && pages.items) return <Failed error={pages.error} again={pages.again} />
  if (!pages.more) return null
  return (
    <p class="actions more-pages">
      <button type="button" disabled={pages.loading} onClick={pages.more}>{pages.loading ? `Loading ${what}…` : `More ${what}`}</button>
      {pages.loading && <button type="button" class="small" onClick={pages.cancel}>Cancel</button>}
    </p>
  )
}
