// Long lists, two windows of templates, any time range, and long work that is cancelled.

import { expect, test } from 'vitest'
import type { TemplateList } from '../src/api/types'
import { json, page, pageForEach, s, serverFor } from './harness'
import { post } from './otlp'
import { example } from './screens'
import { start } from './server'

const server = serverFor(start)
pageForEach()

test('jobs and container instances come in pages, and are found by a part of their names', { timeout: 120_000 }, async () => {
  const now = Date.now()
  const many = 230
  await post(server.url, 'crowd', Array.from({ length: many }, (_, i) => ({ pod: `crowd-${i}`, lines: [{ at: now - 60_000 - i * 1000, text: `crowd line ${i}` }] })))
  await post(server.url, 'solo', Array.from({ length: 120 }, (_, i) => ({ pod: `solo${i}x`, lines: [{ at: now - 60_000, text: `solo line ${i}` }] })))
  await expect.poll(async () => (await json<{ items: unknown[] }>('/api/v1/streams?namespace=crowd&limit=1000')).items.length, { timeout: 30_000 }).toBe(many)

  await page.goto(`${server.url}/jobs/crowd/crowd`)
  const rows = page.getByRole('table').last().locator('tbody tr')
  await expect.poll(() => rows.count()).toBe(100)
  await page.getByRole('button', { name: 'More container instances' }).click()
  await expect.poll(() => rows.count()).toBe(200)
  await page.getByRole('button', { name: 'More container instances' }).click()
  await expect.poll(() => rows.count()).toBe(many)
  expect(await page.getByRole('button', { name: 'More container instances' }).count()).toBe(0)
  const pods = await rows.locator('th a').allInnerTexts()
  expect(pods).toEqual(Array.from({ length: many }, (_, i) => `crowd-${i}`)) // the newest first, each once

  await page.goto(`${server.url}/logs?namespace=crowd&job=crowd`)
  await page.locator('.picker').getByRole('button', { name: 'More container instances' }).waitFor()
  expect(await page.locator('.picker .pod-name').count()).toBe(200)
  await page.locator('.picker').getByRole('searchbox', { name: 'Find' }).fill('crowd-22')
  await expect.poll(() => page.locator('.picker .pod-name').count()).toBe(11)

  await page.goto(`${server.url}/jobs`)
  await expect.poll(() => page.locator('table.list tbody tr').count()).toBe(100)
  await page.getByRole('button', { name: 'More jobs' }).click()
  await expect.poll(() => page.locator('table.list tbody tr').count()).toBeGreaterThan(120)
  await page.keyboard.press('/')
  await page.keyboard.type('SOLO11')
  await expect.poll(() => page.locator('table.list tbody tr').count()).toBe(11)
  expect(new URL(page.url()).searchParams.get('name')).toBe('SOLO11')
  expect(s.errors).toEqual([])
})

test('what takes long says so, is cancelled, and asked again', async () => {
  const { incident } = await example(server.url)
  const slow = async (what: string): Promise<() => Promise<void>> => {
    await page.route(what, async (r) => { await new Promise((done) => setTimeout(done, 60_000)); await r.continue().catch(() => undefined) })
    return () => page.unroute(what)
  }
  for (const [href, what, name] of [
    ['/?range=7d', '**/api/v1/incidents?*', 'incidents'],
    [`/templates?namespace=${incident.namespace}&job=${incident.workload ?? incident.job}&range=7d`, '**/api/v1/templates?*', 'templates'],
    [`/logs?namespace=${incident.namespace}&job=${incident.workload ?? incident.job}&q=nothing`, '**/api/v1/search?*', 'records'],
    ['/jobs', '**/api/v1/jobs?*', 'jobs'],
    ['/label', '**/api/v1/queue?*', 'the queue'],
  ] as const) {
    const quick = await slow(what)
    await page.goto(server.url + href)
    await page.getByText(`Loading ${name}…`).waitFor()
    await page.getByRole('main').getByRole('button', { name: 'Cancel' }).first().click()
    await page.getByText('Cancelled').first().waitFor()
    await quick()
    await page.getByRole('button', { name: 'Try again' }).first().click()
    await page.getByText('Cancelled').first().waitFor({ state: 'detached' })
  }
})

test('templates of two windows chosen freely are compared, and the counts add up', async () => {
  const { incident: i } = await example(server.url)
  const of = `namespace=${i.namespace}&job=${i.workload ?? i.job}`
  const minute = 60_000
  const at = (ms: number): string => new Date(Math.floor((Date.parse(i.start) + ms) / minute) * minute).toISOString()
  const [early, late] = [{ start: at(-30 * minute), end: at(0) }, { start: at(0), end: at(3 * minute) }]
  const counts = async (w: { start: string; end: string }): Promise<Map<string, number>> =>
    new Map((await json<TemplateList>(`/api/v1/templates?${of}&start=${w.start}&end=${w.end}&limit=10000`)).items.map((t) => [t.id, t.count]))
  const [before, during] = [await counts(early), await counts(late)]
  const total = (m: Map<string, number>): number => [...m.values()].reduce((a, b) => a + b, 0)
  expect(total(before)).toBeGreaterThan(0)

  await page.goto(`${server.url}/templates?${of}&start=${late.start}&end=${late.end}`)
  await page.getByRole('combobox', { name: 'Compared with' }).selectOption('another time')
  await expect.poll(() => new URL(page.url()).searchParams.has('start2')).toBe(true)
  await page.goto(`${server.url}/templates?${of}&start=${late.start}&end=${late.end}&start2=${early.start}&end2=${early.end}`)
  await page.locator('.templates tfoot').waitFor()
  const said = (text: string): number => Number(text.replaceAll(',', ''))
  const sums = page.locator('.templates tfoot tr').last().locator('td')
  await expect.poll(async () => said(await sums.nth(0).innerText())).toBe(total(during))
  expect(said(await sums.nth(1).innerText())).toBe(total(before))
  // Only new ones: the parts add up as well.
  const fresh = [...during.keys()].filter((id) => !before.has(id))
  await page.getByRole('button', { name: `New ${fresh.length}`, exact: true }).click()
  await expect.poll(() => page.locator('.templates tbody tr').count()).toBe(Math.min(100, fresh.length))
  const parts = await page.locator('.templates tfoot tr').evaluateAll((rows) => rows.map((r) => Number(r.querySelector('td')?.textContent?.replaceAll(',', ''))))
  expect((parts[0] ?? 0) + (parts[1] ?? 0)).toBe(parts.at(-1))
  const url = page.url()
  await page.reload()
  await page.locator('.templates tfoot').waitFor()
  expect(page.url()).toBe(url)
  expect(s.errors).toEqual([])
})

test('any time is chosen, and the back button takes it back', async () => {
  await page.goto(server.url)
  await page.locator('.incident').first().waitFor()
  await page.locator('summary', { hasText: 'Other time' }).click()
  await page.getByLabel('From', { exact: true }).fill('2020-01-01T00:00:00')
  await page.getByRole('heading', { level: 1, name: /^Wed 1 Jan 2020 00:00:00 – / }).waitFor()
  await page.locator('.incident').first().waitFor()
  await page.getByLabel('To', { exact: true }).fill('2020-01-02T00:00:00')
  await page.getByText(/^Nothing failed in the time/).waitFor()
  await page.goBack()
  await page.locator('.incident').first().waitFor()
  await page.goBack()
  await page.getByRole('heading', { level: 1, name: 'Last night' }).waitFor()
  expect(s.errors).toEqual([])
})
