// Log text is anybody's: it is shown as text nodes only, and what would change how the
// text around it looks (control characters, marks of direction, invisible ones) is
// shown as something visible. The raw download has the bytes as they were.

/** A run of text with the look that ANSI codes gave it. */
export interface Run {
  text: string
  look: string // class names; '' is plain
}

// C0 but newline and tab, DEL, C1; zero-width and direction marks; line separators; the byte order mark; tags.
// eslint-disable-next-line no-control-regex
const odd = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu

const names = 'NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US'.split(' ')

/**
 * Text with everything invisible made visible: ⟨ESC⟩, or ⟨U+202E⟩ for a mark that would turn the line around.
 * Spelled out, since fonts often lack the pictures of control characters. A carriage return that ends a line goes.
 */
export function harmless(text: string): string {
  return text.replace(/\r(?=\n|$)/g, '').replace(odd, (c) => {
    const code = c.codePointAt(0) ?? 0
    if (code < 0x20) return `⟨${names[code] ?? ''}⟩`
    if (code === 0x7f) return '⟨DEL⟩'
    return `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`
  })
}

// eslint-disable-next-line no-control-regex
const sgr = /\u001b\[([0-9;]*)m/g
const colours = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white']

/** Text cut into runs at ANSI colour codes, each harmless. Other escape sequences stay visible. */
export function runs(text: string): Run[] {
  if (!text.includes('\u001b[')) return [{ text: harmless(text), look: '' }]
  const out: Run[] = []
  let from = 0
  let colour = ''
  let bold = false
  const push = (to: number): void => {
    if (to > from) out.push({ text: harmless(text.slice(from, to)), look: [colour && `ansi-${colour}`, bold && 'ansi-bold'].filter(Boolean).join(' ') })
  }
  for (const m of text.matchAll(sgr)) {
    push(m.index)
    from = m.index + m[0].length
    for (const part of (m[1] || '0').split(';')) {
      const n = Number(part)
      if (n === 0) { colour = ''; bold = false }
      else if (n === 1) bold = true
      else if (n === 22) bold = false
      else if (n === 39) colour = ''
      else if (n >= 30 && n <= 37) colour = colours[n - 30] ?? ''
      else if (n >= 90 && n <= 97) colour = colours[n - 90] ?? ''
    }
  }
  push(text.length)
  return out
}

/** Where byte number at of the UTF-8 text is in the string. */
export function indexOfByte(text: string, at: number): number {
  let bytes = 0
  let i = 0
  while (i < text.length && bytes < at) {
    const code = text.codePointAt(i) ?? 0
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
    i += code >= 0x10000 ? 2 : 1
  }
  return i
}

/** Text of at most max characters, not cut inside a character; and how many were left out. */
export function clip(text: string, max: number): { text: string; left: number } {
  if (text.length <= max) return { text, left: 0 }
  const last = text.charCodeAt(max - 1)
  const end = last >= 0xd800 && last <= 0xdbff ? max - 1 : max
  return { text: text.slice(0, end), left: text.length - end }
}

// A field with its value, a quoted phrase, or a word.
const term = /[\w.@]+(?::|[<>]=?)(?:"(?:[^"\\]|\\.)*"|\([^)]*\)|[^\s()]*)|"((?:[^"\\]|\\.)*)"|([^\s()"]+)/g

/** The words and phrases of a query that can be marked in a text: no fields, operators, negated or wild ones. */
export function wordsOf(query: string): string[] {
  const out: string[] = []
  let negated = false
  for (const [, phrase, plain] of query.matchAll(term)) {
    if (plain && /^(and|or|not)$/i.test(plain)) {
      negated = /^not$/i.test(plain)
      continue
    }
    const word = phrase?.replace(/\\(.)/g, '$1') ?? plain ?? ''
    const odd = plain !== undefined && (/^[-/]/.test(plain) || plain.includes('*'))
    if (!negated && !odd && word.trim()) out.push(word)
    negated = plain === '-' // of "-" and a phrase
  }
  return [...new Set(out)]
}

/** Text cut where the words occur as the search finds them, whole and without case: odd pieces are hits. */
export function splitHits(text: string, words: string[]): string[] {
  if (!words.length) return [text]
  const escaped = [...words].sort((a, b) => b.length - a.length).map((w) => w.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&'))
  return text.split(new RegExp(`(?<![\\p{L}\\p{N}_])(${escaped.join('|')})(?![\\p{L}\\p{N}_])`, 'iu'))
}
