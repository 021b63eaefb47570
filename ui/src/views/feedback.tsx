import { useState } from 'preact/hooks'
import { ApiError, route, send } from '../api/client'
import { needsName } from '../api/session'
import type { CauseList, Feedback as Answer, FeedbackList, Incident } from '../api/types'
import { useApi } from '../api/use'
import { askWho } from '../parts/who'
import { Failed } from '../parts/states'
import { When } from '../parts/when'

const said: Record<Answer['answer'], string> = { yes: 'right', no: 'wrong', other: 'it was something else' }

/** "Was this right?", and what others answered. */
export function Feedback({ incident: i }: { incident: Incident }) {
  const asked = useApi<FeedbackList>(route.feedback(i.id))
  const causes = useApi<CauseList>(route.causes())
  const [other, setOther] = useState<string>()
  const [comment, setComment] = useState('')
  const [error, setError] = useState<ApiError>()
  const [done, setDone] = useState(false)
  if (!asked.data || i.planned) return null
  const answer = async (a: Answer['answer']): Promise<void> => {
    setError(undefined)
    try {
      await send('POST', route.feedback(), { incident: i.id, answer: a, ...(a === 'other' && other ? { other } : {}), ...(comment ? { comment } : {}) })
      setDone(true)
      setOther(undefined)
      asked.again()
    } catch (e) {
      if (!(e instanceof ApiError)) throw e
      if (needsName(e)) askWho()
      setError(e)
    }
  }
  return (
    <section aria-labelledby="right" class="feedback">
      <h2 id="right">{i.diagnosis.explained ? 'Was this right?' : 'Do you know what it was?'}</h2>
      <p class="actions">
        {i.diagnosis.explained && <button type="button" onClick={() => void answer('yes')}>Yes</button>}
        {i.diagnosis.explained && <button type="button" onClick={() => void answer('no')}>No</button>}
        <button type="button" aria-expanded={other !== undefined} onClick={() => setOther(other === undefined ? '' : undefined)}>It was something else…</button>
        {done && <span role="status">Thank you: it counts in what explains incidents like this.</span>}
      </p>
      {other !== undefined && (
        <form class="stack" onSubmit={(e) => { e.preventDefault(); void answer('other') }}>
          <label>What was it?{' '}
            <input type="text" list="causes" required value={other} onInput={(e) => setOther(e.currentTarget.value)} placeholder="a cause, or words" />
          </label>
          <datalist id="causes">{causes.data?.items.map((c) => <option key={c.id} value={c.id}>{c.title}</option>)}</datalist>
          <label>Comment <input type="text" value={comment} maxLength={500} onInput={(e) => setComment(e.currentTarget.value)} /></label>
          <p class="actions"><button>Send</button></p>
        </form>
      )}
      {error && !needsName(error) && <Failed error={error} />}
      {error && needsName(error) && <p role="alert">{error.message}: {error.hint}. Then answer again.</p>}
      {asked.data.items.length > 0 && (
        <Answers items={asked.data.items} />
      )}
    </section>
  )
}

/** What people answered. */
export function Answers({ items }: { items: Answer[] }) {
  return (
    <ul class="plain">
      {items.map((f) => (
        <li key={f.by + f.at}><strong>{f.by}</strong>: {said[f.answer]}{f.other ? `, ${f.other}` : ''}{f.comment ? `, “${f.comment}”` : ''} <span class="quiet"><When at={f.at} /></span></li>
      ))}
    </ul>
  )
}
