import { useEffect, useRef } from 'preact/hooks'
import { keys } from '../lib/keys'

export function Help({ close }: { close: () => void }) {
  const box = useRef<HTMLDialogElement>(null)
  useEffect(() => box.current?.showModal(), [])
  return (
    <dialog ref={box} onClose={close} aria-labelledby="help-title" onClick={(e) => e.target === box.current && close()}>
      <h2 id="help-title">Keys</h2>
      <dl class="keys">
        {keys.map(([key, does]) => (
          <div key={key}>
            <dt>{key.split(' ').map((k) => (k === '/' && key.length > 1 ? ' / ' : <kbd>{k}</kbd>))}</dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog"><button>Close</button></form>
    </dialog>
  )
}
