import { render } from 'preact'
import { App } from './app'
import { showSavedTheme } from './lib/prefs'
import { followLinks } from './lib/router'
import './styles/base.css'
import './styles/screens.css'
import './styles/logs.css'

showSavedTheme()
followLinks()
const root = document.getElementById('app')
if (root) render(<App />, root)
