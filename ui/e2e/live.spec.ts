// The log viewer while lines arrive, while the server restarts, and on a log of many lines.

import { expect, test } from 'vitest'
import { page, pageForEach, s, serverFor } from './harness'
import { post } from './otlp'
import { livingPod, startLiving } from './server'

const server = serverFor(startLiving)
pageForEach()

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

test('lines of a node that was cut off come into a live tail in their place, each once', { timeout: 90_000 }, async () => {
  await page.goto(`${server.url}/logs?namespace=late&job=late&live=1`)
  const now = Date.now()
  await post(server.url, 'late', [{ pod: 'late-0', lines: [{ at: now, text: 'on time' }] }])
  await expect.poll(shown, { timeout: 20_000 }).toContain('on time')
  await post(server.url, 'late', [{ pod: 'late-1', lines: [1, 2, 3].map((i) => ({ at: now - 4 * 60_000 + i * 1000, text: `late by minutes ${i}` })) }])
  await expect.poll(shown, { timeout: 20_000 }).toContain('late by minutes 3')
  await page.waitForTimeout(5000)
  const lines = (await shown()).match(/late by minutes \d|on time/g)
  expect(lines).toEqual(['late by minutes 1', 'late by minutes 2', 'late by minutes 3', 'on time'])
  expect(s.errors).toEqual([])
})

test('n and N go through what was found, ] and [ through trouble, further than what is drawn', { timeout: 60_000 }, async () => {
  const from = Date.now() - 3600_000
  const texts = Array.from({ length: 900 }, (_, i) => (i === 300 ? 'WARN the lamp flickers' : i === 700 ? 'ERROR the lamp is out' : i % 250 === 100 ? `needle ${i}` : `hay ${i}`))
  await post(server.url, 'walk', [{ pod: 'walk-0', lines: texts.map((t, i) => ({ at: from + i * 1000, text: `2026-11-21 10:00:00,000 ${/^(WARN|ERROR)/.test(t) ? t.replace(' ', ' com.acme.Lamp - ') : `INFO com.acme.Lamp - ${t}`}` })) }])
  await expect.poll(async () => (await (await fetch(`${server.url}/api/v1/search?namespace=walk&limit=1000`)).json() as { items: unknown[] }).items.length, { timeout: 20_000 }).toBe(900)
  await page.goto(`${server.url}/logs?namespace=walk&pod=walk-0&order=oldest&mark=needle`)
  await page.locator('.record').first().waitFor()
  const focused = (): Promise<string> => page.evaluate(() => document.activeElement?.closest('.record')?.textContent ?? '')
  const press = async (key: string, text: string): Promise<void> => {
    // The next one may not be loaded yet: a press loads more, the next one goes there.
    await expect.poll(async () => {
      if ((await focused()).includes(text)) return text
      await page.keyboard.press(key)
      await page.waitForTimeout(250)
      return (await focused()).includes(text) ? text : ''
    }, { timeout: 15_000 }).toBe(text)
  }
  await press('n', 'needle 100')
  await press('n', 'needle 350')
  await press('n', 'needle 600')
  await press('N', 'needle 350')
  expect(await page.evaluate(() => document.querySelector('.records')?.contains(document.activeElement))).toBe(true)
  await press('[', 'the lamp flickers')
  await press(']', 'the lamp is out')
  await press('[', 'the lamp flickers')
  expect(s.errors).toEqual([])
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
