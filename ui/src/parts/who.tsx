import { useEffect, useRef, useState } from 'preact/hooks'
import { ApiError } from '../api/client'
import { signIn, signOut, useSession } from '../api/session'

let ask: (() => void) | undefined

/** Opens the dialog in which the reader says who they are. */
export const askWho = (): void => ask?.()

/** Who the reader is, in the header; and the dialog that asks for it. */
export function Who() {
  const session = useSession()
  const [open, setOpen] = useState(false)
  useEffect(() => {
    ask = () => setOpen(true)
    return () => { ask = undefined }
  }, [])
  if (!session) return null
  const name = session.actor?.name
  return (
    <>
      <button type="button" onClick={() => setOpen(true)} title={name ? `You are ${name}, ${session.actor?.role ?? ''}` : 'Say who you are: labels and answers bear a name'}>
        {name || (session.methods.some((m) => m !== 'name') ? 'Sign in' : 'Who are you?')}
      </button>
      {open && <Dialog close={() => setOpen(false)} />}
    </>
  )
}

function Dialog({ close }: { close: () => void }) {
  const session = useSession()
  const box = useRef<HTMLDialogElement>(null)
  const [text, setText] = useState('')
  const [error, setError] = useState<ApiError>()
  useEffect(() => box.current?.showModal(), [])
  const methods = session?.methods ?? []
  const byName = methods.includes('name')
  const submit = async (): Promise<void> => {
    try {
      await signIn(byName ? { name: text.trim() } : { token: text.trim() })
      close()
    } catch (e) {
      setError(e instanceof ApiError ? e : new ApiError(String(e), '', 0))
    }
  }
  return (
    <dialog ref={box} onClose={close} aria-labelledby="who-title">
      <h2 id="who-title">{session?.actor?.name ? `You are ${session.actor.name}` : 'Who are you?'}</h2>
      {session?.actor?.name && <p class="quiet">Role {session.actor.role}, known by {session.actor.via}.</p>}
      {(byName || methods.includes('token')) && (
        <form class="stack" onSubmit={(e) => { e.preventDefault(); void submit() }}>
          <label>{byName ? 'Your name' : 'Your token'}{' '}
            {byName
              ? <input type="text" value={text} required maxLength={200} autocomplete="name" onInput={(e) => setText(e.currentTarget.value)} />
              : <input type="password" value={text} required maxLength={200} autocomplete="off" onInput={(e) => setText(e.currentTarget.value)} />}
          </label>
          <p class="quiet">{byName ? 'Labels and answers bear it. This server asks for no proof.' : 'It is sent to this server only, and kept in a cookie that scripts cannot read.'}</p>
          <p class="actions"><button>{byName ? 'That is me' : 'Sign in'}</button></p>
        </form>
      )}
      {methods.includes('oidc') && session?.login && <p><a class="button" target="_self" href={`${session.login}?next=${encodeURIComponent(location.pathname + location.search)}`}>Sign in with your organisation</a></p>}
      {error && <p role="alert" class="count">{error.message} {error.hint}</p>}
      <p class="actions">
        {session?.signed_in && session.actor?.name && <button type="button" onClick={() => void signOut().then(close, close)}>Sign out</button>}
        <button type="button" onClick={close}>Close</button>
      </p>
    </dialog>
  )
}
