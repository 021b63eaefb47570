// The screens that tell more: the timeline, templates, what people say, labels by keyboard.

import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Incident, Queue, TemplateList } from '../src/api/types'
import { launch } from './browser'
import { example } from './screens'
import { start, type Server } from './server'
import { session, type Session } from './session'

let browser: Browser
let server: Server
let s: Session
let page: Page

beforeAll(async () => {
  ;[browser, server] = await Promise.all([launch(), start()])
})
afterAll(async () => {
  await browser?.close()
  await server?.stop()
})
beforeEach(async () => {
  s = await session(browser)
  page = s.page
})
afterEach(async () => {
  await s.close()
})

const json = async <T>(path: string): Promise<T> => (await (await fetch(server.url + path)).json()) as T

test('the first page has the health of the jobs, and its states filter', async () => {
  const { incident } = await example(server.url) // Before the page asks: the demo may still be finding more.
  await page.goto(server.url)
  const health = page.getByRole('table').filter({ has: page.getByRole('columnheader', { name: 'Job' }) })
  await health.waitFor()
  expect(await health.getByRole('row', { name: new RegExp(incident.job) }).innerText()).toMatch(/\d/)
  const all = await page.locator('.incident').count()
  await page.getByRole('button', { name: /^Action needed \d/ }).click()
  await expect.poll(() => new URL(page.url()).searchParams.get('state')).toBe('acts')
  expect(await page.locator('.incident').count()).toBeLessThanOrEqual(all)
  expect(await page.locator('.incident .badge.bad', { hasText: 'Action needed' }).count()).toBe(await page.locator('.incident').count())
  expect(s.errors).toEqual([])
})

test('the timeline has lanes, is zoomed by keys and by dragging, and stands as text too', async () => {
  const incident = (await json<{ items: Incident[] }>('/api/v1/incidents?start=now-7d&job=clickstream-sessions')).items[0] as Incident
  await page.goto(`${server.url}/incidents/${incident.id}`)
  const lanes = page.locator('.tl-box')
  await lanes.locator('.tl-bar').first().waitFor()
  const names = await lanes.locator('.tl-name').allInnerTexts()
  expect(names.length).toBeGreaterThan(4)
  expect(await lanes.locator('.tl-bar.st-bad').count()).toBeGreaterThan(0)
  expect(await lanes.locator('.tl-mark .bad').count()).toBeGreaterThan(0)
  await lanes.focus()
  await page.keyboard.press('+')
  await expect.poll(() => new URL(page.url()).searchParams.has('from')).toBe(true)
  const from = new URL(page.url()).searchParams.get('from')
  await page.reload()
  await lanes.locator('.tl-bar').first().waitFor()
  expect(new URL(page.url()).searchParams.get('from')).toBe(from)
  await lanes.focus()
  await page.keyboard.press('0')
  await expect.poll(() => new URL(page.url()).searchParams.has('from')).toBe(false)
  const box = await lanes.boundingBox()
  if (!box) throw new Error('the timeline is not drawn')
  await page.mouse.move(box.x + box.width * 0.6, box.y + 60)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width * 0.8, box.y + 60, { steps: 5 })
  await page.mouse.up()
  await expect.poll(() => new URL(page.url()).searchParams.has('from')).toBe(true)
  await page.getByText(/The timeline as a table/).click()
  expect(await page.getByRole('region', { name: 'The timeline as a table' }).innerText()).toContain('OOMKilled')
  await page.getByRole('heading', { name: /How long the restart took/ }).waitFor()
  await page.getByRole('heading', { name: /What it wrote differently/ }).waitFor()
  expect(await page.locator('.change').count()).toBeGreaterThan(0)
  expect(s.errors).toEqual([])
})

test('the templates of a job add up to its records, and a template has the values of its variables', async () => {
  const { incident } = await example(server.url)
  const job = incident.workload || incident.job
  const all = await json<TemplateList>(`/api/v1/templates?namespace=${incident.namespace}&job=${job}&limit=10000`)
  const total = all.items.reduce((n, t) => n + t.count, 0)
  await page.goto(`${server.url}/templates?namespace=${incident.namespace}&job=${job}&range=7d`)
  await page.locator('.templates tbody tr').first().waitFor()
  expect((await page.locator('.lead').innerText()).replaceAll(',', '')).toContain(`${all.items.length} templates ${total} records`)
  await page.locator('.spark svg').first().waitFor()
  const first = all.items.find((t) => t.text.includes('<*>'))
  await page.getByRole('searchbox', { name: 'Find' }).fill(first?.id ?? '')
  await page.locator('.templates tbody a[data-row]').first().click()
  await page.getByRole('heading', { name: /^Variable 1/ }).waitFor()
  expect(await page.locator('.variables li').count()).toBeGreaterThan(0)
  expect(s.errors).toEqual([])
})

