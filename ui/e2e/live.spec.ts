// The log viewer while lines arrive, while the server restarts, and on a log of many lines.

import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { launch } from './browser'
import { livingPod, startLiving, type Living } from './server'
import { session, type Session } from './session'

let browser: Browser
let server: Living
let s: Session
let page: Page

beforeAll(async () => {
  ;[browser, server] = await Promise.all([launch(), startLiving()])
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

/** Waits until the newest record has the words. */
const arrived = (words: string): Promise<void> => expect.poll(async () => {
  const res = await fetch(`${server.url}/api/v1/search?namespace=live&pod=${livingPod}&limit=1`)
  return ((await res.json()) as { items: { text: string }[] }).items[0]?.text ?? ''
}, { timeout: 60_000, interval: 300 }).toContain(words)

const shown = (): Promise<string> => page.locator('.records').innerText()

test('lines come as they are written, each once, in order, and while the server restarts', { timeout: 120_000 }, async () => {
  await page.goto(`${server.url}/logs?namespace=live&pod=${livingPod}`)
  await page.getByRole('button', { name: 'Live' }).waitFor()
  await page.keyboard.press('f')
  await page.getByText('● Live').waitFor()
  let n = 0
  const tick = (count: number): void => server.write(Array.from({ length: count }, () => `tick ${String(n++).padStart(5, '0')}`))
  for (let i = 0; i < 6; i++) {
    tick(5)
    await page.waitForTimeout(300)
  }
  await expect.poll(shown, { timeout: 20_000 }).toContain('tick 00029')
  await server.down()
  await page.getByText('Connecting again').waitFor()
  tick(10)
  await server.up()
  tick(10)
  await expect.poll(shown, { timeout: 30_000 }).toContain('tick 00049')
  await page.getByText('● Live').waitFor()
  const ticks = (await shown()).match(/tick \d+/g) ?? []
  expect(ticks).toEqual(Array.from({ length: 50 }, (_, i) => `tick ${String(i).padStart(5, '0')}`).slice(-ticks.length))
  // The end stays in sight as long as the reader does not move up; then it waits.
  await page.locator('.records').hover()
  await page.mouse.wheel(0, -400)
  await page.getByRole('button', { name: /Follow again/ }).waitFor()
  tick(5)
  await page.getByRole('button', { name: /Follow again/ }).click()
  await expect.poll(async () => page.locator('.records').evaluate((el) => el.scrollHeight - el.clientHeight - el.scrollTop)).toBeLessThan(80)
  await expect.poll(shown, { timeout: 20_000 }).toContain('tick 00054')
  await page.keyboard.press('f')
  await expect.poll(() => new URL(page.url()).searchParams.has('live')).toBe(false)
  // The console tells of connections that failed while the server was away.
  expect(s.errors.filter((e) => !/ERR_|status of 503|EventSource/.test(e))).toEqual([])
})

test('fields and values are completed with the keyboard, and the search finds', async () => {
  server.write(['2026-11-21 10:00:00,000 ERROR com.acme.Thing - broken beyond repair'])
  await arrived('broken beyond repair')
  await page.goto(`${server.url}/logs?namespace=live&pod=${livingPod}`)
  await page.locator('.record').first().waitFor()
  await page.keyboard.press('/')
  await page.keyboard.type('lev')
  await page.getByRole('option', { name: 'level' }).waitFor()
  await page.keyboard.press('Tab')
  await page.keyboard.type('er')
  await page.getByRole('option', { name: 'ERROR' }).waitFor()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  expect(await page.getByRole('combobox', { name: 'Search' }).inputValue()).toBe('level:ERROR ')
  await page.keyboard.press('Enter')
  await expect.poll(() => new URL(page.url()).searchParams.get('q')).toBe('level:ERROR')
  await expect.poll(shown, { timeout: 20_000 }).toContain('broken beyond repair')
  expect(s.errors).toEqual([])
})

test('a long log is gone through by time with few records held', { timeout: 120_000 }, async () => {
  const many = 30_000
  const start = new Date().toISOString()
  for (let i = 0; i < many; i += 3000) {
    server.write(Array.from({ length: 3000 }, (_, k) => `row ${String(i + k).padStart(6, '0')} ${(i + k) % 500 === 0 ? 'WARN needle' : ''}`))
    await page.waitForTimeout(400)
  }
  await arrived(`row 0${many - 1}`)
  await page.goto(`${server.url}/logs?namespace=live&pod=${livingPod}&q=row&order=oldest&start=${start}`)
  await page.getByText('row 000000').waitFor()
  await page.locator('.bars svg rect.rate-rest').first().waitFor()
  const bar = page.getByRole('slider', { name: 'Time that is shown' })
  const box = await bar.boundingBox()
  if (!box) throw new Error('no scrollbar of time')
  await page.mouse.click(box.x + 8, box.y + box.height * 0.5)
  await expect.poll(() => new URL(page.url()).searchParams.has('at')).toBe(true)
  await expect.poll(async () => Number(/row (\d+)/.exec(await shown())?.[1] ?? 0)).toBeGreaterThan(1000)
  const url = page.url()
  const first = Number(/row (\d+)/.exec(await shown())?.[1])
  await page.reload()
  await expect.poll(async () => Math.abs(Number(/row (\d+)/.exec(await shown())?.[1] ?? 0) - first)).toBeLessThan(60)
  expect(page.url()).toBe(url)
  // Down for a while and up again: no gap, no double, and not all is held.
  const rows = new Set<number>()
  for (let i = 0; i < 60; i++) {
    await page.locator('.records').evaluate((el) => el.scrollBy(0, 1500))
    await page.waitForTimeout(60)
    for (const m of (await shown()).matchAll(/row (\d+)/g)) rows.add(Number(m[1]))
  }
  const seen = [...rows].sort((a, b) => a - b)
  expect(seen.length).toBeGreaterThan(1500)
  const held = Number((/([\d,]+) records/.exec(await page.locator('.said').innerText())?.[1] ?? '0').replaceAll(',', ''))
  expect(held).toBeLessThanOrEqual(4200)
  await bar.focus()
  await page.keyboard.press('Home')
  await page.getByText('row 000000').waitFor()
  await page.keyboard.press('End')
  await expect.poll(shown).toContain(`row 0${many - 1}`)
  expect(s.errors).toEqual([])
})

test('dragging over the counts sets the time range', async () => {
  await page.goto(`${server.url}/logs?namespace=live&pod=${livingPod}`)
  const bars = page.locator('.bars')
  await bars.locator('svg rect').first().waitFor()
  const box = await bars.boundingBox()
  if (!box) throw new Error('no counts')
  await page.mouse.move(box.x + box.width * 0.3, box.y + 20)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width * 0.6, box.y + 20, { steps: 4 })
  await page.mouse.up()
  await expect.poll(() => new URL(page.url()).searchParams.has('start') && new URL(page.url()).searchParams.has('end')).toBe(true)
  await page.goBack()
  await expect.poll(() => new URL(page.url()).searchParams.has('start')).toBe(false)
  expect(s.errors).toEqual([])
})
