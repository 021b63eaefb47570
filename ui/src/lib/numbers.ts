/** 12 345 with the separators of English. */
export function count(n: number): string {
  return n.toLocaleString('en-GB')
}

/** 1 record, 2 records. */
export function counted(n: number, one: string, many = one + 's'): string {
  return `${count(n)} ${n === 1 ? one : many}`
}

/** 1.4 MB; powers of 1000. */
export function bytes(n: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let i = 0
  while (n >= 1000 && i < units.length - 1) { n /= 1000; i++ }
  return `${i && n < 100 ? n.toFixed(1) : Math.round(n)} ${units[i] ?? ''}`
}
