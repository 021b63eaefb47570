import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { get, route } from '../../api/client'
import type { FieldList, FieldValueList } from '../../api/types'
import { completionAt, withChoice, type Wanted } from '../../lib/complete'

interface Props {
  value: string
  set: (value: string) => void
  submit: (value: string) => void
  namespace: string
  job: string
}

interface Choice {
  text: string
  count?: number | undefined
}

const wait = 120 // ms of quiet before values are asked for

/** The search box: it completes names of fields and their values. */
export function SearchBox({ value, set, submit, namespace, job }: Props) {
  const input = useRef<HTMLInputElement>(null)
  const caret = useRef<{ at: number; more: boolean } | undefined>(undefined)
  const [wanted, setWanted] = useState<Wanted>()
  const [found, setChoices] = useState<Choice[]>([])
  const [at, setAt] = useState(-1)
  useEffect(() => {
    if (!wanted) { setChoices([]); return }
    const gone = new AbortController()
    const t = setTimeout(() => {
      ask(wanted, namespace, job, gone.signal).then((c) => { setChoices(c); setAt(-1) }, () => setChoices([])) // Without completion one can still search.
    }, wait)
    return () => { clearTimeout(t); gone.abort() }
  }, [wanted?.field, wanted?.prefix, namespace, job])

  // What was found for less of it is narrowed at once, until the server has answered.
  const choices = wanted ? found.filter((c) => c.text.toLowerCase().includes(wanted.prefix.toLowerCase())) : []
  const look = (): void => {
    const el = input.current
    setAt(-1)
    if (el) setWanted(completionAt(el.value, el.selectionStart ?? el.value.length))
  }
  const close = (): void => { setWanted(undefined); setChoices([]); setAt(-1) }
  const take = (c: Choice): void => {
    if (!wanted) return
    const next = withChoice(value, wanted, c.text)
    set(next.value)
    close()
    caret.current = { at: next.caret, more: !wanted.field }
  }
  // The caret goes where the choice ends, before the next key is heard.
  useLayoutEffect(() => {
    const to = caret.current
    if (!to) return
    caret.current = undefined
    input.current?.focus()
    input.current?.setSelectionRange(to.at, to.at)
    if (to.more) look()
  }, [value])
  const open = choices.length > 0 && !!wanted
  const onKey = (e: KeyboardEvent): void => {
    if (open && (e.key === 'ArrowDown' || e.key === 'ArrowUp')) {
      const by = e.key === 'ArrowDown' ? 1 : -1
      setAt((n) => (n + by + choices.length + (n < 0 && by < 0 ? 1 : 0)) % choices.length)
    } else if (open && (e.key === 'Tab' || (e.key === 'Enter' && at >= 0)) && !e.shiftKey) take(choices[Math.min(Math.max(0, at), choices.length - 1)] as Choice)
    else if (open && e.key === 'Escape') { close(); e.stopPropagation() }
    else if (e.key === 'Enter') { close(); submit(value) }
    else return
    e.preventDefault()
  }
  return (
    <div class="complete grow">
      <input ref={input} type="text" data-search value={value} spellcheck={false} autocomplete="off" autocapitalize="off" placeholder='Search: words, "a phrase", level:ERROR'
        aria-label="Search" role="combobox" aria-expanded={open} aria-controls="choices" aria-autocomplete="list" aria-activedescendant={open && at >= 0 ? `choice-${at}` : undefined}
        onInput={(e) => { set(e.currentTarget.value); look() }} onKeyDown={onKey} onBlur={() => setTimeout(close, 150)} onClick={look} />
      <ul id="choices" role="listbox" aria-label="What may follow" class="choices-list" hidden={!open}>
        {choices.map((c, n) => (
          <li key={c.text} id={`choice-${n}`} role="option" aria-selected={n === at} onPointerDown={(e) => { e.preventDefault(); take(c) }}>
            <span>{c.text}</span>{c.count ? <span class="quiet"> {c.count}</span> : ''}
          </li>
        ))}
      </ul>
    </div>
  )
}

let names: Promise<string[]> | undefined

async function ask(w: Wanted, namespace: string, job: string, signal: AbortSignal): Promise<Choice[]> {
  if (w.field) {
    const got = await get<FieldValueList>(route.values(w.field, { prefix: w.prefix, namespace, job, limit: 12 }), signal)
    return got.items.map((v) => ({ text: v.value, count: v.count }))
  }
  if (w.prefix.length < 1) return []
  names ??= get<FieldList>(route.fields()).then((l) => l.items.map((f) => f.name))
  names.catch(() => { names = undefined })
  const p = w.prefix.toLowerCase()
  return (await names).filter((n) => n.toLowerCase().startsWith(p) && n !== 'attr.NAME').slice(0, 12).map((n) => ({ text: n }))
}
