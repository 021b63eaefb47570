// The UI in a real browser against the real server on its recorded failures.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, test } from 'vitest'
import type { StreamList } from '../src/api/types'
import { browser, page, s, serverFor, pageForEach } from './harness'
import { fillers, lines, pod } from './hostile'
import { people } from './people'
import { example, exampleEvent, screens } from './screens'
import { start } from './server'
import { idle, inSight, noOverflow, session } from './session'

const server = serverFor(start)
pageForEach()

test('last night’s failure is found without knowing a pod, down to the very line', async () => {
  await page.goto(server.url)
  await page.getByRole('heading', { level: 1, name: 'Last night' }).waitFor()
  await page.locator('.incident').first().waitFor()
  const { incident } = await example(server.url)
  await page.locator(`a[href="/incidents/${incident.id}"]`).click()
  const title = incident.diagnosis.title || incident.diagnosis.verdict
  await page.getByRole('heading', { level: 1, name: title }).waitFor()
  expect(await page.locator('article .head').innerText()).toContain(incident.diagnosis.verdict)
  expect(await page.locator('.chain > li').count()).toBe(incident.diagnosis.chain.length)
  if (incident.diagnosis.advice) expect(await page.locator('.advice').innerText()).toContain(incident.diagnosis.advice.slice(0, 40))

  const at = incident.diagnosis.chain.findIndex((e) => e.record_id)
  const evidence = incident.diagnosis.chain[at]
  await page.locator('.chain > li').nth(at).getByRole('link', { name: 'Open in the log' }).click()
  await page.locator('.chosen').waitFor()
  expect(new URL(page.url()).searchParams.get('line')).toBe(evidence?.record_id)
  expect(await inSight(page, '.chosen')).toBe(true)
  expect(await page.locator('.record').count()).toBeGreaterThan(1)
  const shown = await page.locator('.chosen .logtext').first().innerText()
  expect(evidence?.text).toContain(shown.slice(0, 60))

  const url = page.url()
  await page.reload()
  await page.locator('.chosen').waitFor()
  expect(page.url()).toBe(url)
  expect(await inSight(page, '.chosen')).toBe(true)
  await page.goBack()
  await page.getByRole('heading', { level: 1, name: title }).waitFor()
  expect(s.errors).toEqual([])
})

test('an event of the chain is found in line with the log', async () => {
  const { incident, at } = await exampleEvent(server.url)
  await page.goto(`${server.url}/incidents/${incident.id}`)
  await page.locator('.chain > li').nth(at).getByRole('link', { name: 'Open in the log' }).click()
  await page.locator('.chosen.is-event').waitFor()
  const url = page.url()
  await page.waitForTimeout(500)
  expect(page.url()).toBe(url)
  expect(await inSight(page, '.chosen')).toBe(true)
  expect(await page.locator('.chosen').innerText()).toContain(incident.diagnosis.chain[at]?.reason ?? 'a reason')
  expect(s.errors).toEqual([])
})

test('a line marked in the log of a whole job leaves that log as it is', async () => {
  const { incident } = await example(server.url)
  await page.goto(`${server.url}/logs?namespace=${incident.namespace}&job=${incident.workload || incident.job}`)
  await page.locator('.record').nth(5).waitFor()
  // How many rows are drawn changes with their heights: what stands around the line must stay.
  const around = (await page.locator('.record').allInnerTexts()).filter((_, i) => i >= 3 && i <= 7 && i !== 5)
  await page.locator('.record').nth(5).locator('.record-time').click()
  await page.locator('.chosen').waitFor()
  await page.waitForTimeout(500)
  await expect.poll(async () => {
    const now = await page.locator('.record').allInnerTexts()
    return around.filter(t => !now.includes(t))
  }).toEqual([])
  expect(new URL(page.url()).searchParams.get('job')).toBe(incident.workload || incident.job)
  // On its own, the link shows the line within its container's log.
  await page.reload()
  await page.locator('.chosen').waitFor()
  await expect.poll(() => new URL(page.url()).searchParams.get('pod')).not.toBe(null)
  expect(s.errors).toEqual([])
})

