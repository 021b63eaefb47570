// What every file of browser tests begins with, in one place: one browser and one server for the file, a page of its own for
// each test, and what is asked of the server beside the page.

import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { hasBrowser, launch } from './browser'
import { hasServer, type Server } from './server'
import { session, type Session } from './session'

export let browser: Browser
export let s: Session // of the test that runs
export let page: Page // its page

let url = ''

/** Starts browser and server before the tests of the file, and ends them after. The answer is the server, once a test runs. */
export function serverFor<S extends Server>(begin: () => Promise<S>): S {
  const server = {} as S
  beforeAll(async () => {
    if (!hasBrowser || !hasServer) throw new Error('needs chromium and bin/lastnight (make build), or LASTNIGHT_URL')
    const [b, started] = await Promise.all([launch(), begin()])
    browser = b
    url = Object.assign(server, started).url
  })
  afterAll(async () => {
    await browser?.close()
    await server.stop?.()
  })
  return server
}

/** Gives each test of the file a page. */
export function pageForEach(): void {
  beforeEach(async () => {
    s = await session(browser)
    page = s.page
  })
  afterEach(() => s.close())
}

/** What the server answers to a GET. */
export const json = async <T>(path: string): Promise<T> => (await (await fetch(url + path)).json()) as T

/** Says who the reader of a page is, beside its dialog. */
export async function iAm(p: Page, name: string): Promise<void> {
  await p.evaluate((who) => fetch('/api/v1/session', { method: 'POST', headers: { 'Content-Type': 'application/json', 'X-Lastnight-Request': '1' }, body: JSON.stringify({ name: who }) }), name)
  await p.reload()
  await p.getByRole('button', { name, exact: true }).waitFor()
}
