// The screens that tell more: the timeline, templates, what people say, labels by keyboard.

import { expect, test } from 'vitest'
import type { Incident, TemplateList } from '../src/api/types'
import { json, page, pageForEach, s, serverFor } from './harness'
import { example } from './screens'
import { start } from './server'

const server = serverFor(start)
pageForEach()

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
  // Templates have lanes of their own, those of the causal chain first, and lead to their records.
  await lanes.locator('.tl-name.mono').first().waitFor()
  expect(await lanes.locator('.tl-name.mono').count()).toBe(5)
  expect(await lanes.locator('.tl-name.mono').first().getAttribute('data-href')).toMatch(/^\/logs\?.*q=template/)
  await page.getByRole('button', { name: /more templates/ }).click()
  expect(await lanes.locator('.tl-name.mono').count()).toBeGreaterThan(5)
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
  expect(await page.getByRole('region', { name: 'The timeline as a table' }).getByRole('row', { name: /Template/ }).count()).toBeGreaterThan(0)
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
