// A stack trace is folded to what people look for: its first line, the exception, and each
// "Caused by". The rest is a press of a button away.

export interface Folded {
  lines: { text: string; cause: boolean }[] // what stays visible, in order
  hidden: number // lines that are folded away; 0 if nothing is
}

const frame = /^\s+(at\s|\.\.\. \d+|- locked|- waiting)|^\s*File ".*", line \d+|^goroutine \d+/
const cause = /^\s*(Caused by|Suppressed|Wrapped by): |^The above exception was|^During handling of the above/
const exception = /^\s*(?:Exception in thread .*|[\w$]+(?:\.[\w$]+)+(?:Exception|Error|Throwable|Failure)\b.*|\w*(?:Error|Exception): .*)$/

/** Short records are left whole: folding saves nothing there. */
const keepLines = 4

/** Folds a record's text. head is how many lines of it are shown of a long text that is no stack trace. */
export function fold(text: string, head = 3): Folded {
  const all = text.split('\n')
  if (all.length <= keepLines) return { lines: all.map((t) => ({ text: t, cause: cause.test(t) })), hidden: 0 }
  const traced = all.some((l) => frame.test(l))
  const lines: Folded['lines'] = []
  all.forEach((l, i) => {
    const isCause = i > 0 && cause.test(l)
    const keep = i === 0 || isCause || (traced ? exception.test(l) && !frame.test(l) : i < head)
    if (keep) lines.push({ text: l, cause: isCause })
  })
  return { lines, hidden: all.length - lines.length }
}

/** The names of the exceptions that a folded record shows, outermost first, without their packages. */
export function shortName(exceptionType: string): string {
  return exceptionType.slice(exceptionType.lastIndexOf('.') + 1)
}
