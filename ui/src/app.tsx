import { useEffect, useRef, useState } from 'preact/hooks'
import { loadSession } from './api/session'
import { screenOf, type Screen } from './lib/address'
import { copyText } from './lib/copy'
import { listen } from './lib/keys'
import { PrefsContext, usePrefsState } from './lib/prefs'
import { go, usePlace } from './lib/router'
import { Header } from './parts/header'
import { Help } from './parts/help'
import { Empty } from './parts/states'
import { Home } from './views/home'
import { Incident } from './views/incident'
import { Job } from './views/job'
import { Jobs } from './views/jobs'
import { LabelConsole } from './views/label'
import { Logs } from './views/logs'
import { Template } from './views/template'
import { Templates } from './views/templates'

export function App() {
  const prefs = usePrefsState()
  const { path } = usePlace()
  const screen = screenOf(path)
  const [help, setHelp] = useState(false)
  const [toast, setToast] = useState('')
  useEffect(() => listen({
    help: () => setHelp(true),
    go,
    copy: () => void copyText(location.href).then((ok) => {
      setToast(ok ? 'Link copied' : 'The browser did not allow copying')
      setTimeout(() => setToast(''), 2000)
    }),
  }), [])
  useEffect(() => void loadSession(), [])
  const main = useRef<HTMLElement>(null)
  const first = useRef(true)
  useEffect(() => {
    // A new screen is read from its top, by screen readers too.
    if (!first.current) main.current?.focus({ preventScroll: true })
    first.current = false
  }, [path])
  return (
    <PrefsContext.Provider value={prefs}>
      <a class="skip" href="#main">Skip to the content</a>
      <Header screen={screen} help={() => setHelp(true)} />
      <main id="main" ref={main} tabIndex={-1} class={`on-${screen.name}`}>
        <View screen={screen} />
      </main>
      <div class="toast" role="status">{toast}</div>
      {help && <Help close={() => setHelp(false)} />}
    </PrefsContext.Provider>
  )
}

function View({ screen }: { screen: Screen }) {
  switch (screen.name) {
    case 'home': return <Home />
    case 'incident': return <Incident key={screen.id} id={screen.id} />
    case 'logs': return <Logs />
    case 'jobs': return <Jobs />
    case 'job': return <Job key={`${screen.namespace}/${screen.job}`} namespace={screen.namespace} name={screen.job} />
    case 'templates': return <Templates />
    case 'template': return <Template key={screen.id} id={screen.id} />
    case 'label': return <LabelConsole />
    case 'unknown': return <Empty title="There is nothing at this address"><p>Go to <a href="/">incidents</a>, <a href="/logs">logs</a> or <a href="/jobs">jobs</a>.</p></Empty>
  }
}