test('the log of a job is searched, the state is in the address', async () => {
  const { incident } = await example(server.url)
  await page.goto(`${server.url}/logs?namespace=${incident.namespace}&job=${incident.workload || incident.job}`)
  await page.locator('.record').first().waitFor()
  await page.keyboard.press('/')
  await page.keyboard.type('switched')
  await page.keyboard.press('Enter')
  await page.locator('.record mark').first().waitFor()
  expect(new URL(page.url()).searchParams.get('q')).toBe('switched')
  expect((await page.locator('.record mark').first().innerText()).toLowerCase()).toBe('switched')
  await page.getByRole('button', { name: 'Oldest first' }).click()
  await expect.poll(() => new URL(page.url()).searchParams.get('order')).toBe('oldest')
  await page.locator('.record mark').first().waitFor()
  await page.reload()
  expect(await page.getByRole('combobox', { name: 'Search' }).inputValue()).toBe('switched')
  await page.locator('.record mark').first().waitFor()
  const times = await page.locator('.record time').evaluateAll((all) => all.map((t) => t.getAttribute('datetime') ?? ''))
  expect(times).toEqual([...times].sort())
  await page.goBack()
  await expect.poll(() => new URL(page.url()).searchParams.get('order')).toBe(null)
  expect(s.errors).toEqual([])
})

test('keys walk the lists and the screens', async () => {
  await page.goto(server.url)
  await page.locator('.incident').first().waitFor()
  await page.keyboard.press('?')
  await page.getByRole('dialog', { name: 'Keys' }).waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
  const focused = (): Promise<string | null> => page.evaluate(() => document.activeElement?.getAttribute('href') ?? null)
  const links = await page.locator('a.incident-link').evaluateAll((all) => all.map((a) => a.getAttribute('href')))
  await page.keyboard.press('j')
  expect(await focused()).toBe(links[0])
  if (links.length > 1) {
    await page.keyboard.press('j')
    expect(await focused()).toBe(links[1])
    await page.keyboard.press('k')
    expect(await focused()).toBe(links[0])
  }
  await page.keyboard.press('Enter')
  await page.locator('.chain').waitFor()
  expect(new URL(page.url()).pathname).toBe(links[0])
  await page.keyboard.press('g')
  await page.keyboard.press('j')
  await page.getByRole('heading', { level: 1, name: 'Jobs' }).waitFor()
  expect(s.errors).toEqual([])
})

test('keys walk a log further than what is drawn', async () => {
  const { incident } = await example(server.url)
  await page.goto(`${server.url}/logs?namespace=${incident.namespace}&job=${incident.workload || incident.job}`)
  await page.locator('.record').first().waitFor()
  const at = (): Promise<number> => page.evaluate(() => Number(document.activeElement?.closest('[data-index]')?.getAttribute('data-index') ?? -1))
  for (let i = 0; i < 80; i++) await page.keyboard.press('j')
  expect(await at()).toBe(79)
  for (let i = 0; i < 20; i++) await page.keyboard.press('k')
  expect(await at()).toBe(59)
  expect(await page.evaluate(() => {
    const row = document.activeElement?.getBoundingClientRect()
    const box = document.querySelector('.records')?.getBoundingClientRect()
    return !!row && !!box && row.bottom > box.top && row.top < box.bottom
  })).toBe(true)
  await page.keyboard.press('Enter')
  await page.locator('.details').waitFor()
  expect(s.errors).toEqual([])
})

test('an incident is copied as Markdown', async () => {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
  const { incident } = await example(server.url)
  await page.goto(`${server.url}/incidents/${incident.id}`)
  await page.getByRole('button', { name: 'Copy as Markdown' }).click()
  await page.getByText('Copied').waitFor()
  const md = await page.evaluate(() => navigator.clipboard.readText())
  expect(md).toContain(`<${server.url}/incidents/${incident.id}>`)
  expect(md).toContain('### What happened')
  await page.getByRole('button', { name: 'Copy link' }).click()
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(`${server.url}/incidents/${incident.id}`)
  expect(s.errors).toEqual([])
})

test('a server that is away is said, and asked again', async () => {
  await page.route('**/api/v1/incidents*', (r) => r.abort())
  await page.goto(server.url)
  await page.getByRole('alert').waitFor()
  expect(await page.getByRole('alert').innerText()).toContain('The server does not answer')
  await page.unroute('**/api/v1/incidents*')
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.locator('.incident').first().waitFor()
})

