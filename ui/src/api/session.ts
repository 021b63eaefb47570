// Who asks: what the server knows of the reader, and saying it. Held once for all screens.

import { useEffect, useState } from 'preact/hooks'
import { ApiError, get, route, send } from './client'
import type { SessionInfo } from './types'

let known: SessionInfo | undefined
const changed = new EventTarget()

function tell(s: SessionInfo | undefined): void {
  known = s
  changed.dispatchEvent(new Event('session'))
}

export async function loadSession(): Promise<void> {
  try {
    tell(await get<SessionInfo>(route.session()))
  } catch {
    // Then nobody is known; what needs a name says so when it is tried.
  }
}

/** Signs in: with a token, or by a name where the server asks for no proof. Throws ApiError. */
export async function signIn(how: { token?: string; name?: string }): Promise<void> {
  tell(await send<SessionInfo>('POST', route.session(), how))
}

export async function signOut(): Promise<void> {
  await send<unknown>('DELETE', route.session(), {})
  await loadSession()
}

export function useSession(): SessionInfo | undefined {
  const [s, set] = useState(known)
  useEffect(() => {
    const on = (): void => set(known)
    changed.addEventListener('session', on)
    on()
    return () => changed.removeEventListener('session', on)
  }, [])
  return s
}

/** True if what went wrong is that nobody said who they are. */
export const needsName = (e: ApiError): boolean => e.status === 401
