import { harmless } from '../lib/text'

/** A template's text: variables stand out, and the rest is text. */
export function TemplateText({ text, max = 300 }: { text: string; max?: number }) {
  const shown = text.length > max ? text.slice(0, max) + '…' : text
  const parts = harmless(shown).split('<*>')
  return (
    <span class="template">
      {parts.map((p, i) => <>{i > 0 && <var title="a variable">&lt;*&gt;</var>}{p}</>)}
    </span>
  )
}
