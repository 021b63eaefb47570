import { useEffect, useState } from 'preact/hooks'

/** The value once it has been the same for a moment: so that not every key that is typed is asked about. */
export function useDeferred(value: string, wait = 180): string {
  const [held, setHeld] = useState(value)
  useEffect(() => {
    if (value === held) return
    const t = setTimeout(() => setHeld(value), wait)
    return () => clearTimeout(t)
  }, [value, held, wait])
  return held
}
