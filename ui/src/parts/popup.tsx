import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'

/** What folds out below a button, and in again by Esc or a press elsewhere. */
export function Popup({ said, name, title, pressed, children }: { said: ComponentChildren; name?: string; title?: string; pressed?: boolean; children: ComponentChildren }) {
  const box = useRef<HTMLDetailsElement>(null)
  useEffect(() => {
    const close = (e: Event): void => {
      const el = box.current
      if (!el?.open || (e instanceof KeyboardEvent ? e.key !== 'Escape' : el.contains(e.target as Node))) return
      el.open = false
      if (e instanceof KeyboardEvent) el.querySelector('summary')?.focus()
    }
    addEventListener('pointerdown', close)
    addEventListener('keydown', close)
    return () => { removeEventListener('pointerdown', close); removeEventListener('keydown', close) }
  }, [])
  return (
    <details class={`times ${pressed ? 'pressed' : ''}`} ref={box}>
      <summary title={title}>{name && <span class="sr">{name}: </span>}{said}</summary>
      <div class="popup">{children}</div>
    </details>
  )
}
