import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const namespace = 'hostile'
export const pod = 'hostile-0'
export const fillers = 3000

/** Lines as somebody would write them who wants to break the page that shows them. */
export const lines: string[] = [
  '<img src=x onerror="window.__broken=1"><script>window.__broken=1</script><svg onload="window.__broken=1">',
  '&lt;b&gt; {{7*7}} ${window.__broken=1} javascript:window.__broken=1',
  '\u001b[31mred\u001b[0m \u001b[1mbold\u001b[0m \u001b]0;title\u0007 \u001b[2J\u001b[999;999H',
  'before \u202egnp.exe\u202c after \u2066isolated',
  'nul \u0000 backspace \b\b\b form\f feed, delete \u007f, C1 \u009b31m',
  'مرحبا بالعالم <b dir=rtl> שלום',
  'zero\u200bwidth \ufeff \u2028 separators',
  'x'.repeat(1 << 20),
  'a'.repeat(200) + '\u0301'.repeat(300),
]

/** Writes a pods directory with one pod that logs these lines, and some that are harmless. */
export function writePods(dir: string, now: number): void {
  const logs = join(dir, `${namespace}_${pod}_11111111-2222-3333-4444-555555555555`, 'main')
  mkdirSync(logs, { recursive: true })
  const all = [...lines, ...Array.from({ length: fillers }, (_, i) => `filler line ${i} ${'lorem ipsum '.repeat(i % 17)}`)]
  const from = now - 2 * 3600_000
  const text = all.map((l, i) => `${new Date(from + i * 700).toISOString().replace('Z', '000000Z')} stdout F ${l}\n`)
  writeFileSync(join(logs, '0.log'), text.join(''))
}