test('nothing found says what to do', async () => {
  await page.goto(`${server.url}/?namespace=nowhere`)
  await page.getByText('Nothing failed last night, with these filters').waitFor()
  await page.getByRole('button', { name: 'Drop the filters' }).click()
  await page.locator('.incident').first().waitFor()
  await page.goto(`${server.url}/incidents/no-such-incident`)
  expect(await page.getByRole('alert').innerText()).toContain('no-such-incident')
})

test('look and zone are switched and remembered', async () => {
  await page.goto(server.url)
  await page.getByRole('button', { name: /Look/ }).click()
  await page.getByRole('combobox', { name: 'Zone of all times' }).selectOption('utc')
  expect(await page.evaluate(() => document.documentElement.dataset['theme'])).toBe('dark')
  await page.reload()
  expect(await page.evaluate(() => document.documentElement.dataset['theme'])).toBe('dark')
  expect(await page.getByRole('combobox', { name: 'Zone of all times' }).inputValue()).toBe('utc')
  await page.getByRole('combobox', { name: 'Zone of all times' }).selectOption('Asia/Tokyo')
  expect(await page.locator('.incident time').first().innerText()).toMatch(/^\d\d:\d\d:\d\d$/)
  expect(s.errors).toEqual([])
})

test('how records are shown is chosen, stands in the address, and what is downloaded is named', async () => {
  const { incident: i } = await example(server.url)
  await page.goto(`${server.url}/logs?namespace=${i.namespace}&job=${i.workload || i.job}`)
  await page.locator('.record').first().waitFor()
  await page.locator('summary', { hasText: 'View' }).click()
  await page.getByRole('checkbox', { name: 'Wrap' }).uncheck()
  await page.getByRole('checkbox', { name: 'Whole lines' }).check()
  await expect.poll(() => page.locator('.record .logtext').first().innerText()).toMatch(/^\d{4}-\d\d-\d\d /)
  await page.keyboard.press('Escape')
  await page.getByRole('checkbox', { name: 'Wrap' }).waitFor({ state: 'hidden' })
  await page.reload()
  await page.locator('.records.nowrap .record').first().waitFor()
  await page.locator('summary', { hasText: 'Download' }).click()
  for (const [name, kind] of [['Raw lines, as written', 'text/plain'], ['The records, NDJSON', 'application/x-ndjson']] as const) {
    const href = await page.getByRole('link', { name }).getAttribute('href')
    const res = await page.request.get(server.url + (href ?? ''))
    expect(res.status()).toBe(200)
    expect(res.headers()['content-type']).toContain(kind)
    expect((await res.text()).split('\n').length).toBeGreaterThan(100)
  }
  expect(s.errors).toEqual([])
})

