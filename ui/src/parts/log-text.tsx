import { useState } from 'preact/hooks'
import { clip, harmless, runs, splitHits } from '../lib/text'

const none: string[] = []

/** How much of a text is drawn at once: a line of 1 MB must not stop the page. */
const usual = 4000
const moreChars = 64_000

/** Text from a log. It becomes text nodes and nothing else; words are marked in it. */
export function LogText({ text, words = none, ansi = true, first = usual }: { text: string; words?: string[]; ansi?: boolean; first?: number }) {
  const [max, setMax] = useState(first)
  const shown = clip(text, max)
  return (
    <>
      <span class="logtext">
        {(ansi ? runs(shown.text) : [{ text: harmless(shown.text), look: '' }]).map((run) => {
          const pieces = splitHits(run.text, words)
          const inside = pieces.length === 1 ? run.text : pieces.map((p, i) => (i % 2 ? <mark>{p}</mark> : p))
          return run.look ? <span class={run.look}>{inside}</span> : inside
        })}
      </span>
      {shown.left > 0 && (
        <button type="button" class="more" onClick={() => setMax(max + moreChars)}>
          {shown.left.toLocaleString('en-GB')} more characters
        </button>
      )}
    </>
  )
}
