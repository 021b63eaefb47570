import { useState } from 'preact/hooks'
import { copyText } from '../lib/copy'
import { Icon, type IconName } from './icons'

/** Copies what text gives when pressed, and says so for a moment. */
export function CopyButton({ text, icon = 'copy', children }: { text: () => string; icon?: IconName; children: string }) {
  const [said, setSaid] = useState('')
  const copy = async (): Promise<void> => {
    setSaid((await copyText(text())) ? 'Copied' : 'The browser did not allow it')
    setTimeout(() => setSaid(''), 2000)
  }
  return (
    <button type="button" onClick={() => void copy()}>
      <Icon name={icon} /> <span aria-live="polite">{said || children}</span>
    </button>
  )
}
