// What may follow in a query at the caret: the name of a field, or a value of one. Pure.

export interface Wanted {
  field: string // '' if a name of a field is wanted
  prefix: string // what is typed of it
  from: number // where it begins in the query
  to: number // the caret
}

const value = /(?:^|[\s(])([A-Za-z][\w.@-]*):\(?("?)([^\s()"]*)$/
const name = /(?:^|[\s(]|-)([A-Za-z][\w.@-]*)$/

/** What is being typed before the caret; undefined if nothing can be completed there. */
export function completionAt(query: string, caret: number): Wanted | undefined {
  const typed = query.slice(0, caret)
  if (quotesOpen(typed) && !value.test(typed)) return undefined
  const v = value.exec(typed)
  if (v) return { field: v[1] ?? '', prefix: v[3] ?? '', from: caret - (v[3]?.length ?? 0) - (v[2]?.length ?? 0), to: caret }
  const n = name.exec(typed)
  if (n?.[1]) return { field: '', prefix: n[1], from: caret - n[1].length, to: caret }
  return undefined
}

const quotesOpen = (s: string): boolean => (s.replace(/\\./g, '').split('"').length - 1) % 2 === 1

/** The query with the choice in the place of what was typed, and where the caret goes. */
export function withChoice(query: string, w: Wanted, choice: string): { value: string; caret: number } {
  const bare = /^[\w.@/$-]+$/.test(choice) && !/^(and|or|not)$/i.test(choice)
  const put = w.field ? (bare ? choice : `"${choice.replace(/["\\]/g, '\\$&')}"`) + ' ' : choice + ':'
  const rest = query.slice(w.to).replace(/^"?\s?/, '')
  return { value: query.slice(0, w.from) + put + rest, caret: w.from + put.length }
}