test('a template is labeled by the keyboard alone, a second person approves, and an older incident is explained by it', async () => {
  const queue = await json<Queue>('/api/v1/queue?kind=template')
  const item = queue.items[0]
  const incident = item?.incidents[0]?.id ?? ''
  await page.goto(`${server.url}/label`)
  await page.locator('.label-what').waitFor()
  const before = await page.locator('.label-what').innerText()
  await page.keyboard.press('l')
  await page.keyboard.type('licence-expired')
  await page.keyboard.press('Tab')
  await page.keyboard.type('The licence <img src=x> has run out')
  await page.keyboard.press('Tab')
  await page.keyboard.type('Order a new licence.')
  await page.keyboard.press('Control+Enter')
  // Labels bear a name: nobody said one yet.
  await page.getByRole('dialog', { name: 'Who are you?' }).waitFor()
  await page.keyboard.type('Anna')
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
  await page.getByRole('button', { name: 'Anna' }).waitFor()
  await page.getByRole('textbox', { name: 'Advice' }).focus()
  await page.keyboard.press('Control+Enter')
  await page.getByText(/^Proposed “The licence <img src=x> has run out”/).waitFor()
  await expect.poll(() => page.locator('.label-what').innerText()).not.toBe(before)

  const other = await session(browser)
  await other.page.goto(`${server.url}/label?queue=review`)
  await other.page.getByRole('button', { name: 'Who are you?' }).click()
  await other.page.getByRole('textbox', { name: 'Your name' }).focus()
  await other.page.keyboard.type('Boris')
  await other.page.keyboard.press('Enter')
  await other.page.getByRole('button', { name: 'Boris' }).waitFor()
  await other.page.getByRole('button', { name: /The licence/ }).waitFor()
  await other.page.keyboard.press('Escape')
  await other.page.evaluate(() => (document.activeElement as HTMLElement).blur())
  await other.page.keyboard.press('j')
  await other.page.keyboard.press('a')
  await other.page.getByText('1 approved').waitFor()
  await other.page.goto(`${server.url}/incidents/${incident}`)
  await other.page.getByText(/From the label of Anna \(approved\)/).waitFor()
  expect(await other.page.locator('h1').innerText()).toBe('The licence <img src=x> has run out')
  expect(await other.page.locator('h1 img').count()).toBe(0)

  // Was this right? The answer is kept with a name.
  await other.page.getByRole('button', { name: 'Yes' }).click()
  await other.page.getByText('Boris: right').waitFor()
  // History, and back to what was.
  await other.page.goto(`${server.url}/label?queue=labels`)
  await other.page.getByRole('button', { name: /The licence/ }).click()
  await other.page.getByRole('heading', { name: 'History' }).waitFor()
  await expect.poll(() => other.page.locator('.label-list ol li').count()).toBeGreaterThan(1)
  await other.page.getByRole('button', { name: 'Retire' }).click()
  await other.page.getByText('1 retired').waitFor()
  expect(s.errors.filter((e) => !/status of 401/.test(e))).toEqual([])
  expect(other.errors).toEqual([])
  await other.close()
})

test('many are labeled at once, with a preview, and it is undone', async () => {
  await page.goto(`${server.url}/label`)
  await page.evaluate(() => fetch('/api/v1/session', { method: 'POST', headers: { 'Content-Type': 'application/json', 'X-Lastnight-Request': '1' }, body: JSON.stringify({ name: 'Clara' }) }))
  await page.reload()
  await page.getByRole('button', { name: 'Clara' }).waitFor()
  await page.locator('.queue li').nth(3).waitFor()
  for (const n of [1, 2]) await page.locator('.queue li').nth(n).getByRole('checkbox').check()
  await page.getByRole('combobox', { name: 'Cause' }).fill('user-code-exception')
  await page.getByRole('textbox', { name: 'Root cause in one line' }).fill('Both of them')
  await page.getByRole('button', { name: 'Preview' }).click()
  await page.getByText(/of the last 90 days would be explained by it/).waitFor()
  await page.getByRole('button', { name: 'Label 2 and next' }).click()
  await page.getByText('Proposed 2 labels').waitFor()
  await page.getByRole('button', { name: /Undo/ }).click()
  await page.getByText('Undone: the label is retired').waitFor()
  expect(s.errors).toEqual([])
})
