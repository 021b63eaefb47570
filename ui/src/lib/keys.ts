// Keys for everything. Rows that can be walked carry data-row; their links and buttons are the browser's own.

/** The keys, as the help lists them. */
export const keys: [string, string][] = [
  ['j / k', 'next / previous row'],
  ['Enter', 'open the row'],
  ['/', 'search'],
  ['g i', 'incidents'],
  ['g l', 'logs'],
  ['g j', 'jobs'],
  ['g t', 'templates'],
  ['g q', 'the labeling console'],
  ['n / N', 'log: next / previous record with the words'],
  ['] / [', 'log: next / previous trouble, or container’s begin and end'],
  ['f', 'log: follow what arrives'],
  ['l', 'label: to the form'],
  ['1 … 9', 'label: say what was said of a similar one, and next'],
  ['s / u / x', 'label: skip / undo / choose for many'],
  ['p / m / t', 'label: preview / merge / split'],
  ['a / r', 'review: approve / reject the row'],
  ['+ - ← → 0', 'timeline: zoom, move, show all'],
  ['c', 'copy the link to what is shown'],
  ['Esc', 'leave the search box, close'],
  ['?', 'these keys'],
]

function rows(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>('[data-row]')].filter((r) => r.getClientRects().length > 0)
}

/** Moves the focus by whole rows: from the focused one, else to the first or last. */
function step(by: 1 | -1): void {
  const all = rows()
  const at = all.findIndex((r) => r === document.activeElement || r.contains(document.activeElement))
  const row = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by]
  if (!row) return
  row.focus({ preventScroll: true })
  row.scrollIntoView({ block: 'nearest' })
}

export interface KeyActions {
  help: () => void
  go: (href: string) => void
  copy: () => void
}

const places: Record<string, string> = { i: '/', l: '/logs', j: '/jobs', t: '/templates', q: '/label' }

const walks = new EventTarget()

/** Hears n, N, [, ] and f, and in a log j and k, until the answer is called. */
export function onWalk(hear: (key: string) => void): () => void {
  const on = (e: Event): void => hear((e as CustomEvent<string>).detail)
  walks.addEventListener('walk', on)
  return () => walks.removeEventListener('walk', on)
}

/** Listens for keys until the answer is called. Typing into a field is left alone. */
export function listen(actions: KeyActions): () => void {
  let afterG = 0
  const on = (e: KeyboardEvent): void => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented) return
    const t = e.target as HTMLElement
    if (t.closest('dialog')) return
    const typing = t.matches('input:not([type=checkbox]):not([type=radio]), textarea, select')
    if (typing) {
      if (e.key === 'Escape') t.blur()
      return
    }
    const place = Date.now() - afterG < 1500 ? places[e.key] : undefined
    afterG = 0
    if (place) actions.go(place)
    else if (e.key === 'g') afterG = Date.now()
    else if (e.key === 'j' || e.key === 'k') {
      // Of a log only the rows in sight are there: it knows itself what comes next.
      if (document.querySelector('.records') && !t.closest('.picker')) walks.dispatchEvent(new CustomEvent('walk', { detail: e.key }))
      else step(e.key === 'j' ? 1 : -1)
    }
    else if ('nN[]f'.includes(e.key) && e.key.length === 1) walks.dispatchEvent(new CustomEvent('walk', { detail: e.key }))
    else if (e.key === 'c') actions.copy()
    else if (e.key === '?') actions.help()
    else if (e.key === '/') {
      const box = document.querySelector<HTMLElement>('[data-search]')
      if (!box) return
      box.focus()
      if (box instanceof HTMLInputElement) box.select()
    } else return
    e.preventDefault()
  }
  addEventListener('keydown', on)
  return () => removeEventListener('keydown', on)
}
