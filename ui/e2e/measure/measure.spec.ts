// The UI's figures, as lines for docs/benchmarks.md: `npm run measure`, on a machine with nothing else to do.
// MINUTES (10) is how long the live tail runs, LINES (1000000) how long the log is that is scrolled, RUNS (9) how often the first page is opened.

import { mkdirSync, mkdtempSync, rmSync, createWriteStream } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { browser, serverFor } from '../harness'
import { livingPod, start, startImported, startLiving, type Server } from '../server'
import { session } from '../session'

const number = (name: string, fallback: number): number => Number(process.env[name] ?? fallback)
const minutes = number('MINUTES', 10)
const lines = number('LINES', 1_000_000)
const runs = number('RUNS', 9)
const perSecond = 500
const said: string[] = []
const say = (line: string): void => { said.push(line); console.log(line) }

afterAll(() => console.log(`\n| what | figure |\n| --- | --- |\n${said.join('\n')}`))

const middle = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN

describe('first useful paint', () => {
  const server = serverFor(start)

  for (const [name, path, selector] of [['the first page', '/', '.incident'], ['an incident', '', '.chain .evidence']] as const) {
    test(name, { timeout: 300_000 }, async () => {
      const { items } = (await (await fetch(`${server.url}/api/v1/incidents?start=now-7d`)).json()) as { items: { id: string }[] }
      const times: number[] = []
      for (let i = 0; i < runs; i++) {
        const own = await session(browser) // a browser that has nothing of it yet
        await own.page.addInitScript((what: string) => {
          const w = window as unknown as { __useful?: number }
          new MutationObserver((_, o) => {
            if (!document.querySelector(what)) return
            o.disconnect()
            requestAnimationFrame(() => setTimeout(() => { w.__useful = performance.now() })) // once it is painted
          }).observe(document, { childList: true, subtree: true })
        }, selector)
        await own.page.goto(server.url + (path || `/incidents/${items[0]?.id ?? ''}`))
        await own.page.waitForFunction(() => (window as unknown as { __useful?: number }).__useful !== undefined)
        times.push(await own.page.evaluate(() => (window as unknown as { __useful: number }).__useful))
        await own.close()
      }
      say(`| ${name} of the demo, empty cache: first useful paint | ${Math.round(middle(times))} ms (median of ${runs}; ${Math.round(Math.min(...times))} to ${Math.round(Math.max(...times))}) |`)
    })
  }
})

/** Counts frames from now on until the answer is called. */
async function watchFrames(page: Page): Promise<() => Promise<{ frames: number; slow: number; longest: number }>> {
  await page.evaluate(() => {
    const w = window as unknown as { __frames: number[]; __watch: boolean }
    w.__frames = []
    w.__watch = true
    let last = performance.now()
    const tick = (now: number): void => {
      w.__frames.push(now - last)
      last = now
      if (w.__watch) requestAnimationFrame(tick)
    }
    requestAnimationFrame(tick)
  })
  return () => page.evaluate(() => {
    const w = window as unknown as { __frames: number[]; __watch: boolean }
    w.__watch = false
    return { frames: w.__frames.length, slow: w.__frames.filter((f) => f > 50).length, longest: Math.round(Math.max(...w.__frames)) }
  })
}

const heap = async (page: Page): Promise<number> => {
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('HeapProfiler.enable')
  await cdp.send('HeapProfiler.collectGarbage')
  await cdp.send('Performance.enable')
  const { metrics } = await cdp.send('Performance.getMetrics')
  await cdp.detach()
  return (metrics.find((m) => m.name === 'JSHeapUsedSize')?.value ?? NaN) / 1e6
}