describe('hostile log lines', () => {
  const open = async (): Promise<string> => {
    const res = await fetch(`${server.url}/api/v1/streams?pod=${pod}`)
    const { items } = (await res.json()) as StreamList
    const st = items[0]
    expect(st, 'the pod of hostile lines is there').toBeDefined()
    await page.goto(`${server.url}/logs?namespace=${st?.namespace}&pod=${pod}&order=oldest`)
    await page.locator('.record').first().waitFor()
    return server.url
  }

  test('stay text', async () => {
    await open()
    const inside = await page.locator('.records').evaluate((el) => el.querySelectorAll('img, script, svg:not(.icon), b, iframe').length)
    expect(inside).toBe(0)
    expect(await page.evaluate(() => (window as unknown as { __broken?: number }).__broken)).toBeUndefined()
    const text = await page.locator('.records').innerText()
    expect(text).toContain('<img src=x onerror=')
    expect(text).toContain('⟨U+202E⟩gnp.exe')
    expect(text).toContain('⟨ESC⟩]0;title⟨BEL⟩')
    // eslint-disable-next-line no-control-regex
    expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u202a-\u202e\u2066-\u2069\ufeff]/)
    await noOverflow(page, 'the log')
    expect(s.errors).toEqual([])
  })

  test('are downloaded as they were written', async () => {
    await open()
    const href = await page.getByRole('link', { name: 'Raw lines', includeHidden: true }).getAttribute('href')
    const body = (await page.request.get(server.url + href)).body()
    const text = (await body).toString('utf8')
    for (const line of lines) expect(text.includes(line), line.slice(0, 60)).toBe(true)
  })

  test('a line of 1 MB is shown in pieces', async () => {
    await open()
    const big = page.locator('.record', { hasText: 'x'.repeat(1000) })
    expect((await big.innerText()).length).toBeLessThan(10_000)
    await big.getByRole('button', { name: /more characters/ }).click()
    await expect.poll(async () => (await big.innerText()).length).toBeGreaterThan(60_000)
    expect(s.errors).toEqual([])
  })

  test('a long log is read to its end with few rows on the page', async () => {
    await open()
    let rows = 0
    await expect.poll(async () => {
      await page.locator('.records').evaluate((el) => el.scrollTo(0, el.scrollHeight))
      rows = Math.max(rows, await page.locator('.record').count())
      return page.locator('.records').innerText()
    }, { timeout: 40_000, interval: 100 }).toContain(`filler line ${fillers - 1} `)
    expect(rows).toBeLessThan(200)
    await page.getByText('The log ends here.').waitFor()
    expect(s.errors).toEqual([])
  })

  test('a line is linked without the list moving, and more comes in above it', async () => {
    await open()
    await page.locator('.records').evaluate((el) => el.scrollTo(0, 6000))
    await page.waitForTimeout(200)
    const row = page.locator('.record').nth(20)
    const before = (await row.boundingBox())?.y
    await row.locator('.record-time').click()
    await page.locator('.chosen').waitFor()
    expect(Math.abs(((await page.locator('.chosen').boundingBox())?.y ?? 0) - (before ?? -99))).toBeLessThan(2)
    const text = await page.locator('.chosen .logtext').first().innerText()
    await page.reload()
    await page.locator('.chosen').waitFor()
    expect(await page.locator('.chosen .logtext').first().innerText()).toBe(text)
    expect(await inSight(page, '.chosen')).toBe(true)

    await page.locator('.records').evaluate((el) => el.scrollTo(0, 0))
    await page.waitForTimeout(200)
    const top = page.locator('.record').nth(1)
    const said = await top.locator('.logtext').first().innerText()
    const y = (await top.boundingBox())?.y ?? 0
    // What stands above is loaded when the reader goes there, or by the button if it is quicker.
    await page.waitForTimeout(1500)
    const same = page.locator('.record', { hasText: said.slice(0, 60) }).first()
    expect(Math.abs(((await same.boundingBox())?.y ?? -999) - y)).toBeLessThan(40)
    expect(s.errors).toEqual([])
  })
})

describe('every screen', () => {
  beforeAll(() => people(server.url)) // Lists with something in them.
  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  /** What axe finds that keeps somebody out. */
  const serious = async (on: Page): Promise<string[]> => {
    await on.evaluate(axe)
    return on.evaluate(async () => {
      const { axe } = window as unknown as { axe: typeof import('axe-core') }
      const { violations } = await axe.run(document)
      return violations.filter((v) => v.impact === 'serious' || v.impact === 'critical')
        .map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 200)).slice(0, 3).join(' | ')}`)
    })
  }
  for (const options of [{ colorScheme: 'light' }, { colorScheme: 'dark', viewport: { width: 390, height: 844 } }] as const) {
    test(`is usable by everybody (${options.colorScheme})`, { timeout: 400_000 }, async () => {
      const own = await session(browser, options)
      for (const [name, href] of Object.entries(await screens(server.url))) {
        await own.page.goto(server.url + href)
        await idle(own.page)
        await own.page.waitForTimeout(300)
        await noOverflow(own.page, name)
        expect(await serious(own.page), name).toEqual([])
        // What folds out, too: each kind of it once.
        if (!['home', 'incident', 'logs-job', 'templates-windows'].includes(name)) continue
        await own.page.evaluate(() => { for (const d of document.querySelectorAll<HTMLDetailsElement>('main details')) d.open = true })
        await noOverflow(own.page, `${name}, unfolded`)
        expect(await serious(own.page), `${name}, unfolded`).toEqual([])
      }
      for (const [name, button] of [['Keys', own.page.getByRole('button', { name: 'Keys' })], ['Who are you?', own.page.getByRole('button', { name: 'Who are you?' })]] as const) {
        await button.click()
        await own.page.getByRole('dialog').waitFor()
        expect(await serious(own.page), name).toEqual([])
        await own.page.keyboard.press('Escape')
        await own.page.getByRole('dialog').waitFor({ state: 'hidden' })
      }
      // An answer of 4xx is in the console of the screens that show one.
      expect(own.errors.filter((e) => !/status of 40[04]/.test(e))).toEqual([])
      await own.close()
    })
  }
})