describe('a long log', () => {
  let dir = ''
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'lastnight-measure-'))
    const logs = join(dir, 'long_long-0_33333333-2222-3333-4444-555555555555', 'main')
    mkdirSync(logs, { recursive: true })
    const out = createWriteStream(join(logs, '0.log'))
    const from = Date.now() - 6 * 3600_000
    for (let i = 0; i < lines; i++) {
      const us = from * 1000 + i * 20_000
      const text = `${new Date(Math.floor(us / 1000)).toISOString().slice(0, -1)}${String(us % 1000).padStart(3, '0')}000Z stdout F ${i % 997 === 0 ? 'WARN' : 'INFO'} com.acme.Counter - row ${i} of the long log, worked on by lane ${i % 17}\n`
      if (!out.write(text)) await once(out, 'drain')
    }
    out.end()
    await once(out, 'finish')
  }, 600_000)
  afterAll(() => rmSync(dir, { recursive: true, force: true }))
  const server: Server = serverFor(() => startImported(dir))

  test('is scrolled', { timeout: 600_000 }, async () => {
    const own = await session(browser)
    const { page } = own
    await page.goto(`${server.url}/logs?namespace=long&pod=long-0&order=oldest`)
    await page.locator('.record').first().waitFor()
    await page.waitForTimeout(2000)
    const done = await watchFrames(page)
    const seconds = 30
    const rows = await page.evaluate(async (s) => {
      const seen = new Set<string>()
      const until = performance.now() + s * 1000
      while (performance.now() < until) {
        document.querySelector('.records')?.scrollBy(0, 240)
        await new Promise((r) => requestAnimationFrame(r))
        seen.add(document.querySelector('.record .logtext')?.textContent ?? '')
        for (const el of document.querySelectorAll('.rows > .row')) seen.add(el.getAttribute('data-index') + (el.querySelector('.record-time')?.textContent ?? ''))
      }
      return seen.size
    }, seconds)
    const flat = await done()
    say(`| a log of ${lines.toLocaleString('en-GB')} lines, scrolled for ${seconds} s (${rows.toLocaleString('en-GB')} rows drawn): frames over 50 ms | ${flat.slow} of ${flat.frames}, longest ${flat.longest} ms |`)
    const jumps = 40
    const again = await watchFrames(page)
    const box = await page.getByRole('slider', { name: 'Time that is shown' }).boundingBox()
    if (!box) throw new Error('no scrollbar of time')
    let furthest = 0
    for (let i = 0; i < jumps; i++) {
      await page.mouse.click(box.x + 8, box.y + (box.height * (i + 0.5)) / jumps)
      await page.waitForTimeout(400)
      furthest = Math.max(furthest, Number(/row (\d+)/.exec(await page.locator('.records').innerText())?.[1] ?? 0))
    }
    const jumped = await again()
    expect(furthest).toBeGreaterThan(lines * 0.9)
    say(`| the same, by its scrollbar of time from end to end in ${jumps} jumps: frames over 50 ms | ${jumped.slow} of ${jumped.frames}, longest ${jumped.longest} ms |`)
    say(`| the page's heap after that | ${(await heap(page)).toFixed(1)} MB |`)
    await own.close()
  })
})

describe('a live tail', () => {
  const server = serverFor(startLiving)

  test('stays small', { timeout: (minutes * 60 + 120) * 1000 }, async () => {
    const own = await session(browser)
    const { page } = own
    await page.goto(`${server.url}/logs?namespace=live&pod=${livingPod}&live=1`)
    await page.getByText('● Live').waitFor()
    let n = 0
    const every = 200
    const begun = Date.now()
    const writer = setInterval(() => {
      const due = Math.floor(((Date.now() - begun) / 1000) * perSecond)
      server.write(Array.from({ length: due - n }, (_, i) => `INFO com.acme.Ticker - tick ${n + i}, lane ${(n + i) % 17}, all is well`))
      n = due
    }, every)
    const after: [number, number][] = []
    try {
      for (const share of [0.1, 0.5, 1]) {
        await page.waitForTimeout(Math.max(0, begun + minutes * 60_000 * share - Date.now()))
        after.push([minutes * share, await heap(page)])
      }
    } finally {
      clearInterval(writer)
    }
    const [nodes, arrived] = await page.evaluate(() => [document.querySelectorAll('*').length, /([\d,]+) arrived/.exec(document.querySelector('.said')?.textContent ?? '')?.[1] ?? '0'] as const)
    expect(Number(arrived.replaceAll(',', ''))).toBeGreaterThan(n * 0.9)
    say(`| a live tail at ${perSecond} lines/s: the page's heap after ${after.map(([m]) => `${Number(m.toFixed(1))} min`).join(', ')} | ${after.map(([, mb]) => `${mb.toFixed(1)} MB`).join(', ')} |`)
    say(`| the same: lines that arrived in it, elements in the page | ${arrived} of ${n.toLocaleString('en-GB')}, ${nodes.toLocaleString('en-GB')} |`)
    await own.close()
  })
})
